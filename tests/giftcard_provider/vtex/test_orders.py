"""VTEX's orders as the reconciliation gets them."""

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from giftcard_provider.vtex import orders
from giftcard_provider.vtex.orders import VtexOrders
from loyalty.models import Store
from loyalty.order_sources import (
    PaymentStatus,
    SourceRefused,
    SourceUnreadable,
    Window,
    WindowKind,
)
from tests.builders import make_store
from tests.giftcard_provider.vtex.conftest import make_keys
from tests.vtex import Payment, Purchase, StandIn

NOON = datetime.datetime(2026, 11, 10, 12, tzinfo=datetime.UTC)
DAY = Window(WindowKind.AUTHORIZED, NOON, NOON + datetime.timedelta(days=1))


@pytest.fixture
def source(store: Store, pauses: list[float]) -> Iterator[VtexOrders]:
    made = VtexOrders(store)
    yield made
    made.close()


def at(**delta: float) -> datetime.datetime:
    return NOON + datetime.timedelta(**delta)


def make_purchases(vtex: StandIn, number: int, **fields: Any) -> None:
    for count in range(number):
        fields["authorized"] = at(seconds=count * 60)
        vtex.scenario.add(Purchase(f"v{count:05}str", payments=[Payment(100)], **fields))


def without(found: dict[str, Any], name: str) -> dict[str, Any]:
    """What VTEX sent, but for one field."""
    return {key: value for key, value in found.items() if key != name}


def groups(source: VtexOrders, window: Window = DAY) -> list[str]:
    return sorted(purchase.group for purchase in source.purchases(window))


def test_a_purchase_with_two_cards(source: VtexOrders, vtex: StandIn) -> None:
    card = Payment(399, tid="t1", card_id="c1", settled=399, refunded=99)
    other = Payment(100, tid="t2", card_id="c2", settled=100)
    visa = Payment(5000, group="creditCard", system="2", name="Visa", provider=None)
    native = Payment(700, provider="VtexGiftCard", card_id="c3")
    vtex.scenario.add(
        Purchase(
            "v1str",
            at(hours=1),
            [card, other, visa, native],
            invoiced=at(hours=2),
            status="invoiced",
            payment_status="Finished",
            shown_cards=["c9"],
            reward=250,
        )
    )

    [purchase] = source.purchases(DAY)
    detailed = source.detailed(purchase)

    assert (purchase.group, purchase.order_ids) == ("v1str", ("v1str-01",))
    assert (purchase.is_invoiced, purchase.is_canceled) == (True, False)
    assert purchase.changed_at == at(hours=2)
    assert purchase.rewards == (("v1str-01", Decimal("2.50")),)
    first, second = purchase.payments
    assert (first.payment_id, first.tid, first.card_id) == (card.id, "t1", "c1")
    assert (first.amount, first.currency, first.provider) == (Decimal("3.99"), "BRL", "ourcredit")
    assert (first.status, first.transaction_refunds) == (PaymentStatus.FINISHED, Decimal("0.99"))
    assert second.payment_id == other.id
    assert [(each.settled, each.returned) for each in purchase.payments] == [(None, None)] * 2
    assert [(each.settled, each.returned) for each in detailed.payments] == [
        (Decimal("3.99"), Decimal("0.99")),
        (Decimal("1.00"), Decimal("0.00")),
    ]
    assert source.calls == vtex.total_calls == 6


def test_the_orders_of_a_group_are_one_purchase(source: VtexOrders, vtex: StandIn) -> None:
    vtex.scenario.add(Purchase("v1str", at(hours=1), [Payment(100)], parts=3))

    [purchase] = source.purchases(DAY)

    assert purchase.order_ids == ("v1str-01", "v1str-02", "v1str-03")
    assert len(purchase.payments) == 1
    assert dict(vtex.calls) == {"list_orders": 1, "order_group": 1, "gateway_transaction": 1}


def test_only_what_was_authorized_in_the_window(source: VtexOrders, vtex: StandIn) -> None:
    for group, moment in (("a", at(hours=-1)), ("b", at(hours=1)), ("c", at(hours=25))):
        vtex.scenario.add(Purchase(group, moment, [Payment(100)]))

    assert groups(source) == ["b"]


def test_a_window_of_changes_has_what_was_invoiced(source: VtexOrders, vtex: StandIn) -> None:
    vtex.scenario.add(
        Purchase("old", at(days=-20), [Payment(100)], invoiced=at(hours=1)),
        Purchase("new", at(hours=1), [Payment(100)]),
    )

    assert groups(source, Window(WindowKind.CHANGED, NOON, at(days=1))) == ["old"]


def test_a_window_is_cut_until_the_list_gives_each_part_in_full(
    source: VtexOrders, vtex: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "MOST_ORDERS", 150)
    make_purchases(vtex, 400)

    assert len(set(groups(source))) == 400  # what lies on a cut comes twice
    assert all("page=3" not in path for path in vtex.paths)


def test_more_than_fits_into_a_second_is_said(
    source: VtexOrders, vtex: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "MOST_ORDERS", 2)
    vtex.scenario.add(*(Purchase(f"v{each}", NOON, [Payment(100)]) for each in range(3)))

    with pytest.raises(SourceUnreadable, match="one second"):
        groups(source, Window(WindowKind.AUTHORIZED, NOON, at(seconds=4)))


