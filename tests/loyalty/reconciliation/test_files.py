"""A CSV file as the store's record."""

import datetime
from decimal import Decimal

import pytest

from loyalty.models import Store
from loyalty.order_sources import PaymentStatus, SourceUnreadable, Window, WindowKind
from loyalty.reconciliation.files import FileOrders
from tests.builders import make_store
from tests.loyalty.reconciliation.records import NOON, WEEK

HEADER = "order;payment;amount;authorized_at"


def source_of(store: Store, *lines: str, header: str = HEADER) -> FileOrders:
    return FileOrders(store, "\n".join([header, *lines]).encode())


def test_every_column(store: Store) -> None:
    header = (
        "Order,Payment,TID,Card,Currency,Amount,Status,Settled,Returned,Invoiced,"
        "Authorized_at,Changed_at,Customer"
    )
    line = (
        "v1str-01,P1,t1,c1,brl,28.40,Finished,28.40,0,yes,"
        "2026-11-10T09:00:00,2026-11-10T12:00:00Z,Ana"
    )

    source = FileOrders(store, f"\ufeff{header}\r\n{line}\r\n\r\n".encode())
    [purchase] = source.purchases(WEEK)

    [payment] = purchase.payments
    assert (purchase.group, purchase.order_ids) == ("v1str", ("v1str-01",))
    assert (purchase.is_invoiced, purchase.is_canceled, purchase.changed_at) == (True, False, NOON)
    assert (payment.payment_id, payment.tid, payment.card_id) == ("P1", "t1", "c1")
    assert (payment.amount, payment.settled, payment.returned) == (
        Decimal("28.40"),
        Decimal("28.40"),
        Decimal(0),
    )
    assert (payment.currency, payment.status) == ("BRL", PaymentStatus.FINISHED)
    second = datetime.timedelta(seconds=1)
    for kind in WindowKind:
        assert source.span(kind) == Window(kind, NOON, NOON + second)  # 09:00 in São Paulo
    assert source.look_up(order_id="v1str", tid="") == purchase
    assert source.look_up(order_id="v2str", tid="t1") is None


def test_what_is_not_told_is_not_known(store: Store) -> None:
    source = source_of(store, "v1str;P1;28,40;2026-11-10T12:00:00Z")

    [purchase] = source.purchases(WEEK)

    [payment] = purchase.payments
    assert (payment.amount, payment.settled, payment.returned) == (Decimal("28.40"), None, None)
    assert (payment.currency, payment.status) == (store.currency, PaymentStatus.OPEN)


def test_only_what_is_in_the_window(store: Store) -> None:
    source = source_of(
        store,
        "v1;P1;1;2026-11-09T23:59:59Z",
        "v2;P2;1;2026-11-10T00:00:00Z",
        "v3;P3;1;2026-11-14T12:00:00Z",
        "v4;P4;1;2026-11-14T12:00:01Z",
    )

    assert [purchase.group for purchase in source.purchases(WEEK)] == ["v2", "v3"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"order;payment;amount\nv1;P1;1", "no column authorized_at"),
        (b"order;amount;authorized_at\nv1;1;2026-11-10", "no column payment or tid"),
        (f"{HEADER}\n".encode(), "no payments"),
        (b"\xff\xfe", "not UTF-8"),
        (f"{HEADER}\nv1;P1;ten;2026-11-10".encode(), "Line 2"),
        (f"{HEADER}\nv1;P1;NaN;2026-11-10".encode(), "Line 2"),
        (f"{HEADER}\nv1;P1;-1;2026-11-10".encode(), "Line 2"),
        (f"{HEADER}\nv1;;1;2026-11-10".encode(), "Line 2"),
        (f"{HEADER};status\nv1;P1;1;2026-11-10;odd".encode(), "its status is not known"),
        (f"{HEADER}\nv1;P1;1;yesterday".encode(), "date of the order v1"),
    ],
)
def test_says_what_is_wrong_with_it(db: None, content: bytes, problem: str) -> None:
    with pytest.raises(SourceUnreadable, match=problem):
        FileOrders(make_store(), content)
