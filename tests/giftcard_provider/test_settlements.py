"""GET and POST .../settlements: capture what was held, within what was held."""

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest
import time_machine

from loyalty import ledger
from loyalty.models import GiftCard, Program, Transaction
from tests.builders import (
    ACTOR,
    buckets,
    make_cancellation,
    make_card,
    make_hold,
    make_settlement,
    new_id,
    unchanged,
)
from tests.giftcard_provider.conftest import Answer, Protocol
from tests.giftcard_provider.payloads import CANCELLATION, SETTLEMENT, Body, step

NOW = datetime.datetime(2026, 3, 10, 15, 0, 0, 129178, tzinfo=datetime.UTC)


@pytest.fixture
def card(program: Program) -> GiftCard:
    with time_machine.travel(NOW, tick=False):
        return make_card(program, balance=10_000, expires_at=NOW + datetime.timedelta(days=1))


@pytest.fixture
def hold(card: GiftCard) -> Transaction:
    with time_machine.travel(NOW, tick=False):
        return make_hold(card, 6_000)


def path_of(made: Transaction) -> str:
    return f"giftcards/{made.card.public_id}/transactions/{made.public_id}/settlements"


def settle(protocol: Protocol, made: Transaction, body: Body) -> Answer:
    return protocol.post(path_of(made), body)


def listed(protocol: Protocol, made: Transaction) -> list[Decimal]:
    """The values that the Hub adds up."""
    return [each["value"] for each in protocol.get(path_of(made)).data]


def test_answers_with_id_value_and_date(protocol: Protocol, hold: Transaction) -> None:
    with time_machine.travel(NOW, tick=False):
        answer = settle(protocol, hold, SETTLEMENT)

    made = hold.operations.get(kind="settle")
    assert answer.data == {
        "oid": made.oid,
        "value": Decimal("1.80"),
        "date": "2026-03-10T15:00:00.129178Z",
    }


def test_the_balance_does_not_change(protocol: Protocol, card: GiftCard, hold: Transaction) -> None:
    settle(protocol, hold, step(60))

    assert buckets(card) == {"credited": 10_000, "available": 4_000, "spent": 6_000}


def test_a_new_transaction_has_none(protocol: Protocol, hold: Transaction) -> None:
    assert listed(protocol, hold) == []


def test_all_of_them_are_listed_oldest_first(protocol: Protocol, hold: Transaction) -> None:
    posted = [settle(protocol, hold, step(value, f"invoice-{value}")).data for value in (15, 40, 5)]

    assert protocol.get(path_of(hold)).data == posted


def test_a_declined_one_is_not_listed(protocol: Protocol, hold: Transaction) -> None:
    settle(protocol, hold, step(61))

    assert listed(protocol, hold) == []


def test_cancellations_are_not_among_them(protocol: Protocol, hold: Transaction) -> None:
    make_cancellation(hold, 500)

    assert listed(protocol, hold) == []


def test_what_staff_settled_is_listed_too(protocol: Protocol, hold: Transaction) -> None:
    make_settlement(hold, 1_000, actor="staff:1")

    assert listed(protocol, hold) == [Decimal("10.00")]


