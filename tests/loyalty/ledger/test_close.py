import datetime
from collections.abc import Callable

import pytest
import time_machine

from loyalty import ledger
from loyalty.exceptions import (
    CardClosed,
    InvalidRequestId,
    MoneyHeld,
    ReasonRequired,
    UnknownCard,
)
from loyalty.models import GiftCard, Operation
from loyalty.money import MAX_UNITS
from tests.builders import (
    buckets,
    fresh,
    make_blocked_card,
    make_cancellation,
    make_card,
    make_closed_card,
    make_credit,
    make_expired_card,
    make_hold,
    make_purchase,
    make_settlement,
    make_wallet,
    moves,
    refuses,
    remaining,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]


NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def close(card: GiftCard, request_id: str = "CLOSE", reason: str = "lost") -> Operation:
    return ledger.close(card.pk, request_id=request_id, actor="staff:7", reason=reason)


@pytest.mark.parametrize("amount", [1, 2_840, 9_007_199_254_740_991, MAX_UNITS])
def test_removes_what_is_available(amount: int) -> None:
    card = make_card(balance=amount)

    operation = close(card)

    assert fresh(card).status == "closed"
    assert buckets(card) == {"credited": amount, "removed": amount}
    assert moves(operation) == [("available", "removed", amount)]
    assert (operation.amount, operation.applied) == (amount, amount)


def test_removes_what_is_left_of_every_grant() -> None:
    card = make_wallet(balance=100)
    make_credit(card, 200, funding="promotional")
    make_purchase(card, 50)

    operation = close(card)

    assert buckets(card) == {"credited": 300, "spent": 50, "removed": 250}
    assert remaining(card) == [0, 0]
    assert moves(operation) == [("available", "removed", 150), ("available", "removed", 100)]


def test_answers_with_the_operation_as_it_is_stored() -> None:
    card = make_card(balance=1000)

    operation = ledger.close(
        card.pk, request_id="CLOSE", actor="staff:7", reason="fraud", note="Stolen."
    )

    stored = Operation.objects.get(oid=operation.oid)
    for field in stored._meta.concrete_fields:
        assert getattr(operation, field.attname) == getattr(stored, field.attname)
    assert (stored.kind, stored.outcome, stored.actor) == ("close", "ok", "staff:7")
    assert (stored.request_id, stored.reason, stored.note) == ("CLOSE", "fraud", "Stolen.")


def test_ends_an_empty_card() -> None:
    card = make_card()

    operation = close(card)

    assert fresh(card).status == "closed"
    assert moves(operation) == []


@pytest.mark.parametrize("make", [make_blocked_card, make_expired_card])
def test_ends_a_card_that_nobody_can_use(make: Callable[..., GiftCard]) -> None:
    card = make(balance=1000)

    close(card)

    assert fresh(card).status == "closed"
    assert buckets(card) == {"credited": 1000, "removed": 1000}


def test_is_refused_while_a_purchase_holds_money() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 300)
    make_settlement(debit, 299)

    with refuses(card, MoneyHeld):
        close(card)

    assert fresh(card).status == "active"


@pytest.mark.parametrize("finish", [make_settlement, make_cancellation])
def test_works_once_nothing_is_held(finish: Callable[..., Operation]) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 300)
    with refuses(card, MoneyHeld):
        close(card, request_id="CLOSE-1")
    finish(debit, 300)

    close(card, request_id="CLOSE-2")

    assert fresh(card).status == "closed"
    assert "available" not in buckets(card)


def test_stays_refused_when_the_same_request_comes_again() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 300)
    with refuses(card, MoneyHeld):
        close(card, request_id="CLOSE")
    make_settlement(debit, 300)

    with unchanged(card), pytest.raises(MoneyHeld):
        close(card, request_id="CLOSE")


def test_answers_a_repeated_request_as_before() -> None:
    card = make_card(balance=1000)
    first = close(card)

    with unchanged(card):
        again = close(card)

    assert (again.oid, again.applied) == (first.oid, 1000)


def test_is_refused_by_a_closed_card_that_holds_nothing() -> None:
    card = make_closed_card(balance=1000)

    with refuses(card, CardClosed):
        close(card, request_id="AGAIN")


def test_takes_a_late_refund_off_a_closed_card() -> None:
    card = make_card(balance=1000)
    debit = make_purchase(card, 300)
    close(card, request_id="CLOSE-1")
    make_cancellation(debit, 300)

    operation = close(card, request_id="CLOSE-2")

    assert fresh(card).status == "closed"
    assert moves(operation) == [("available", "removed", 300)]
    assert (operation.amount, operation.applied) == (300, 300)
    assert buckets(card) == {"credited": 1000, "removed": 1000}
    with refuses(card, CardClosed):
        close(card, request_id="CLOSE-3")


def test_takes_off_what_landed_on_a_new_grant_of_a_closed_card() -> None:
    card = make_expired_card(balance=1000, valid_from=NOON - 9 * DAY, expires_at=NOON + DAY)
    with time_machine.travel(NOON, tick=False):
        debit = make_purchase(card, 300)
    close(card, request_id="CLOSE-1")
    make_cancellation(debit, 300)

    close(card, request_id="CLOSE-2")

    assert remaining(card) == [0, 0]
    assert buckets(card) == {"credited": 1000, "removed": 1000}


@pytest.mark.parametrize("change", [ledger.block, ledger.unblock])
def test_a_late_refund_opens_a_closed_card_to_nothing_else(
    change: Callable[..., Operation],
) -> None:
    card = make_card(balance=1000)
    debit = make_purchase(card, 300)
    close(card)
    make_cancellation(debit, 300)

    with refuses(card, CardClosed):
        change(card.pk, request_id="CHANGE", actor="staff:7")
    with refuses(card, CardClosed):
        make_hold(card, 1)


@pytest.mark.parametrize("reason", ["", "because"])
def test_needs_a_reason_of_the_list(reason: str) -> None:
    card = make_card(balance=1000)

    with refuses(card, ReasonRequired):
        close(card, reason=reason)


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\x00b"])
def test_refuses_what_is_no_request_id(request_id: str) -> None:
    card = make_card(balance=1000)

    with refuses(card, InvalidRequestId):
        close(card, request_id=request_id)


def test_refuses_a_card_that_does_not_exist() -> None:
    with pytest.raises(UnknownCard):
        ledger.close(0, request_id="CLOSE", actor="staff:7", reason="lost")

    assert not Operation.objects.exists()
