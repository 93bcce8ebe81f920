"""What became of the credit given in a month: spent, expired, removed, or still there."""

import datetime
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import connection
from django.utils import timezone

from loyalty.models import Origin, Store
from loyalty.reports.amounts import finest
from loyalty.reports.flows import Kind, as_issued
from loyalty.reports.parts import MOVED
from loyalty.reports.roll_forward import months_between
from loyalty.reports.sums import covered, one_snapshot, progress

_COLUMNS = "program_id, currency, exponent, funding, origin, landing_origin, source, target"
_COHORTS = f"""
    SELECT issued, month, {_COLUMNS}, sum(amount) FROM (
        SELECT {_COLUMNS}, issued, month, amount FROM loyalty_bookcohort
        WHERE store_id = %(store)s AND %(covered)s > 0
        UNION ALL
        SELECT {_COLUMNS}, issued, date_trunc('month', day)::date, amount FROM (
            {MOVED} WHERE card.store_id = %(store)s AND entry.id > %(covered)s
        ) tail
    ) movement
    GROUP BY issued, month, {_COLUMNS}
"""


@dataclass(slots=True)
class Share:
    """What became of a month's credit by the end of a later month, in the finest units.

    `moved` came back after the credit had ended and lives on as refund credit, which is counted
    with the month in which it came back.
    """

    issued: int = 0
    spent: int = 0
    expired: int = 0
    removed: int = 0
    moved: int = 0

    @property
    def open(self) -> int:
        """What is still on the cards, held included."""
        return self.issued - self.spent - self.expired - self.removed - self.moved

    def permille(self, name: str) -> int:
        """One of the figures in thousandths of what was issued, to the nearest."""
        amount: int = getattr(self, name)
        return (amount * 2000 + self.issued) // (2 * self.issued) if self.issued else 0


@dataclass(slots=True)
class Cohort:
    """The credit given in a month; `ages[n]` is how it stood n months after, the month itself 0."""

    month: datetime.date
    ages: list[Share] = field(default_factory=list)

    @property
    def now(self) -> Share:
        """How it stands now."""
        return self.ages[-1]


def cohorts(
    store: Store,
    *,
    currency: str,
    program_id: int | None = None,
    funding: str = "",
    refunds: bool = False,
) -> list[Cohort]:
    """The months in which credit was given, oldest first, each up to now.

    Of all credit but what came back by late refunds; with `refunds` only of that.
    """
    found = {
        key: amount
        for key, amount in _movements(store).items()
        if key[2].currency == currency
        and program_id in {None, key[2].program_id}
        and funding in {"", key[2].funding}
    }
    changes: dict[datetime.date, dict[datetime.date, Share]] = defaultdict(dict)
    for (issued, month, kind, landing, source, target), amount in found.items():
        if landing and refunds:
            changes[month].setdefault(month, Share()).issued += amount
        if (kind.origin == Origin.REFUND) == refunds:
            share = changes[issued].setdefault(month, Share())
            _count(share, source, target, amount, landed=landing)
    last = timezone.localdate(timezone=store.zone)
    return [_cohort(month, changes[month], last) for month in sorted(changes)]


def _count(share: Share, source: str, target: str, amount: int, *, landed: bool) -> None:
    if landed:
        share.moved += amount
    if source == "outside":
        share.issued += amount
    for name in ("spent", "expired", "removed"):
        change = amount * ((target == name) - (source == name))
        setattr(share, name, getattr(share, name) + change)


def _cohort(
    month: datetime.date, changes: dict[datetime.date, Share], last: datetime.date
) -> Cohort:
    cohort, so_far = Cohort(month), Share()
    for later in months_between(month, max(last, *changes)):
        so_far = _sum([so_far, changes.get(later, Share())])
        cohort.ages.append(so_far)
    return cohort


def average(found: Iterable[Cohort]) -> list[Share]:
    """All months taken together by age: of each age, the months that are that old."""
    ages: list[list[Share]] = []
    for cohort in found:
        for age, share in enumerate(cohort.ages):
            if age == len(ages):
                ages.append([])
            ages[age].append(share)
    return [_sum(shares) for shares in ages]


def _sum(shares: Iterable[Share]) -> Share:
    total = Share()
    for share in shares:
        total.issued += share.issued
        total.spent += share.spent
        total.expired += share.expired
        total.removed += share.removed
        total.moved += share.moved
    return total


_Key = tuple[datetime.date, datetime.date, Kind, bool, str, str]


def _movements(store: Store) -> dict[_Key, int]:
    with one_snapshot(), connection.cursor() as cursor:
        cursor.execute(_COHORTS, {"store": store.pk, "covered": covered(store, progress())})
        rows = cursor.fetchall()
    found: dict[_Key, int] = defaultdict(int)
    for issued, month, program, currency, exponent, funding, origin, landing, *buckets in rows:
        source, target, amount = as_issued(*buckets)
        kind = Kind(program, currency, funding, origin)
        key = (issued, month, kind, bool(landing), source, target)
        found[key] += finest(int(amount), currency=currency, exponent=exponent)
    return found
