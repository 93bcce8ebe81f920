"""GET /giftcards/{id}/transactions/{tid}: one transaction, with its links."""

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest
import time_machine

from loyalty.models import GiftCard, Program
from tests.builders import make_cancellation, make_card, make_credit, make_hold, make_wallet
from tests.giftcard_provider.conftest import Protocol
from tests.giftcard_provider.payloads import debit
from tests.giftcard_provider.routes import Route, each_route_of_a_transaction

NOW = datetime.datetime(2026, 3, 10, 15, 0, 0, 252855, tzinfo=datetime.UTC)


@pytest.fixture
def card(program: Program) -> GiftCard:
    with time_machine.travel(NOW, tick=False):
        return make_wallet(program, balance=10_000)


def test_answers_with_the_whole_transaction(protocol: Protocol, card: GiftCard) -> None:
    with time_machine.travel(NOW, tick=False):
        reference = protocol.post(f"giftcards/{card.public_id}/transactions", debit(3)).data

    answer = protocol.get(reference["_self"]["href"])

    link = f"giftcards/{card.public_id}/transactions/{reference['id']}"
    assert answer.data == {
        "cardId": card.public_id,
        "id": reference["id"],
        "operation": "Debit",
        "value": Decimal("3.00"),
        "description": "Order v5006128str",
        "date": "2026-03-10T15:00:00.252855Z",
        "requestId": "payment-1",
        "authorization": {"href": f"{link}/authorization"},
        "settlement": {"href": f"{link}/settlements"},
        "cancellation": {"href": f"{link}/cancellations"},
        "_self": {"href": link},
    }


def test_a_credit_is_called_a_credit(protocol: Protocol, card: GiftCard) -> None:
    made = make_credit(card, 2_840)

    answer = protocol.get(f"giftcards/{card.public_id}/transactions/{made.public_id}")

    assert (answer.data["operation"], answer.data["value"]) == ("Credit", Decimal("28.40"))
    assert answer.data["description"] == ""


def test_the_value_stays_after_a_cancellation(protocol: Protocol, card: GiftCard) -> None:
    hold = make_hold(card, 300)
    make_cancellation(hold, 300)

    answer = protocol.get(f"giftcards/{card.public_id}/transactions/{hold.public_id}")

    assert answer.data["value"] == Decimal("3.00")


@each_route_of_a_transaction
def test_an_unknown_transaction_is_not_found(
    protocol: Protocol, card: GiftCard, route: Route
) -> None:
    answer = protocol.call(route.method, route.path(card), route.body)

    assert answer.refusal == (404, "unknown_transaction")


@each_route_of_a_transaction
def test_the_transaction_of_another_card_is_unknown(
    protocol: Protocol, program: Program, card: GiftCard, route: Route
) -> None:
    hold = make_hold(make_card(program, balance=1_000), 1_000)

    answer = protocol.call(route.method, route.path(card, hold), route.body)

    assert answer.refusal == (404, "unknown_transaction")


@each_route_of_a_transaction
def test_a_transaction_of_an_unknown_card_is_not_found(
    protocol: Protocol, card: GiftCard, route: Route
) -> None:
    hold = make_hold(card, 1_000)

    answer = protocol.call(route.method, route.path("f" * 32, hold), route.body)

    assert answer.refusal == (404, "unknown_card")


def test_costs_one_statement(
    protocol: Protocol, card: GiftCard, statements: Callable[..., list[str]]
) -> None:
    hold = make_hold(card, 100)

    sent = statements(
        lambda: protocol.get(f"giftcards/{card.public_id}/transactions/{hold.public_id}")
    )

    assert len(sent) == 1
