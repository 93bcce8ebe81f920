"""GET /giftcards/{id}/transactions: every transaction of the card, newest first."""

from collections.abc import Callable

from loyalty.exceptions import InsufficientBalance
from loyalty.models import Program
from tests.builders import (
    make_card,
    make_credit,
    make_hold,
    make_purchase,
    make_wallet,
    new_id,
    refuses,
)
from tests.giftcard_provider.conftest import Protocol


def test_a_new_card_has_none(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=100)

    answer = protocol.get(f"giftcards/{card.public_id}/transactions")

    assert (answer.status, answer.body) == (200, b"[]")
    assert answer.headers["REST-Content-Range"] == "resources 0-0/0"


def test_debits_and_credits_come_newest_first(protocol: Protocol, program: Program) -> None:
    card = make_wallet(program, balance=1_000)
    made = [make_hold(card, 100), make_credit(card, 50), make_purchase(card, 30)]

    answer = protocol.get(f"giftcards/{card.public_id}/transactions")

    assert answer.data == [
        {
            "cardId": card.public_id,
            "id": each.public_id,
            "_self": {"href": f"giftcards/{card.public_id}/transactions/{each.public_id}"},
        }
        for each in reversed(made)
    ]


def test_a_declined_purchase_is_none(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=100)
    with refuses(card, InsufficientBalance):
        make_hold(card, 200, request_id=new_id())

    answer = protocol.get(f"giftcards/{card.public_id}/transactions")

    assert answer.data == []


def test_all_of_them_come_when_no_range_is_asked_for(protocol: Protocol, program: Program) -> None:
    """The protocol documents no pages here; the list of VTEX's own cards is incomplete (384430)."""
    card = make_card(program, balance=1_000)
    for _ in range(60):
        make_hold(card, 1)

    answer = protocol.get(f"giftcards/{card.public_id}/transactions")

    assert len({each["id"] for each in answer.data}) == 60
    assert answer.headers["REST-Content-Range"] == "resources 0-59/60"


def test_the_transactions_of_other_cards_are_not_among_them(
    protocol: Protocol, program: Program
) -> None:
    card, other = (make_card(program, balance=100) for _ in range(2))
    own, _ = make_hold(card, 10), make_hold(other, 10)

    answer = protocol.get(f"giftcards/{card.public_id}/transactions")

    assert [each["id"] for each in answer.data] == [own.public_id]


def test_an_unknown_card_is_not_found(protocol: Protocol) -> None:
    answer = protocol.get(f"giftcards/{'0' * 32}/transactions")

    assert answer.refusal == (404, "unknown_card")


def test_costs_one_statement(
    protocol: Protocol, program: Program, statements: Callable[..., list[str]]
) -> None:
    card = make_card(program, balance=100)
    for _ in range(3):
        make_hold(card, 10)

    sent = statements(lambda: protocol.get(f"giftcards/{card.public_id}/transactions"))

    assert len(sent) == 1
