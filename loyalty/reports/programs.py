"""What a loyalty program gave, took back and was paid with; its members, and what became of them.

From the sums by cause and by month of joining, and the entries that are not in them yet: equal to
the entries to the unit. Amounts are in the finest units of the store's currency. A member is a
wallet of the program.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from django.db import connection
from django.utils import timezone

from loyalty.models import (
    BookProgress,
    Bucket,
    OperationKind,
    Origin,
    Program,
)
from loyalty.reports.amounts import finest
from loyalty.reports.flows import flows
from loyalty.reports.outstanding import Position, positions
from loyalty.reports.parts import BOOKS, CAUSED, MOVED, PROGRAMS
from loyalty.reports.roll_forward import months_between
from loyalty.reports.sums import READABLE, covered, one_snapshot, progress_of, waiting

_TAIL = f"""
    WITH moved AS ({MOVED} WHERE card.program_id = %(program)s AND entry.id > %(covered)s),
    caused AS ({CAUSED})
"""
_CAUSE = "exponent, origin, verb, rule, campaign, source, target"
_CAUSES = f"""
    {_TAIL}, movement AS (
        SELECT day, {_CAUSE}, amount, count FROM loyalty_bookcause
        WHERE program_id = %(program)s AND day <= %(last)s AND %(covered)s > 0
        UNION ALL
        SELECT day, {_CAUSE}, amount, 1 FROM caused WHERE day <= %(last)s
    ), summed AS (
        SELECT CASE WHEN day >= %(first)s THEN date_trunc('month', day)::date END AS month,
               {_CAUSE}, sum(amount) AS amount, sum(count) AS count
        FROM movement GROUP BY 1, {_CAUSE}
    )
    SELECT month, {_CAUSE}, amount, count, coalesce(rule.name, ''), coalesce(campaign.name, '')
    FROM summed
    LEFT JOIN loyalty_earningrule rule ON rule.id = summed.rule
    LEFT JOIN loyalty_campaign campaign ON campaign.id = summed.campaign
"""
_JOINED = f"""
    {_TAIL}, tail AS (
        SELECT joined, month, exponent, sum(given) AS given, sum(spent) AS spent,
               count(DISTINCT card_id) FILTER (WHERE is_active AND (%(covered)s = 0 OR NOT EXISTS (
                   SELECT FROM loyalty_bookactive known
                   WHERE known.card_id = caused.card_id AND known.month = caused.month
               ))) AS active
        FROM caused GROUP BY joined, month, exponent
    )
    SELECT joined, month, exponent, sum(given), sum(spent), sum(active) FROM (
        SELECT joined, month, exponent, given, spent, active FROM loyalty_bookjoined
        WHERE program_id = %(program)s AND %(covered)s > 0
        UNION ALL
        SELECT joined, month, exponent, given, spent, active FROM tail
    ) together GROUP BY joined, month, exponent
"""
_MEMBERS = """
    SELECT date_trunc('month', local)::date,
           count(*) FILTER (WHERE local >= %(first)s AND local < %(after)s),
           count(*) FILTER (WHERE local < %(after)s), count(*) FILTER (WHERE is_open)
    FROM (
        SELECT created_at AT TIME ZONE %(zone)s AS local,
               status <> 'closed' AND merged_into_id IS NULL AS is_open
        FROM loyalty_giftcard WHERE program_id = %(program)s
    ) wallet GROUP BY 1 ORDER BY 1
"""
_OWED = {Bucket.AVAILABLE, Bucket.HELD}
# What one wallet sends for outside another receives from there.
_BETWEEN_WALLETS = {OperationKind.TRANSFER, OperationKind.REVERSE}


class StillSumming(Exception):
    """More entries are not in the sums yet than can be read in the time of a page; `left`."""

    def __init__(self, left: int) -> None:
        super().__init__(left)
        self.left = left


@dataclass(slots=True)
class Turnover:
    """What moved in a program in some time, from what was owed before to what is owed after.

    `earned` by the program's rules, `rewarded` by rewards of the store, `given` by staff, batches
    and imports. `taken_back` are credits that were canceled, `removed` everything else that was
    taken off, `restored` what had ended and was given again. `revalued` is what cards gained, or
    below zero lost, to keep their points at another point value.
    """

    opening: int = 0
    earned: int = 0
    rewarded: int = 0
    given: int = 0
    revalued: int = 0
    spent: int = 0
    refunded: int = 0
    expired: int = 0
    taken_back: int = 0
    removed: int = 0
    restored: int = 0

    @property
    def credited(self) -> int:
        """What came onto the wallets and was not taken back, by what points are worth since."""
        return self.earned + self.rewarded + self.given + self.revalued - self.taken_back

    @property
    def used(self) -> int:
        """What was spent and not refunded."""
        return self.spent - self.refunded

    @property
    def closing(self) -> int:
        """What is owed after it."""
        gone = self.used + self.expired + self.removed - self.restored
        return self.opening + self.credited - gone

    @property
    def redeemed(self) -> int | None:
        """Thousandths of what was credited that were used, to the nearest; None of nothing."""
        return permille(self.used, self.credited) if self.credited > 0 else None

    def add(self, other: "Turnover") -> None:
        """Put another one's movements on top."""
        for each in fields(other):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(slots=True)
