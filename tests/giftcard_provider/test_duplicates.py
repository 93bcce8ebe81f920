"""The same debit again: after a lost answer, after the card has changed, and many at once."""

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest
import time_machine

from loyalty import ledger
from loyalty.models import GiftCard, Program
from tests.builders import ACTOR, buckets, make_card, make_hold, new_id, unchanged
from tests.giftcard_provider.conftest import Protocol, at_once
from tests.giftcard_provider.payloads import Body, credit, debit, step

NOW = datetime.datetime(2026, 3, 10, 15, tzinfo=datetime.UTC)


@pytest.fixture
def card(program: Program) -> GiftCard:
    with time_machine.travel(NOW, tick=False):
        end = NOW + datetime.timedelta(days=1)
        return make_card(program, balance=10_000, expires_at=end, is_reloadable=True)


CHANGES: dict[str, Callable[[GiftCard], object]] = {
    "nothing": lambda card: None,
    "emptied by another purchase": lambda card: make_hold(card, 4_000),
    "emptied by staff": lambda card: ledger.adjust(
        card.pk, change=-4_000, request_id=new_id(), actor=ACTOR, reason="correction"
    ),
    "blocked": lambda card: ledger.block(card.pk, request_id=new_id(), actor=ACTOR),
    "canceled": lambda card: ledger.cancel(
        card.transactions.get(), amount=6_000, request_id=new_id(), actor=ACTOR
    ),
    "settled": lambda card: ledger.settle(
        card.transactions.get(), amount=6_000, request_id=new_id(), actor=ACTOR
    ),
    "canceled and closed": lambda card: (
        ledger.cancel(card.transactions.get(), amount=6_000, request_id=new_id(), actor=ACTOR),
        ledger.close(card.pk, request_id=new_id(), actor=ACTOR, reason="lost"),
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_repeated_debit_has_the_first_answer_whatever_came_between(
    protocol: Protocol, card: GiftCard, change: Callable[[GiftCard], object]
) -> None:
    path = f"giftcards/{card.public_id}/transactions"
    with time_machine.travel(NOW, tick=False):
        first = protocol.post(path, debit(60))
        change(card)

        with unchanged(card):
            second = protocol.post(path, debit(60))

    assert (second.status, second.body) == (200, first.body)


@pytest.mark.parametrize("is_booked", [False, True], ids=["not booked", "booked"])
def test_a_repeated_debit_has_the_first_answer_when_the_card_has_expired(
    protocol: Protocol, card: GiftCard, *, is_booked: bool
) -> None:
    path = f"giftcards/{card.public_id}/transactions"
    with time_machine.travel(NOW, tick=False):
        first = protocol.post(path, debit(60))

    with time_machine.travel(NOW + datetime.timedelta(days=40), tick=False):
        if is_booked:
            ledger.expire(card.pk, actor=ACTOR)
        with unchanged(card):
            second = protocol.post(path, debit(60))

    assert (second.status, second.body) == (200, first.body)


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "again"},
        {"redemptionToken": "wrong"},
        {"redemptionCode": "wrong"},
        {"orderInfo": None},
        {"orderInfo": {"orderId": "other", "sequence": 1}},
        {"orderInfo": {"clientProfile": {"email": "eva@example.com"}}},
        {"operation": "DEBIT"},
        {"value": "60.000"},
    ],
    ids=str,
)
def test_only_operation_and_value_are_the_meaning_of_a_request(
    protocol: Protocol, program: Program, changes: Body
) -> None:
    card = make_card(program, balance=10_000)
    path = f"giftcards/{card.public_id}/transactions"
    first = protocol.post(path, debit(60))

    with unchanged(card):
        second = protocol.post(path, debit(60) | changes)

    assert (second.status, second.body) == (200, first.body)


def test_headers_are_no_part_of_the_meaning(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=10_000)
    path = f"giftcards/{card.public_id}/transactions"

    answers = [
        protocol.post(path, debit(60), x_vtex_operation_id=operation)
        for operation in ("first", "second", None)
    ]

    assert len({answer.body for answer in answers}) == 1
    assert buckets(card)["held"] == 6_000


@pytest.mark.parametrize("value", [Decimal("0.01"), Decimal("59.99"), 61, 1_000_000])
def test_the_same_request_id_with_another_value_is_a_conflict(
    protocol: Protocol, program: Program, value: Decimal | int
) -> None:
    card = make_card(program, balance=10_000)
    path = f"giftcards/{card.public_id}/transactions"
    protocol.post(path, debit(60))

    with unchanged(card):
        answer = protocol.post(path, debit(value))

    assert answer.refusal == (409, "request_conflict")


