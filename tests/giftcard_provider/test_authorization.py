"""GET .../authorization: the whole of what was authorized, whatever became of it."""

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest
import time_machine

from loyalty.models import Program, Transaction
from tests.builders import (
    make_cancellation,
    make_credit,
    make_hold,
    make_settlement,
    make_wallet,
)
from tests.giftcard_provider.conftest import Answer, Protocol

NOW = datetime.datetime(2026, 3, 10, 15, 0, 0, 129178, tzinfo=datetime.UTC)


@pytest.fixture
def hold(program: Program) -> Transaction:
    with time_machine.travel(NOW, tick=False):
        return make_hold(make_wallet(program, balance=10_000), 592)


def authorization(protocol: Protocol, made: Transaction) -> Answer:
    return protocol.get(
        f"giftcards/{made.card.public_id}/transactions/{made.public_id}/authorization"
    )


def test_answers_with_id_value_and_date_of_the_transaction(
    protocol: Protocol, hold: Transaction
) -> None:
    answer = authorization(protocol, hold)

    assert answer.data == {
        "oid": hold.public_id,
        "value": Decimal("5.92"),
        "date": "2026-03-10T15:00:00.129178Z",
    }


CHANGES: dict[str, Callable[[Transaction], object]] = {
    "a partial settlement": lambda made: make_settlement(made, 100),
    "a settlement": lambda made: make_settlement(made, 592),
    "a partial cancellation": lambda made: make_cancellation(made, 100),
    "a cancellation": lambda made: make_cancellation(made, 592),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nothing_that_follows_changes_it(
    protocol: Protocol, hold: Transaction, change: Callable[[Transaction], object]
) -> None:
    before = authorization(protocol, hold)
    change(hold)

    assert authorization(protocol, hold).body == before.body


def test_a_credit_has_one_too(protocol: Protocol, program: Program) -> None:
    made = make_credit(make_wallet(program), 14_000)

    answer = authorization(protocol, made)

    assert (answer.data["oid"], answer.data["value"]) == (made.public_id, Decimal("140.00"))