class Cost:
    """What a rule or campaign, or another way to give credit, gave and took back in a period."""

    source: Origin
    rule: int = 0
    campaign: int = 0
    name: str = ""
    campaign_name: str = ""
    times: int = 0
    given: int = 0
    taken_back: int = 0

    @property
    def net(self) -> int:
        """What it cost, as far as it is spent some day."""
        return self.given - self.taken_back


@dataclass(frozen=True, slots=True)
class Joined:
    """Wallets opened in a month: in the period, by its end, and how many are still open now."""

    new: int
    by_then: int
    still_open: int


@dataclass(slots=True)
class Figures:
    """A program's figures of a period, and what it owes as of an instant."""

    months: dict[datetime.date, Turnover]
    costs: list[Cost]
    joined: dict[datetime.date, Joined]
    owed: Position
    before: Turnover = field(default_factory=Turnover)

    @property
    def whole(self) -> Turnover:
        """The period as one."""
        total = Turnover(opening=self.before.closing)
        for month in self.months.values():
            total.add(month)
            total.opening -= month.opening
        return total

    @property
    def ever(self) -> Turnover:
        """Everything from the program's first day to the end of the period."""
        total = Turnover()
        total.add(self.before)
        total.add(self.whole)
        total.opening = 0
        return total


@dataclass(slots=True)
class Age:
    """A month of a cohort: wallets that were active in it, and what was given and spent by then."""

    active: int = 0
    given: int = 0
    spent: int = 0


@dataclass(slots=True)
class Cohort:
    """The wallets opened in a month; `ages[n]` is how it stood n months after."""

    month: datetime.date
    size: int
    ages: list[Age]


def permille(part: int, whole: int) -> int:
    """Thousandths to the nearest; 0 of nothing."""
    return (part * 2000 + whole) // (2 * whole) if whole > 0 else 0


def figures(
    program: Program,
    first: datetime.date,
    last: datetime.date,
    *,
    at: datetime.datetime | None = None,
) -> Figures:
    """The figures of the days from `first` to `last`, and what is owed `at` an instant or now.

    Raises `StillSumming`.
    """
    with one_snapshot():
        books, known = progress_of(BOOKS, PROGRAMS)
        _readable(program, known)
        movements = _movements(program, known, first, last)
        owed = positions(flows(program.store, books, until=at))
        joined = _members(program, first, last)
    months = {month: Turnover() for month in months_between(first, last)}
    before, costs = Turnover(), _Costs()
    for movement in movements:
        turnover = months[movement.month] if movement.month else before
        name, sign = movement.column
        if name:
            setattr(turnover, name, getattr(turnover, name) + sign * movement.amount)
        if movement.month:
            costs.add(movement, name)
    opening = before.closing
    for month in months.values():
        month.opening = opening
        opening = month.closing
    mine = [position for kind, position in owed.items() if kind.program_id == program.pk]
    return Figures(months, costs.sorted(), joined, Position.total(mine), before)


def cohorts(program: Program) -> list[Cohort]:
    """The months in which wallets were opened, oldest first, each up to now.

    Raises `StillSumming`.
    """
    last = timezone.localdate(timezone=program.store.zone)
    with one_snapshot():
        [known] = progress_of(PROGRAMS)
        _readable(program, known)
        changes = _joined(program, known)
        joined = _members(program, datetime.date.min, datetime.date.max)
    return [
        _cohort(month, joined[month].new if month in joined else 0, changes[month], last)
        for month in sorted({*joined, *changes})
    ]