def test_more_than_was_held_is_refused(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    with unchanged(card, declined="exceeds_hold"):
        answer = settle(protocol, hold, step(Decimal("60.01")))

    assert answer.refusal == (422, "exceeds_hold")


def test_more_than_is_still_held_is_refused(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    settle(protocol, hold, step(50, "invoice-1"))

    with unchanged(card, declined="exceeds_hold"):
        answer = settle(protocol, hold, step(20, "invoice-2"))

    assert answer.refusal == (422, "exceeds_hold")
    assert listed(protocol, hold) == [Decimal("50.00")]


def test_the_whole_after_a_partial_cancellation_is_refused(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    make_cancellation(hold, 1)

    with unchanged(card, declined="exceeds_hold"):
        answer = settle(protocol, hold, step(60))

    assert answer.refusal == (422, "exceeds_hold")


def test_a_canceled_transaction_is_not_settled(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    make_cancellation(hold, 6_000)

    with unchanged(card, declined="exceeds_hold"):
        answer = settle(protocol, hold, step(Decimal("0.01")))

    assert answer.refusal == (422, "exceeds_hold")


def test_the_same_request_is_settled_once(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    first = settle(protocol, hold, step(20))

    with unchanged(card):
        second = settle(protocol, hold, step(Decimal("20.00")))

    assert second.data == first.data
    assert listed(protocol, hold) == [Decimal("20.00")]


def test_a_repeat_is_answered_when_nothing_is_held_any_more(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    first = settle(protocol, hold, step(60))
    make_cancellation(hold, 6_000)

    with unchanged(card):
        second = settle(protocol, hold, step(60))

    assert second.data == first.data


def test_the_same_id_with_another_value_is_another_settlement(
    protocol: Protocol, hold: Transaction
) -> None:
    """The Hub counts by sums; nothing says that it sends a new id for each part."""
    oids = {settle(protocol, hold, step(value)).data["oid"] for value in (20, 30)}

    assert len(oids) == 2
    assert listed(protocol, hold) == [Decimal("20.00"), Decimal("30.00")]


def test_a_settlement_and_a_cancellation_may_share_their_id(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    """As the documentation's own examples do."""
    settle(protocol, hold, SETTLEMENT)
    canceled = protocol.post(
        path_of(hold).replace("settlements", "cancellations"), CANCELLATION | {"value": 1.8}
    )

    assert SETTLEMENT["requestId"] == CANCELLATION["requestId"]
    assert canceled.status == 200
    assert buckets(card)["spent"] == 180


def test_two_transactions_may_share_their_settlements_id(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    with time_machine.travel(NOW, tick=False):
        other = make_hold(card, 1_000)

    answers = [settle(protocol, each, step(10)) for each in (hold, other)]

    assert answers[0].data["oid"] != answers[1].data["oid"]
    assert buckets(card)["spent"] == 2_000


def test_a_refusal_is_final(protocol: Protocol, card: GiftCard, hold: Transaction) -> None:
    settle(protocol, hold, step(61))

    with unchanged(card):
        answer = settle(protocol, hold, step(61))

    assert answer.refusal == (422, "exceeds_hold")


CHANGES: dict[str, Callable[[GiftCard], object]] = {
    "blocked": lambda card: ledger.block(card.pk, request_id=new_id(), actor=ACTOR),
    "expired": lambda card: None,
    "expired and booked": lambda card: ledger.expire(card.pk, actor=ACTOR),
    "emptied": lambda card: ledger.adjust(
        card.pk, change=-4_000, request_id=new_id(), actor=ACTOR, reason="correction"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_was_held_is_settled_whatever_became_of_the_card(
    protocol: Protocol, card: GiftCard, hold: Transaction, change: Callable[[GiftCard], object]
) -> None:
    with time_machine.travel(NOW + datetime.timedelta(days=10), tick=False):
        change(card)
        answer = settle(protocol, hold, step(60))

    assert (answer.status, answer.data["value"]) == (200, Decimal("60.00"))
    assert buckets(card)["spent"] == 6_000


@pytest.mark.django_db(transaction=True)
def test_costs_five_round_trips(
    protocol: Protocol, hold: Transaction, statements: Callable[..., list[str]]
) -> None:
    path = path_of(hold)

    sent = statements(lambda: protocol.post(path, step(60)))

    assert [sql.split()[0] for sql in sent] == ["SELECT", "BEGIN", "SELECT", "WITH", "COMMIT"]


def test_a_repeat_costs_one_statement(
    protocol: Protocol, hold: Transaction, statements: Callable[..., list[str]]
) -> None:
    path = path_of(hold)
    protocol.post(path, step(60))

    sent = statements(lambda: protocol.post(path, step(60)))

    assert len(sent) == 1


def test_the_list_costs_two_statements(
    protocol: Protocol, hold: Transaction, statements: Callable[..., list[str]]
) -> None:
    for value in (10, 20):
        settle(protocol, hold, step(value))

    sent = statements(lambda: protocol.get(path_of(hold)))

    assert len(sent) == 2
