"""How what the store owes went from one month's end to the next."""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from loyalty.models import Store
from loyalty.reports.flows import Flow, Kind, flows
from loyalty.reports.sums import one_snapshot, progress

_OWED = {"available", "held"}


@dataclass(slots=True)
class Month:
    """A month's way from its opening to its closing, in the finest units of one currency.

    All are amounts above zero, but for `moved`: what changed its origin, because a hold was
    released after its credit had ended. That is zero over all origins. `held` is the part of the
    closing that purchases hold.
    """

    opening: int = 0
    issued: int = 0
    spent: int = 0
    refunded: int = 0
    expired: int = 0
    removed: int = 0
    restored: int = 0
    moved: int = 0
    held: int = 0

    @property
    def closing(self) -> int:
        """Where the movements lead from the opening."""
        came = self.issued + self.refunded + self.restored + self.moved
        return self.opening + came - self.spent - self.expired - self.removed

    @property
    def available(self) -> int:
        """The part of the closing that nobody has claimed."""
        return self.closing - self.held

    @property
    def is_quiet(self) -> bool:
        """Nothing was there and nothing moved."""
        return not any(getattr(self, field.name) for field in fields(self))

    @classmethod
    def total(cls, months: Iterable["Month"]) -> "Month":
        """The same month of several kinds of credit, of one currency."""
        total = cls()
        for month in months:
            for field in fields(cls):
                setattr(total, field.name, getattr(total, field.name) + getattr(month, field.name))
        return total


def months_between(first: datetime.date, last: datetime.date) -> Iterator[datetime.date]:
    """The first days of the months from one to the other."""
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = next_month(month)


def next_month(month: datetime.date) -> datetime.date:
    """The first day of the month after."""
    return (month.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)


def roll_forward(
    store: Store, first: datetime.date, last: datetime.date
) -> dict[datetime.date, dict[Kind, Month]]:
    """Each month of the store from that of `first` to that of `last`, by kind of credit.

    A month that is not over yet goes until now. The closing of one is the opening of the next, and
    what `outstanding` says for its last day.
    """
    since = first.replace(day=1)
    with one_snapshot():
        known = progress()
        end = next_month(last) - datetime.timedelta(days=1)
        movements = flows(store, known, until=end, since=since, period="month")
    by_month: dict[datetime.date | None, list[Flow]] = defaultdict(list)
    for flow in movements:
        by_month[flow.period].append(flow)
    ended = _after({}, by_month[None])
    found = {}
    for month in months_between(since, last):
        ended = _after(ended, by_month[month])
        found[month] = {kind: row for kind, row in sorted(ended.items()) if not row.is_quiet}
    return found


def _after(before: dict[Kind, Month], movements: Iterable[Flow]) -> dict[Kind, Month]:
    """The month after another, in which this moved."""
    months = {kind: Month(opening=month.closing, held=month.held) for kind, month in before.items()}
    for flow in movements:
        left = months.setdefault(flow.kind, Month())
        came = months.setdefault(flow.landing, Month())
        left.held -= flow.amount if flow.source == "held" else 0
        came.held += flow.amount if flow.target == "held" else 0
        if flow.source in _OWED and flow.target in _OWED:
            # Between the two nothing changes, but for a hold that lands on another origin.
            left.moved -= flow.amount
            came.moved += flow.amount
        elif flow.target in _OWED:
            name = {"outside": "issued", "spent": "refunded"}.get(flow.source, "restored")
            setattr(came, name, getattr(came, name) + flow.amount)
        elif flow.source in _OWED:
            name = flow.target if flow.target in {"spent", "expired"} else "removed"
            setattr(left, name, getattr(left, name) + flow.amount)
    return months
