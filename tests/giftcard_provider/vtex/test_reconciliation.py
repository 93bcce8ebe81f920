"""The ledger beside VTEX over HTTP: every kind of difference, under trouble, and what is kept."""

import datetime
import json
from collections.abc import Iterator

import pytest
import time_machine

from loyalty import reconciliation
from loyalty.models import Discrepancy, GiftCard, Store, Transaction
from loyalty.order_sources import Window, WindowKind
from tests.builders import make_cancellation, make_credit, make_program, make_wallet
from tests.loyalty.reconciliation.records import LATER, NOON, make_debit
from tests.vtex import Payment, Purchase, StandIn

WEEK = Window(
    WindowKind.AUTHORIZED,
    NOON - datetime.timedelta(hours=12),
    NOON + datetime.timedelta(days=4),
)


@pytest.fixture(autouse=True)
def five_days_later(pauses: list[float]) -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def card(store: Store) -> GiftCard:
    with time_machine.travel(NOON, tick=False):
        return make_wallet(make_program(store), balance=100_000, relation_name="loyalty-program")


def paid(debit: Transaction, **fields: object) -> Payment:
    defaults: dict[str, object] = {
        "id": debit.request_id.upper(),
        "tid": debit.public_id,
        "card_id": debit.card.public_id,
        "settled": debit.amount,
    }
    return Payment(debit.amount, **defaults | fields)  # type: ignore[arg-type]


def bought(group: str, *payments: Payment, **fields: object) -> Purchase:
    defaults: dict[str, object] = {
        "invoiced": NOON,
        "status": "invoiced",
        "payment_status": "Finished",
    }
    return Purchase(group, NOON, list(payments), **defaults | fields)  # type: ignore[arg-type]


def fill(vtex: StandIn, card: GiftCard) -> None:
    """One purchase without a difference, and one of each kind."""
    add = vtex.scenario.add
    add(bought("v0", paid(make_debit(card, group="v0"))))
    add(bought("v1", Payment(500, tid="unknown", card_id=card.public_id)))
    make_debit(card, group="v2", settled=0)
    canceled = make_debit(card, group="v3", settled=0)
    add(bought("v3", paid(canceled, canceled=1000), status="canceled", payment_status="Canceled"))
    refunded = make_debit(card, group="v4")
    with time_machine.travel(NOON, tick=False):
        make_cancellation(refunded, 300)
    add(bought("v4", paid(refunded, refunded=600)))
    stuck = make_debit(card, group="v5", settled=0)
    add(bought("v5", paid(stuck, settled=0), payment_status="Authorized"))
    other = paid(make_debit(card, group="v6"))
    other.value = other.settled = 999
    add(bought("v6", other))
    make_debit(card, group="v7", settled=0)
    add(bought("v7", paid(make_debit(card, group="v7"))))
    with time_machine.travel(NOON, tick=False):
        make_credit(card, 250, request_id="v8-01", order_id="v8-01")
        make_credit(card, 250, request_id="again", order_id="v8-01")
    add(bought("v8", paid(make_debit(card, group="v8")), reward=250))


EXPECTED = {
    ("payment_without_debit", "v1", "none", 0),
    ("debit_without_order", "v2", "release", 1000),
    ("canceled_but_held", "v3", "release", 1000),
    ("refund", "v4", "refund", 300),
    ("settlement", "v5", "settle", 1000),
    ("figures", "v6", "none", 0),
    ("double_debit", "v7", "release", 1000),
    ("reward", "v8", "take_back", 250),
}


def found() -> set[tuple[str, str, str, int]]:
    columns = ("kind", "order_group", "remedy", "remedy_units")
    return set(Discrepancy.objects.filter(status="open").values_list(*columns))


def test_finds_one_of_each(store: Store, vtex: StandIn, card: GiftCard) -> None:
    fill(vtex, card)

    run = reconciliation.run(store, WEEK)

    assert found() == EXPECTED
    assert (run.status, run.calls) == ("done", vtex.total_calls)


def test_under_trouble_it_finds_the_same(store: Store, vtex: StandIn, card: GiftCard) -> None:
    fill(vtex, card)
    vtex.trouble("/orders", times=3, status=500)
    vtex.trouble("/transactions", times=2, status=429, headers={"Retry-After": "2"})
    vtex.trouble("/settlements", cut_after=0)
    vtex.trouble("order-group", body=b"<html>")

    reconciliation.run(store, WEEK)

    assert found() == EXPECTED


def test_keeps_no_personal_data(store: Store, vtex: StandIn, card: GiftCard) -> None:
    fill(vtex, card)

    reconciliation.run(store, WEEK)

    kept = json.dumps(list(Discrepancy.objects.values()), default=str)
    kept += json.dumps(list(store.reconciliation_runs.values()), default=str)
    for secret in ("ana@example.com", "12345678909", "WGNG", "192.0.2.7", vtex.app_token):
        assert secret not in kept


def test_an_order_that_cannot_be_read_is_counted_and_closes_nothing(
    store: Store, vtex: StandIn, card: GiftCard
) -> None:
    fill(vtex, card)
    reconciliation.run(store, WEEK)
    vtex.trouble("v4-01", change=lambda order: order | {"paymentData": None})
    vtex.trouble("order-group/v4", change=lambda orders: [orders[0] | {"paymentData": None}])

    with time_machine.travel(LATER + datetime.timedelta(days=1), tick=False):
        run = reconciliation.run(store, WEEK)

    assert found() == EXPECTED
    assert run.counts["unreadable"] == 2
