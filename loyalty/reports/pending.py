"""What orders of a loyalty program earned and is not usable yet, from the earnings themselves."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils import timezone

from loyalty.models import Earning, Grant, Origin, PointValueChange, Program, scale_since
from loyalty.reports.amounts import finest


@dataclass(frozen=True, slots=True)
class Pending:
    """What orders earned and is not usable yet.

    `waits` for the invoice or delivery, and is no liability yet; `booked` is on the wallets and
    becomes usable on its day.
    """

    waits: int
    booked: int


def pending(program: Program) -> Pending:
    """What is earned and not usable yet, now."""
    net = F("credited") - F("taken") - F("forgiven")
    waits = Earning.objects.filter(Q(due__gt=net), rule__program=OuterRef("pk")).order_by()
    booked = Grant.objects.filter(
        card__program=OuterRef("pk"),
        origin=Origin.EARNING,
        valid_from__gt=timezone.now(),
        remaining__gt=0,
    ).order_by()
    found = Program.objects.values_list(
        Subquery(waits.values("rule__program").values(units=Sum(F("due") - net))),
        Subquery(booked.values("card__program").values(units=Sum("remaining"))),
        Exists(_revaluations(OuterRef("pk"))),
    ).get(pk=program.pk)
    scale = finest(1, currency=program.store.currency, exponent=program.exponent)
    units, booked_units = (int(each or 0) for each in found[:2])
    if found[2]:
        units = _waiting(program, list(_revaluations(program)))
    return Pending(units * scale, booked_units * scale)


def _revaluations(program: Any) -> QuerySet[PointValueChange]:
    """The changes of the point value that kept the points, oldest first."""
    kept = PointValueChange.Policy.KEEP_POINTS
    return PointValueChange.objects.filter(program=program, policy=kept).order_by("pk")


def _waiting(program: Program, changes: Sequence[PointValueChange]) -> int:
    """Units of what waits, by what its points are worth since the days of its orders."""
    net = F("credited") - F("taken") - F("forgiven")
    waits = Earning.objects.filter(Q(due__gt=net), rule__program=program)
    since: datetime.datetime | None = None
    units = 0
    for until in (*(each.changed_at for each in changes), None):
        paid = Q(order__paid_at__gte=since) if since else Q()
        paid &= Q(order__paid_at__lt=until) if until else Q()
        found = waits.filter(paid).aggregate(units=Sum(F("due") - net))["units"] or 0
        later = [each for each in changes if since is None or each.changed_at > since]
        units += int(found * scale_since(later, since))
        since = until
    return units
