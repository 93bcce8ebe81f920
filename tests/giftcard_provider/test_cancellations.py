"""GET and POST .../cancellations: release before settlement, refund after it, never too much."""

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
from tests.giftcard_provider.payloads import CANCELLATION, Body, step

NOW = datetime.datetime(2026, 3, 10, 15, 0, 0, 716723, tzinfo=datetime.UTC)


@pytest.fixture
def card(program: Program) -> GiftCard:
    with time_machine.travel(NOW, tick=False):
        return make_card(program, balance=10_000)


@pytest.fixture
def hold(card: GiftCard) -> Transaction:
    with time_machine.travel(NOW, tick=False):
        return make_hold(card, 6_000)


def path_of(made: Transaction) -> str:
    return f"giftcards/{made.card.public_id}/transactions/{made.public_id}/cancellations"


def cancel(protocol: Protocol, made: Transaction, body: Body) -> Answer:
    return protocol.post(path_of(made), body)


def listed(protocol: Protocol, made: Transaction) -> list[Decimal]:
    """The values that the Hub adds up."""
    return [each["value"] for each in protocol.get(path_of(made)).data]


def test_answers_with_id_value_and_date(protocol: Protocol, hold: Transaction) -> None:
    with time_machine.travel(NOW, tick=False):
        answer = cancel(protocol, hold, CANCELLATION)

    made = hold.operations.get(kind="cancel")
    assert answer.data == {
        "oid": made.oid,
        "value": Decimal("4.10"),
        "date": "2026-03-10T15:00:00.716723Z",
    }


def test_what_was_held_is_released(protocol: Protocol, card: GiftCard, hold: Transaction) -> None:
    cancel(protocol, hold, step(60))

    assert buckets(card) == {"credited": 10_000, "available": 10_000}


def test_what_was_settled_is_refunded(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    make_settlement(hold, 6_000)

    cancel(protocol, hold, step(60))

    assert buckets(card) == {"credited": 10_000, "available": 10_000}


def test_a_new_transaction_has_none(protocol: Protocol, hold: Transaction) -> None:
    assert listed(protocol, hold) == []


def test_releases_and_refunds_are_listed_oldest_first(
    protocol: Protocol, hold: Transaction
) -> None:
    posted = [cancel(protocol, hold, step(10, "1")).data]
    make_settlement(hold, 5_000)
    posted += [
        cancel(protocol, hold, step(20, "2")).data,
        cancel(protocol, hold, step(5, "3")).data,
    ]

    assert protocol.get(path_of(hold)).data == posted


def test_what_staff_gave_back_is_listed_too(protocol: Protocol, hold: Transaction) -> None:
    """VTEX swallows equal partial refunds (issue 1118560): staff give them back by hand."""
    make_cancellation(hold, 1_000, actor="staff:1")

    assert listed(protocol, hold) == [Decimal("10.00")]


def test_settlements_and_refusals_are_not_listed(protocol: Protocol, hold: Transaction) -> None:
    make_settlement(hold, 1_000)
    cancel(protocol, hold, step(61))

    assert listed(protocol, hold) == []


def test_the_applied_value_is_listed_when_only_a_part_was_left(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    cancel(protocol, hold, step(25, "1"))

    answer = cancel(protocol, hold, step(60, "2"))

    assert answer.data["value"] == Decimal("35.00")
    assert listed(protocol, hold) == [Decimal("25.00"), Decimal("35.00")]
    assert buckets(card) == {"credited": 10_000, "available": 10_000}


def test_the_repeat_of_a_partly_applied_one_says_the_same(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    cancel(protocol, hold, step(25, "1"))
    first = cancel(protocol, hold, step(60, "2"))

    with unchanged(card):
        second = cancel(protocol, hold, step(60, "2"))

    assert second.data == first.data


@pytest.mark.parametrize("value", [Decimal("60.01"), 100, Decimal("92233720368547758.07")])
def test_more_than_the_transaction_is_refused(
    protocol: Protocol, card: GiftCard, hold: Transaction, value: Decimal
) -> None:
    with unchanged(card, declined="exceeds_transaction"):
        answer = cancel(protocol, hold, step(value))

    assert answer.refusal == (422, "exceeds_transaction")


def test_a_part_that_is_more_than_is_left_is_refused(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    cancel(protocol, hold, step(50, "1"))

    with unchanged(card, declined="exceeds_transaction"):
        answer = cancel(protocol, hold, step(20, "2"))

    assert answer.refusal == (422, "exceeds_transaction")


def test_nothing_is_given_back_twice(protocol: Protocol, card: GiftCard, hold: Transaction) -> None:
    """With three payment methods VTEX refunds the card twice (issue 464837)."""
    cancel(protocol, hold, step(60, "1"))

    with unchanged(card, declined="exceeds_transaction"):
        answer = cancel(protocol, hold, step(60, "2"))

    assert answer.refusal == (422, "exceeds_transaction")


def test_the_same_request_is_canceled_once(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    first = cancel(protocol, hold, step(20))

    with unchanged(card):
        second = cancel(protocol, hold, step("20.0"))

    assert second.data == first.data


def test_the_same_id_with_another_value_is_another_cancellation(
    protocol: Protocol, hold: Transaction
) -> None:
    oids = {cancel(protocol, hold, step(value)).data["oid"] for value in (20, 30)}

    assert len(oids) == 2
    assert listed(protocol, hold) == [Decimal("20.00"), Decimal("30.00")]


def test_a_cancellation_gives_no_more_than_the_card_ever_had(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    for number in range(1, 8):
        cancel(protocol, hold, step(10, f"return-{number}"))

    assert sum(listed(protocol, hold)) == Decimal("60.00")
    assert buckets(card) == {"credited": 10_000, "available": 10_000}


def test_a_blocked_card_gets_its_money_back(
    protocol: Protocol, card: GiftCard, hold: Transaction
) -> None:
    ledger.block(card.pk, request_id=new_id(), actor=ACTOR)

    answer = cancel(protocol, hold, step(60))

    assert answer.status == 200
    assert buckets(card) == {"credited": 10_000, "available": 10_000}
    assert protocol.get(f"giftcards/{card.public_id}").data["balance"] == Decimal("0.00")


@pytest.mark.parametrize("is_booked", [False, True], ids=["not booked", "booked"])
@pytest.mark.parametrize("is_settled", [False, True], ids=["held", "settled"])
def test_an_expired_card_is_usable_again_for_the_grace_of_its_store(
    protocol: Protocol, program: Program, *, is_settled: bool, is_booked: bool
) -> None:
    with time_machine.travel(NOW, tick=False):
        card = make_card(program, balance=10_000, expires_at=NOW + datetime.timedelta(days=1))
        hold = make_hold(card, 6_000)
    late = NOW + datetime.timedelta(days=10)
    if is_settled:
        make_settlement(hold, 6_000)

    with time_machine.travel(late, tick=False):
        if is_booked:
            ledger.expire(card.pk, actor=ACTOR)
        answer = cancel(protocol, hold, step(60))
        seen = protocol.get(f"giftcards/{card.public_id}").data

    assert (answer.status, answer.data["value"]) == (200, Decimal("60.00"))
    assert seen["balance"] == Decimal("60.00")
    assert seen["expiringDate"] == "2026-04-20T02:59:59.999"


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
