"""What the store owes its shoppers, as of any instant: available, and held apart."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from loyalty.models import Store
from loyalty.reports.flows import Flow, Kind, Until, flows
from loyalty.reports.sums import one_snapshot, progress


@dataclass(slots=True)
class Position:
    """What each bucket of some credit holds, in the finest units of one currency."""

    credited: int = 0
    available: int = 0
    held: int = 0
    spent: int = 0
    expired: int = 0
    removed: int = 0

    @property
    def outstanding(self) -> int:
        """What the store owes."""
        return self.available + self.held

    def move(self, bucket: str, amount: int) -> None:
        """Put so much into a bucket; what leaves `outside` is what was ever credited."""
        if bucket == "outside":
            self.credited -= amount
        else:
            setattr(self, bucket, getattr(self, bucket) + amount)

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    @classmethod
    def total(cls, positions: Iterable["Position"]) -> "Position":
        """Their sum; give it positions of one currency."""
        total = cls()
        for position in positions:
            for field in fields(cls):
                setattr(
                    total, field.name, getattr(total, field.name) + getattr(position, field.name)
                )
        return total


def outstanding(store: Store, until: Until | None = None) -> dict[Kind, Position]:
    """The position of each kind of credit: at the end of a day of the store, at an instant, or now.

    Exact to the unit, from the entries that name a moment up to then.
    """
    with one_snapshot():
        return positions(flows(store, progress(), until=until))


def positions(movements: Iterable[Flow]) -> dict[Kind, Position]:
    """Where these movements put the money."""
    found: dict[Kind, Position] = {}
    for flow in movements:
        found.setdefault(flow.kind, Position()).move(flow.source, -flow.amount)
        found.setdefault(flow.landing, Position()).move(flow.target, flow.amount)
    return {kind: position for kind, position in sorted(found.items()) if position}
