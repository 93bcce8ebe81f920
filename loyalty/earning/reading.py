"""Listening to stores' orders: the feed, the lists for what it missed, and each order in full.

What the store announces becomes a row before the feed is told to forget it. Rows are then read one
by one over the network, outside any transaction, by any number of workers.
"""

import datetime
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db.models import F, Q
from django.db.transaction import atomic
from django.utils import timezone

from loyalty.earning.intake import announce, record
from loyalty.earning.settling import settle
from loyalty.exceptions import LedgerBusy
from loyalty.models import OrderListening, ShopOrder, Store
from loyalty.order_sources import (
    OrderFeed,
    SourceError,
    SourceUnreadable,
    Window,
    WindowKind,
    feed_of,
)
from loyalty.shop_orders import Order

MOST_LOTS = 100
LEASE = datetime.timedelta(minutes=5)
OVERLAP = datetime.timedelta(hours=1)
FIRST_WINDOW = datetime.timedelta(days=1)
LONGEST_WINDOW = datetime.timedelta(days=1)
FIRST_PAUSE, LONGEST_PAUSE = datetime.timedelta(minutes=1), datetime.timedelta(days=1)
_AT_ONCE = 50
_MOST_FAILURES = 32_000
_UNKNOWN = "The store does not know this order."

log = logging.getLogger(__name__)


def listen() -> int:
    """Take what every store's feed tells, and how many notices that was."""
    return sum(_listen(store) for store in _stores())


def catch_up() -> int:
    """Announce what the lists have since the last time: what the feed missed, or lost.

    A window overlaps the one before, and is at most a day long: a store that was not reached for a
    week is gone through day by day. How many orders were announced.
    """
    return sum(_catch_up(store) for store in _stores())


def announce_window(store: Store, since: datetime.datetime, until: datetime.datetime) -> int:
    """Announce every order that was paid or invoiced in a window. Raises `SourceError`."""
    with _open(store) as feed:
        return _announce_window(store, feed, since, until)


def read_due(limit: int = 500) -> int:
    """Read orders that were announced, and settle what they earn; how many were read."""
    done = 0
    for store in _stores():
        while done < limit and (rows := _claim(store)):
            try:
                done += _read(store, rows)
            except SourceError as error:
                _note_problem(store, error)
                break
    return done


def settle_due(limit: int = 500) -> int:
    """Settle orders that are known and not settled, or whose time has come; how many.

    A customer's are settled together: after a long silence there may be years of them.
    """
    waiting = ShopOrder.objects.filter(
        Q(settled_version__lt=F("version")) | Q(due_at__lte=timezone.now())
    )
    rows = list(waiting.order_by("pk")[:limit])
    customers = {row.customer_id for row in rows if row.customer_id is not None}
    groups: dict[int | None, list[ShopOrder]] = {}
    for row in waiting.filter(customer__in=customers).order_by("pk"):
        groups.setdefault(row.customer_id, []).append(row)
    alone = [[row] for row in rows if row.customer_id is None]
    return sum(_settle(*group) for group in (*groups.values(), *alone))


def _stores() -> Iterator[Store]:
    """The stores with a program that gives for orders, or may be going to."""
    yield from (
        Store.objects.filter(programs__earning_policy__isnull=False).distinct().order_by("pk")
    )


@contextmanager
def _open(store: Store) -> Iterator[OrderFeed]:
    feed = feed_of(store)
    try:
        yield feed
    finally:
        feed.close()


def _listen(store: Store) -> int:
    heard = 0
    try:
        with _open(store) as feed:
            for _ in range(MOST_LOTS):
                notices = feed.notices()
                if not notices:
                    break
                # Only what is kept may be forgotten there.
                announce(store, [notice.order_id for notice in notices])
                feed.confirm(notices)
                heard += len(notices)
    except SourceError as error:
        _note_problem(store, error)
        return heard
    _note(store, heard_at=timezone.now(), problem="")
    return heard


def _catch_up(store: Store) -> int:
    try:
        with _open(store) as feed:
            now = timezone.now() - feed.lag
            known = OrderListening.objects.filter(store=store).first()
            reached = known.caught_up_until if known and known.caught_up_until else None
            since = reached or now - FIRST_WINDOW
            until = min(now, since + LONGEST_WINDOW)
            if until <= since:
                return 0
            announced = _announce_window(store, feed, since - OVERLAP, until)
    except SourceError as error:
        _note_problem(store, error)
        return 0
    _note(store, caught_up_until=until)
    return announced


def _announce_window(
    store: Store, feed: OrderFeed, since: datetime.datetime, until: datetime.datetime
) -> int:
    return sum(
        announce(store, order_ids)
        for kind in WindowKind
        for order_ids in feed.order_ids(Window(kind, since, until))
    )


def _claim(store: Store) -> list[ShopOrder]:
    """Some orders to read, that nobody else reads now; a worker that dies lets them go."""
    now = timezone.now()
    with atomic():
        rows = list(
            ShopOrder.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(store=store, read_after__lte=now)
            .order_by("read_after", "pk")[:_AT_ONCE]
        )
        ShopOrder.objects.filter(pk__in=[row.pk for row in rows]).update(read_after=now + LEASE)
    return rows


def _read(store: Store, rows: Sequence[ShopOrder]) -> int:
    with _open(store) as feed:
        for row in rows:
            try:
                order = feed.order(row.order_id)
            except SourceUnreadable as error:
                _put_off(row, str(error))
                continue
            if order is None:
                _put_off(row, _UNKNOWN)
                continue
            if not _take(store, order):
                continue
            # Announced again meanwhile, it is read again.
            ShopOrder.objects.filter(pk=row.pk, announced_at=row.announced_at).update(
                read_after=None, read_until=row.announced_at, failures=0, problem=""
            )
    return len(rows)


def _take(store: Store, order: Order) -> bool:
    """Keep and settle it; False when a lock was not to be had: it is read again after the lease."""
    try:
        kept = record(store, order)
    except LedgerBusy:
        log.warning("An order of store %s has to wait: a lock was not to be had.", store.pk)
        return False
    _settle(kept)
    return True


def _put_off(row: ShopOrder, problem: str) -> None:
    """Not now: each time later, at last once a day; people see it and why."""
    pause = min(FIRST_PAUSE * 2 ** min(row.failures, 12), LONGEST_PAUSE)
    ShopOrder.objects.filter(pk=row.pk, announced_at=row.announced_at).update(
        read_after=timezone.now() + pause,
        failures=min(row.failures + 1, _MOST_FAILURES),
        problem=problem[:200],
    )


def _settle(*rows: ShopOrder) -> int:
    """Settle orders of one customer; how many that was."""
    try:
        settle(*rows)
    except LedgerBusy:
        # `settle_due` finds them again.
        log.warning("Order %s has to wait: a lock was not to be had.", rows[0].pk)
        return 0
    return len(rows)


def _note_problem(store: Store, error: SourceError) -> None:
    log.warning("Orders of store %s: %s", store.pk, error)
    _note(store, problem=str(error)[:300])


def _note(store: Store, **changes: object) -> None:
    OrderListening.objects.update_or_create(store=store, defaults=changes)