@dataclass(frozen=True, slots=True)
class _Movement:
    month: datetime.date | None
    origin: str
    verb: str
    rule: int
    campaign: int
    source: str
    target: str
    amount: int
    count: int
    name: str
    campaign_name: str

    @property
    def column(self) -> tuple[str, int]:
        """The figure that it adds to, and its sign; none when it stays among what is owed."""
        if self.source in _OWED and self.target in _OWED:
            return "", 0
        if self.verb == OperationKind.REVALUE:
            return "revalued", -1 if self.source in _OWED else 1
        if Bucket.OUTSIDE in {self.source, self.target} and self.verb in _BETWEEN_WALLETS:
            return "", 0
        if self.source in _OWED:
            return self._left(), 1
        if self.target in _OWED:
            return self._came(), 1
        # From one end to another: a refund of a closed card, or what a late refund lost again.
        return "", 0

    def _left(self) -> str:
        if self.target in {Bucket.SPENT, Bucket.EXPIRED}:
            return str(self.target)
        # What another point value added to an earning is taken back by an adjustment.
        return "taken_back" if self.verb == OperationKind.CANCEL or self.rule else "removed"

    def _came(self) -> str:
        if self.source == Bucket.SPENT:
            return "refunded"
        if self.source != Bucket.OUTSIDE:
            return "restored"
        return {Origin.EARNING.value: "earned", Origin.REWARD.value: "rewarded"}.get(
            self.origin, "given"
        )


class _Costs:
    """The ways in which credit was given, one by one."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int], Cost] = {}

    def add(self, movement: _Movement, column: str) -> None:
        """Count a movement, if it gave or took back."""
        if column not in {"earned", "rewarded", "given", "taken_back"}:
            return
        key = (movement.origin, movement.rule, movement.campaign)
        names = (movement.name, movement.campaign_name)
        cost = self._found.setdefault(key, Cost(Origin(key[0]), *key[1:], *names))
        if column == "taken_back":
            cost.taken_back += movement.amount
        else:
            cost.given += movement.amount
            cost.times += movement.count

    def sorted(self) -> list[Cost]:
        """What cost most first."""
        return sorted(
            self._found.values(),
            key=lambda cost: (-cost.net, cost.source, cost.rule, cost.campaign),
        )


def _movements(
    program: Program, known: BookProgress, first: datetime.date, last: datetime.date
) -> Iterable[_Movement]:
    with connection.cursor() as cursor:
        cursor.execute(_CAUSES, {**_parameters(program, known), "first": first, "last": last})
        rows = cursor.fetchall()
    currency = program.store.currency
    for (
        month,
        exponent,
        origin,
        verb,
        rule,
        campaign,
        source,
        target,
        amount,
        count,
        *names,
    ) in rows:
        yield _Movement(
            month,
            *(origin, verb, rule, campaign, source, target),
            finest(int(amount), currency=currency, exponent=exponent),
            int(count),
            *names,
        )


def _joined(
    program: Program, known: BookProgress
) -> Mapping[datetime.date, dict[datetime.date, Age]]:
    with connection.cursor() as cursor:
        cursor.execute(_JOINED, _parameters(program, known))
        rows = cursor.fetchall()
    currency = program.store.currency
    changes: dict[datetime.date, dict[datetime.date, Age]] = defaultdict(dict)
    for joined, month, exponent, given, spent, active in rows:
        age = changes[joined].setdefault(month, Age())
        age.active += int(active)
        age.given += finest(int(given), currency=currency, exponent=exponent)
        age.spent += finest(int(spent), currency=currency, exponent=exponent)
    return changes


def _members(
    program: Program, first: datetime.date, last: datetime.date
) -> dict[datetime.date, Joined]:
    after = last if last == datetime.date.max else last + datetime.timedelta(days=1)
    with connection.cursor() as cursor:
        cursor.execute(
            _MEMBERS,
            {
                "program": program.pk,
                "zone": program.store.time_zone,
                "first": first,
                "after": after,
            },
        )
        return {month: Joined(*counts) for month, *counts in cursor.fetchall()}


def _cohort(
    month: datetime.date, size: int, changes: Mapping[datetime.date, Age], last: datetime.date
) -> Cohort:
    cohort, so_far = Cohort(month, size, []), Age()
    for later in months_between(month, max(last, *changes, month)):
        change = changes.get(later, Age())
        so_far = Age(change.active, so_far.given + change.given, so_far.spent + change.spent)
        cohort.ages.append(so_far)
    return cohort


def _readable(program: Program, known: BookProgress) -> None:
    left = waiting([program.store], known)
    if left > READABLE:
        raise StillSumming(left)


def _parameters(program: Program, known: BookProgress) -> dict[str, int]:
    return {"program": program.pk, "covered": covered(program.store, known)}