def test_the_same_request_id_for_a_credit_is_a_conflict(
    protocol: Protocol, program: Program
) -> None:
    card = make_card(program, balance=10_000, is_reloadable=True)
    path = f"giftcards/{card.public_id}/transactions"
    protocol.post(path, debit(60, "one"))

    with unchanged(card):
        answer = protocol.post(path, credit(60, "one"))

    assert answer.refusal == (409, "request_conflict")


def test_a_request_id_is_told_apart_by_case(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=10_000)
    path = f"giftcards/{card.public_id}/transactions"

    ids = {protocol.post(path, debit(10, name)).data["id"] for name in ("B56C", "b56c")}

    assert len(ids) == 2


def test_the_same_request_id_on_another_card_is_another_purchase(
    protocol: Protocol, program: Program
) -> None:
    """An order may be paid with two cards."""
    cards = [make_card(program, balance=10_000) for _ in range(2)]

    answers = [
        protocol.post(f"giftcards/{card.public_id}/transactions", debit(60)) for card in cards
    ]

    assert answers[0].data["id"] != answers[1].data["id"]
    assert [buckets(card)["held"] for card in cards] == [6_000, 6_000]


def test_another_request_for_the_same_order_is_another_debit(
    protocol: Protocol, program: Program
) -> None:
    """A retried payment has a new id (issue 740499): only VTEX knows, and cancels one of them."""
    card = make_card(program, balance=10_000)
    path = f"giftcards/{card.public_id}/transactions"

    ids = {protocol.post(path, debit(50, f"payment-{n}")).data["id"] for n in range(2)}

    assert len(ids) == 2
    assert buckets(card) == {"credited": 10_000, "held": 10_000}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("times", [2, 4, 8])
def test_the_same_debit_at_once_is_one_transaction(
    protocol: Protocol, program: Program, times: int
) -> None:
    card = make_card(program, balance=10_000)

    answers = at_once(protocol, f"giftcards/{card.public_id}/transactions", [debit(60)] * times)

    assert {answer.status for answer in answers} == {200}
    assert {answer.data["id"] for answer in answers} == {card.transactions.get().public_id}
    assert buckets(card) == {"credited": 10_000, "available": 4_000, "held": 6_000}


@pytest.mark.django_db(transaction=True)
def test_one_id_with_many_values_at_once_holds_one_of_them(
    protocol: Protocol, program: Program
) -> None:
    card = make_card(program, balance=10_000)
    bodies = [debit(value) for value in (10, 20, 10, 20)]

    answers = at_once(protocol, f"giftcards/{card.public_id}/transactions", bodies)

    assert sorted(answer.status for answer in answers) == [200, 200, 409, 409]
    assert buckets(card)["held"] in {1_000, 2_000}
    assert card.transactions.count() == 1


@pytest.mark.django_db(transaction=True)
def test_different_debits_at_once_never_overdraw(protocol: Protocol, program: Program) -> None:
    card = make_card(program, balance=10_000)
    bodies = [debit(40, f"payment-{number}") for number in range(6)]

    answers = at_once(protocol, f"giftcards/{card.public_id}/transactions", bodies)

    assert sorted(answer.status for answer in answers) == [200, 200, 422, 422, 422, 422]
    assert buckets(card) == {"credited": 10_000, "available": 2_000, "held": 8_000}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["settlements", "cancellations"])
def test_the_same_step_at_once_happens_once(
    protocol: Protocol, program: Program, kind: str
) -> None:
    hold = make_hold(make_card(program, balance=10_000), 6_000)
    path = f"giftcards/{hold.card.public_id}/transactions/{hold.public_id}/{kind}"

    answers = at_once(protocol, path, [step(20)] * 4)

    assert {answer.status for answer in answers} == {200}
    assert protocol.get(path).data == [answers[0].data]


@pytest.mark.django_db(transaction=True)
def test_the_whole_invoice_twice_at_once_is_captured_once(
    protocol: Protocol, program: Program
) -> None:
    hold = make_hold(make_card(program, balance=10_000), 6_000)
    path = f"giftcards/{hold.card.public_id}/transactions/{hold.public_id}/settlements"

    answers = at_once(protocol, path, [step(60, "invoice-1"), step(60, "invoice-2")])

    assert sorted(answer.status for answer in answers) == [200, 422]
    assert buckets(hold.card)["spent"] == 6_000
