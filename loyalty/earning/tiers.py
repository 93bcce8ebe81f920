"""Which tier a customer has at an instant: one function of orders, schemes and grants.

No database and no clock. What counts is added up by days of the store, so a tier is reached at once
and lost only at midnight. Nothing depends on the order in which anything became known.
"""

import datetime
import zoneinfo
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

Day = datetime.date
ONE_DAY = datetime.timedelta(days=1)


class Basis(StrEnum):
    """What is added up."""

    SPEND = "spend"
    POINTS = "points"


class Period(StrEnum):
    """Over which time."""

    ROLLING = "rolling"
    MONTH = "month"
    YEAR = "year"


class Because(StrEnum):
    """Why a customer has a tier: it was reached, is kept in the days of grace, or was granted."""

    REACHED = "reached"
    GRACE = "grace"
    GRANTED = "granted"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """From `threshold` on, `factor` times as much is earned, valid for `validity_days`.

    None: as long as the program says.
    """

    name: str
    threshold: int
    factor: Fraction = Fraction(1)
    validity_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """The tiers of a program from an instant on, until the next scheme begins.

    Rolling: the last `days` days. A calendar month or year counts for itself and the next one:
    what was reached in a year is kept to the end of the year after it.
    """

    id: int
    starts_at: datetime.datetime
    tiers: Collection[Tier]
    basis: Basis = Basis.SPEND
    period: Period = Period.ROLLING
    days: int = 365
    grace_days: int = 0

    def reached_with(self, counted: int) -> Tier | None:
        """The highest tier that this much is enough for."""
        enough = (tier for tier in self.tiers if tier.threshold <= counted)
        return max(enough, key=lambda tier: tier.threshold, default=None)

    def named(self, name: str) -> Tier | None:
        """The tier of that name: names go on from scheme to scheme."""
        return next((tier for tier in self.tiers if tier.name == name), None)

    def spans(self, day: Day) -> Iterator[tuple[Day, Day]]:
        """From when to when counts on a day; of several, the one with the most."""
        if self.period == Period.ROLLING:
            yield day - (self.days - 1) * ONE_DAY, day
            return
        first = self._first(day)
        yield first, day
        yield self._first(first - ONE_DAY), first - ONE_DAY

    def counts_until(self, day: Day) -> Day:
        """The first day on which what was bought on a day counts no more."""
        if self.period == Period.ROLLING:
            return day + self.days * ONE_DAY
        return self._next(self._next(self._first(day)))

    def _first(self, day: Day) -> Day:
        return day.replace(day=1) if self.period == Period.MONTH else day.replace(month=1, day=1)

    def _next(self, first: Day) -> Day:
        return self._first(first + (31 if self.period == Period.MONTH else 366) * ONE_DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gift:
    """A tier that staff grant from `since` until `until`; one of no name ends those before it."""

    id: int
    since: datetime.datetime
    name: str = ""
    until: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """All that decides about one customer's tier, but for the orders."""

    schemes: Sequence[Scheme]
    zone: zoneinfo.ZoneInfo
    gifts: Sequence[Gift] = ()

    def scheme_at(self, instant: datetime.datetime) -> Scheme | None:
        """The scheme that is in force; None before the first."""
        begun = [scheme for scheme in self.schemes if scheme.starts_at <= instant]
        return max(begun, key=lambda scheme: (scheme.starts_at, scheme.id), default=None)

    def gift_at(self, instant: datetime.datetime) -> Gift | None:
        """The newest grant, if it holds: a later one takes the place of those before it."""
        given = [gift for gift in self.gifts if gift.since <= instant]
        newest = max(given, key=lambda gift: (gift.since, gift.id), default=None)
        if newest is None or newest.until is None or newest.until < instant:
            return None
        return newest


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer is at an instant, and how that came about.

    `counted` is what the scheme adds up at that instant, whatever the tier is due to.
    """

    tier: Tier | None = None
    because: Because = Because.NOTHING
    counted: int = 0
    scheme: Scheme | None = None
    gift: Gift | None = None

    @property
    def name(self) -> str:
        """The tier's name; empty for none."""
        return self.tier.name if self.tier else ""


@dataclass(slots=True)
class _Sums:
    """Amounts by day, added up: any span of days is a subtraction."""

    days: list[Day] = field(default_factory=list)
    upto: list[int] = field(default_factory=list)

    def add(self, day: Day, amount: int) -> None:
        before = self.upto[-1] if self.upto else 0
        if self.days and self.days[-1] == day:
            self.upto[-1] = before + amount
        else:
            self.days.append(day)
            self.upto.append(before + amount)

    def between(self, first: Day, last: Day) -> int:
        start, end = bisect_left(self.days, first), bisect_right(self.days, last)
        if start >= end:
            return 0
        return self.upto[end - 1] - (self.upto[start - 1] if start else 0)

    def days_between(self, first: Day, last: Day) -> Sequence[Day]:
        return self.days[bisect_left(self.days, first) : bisect_right(self.days, last)]


class Climb:
    """A customer's way up and down, order by order in the turn of payment."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._sums = {basis: _Sums() for basis in Basis}

    def add(self, paid_at: datetime.datetime, *, spend: int, points: int) -> None:
        """Count an order: the value that the customer keeps, and what it earned by rules."""
        day = self._day(paid_at)
        self._sums[Basis.SPEND].add(day, spend)
        self._sums[Basis.POINTS].add(day, points)

    def at(self, instant: datetime.datetime) -> Standing:
        """The standing at an instant that is not before the last order that was counted."""
        scheme = self._ladder.scheme_at(instant)
        if scheme is None:
            return Standing()
        day = self._day(instant)
        counted = self._counted(scheme, day)
        reached = scheme.reached_with(counted)
        standing = Standing(
            reached, Because.REACHED if reached else Because.NOTHING, counted, scheme
        )
        for earlier in self._days_of_grace(scheme, day):
            kept = scheme.reached_with(self._counted(scheme, earlier))
            if _is_higher(kept, standing.tier):
                standing = Standing(kept, Because.GRACE, counted, scheme)
        gift = self._ladder.gift_at(instant)
        granted = scheme.named(gift.name) if gift else None
        if _is_higher(granted, standing.tier):
            standing = Standing(granted, Because.GRANTED, counted, scheme, gift)
        return standing

    def changes_at(self, instant: datetime.datetime) -> datetime.datetime | None:
        """When, after an instant, the tier is another one if nothing is bought; None for never."""
        now = self.at(instant)
        for candidate in sorted(each for each in self._turns() if each > instant):
            if self.at(candidate).name != now.name:
                return candidate
        return None

    def _turns(self) -> set[datetime.datetime]:
        """Whenever time alone may change something: always the first instant of it."""
        turns = {scheme.starts_at for scheme in self._ladder.schemes}
        turns |= {
            gift.until + datetime.timedelta(microseconds=1)
            for gift in self._ladder.gifts
            if gift.until
        }
        for scheme in self._ladder.schemes:
            grace = scheme.grace_days * ONE_DAY
            turns |= {
                self._midnight(scheme.counts_until(day) + grace)
                for day in self._sums[scheme.basis].days
            }
        return turns

    def _days_of_grace(self, scheme: Scheme, day: Day) -> Sequence[Day]:
        """The days whose tier is still kept, as far as they can have had the highest.

        Without orders it only goes down: the first day counts, and those with orders.
        """
        first = day - scheme.grace_days * ONE_DAY
        if first == day:
            return ()
        return [first, *self._sums[scheme.basis].days_between(first, day - ONE_DAY)]

    def _counted(self, scheme: Scheme, day: Day) -> int:
        sums = self._sums[scheme.basis]
        return max(sums.between(first, last) for first, last in scheme.spans(day))

    def _day(self, instant: datetime.datetime) -> Day:
        return instant.astimezone(self._ladder.zone).date()

    def _midnight(self, day: Day) -> datetime.datetime:
        return datetime.datetime.combine(day, datetime.time.min, tzinfo=self._ladder.zone)


def _is_higher(tier: Tier | None, than: Tier | None) -> bool:
    return tier is not None and (than is None or tier.threshold > than.threshold)
