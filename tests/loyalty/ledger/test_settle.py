import datetime
from collections.abc import Callable

import pytest
import time_machine

from loyalty import ledger
from loyalty.exceptions import (
    ExceedsHold,
    InvalidAmount,
    InvalidRequestId,
    UnknownTransaction,
)
from loyalty.models import GiftCard, Operation, Transaction
from loyalty.money import MAX_UNITS
from tests.builders import (
    buckets,
    fresh,
    make_adjustment,
    make_cancellation,
    make_card,
    make_credit,
    make_hold,
    make_purchase,
    make_settlement,
    make_wallet,
    moves,
    new_id,
    refuses,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize("amount", [1, 2_840, 9_007_199_254_740_991, MAX_UNITS])
def test_spends_all_of_a_hold(amount: int) -> None:
    card = make_card(balance=amount)
    debit = make_hold(card, amount)

    operation = make_settlement(debit, amount)

    assert buckets(card) == {"credited": amount, "spent": amount}
    assert moves(operation) == [("held", "spent", amount)]
    assert (fresh(debit).settled, fresh(debit).state) == (amount, "settled")


def test_spends_a_part_of_a_hold() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)

    make_settlement(debit, 250)

    assert buckets(card) == {"credited": 1000, "available": 300, "held": 450, "spent": 250}
    assert (fresh(debit).held, fresh(debit).state) == (450, "partially_settled")


def test_answers_with_the_operation_as_it_is_stored() -> None:
    debit = make_hold(make_card(balance=1000), 700)

    operation = make_settlement(debit, 250, request_id="S1", actor="vtex:key")

    stored = Operation.objects.get(oid=operation.oid)
    for field in stored._meta.concrete_fields:
        assert getattr(operation, field.attname) == getattr(stored, field.attname)
    assert (stored.kind, stored.outcome, stored.actor) == ("settle", "ok", "vtex:key")
    assert (stored.request_id, stored.amount, stored.applied) == ("S1", 250, 250)
    assert stored.transaction == debit


def test_takes_any_number_of_settlements_up_to_the_hold() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 1000)

    operations = [make_settlement(debit, amount) for amount in (333, 333, 334)]

    assert buckets(card) == {"credited": 1000, "spent": 1000}
    assert len({operation.oid for operation in operations}) == 3


def test_spends_from_every_grant_that_the_purchase_took_from() -> None:
    card = make_wallet(balance=100)
    make_credit(card, 200)
    debit = make_hold(card, 250)

    operation = make_settlement(debit, 250)

    assert moves(operation) == [("held", "spent", 100), ("held", "spent", 150)]


def test_goes_on_in_the_grant_where_the_last_settlement_ended() -> None:
    card = make_wallet(balance=100)
    make_credit(card, 200)
    debit = make_hold(card, 250)
    first_grant, second_grant = card.grants.order_by("id")

    make_settlement(debit, 60)
    operation = make_settlement(debit, 60)

    entries = operation.entries.order_by("seq")
    assert list(entries.values_list("grant", "amount")) == [
        (first_grant.pk, 40),
        (second_grant.pk, 20),
    ]


def test_leaves_the_holds_of_other_purchases_alone() -> None:
    card = make_card(balance=1000)
    debit, other = make_hold(card, 300), make_hold(card, 400)

    make_settlement(debit, 300)

    assert buckets(card) == {"credited": 1000, "available": 300, "held": 400, "spent": 300}
    assert (fresh(other).held, fresh(other).settled) == (400, 0)


@pytest.mark.parametrize("amount", [701, MAX_UNITS])
def test_refuses_more_than_the_hold(amount: int) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)

    with refuses(card, ExceedsHold):
        make_settlement(debit, amount)


def test_refuses_more_than_earlier_settlements_and_cancellations_left() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)
    make_settlement(debit, 300)
    make_cancellation(debit, 150)

    with refuses(card, ExceedsHold):
        make_settlement(debit, 251)

    make_settlement(debit, 250)
    assert buckets(card) == {"credited": 1000, "available": 450, "spent": 550}


def test_refuses_anything_after_a_full_cancellation() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)
    make_cancellation(debit, 700)

    with refuses(card, ExceedsHold):
        make_settlement(debit, 1)


def test_refuses_anything_after_a_full_settlement() -> None:
    card = make_card(balance=1000)
    debit = make_purchase(card, 700)

    with refuses(card, ExceedsHold):
        make_settlement(debit, 700)


def test_reads_the_transaction_anew_under_the_lock() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)
    seen_before = fresh(debit)
    make_settlement(debit, 500)

    with refuses(card, ExceedsHold):
        make_settlement(seen_before, 201)


def test_records_a_decline_with_what_was_asked_for() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)

    with refuses(card, ExceedsHold):
        make_settlement(debit, 701, request_id="S1")

    decline = card.operations.get(kind="settle")
    assert (decline.outcome, decline.decline_code) == ("declined", "exceeds_hold")
    assert (decline.amount, decline.applied, decline.request_id) == (701, 0, "S1")
    assert decline.transaction == debit


def block(card: GiftCard) -> None:
    ledger.block(card.pk, request_id=new_id(), actor="test")


def expire(card: GiftCard) -> None:
    ledger.expire(card.pk, actor="test")


def empty(card: GiftCard) -> None:
    make_adjustment(card, -300)


@pytest.mark.parametrize("happens", [block, expire, empty])
def test_is_honored_although_the_card_since_met(happens: Callable[[GiftCard], None]) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=1000, expires_at=NOON + DAY)
        debit = make_hold(card, 700)

    with time_machine.travel(NOON + 2 * DAY, tick=False):
        happens(card)
        make_settlement(debit, 700)

    assert fresh(debit).state == "settled"
    assert (buckets(card).get("held", 0), buckets(card)["spent"]) == (0, 700)


def test_answers_for_a_credit_that_it_is_settled_and_moves_nothing() -> None:
    card = make_card()
    credit = make_credit(card, 700)

    with unchanged(card):
        operation = make_settlement(credit, 700)

    assert (operation.amount, operation.applied, operation.oid) == (700, 700, credit.public_id)


def test_refuses_more_than_a_credit_without_a_record() -> None:
    card = make_card()
    credit = make_credit(card, 700)

    with unchanged(card), pytest.raises(ExceedsHold):
        make_settlement(credit, 701)


@pytest.mark.parametrize("amount", [0, -1, MAX_UNITS + 1])
def test_refuses_what_is_no_amount(amount: int) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)

    with refuses(card, InvalidAmount):
        make_settlement(debit, amount)


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\x00b"])
def test_refuses_what_is_no_request_id(request_id: str) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)

    with refuses(card, InvalidRequestId):
        make_settlement(debit, 1, request_id=request_id)


def test_refuses_a_transaction_that_is_not_on_the_card() -> None:
    card, other = make_card(balance=1000), make_card(balance=1000)
    debit = make_hold(other, 700)
    forged = Transaction(pk=debit.pk, card_id=card.pk, kind="debit")

    with unchanged(card), unchanged(other), pytest.raises(UnknownTransaction):
        make_settlement(forged, 1)