def test_orders_that_move_between_pages_are_not_missed(
    source: VtexOrders, vtex: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "PER_PAGE", 10)
    make_purchases(vtex, 25)
    first = vtex.scenario.purchases[0]

    def drift(path: str) -> None:
        if "page=1&" in path:
            first.is_indexed = False  # all others move up by one
            vtex.after = None

    vtex.after = drift

    assert len(groups(source)) == 25


def test_an_order_that_cannot_be_read_is_noted_and_the_others_are_read(
    source: VtexOrders, vtex: StandIn
) -> None:
    make_purchases(vtex, 3)
    vtex.trouble("v00001str-01", change=lambda order: order | {"paymentData": None})

    assert groups(source) == ["v00000str", "v00002str"]
    assert source.unreadable == ["v00001str-01: VTEX sent no payment data."]


@pytest.mark.parametrize("value", [None, "399", 3.99, True, float("nan")])
def test_an_amount_that_is_no_integer_is_not_guessed(
    source: VtexOrders, vtex: StandIn, value: object
) -> None:
    make_purchases(vtex, 1)

    def spoil(order: dict[str, Any]) -> dict[str, Any]:
        order["paymentData"]["transactions"][0]["payments"][0]["value"] = value
        return order

    vtex.trouble("v00000str-01", change=spoil)

    assert groups(source) == []
    assert source.unreadable == ["v00000str-01: VTEX sent an amount that is not an integer."]


@pytest.mark.parametrize(
    ("path", "left_out", "said"),
    [
        ("v00000str-01", "status", "VTEX sent no status of an order."),
        ("v00000str-01", "orderId", "VTEX sent an order without an id."),
        ("v00000str-01", "paymentData", "VTEX sent no payment data."),
        ("/transactions/", "status", "VTEX sent no status of a transaction."),
    ],
)
def test_what_is_left_out_is_not_guessed(
    source: VtexOrders, vtex: StandIn, path: str, left_out: str, said: str
) -> None:
    make_purchases(vtex, 1)
    vtex.trouble(path, change=lambda found: without(found, left_out))

    assert groups(source) == []
    assert source.unreadable == [f"v00000str-01: {said}"]


@pytest.mark.parametrize("left_out", ["list", "paging"])
def test_a_list_that_does_not_tell_all_is_no_list(
    source: VtexOrders, vtex: StandIn, left_out: str
) -> None:
    make_purchases(vtex, 1)
    vtex.trouble("per_page", change=lambda found: without(found, left_out))

    with pytest.raises(SourceUnreadable, match="VTEX sent no"):
        groups(source)


def test_refunds_that_are_not_told_are_asked_for(source: VtexOrders, vtex: StandIn) -> None:
    make_purchases(vtex, 1)
    vtex.trouble("/transactions/", change=lambda found: without(found, "totalRefunds"))

    [purchase] = source.purchases(DAY)

    assert purchase.payments[0].transaction_refunds is None


@pytest.mark.parametrize(
    ("currency", "digits", "shown"),
    [("CLP", None, "1290"), ("CLP", 2, "12.90"), ("BHD", None, "1.290")],
)
def test_amounts_have_the_digits_of_the_currency_or_those_that_were_set(
    vtex: StandIn, pauses: list[float], db: None, currency: str, digits: int | None, shown: str
) -> None:
    store = make_store(currency=currency)
    make_keys(store, vtex, amount_digits=digits)
    vtex.scenario.add(Purchase("v1", at(hours=1), [Payment(1290)], currency=currency))

    source = VtexOrders(store)
    [purchase] = source.purchases(DAY)
    source.close()

    assert purchase.payments[0].amount == Decimal(shown)


def test_looks_up_by_order_or_by_the_debit(source: VtexOrders, vtex: StandIn) -> None:
    vtex.scenario.add(Purchase("v1str", None, [Payment(100, tid="t1")], created=NOON))

    by_order = [source.look_up(order_id=each, tid="") for each in ("v1str", "v1str-01")]
    by_tid = source.look_up(order_id="", tid="t1")

    assert [purchase.group for purchase in (*by_order, by_tid) if purchase] == ["v1str"] * 3
    assert source.look_up(order_id="v9str", tid="") is None
    assert source.look_up(order_id="", tid="t9") is None


def test_refunds_in_an_unknown_shape_are_read_from_the_payment_or_not_at_all(
    source: VtexOrders, vtex: StandIn
) -> None:
    payment = Payment(1000, settled=1000, refunded=300)
    vtex.scenario.add(Purchase("v1", at(hours=1), [payment], payment_status="Finished"))
    [purchase] = source.purchases(DAY)
    vtex.trouble("/refunds", times=2, change=lambda _: {"unknown": []})
    note = {"name": "refund", "value": '[{"ValueAsInt": 300, "RefundType": "partial"}]'}
    vtex.trouble(f"/payments/{payment.id}", change=lambda found: found | {"fields": [note]})

    noted = source.detailed(purchase)
    vtex.trouble(
        f"/payments/{payment.id}",
        change=lambda found: found | {"fields": [{"name": "refund", "value": "?"}]},
    )
    unknown = source.detailed(purchase)

    assert [each.returned for each in noted.payments] == [Decimal("3.00")]
    assert [each.returned for each in unknown.payments] == [None]


def test_a_store_without_keys_is_told_what_to_do(db: None) -> None:
    store = make_store()

    with pytest.raises(SourceRefused, match=f"set_vtex_keys --store {store.account}"):
        VtexOrders(store)
