"""What the store tells of its orders: that something changed, and then the order itself."""

import datetime
from collections.abc import Iterable

from django.utils import timezone

from loyalty.ledger import locked_in_time
from loyalty.models import Customer, Language, PointValueChange, ShopOrder, Store
from loyalty.shop_orders import Order, OrderState, lines_from, rank
from loyalty.wallets import customer_of

_LONGEST_ID = 64


def announce(store: Store, order_ids: Iterable[str]) -> int:
    """Remember that these orders have to be read, and how many; safe to repeat.

    What is no order id of the ledger's length is left out.
    """
    known = sorted({each for each in order_ids if 0 < len(each) <= _LONGEST_ID})
    now = timezone.now()
    ShopOrder.objects.bulk_create(
        [
            ShopOrder(store=store, order_id=order_id, announced_at=now, read_after=now)
            for order_id in known
        ],
        update_conflicts=True,
        update_fields=["announced_at", "read_after"],
        unique_fields=["store", "order_id"],
    )
    return len(known)


def record(store: Store, order: Order) -> ShopOrder:
    """Keep this sight of an order if it is newer than the one there is; nothing moves yet.

    The customer is found, or made, the first time that the order names one, and stays. Raises
    `LedgerBusy` when a lock was not to be had in time.
    """
    with locked_in_time():
        row = _locked(store, order)
        is_newer = not row.version or _rank(row) < order.rank
        if is_newer:
            _take(row, order)
            row.version += 1
        is_nobodys = row.customer_id is None
        if is_nobodys:
            row.customer = _buyer(store, order)
        if is_newer or is_nobodys:
            row.save()
    return row


def _locked(store: Store, order: Order) -> ShopOrder:
    same = ShopOrder.objects.filter(store=store, order_id=order.order_id)
    locked = same.select_for_update(no_key=True)
    if row := locked.first():
        return row
    same.get_or_create(
        store=store, order_id=order.order_id, defaults={"announced_at": timezone.now()}
    )
    return locked.get()


def _rank(row: ShopOrder) -> tuple[int, datetime.datetime, str]:
    assert row.changed_at is not None  # noqa: S101  the database holds it of every version
    return rank(row.state, row.changed_at, row.digest)


def _take(row: ShopOrder, order: Order) -> None:
    row.state, row.status = order.state.value, order.status[:64]
    row.channel, row.currency = order.channel[:32], order.currency[:3]
    row.changed_at, row.placed_at, row.paid_at = (
        order.changed_at,
        order.placed_at,
        _paid_at(row, order),
    )
    row.invoiced_at, row.delivered_at = order.invoiced_at, order.delivered_at
    row.digest, row.facts = order.digest, order.facts
    row.total, row.kept = order.total, order.kept


def _paid_at(row: ShopOrder, order: Order) -> datetime.datetime | None:
    """When it was paid. What it earned is counted in points of that day.

    So whatever the store says later, the day is not lost, and stays on its side of a change of the
    point value by which points were kept: else the same points would be given or taken twice.
    """
    known, told = row.paid_at, order.paid_at
    if known is None or known == told or not row.earnings.exists():
        return told
    return known if told is None or _are_points_kept_between(row, known, told) else told


def _are_points_kept_between(row: ShopOrder, *instants: datetime.datetime) -> bool:
    """Whether a program in which the order earned changed its point value so, between them."""
    return PointValueChange.objects.filter(
        program__earning_rules__earnings__order=row,
        policy=PointValueChange.Policy.KEEP_POINTS,
        changed_at__gt=min(instants),
        changed_at__lte=max(instants),
    ).exists()


def _buyer(store: Store, order: Order) -> Customer | None:
    if not order.buyer:
        return None
    customer = customer_of(store, order.buyer)
    if not customer.identity.differs_from(order.buyer):
        customer.learn(
            order.buyer,
            name=order.buyer_name,
            language=Language.meant_by(order.buyer_language),
        )
    return customer


def order_of(row: ShopOrder, *, store_reward: int = 0) -> Order:
    """The order as the engine takes it. Raises `ValueError` for one that was only announced."""
    if row.changed_at is None or row.placed_at is None:
        msg = f"Order {row.pk} has not been read."
        raise ValueError(msg)
    return Order(
        order_id=row.order_id,
        state=OrderState(row.state),
        status=row.status,
        changed_at=row.changed_at,
        placed_at=row.placed_at,
        paid_at=row.paid_at,
        invoiced_at=row.invoiced_at,
        delivered_at=row.delivered_at,
        channel=row.channel,
        currency=row.currency,
        store_reward=store_reward,
        **lines_from(row.facts),
    )
