"""Purchases that hold money for long: an order that was neither invoiced nor canceled."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, F, QuerySet, Sum
from django.utils import timezone

from loyalty.models import Discrepancy, OpenHold, Store, Transaction
from loyalty.reports.amounts import finest


@dataclass(frozen=True, slots=True)
class HeldTotal:
    """How many holds there are in a currency, and how much they hold in its finest units."""

    currency: str
    number: int
    amount: int


@dataclass(frozen=True, slots=True)
class OrderState:
    """How an order was in the store when it was last looked at; the difference that tells of it."""

    status: str
    seen_at: datetime.datetime
    difference: int


def open_holds(store: Store, *, days: int) -> QuerySet[OpenHold]:
    """The holds that are older than so many days, oldest first, as far as they are still open.

    With their transaction and its card. Very recent ones may be missing for a minute.
    """
    return (
        older_than(store, days)
        .filter(
            transaction__amount__gt=F("transaction__settled") + F("transaction__released"),
            transaction__kind=Transaction.Kind.DEBIT,
        )
        .select_related(
            "transaction__card__owner", "transaction__card__store", "transaction__card__program"
        )
        .order_by("opened_at", "pk")
    )


def held_totals(store: Store, *, days: int) -> list[HeldTotal]:
    """The sum of them by currency, as of the last time that entries were added to the books."""
    found: dict[str, HeldTotal] = {}
    rows = (
        older_than(store, days)
        .values_list("currency", "exponent")
        .annotate(number=Count("pk"), total=Sum("amount"))
    )
    for currency, exponent, number, total in rows.order_by("currency"):
        amount = finest(int(total), currency=currency, exponent=exponent)
        so_far = found.get(currency, HeldTotal(currency, 0, 0))
        found[currency] = HeldTotal(currency, so_far.number + number, so_far.amount + amount)
    return list(found.values())


def order_states(holds: Iterable[OpenHold]) -> dict[int, OrderState]:
    """What the store said last of the orders of these purchases, where a comparison met them."""
    transactions = [hold.transaction_id for hold in holds]
    rows = (
        Discrepancy.objects.filter(transaction__in=transactions)
        .exclude(evidence__order_status=None)
        .exclude(evidence__order_status="")
        .order_by("last_seen")
    )
    known = rows.values_list("transaction_id", "evidence__order_status", "last_seen", "pk")
    return {key: OrderState(status, seen, pk) for key, status, seen, pk in known}


def older_than(store: Store, days: int) -> QuerySet[OpenHold]:
    """What held something for so many days when the sums were made, released since or not."""
    cutoff = timezone.now() - datetime.timedelta(days=days)
    return OpenHold.objects.filter(store=store, opened_at__lte=cutoff)
