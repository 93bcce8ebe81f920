"""What is left on wallets of what orders earned, and what is gone of it."""

import datetime
from fractions import Fraction

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from loyalty.earning.values import PointValues
from loyalty.ledger.transfers import and_later
from loyalty.models import (
    Bucket,
    Customer,
    Earning,
    EarningMovement,
    Entry,
    Grant,
    Operation,
    Origin,
    Program,
)

FAR = datetime.datetime.max.replace(tzinfo=datetime.UTC)
_LOST = (Bucket.EXPIRED, Bucket.REMOVED)


def lots_of(program: Program, customer: Customer) -> QuerySet[Grant]:
    """What is left on the customer's wallets of what orders earned; what expired is gone."""
    return Grant.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=timezone.now()),
        Q(transaction__isnull=False)
        | Q(operation__kind=Operation.Kind.REVALUE)
        | Q(came_from__isnull=False),
        card__owner=customer,
        card__program=program,
        origin=Origin.EARNING,
        remaining__gt=0,
    ).select_related("card", "came_from__came_from")


def _first(lot: Grant) -> Grant:
    """The grant that was given; of money that came from another wallet, that one."""
    while lot.came_from:
        lot = lot.came_from
    return lot


def is_own(lot: Grant, earning: Earning, credit_ids: set[int]) -> bool:
    """Whether it is what the order earned, or what a higher point value added to that."""
    first = _first(lot)
    if first.transaction_id is None:
        return lot.reference == earning.order.order_id
    return first.transaction_id in credit_ids


def named(lot: Grant) -> dict[str, int | None]:
    """How a take-back names a grant: by its credit, or as what was added to that."""
    given = _first(lot)
    if given.transaction_id is not None:
        return {"card_id": given.card_id, "credit_id": given.transaction_id}
    credited = EarningMovement.objects.filter(
        kind=EarningMovement.Kind.CREDIT,
        status=EarningMovement.Status.DONE,
        earning__order__store=lot.card.store_id,
        earning__order__order_id=lot.reference,
    )
    credit = credited.order_by("pk").values_list("credit", flat=True)[0]
    return {"card_id": lot.card_id, "credit_id": credit, "grant_id": lot.pk}


def lost(earning: Earning, credit_ids: set[int], values: PointValues) -> int:
    """What of these credits expired or was removed, but for what earnings took back.

    As the earning counts it: each loss by what its units came to then. What another point value
    took off or added is no loss and no gain.
    """
    paid_at, gone = earning.order.paid_at, Fraction(0)
    given = Grant.objects.filter(transaction__in=credit_ids)
    grown = Grant.objects.filter(
        operation__kind=Operation.Kind.REVALUE,
        origin=Origin.EARNING,
        reference=earning.order.order_id,
        card__owner=earning.order.customer_id,
        card__program=earning.rule.program_id,
    )
    grants = and_later([*given, *grown])
    ends = {grant.pk: grant.expires_at or FAR for grant in grants}
    # What earnings take back is no loss, whichever order it was taken for.
    taken = EarningMovement.objects.filter(
        kind=EarningMovement.Kind.TAKE_BACK, operation=OuterRef("operation")
    )
    moved = Entry.objects.filter(
        ~Exists(taken), card__in={grant.card_id for grant in grants}, grant__in=ends
    ).exclude(operation__kind=Operation.Kind.REVALUE)
    for entry in moved.filter(Q(source__in=_LOST) | Q(target__in=_LOST)):
        until = min(entry.created_at, ends[entry.grant_id])
        units = Fraction(entry.amount) / values.scale_since(paid_at, until=until)
        gone += units if entry.target in _LOST else -units
    now = timezone.now()
    for grant in grants:
        if grant.expires_at is not None and grant.expires_at <= now:
            gone += grant.remaining / values.scale_since(paid_at, until=grant.expires_at)
    return int(gone)
