"""What our books have about purchases: found by indexes, a batch at a time."""

import datetime
from collections.abc import Iterable, Sequence

from django.db.models import OuterRef, Q, QuerySet, Subquery

from loyalty.models import (
    Bucket,
    Discrepancy,
    Entry,
    OpenHold,
    Operation,
    Origin,
    Store,
    Transaction,
)
from loyalty.order_sources import Purchase, Window, WindowKind

DEBIT, CREDIT = Transaction.Kind.DEBIT, Transaction.Kind.CREDIT


def transactions(store: Store, ids: Iterable[int]) -> list[Transaction]:
    """These transactions of the store with their cards, and when each was last moved.

    Without what our own rules gave for an order: the store's record knows nothing of that.
    """
    last = Operation.objects.filter(transaction=OuterRef("pk")).order_by("-pk")
    rows = Transaction.objects.filter(pk__in=set(ids), card__store=store).select_related("card")
    rows = rows.exclude(kind=CREDIT, grants__origin=Origin.EARNING)
    found = rows.annotate(moved_at=Subquery(last.values("created_at")[:1]))
    return list(found.order_by("pk"))


def moved_at(transaction: Transaction) -> datetime.datetime:
    """When something last happened to one of `transactions`."""
    moved: datetime.datetime | None = getattr(transaction, "moved_at", None)
    return moved or transaction.created_at


def related(store: Store, purchases: Sequence[Purchase]) -> list[Transaction]:
    """Every transaction that a payment or an order of these purchases may be about."""
    payments = [payment for purchase in purchases for payment in purchase.payments]
    written = {payment.payment_id for payment in payments} - {""}
    requests = {form for each in written for form in (each, each.upper(), each.lower())}
    orders = {order_id for purchase in purchases for order_id in purchase.order_ids}
    orders |= {purchase.group for purchase in purchases}
    ids: set[int] = set()
    for condition in (
        Q(public_id__in={payment.tid for payment in payments} - {""}),
        # Rewards come with the order as their request.
        Q(request_id__in=requests | orders),
        Q(order_id__in=orders - {""}),
    ):
        ids.update(Transaction.objects.filter(condition).values_list("pk", flat=True))
    return transactions(store, ids)


def moved_in(store: Store, window: Window) -> list[int]:
    """The debits that were made in a window, or settled or given back in one of changes."""
    entries = Entry.objects.filter(
        created_at__gte=window.since,
        created_at__lt=window.until,
        card__store=store,
        transaction__kind=DEBIT,
    )
    if window.kind == WindowKind.AUTHORIZED:
        entries = entries.filter(source=Bucket.AVAILABLE, target=Bucket.HELD)
    else:
        entries = entries.filter(source__in=[Bucket.HELD, Bucket.SPENT])
    return sorted(set(entries.order_by().values_list("transaction_id", flat=True).distinct()))


def open_differences(
    store: Store, *, after: int, before: datetime.datetime
) -> QuerySet[Discrepancy]:
    """The differences that are open and were not seen since an instant."""
    rows = Discrepancy.objects.filter(store=store, pk__gt=after, last_seen__lt=before)
    return rows.exclude(status=Discrepancy.Status.CLOSED).order_by("pk")


def old_holds(store: Store, *, after: int, before: datetime.datetime) -> QuerySet[OpenHold]:
    """What has been held since before an instant."""
    return OpenHold.objects.filter(
        store=store, transaction__gt=after, opened_at__lte=before
    ).order_by("transaction_id")
