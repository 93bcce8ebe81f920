"""What a point was worth on the day of an order, and what an earning of then comes to now."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet

from loyalty.models import Earning, PointValueChange, Program, scale_since


@dataclass(frozen=True, slots=True)
class PointValues:
    """The changes of a program's point value, oldest first.

    An order earns points of the value at its payment, and is counted so for ever. Since then
    changes that kept the money left an earning its units, others left it its points.
    """

    changes: Sequence[PointValueChange] = ()

    @classmethod
    def of(cls, program: Program) -> "PointValues":
        """As they are known now."""
        return cls(list(PointValueChange.objects.filter(program=program).order_by("pk")))

    @property
    def latest(self) -> PointValueChange | None:
        """The last one, if any."""
        return self.changes[-1] if self.changes else None

    @property
    def steps(self) -> tuple[tuple[datetime.datetime | None, int], ...]:
        """Since when a point was worth how many units; None for the beginning."""
        if not self.changes:
            return ()
        first = (None, self.changes[0].before)
        return (first, *((each.changed_at, each.after) for each in self.changes))

    def at(self, instant: datetime.datetime, program: Program) -> int | None:
        """What a point of the program was worth at an instant; None for a program in money."""
        if not self.changes:
            return program.point_units
        worth = self.changes[0].before
        for each in self.changes:
            if each.changed_at <= instant:
                worth = each.after
        return worth

    def scale_since(
        self, instant: datetime.datetime | None, *, until: datetime.datetime | None = None
    ) -> Fraction:
        """How many units each unit of an earning of that day comes to now, or came to later on."""
        return scale_since(self.changes, instant, until=until)


NO_CHANGES = PointValues()


def with_changes(earnings: QuerySet[Earning]) -> QuerySet[Earning]:
    """Earnings with what `units_now` asks for, in the statement that reads them."""
    later = PointValueChange.objects.filter(
        program=OuterRef("rule__program"),
        policy=PointValueChange.Policy.KEEP_POINTS,
        changed_at__gt=OuterRef("order__paid_at"),
    ).order_by("pk")
    return earnings.annotate(
        values_before=ArraySubquery(later.values("before")),
        values_after=ArraySubquery(later.values("after")),
    )


def units_now(units: int, earning: Any) -> int:
    """What units of an earning, read by `with_changes`, come to now: `PointValues` for one row."""
    return int(units * Fraction(prod(earning.values_after), prod(earning.values_before)))
