import datetime

import pytest
import time_machine

from loyalty import ledger
from loyalty.exceptions import (
    AlreadyReversed,
    BelowZero,
    CardClosed,
    CreditSpent,
    InvalidRequestId,
    NotReversible,
    ReasonRequired,
    RequestConflict,
)
from loyalty.models import GiftCard, Grant, Operation
from loyalty.money import MAX_UNITS
from tests.builders import (
    buckets,
    fresh,
    make_adjustment,
    make_blocked_card,
    make_cancellation,
    make_card,
    make_credit,
    make_extension,
    make_hold,
    make_program,
    make_purchase,
    make_reversal,
    make_store,
    make_wallet,
    moves,
    new_id,
    refuses,
    remaining,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def at(days: float) -> time_machine.travel:
    return time_machine.travel(NOON + days * DAY, tick=False)


def grants(card: GiftCard) -> list[Grant]:
    return list(card.grants.order_by("id"))


def close(card: GiftCard) -> None:
    ledger.close(card.pk, request_id=new_id("close"), actor="test", reason="lost")


@pytest.mark.parametrize("amount", [1, 2_840, MAX_UNITS])
def test_takes_off_what_was_put_on(amount: int) -> None:
    card = make_card()
    adjustment = make_adjustment(card, amount)

    reversal = make_reversal(adjustment)

    assert moves(reversal) == [("available", "removed", amount)]
    assert buckets(card) == {"credited": amount, "removed": amount}
    assert reversal.reverses == adjustment


@pytest.mark.parametrize("amount", [1, 2_840, MAX_UNITS])
def test_puts_back_what_was_taken_off(amount: int) -> None:
    card = make_card(balance=amount)
    adjustment = make_adjustment(card, -amount)

    reversal = make_reversal(adjustment)

    assert moves(reversal) == [("removed", "available", amount)]
    assert buckets(card) == {"credited": amount, "available": amount}
    assert (remaining(card), reversal.reverses) == ([amount], adjustment)


def test_takes_from_the_adjustments_own_grant_first() -> None:
    with at(0):
        card = make_wallet(balance=500)
        adjustment = make_adjustment(card, 200)
        make_credit(card, 400, expires_at=NOON + DAY)  # would be spent first

        make_reversal(adjustment)

    assert remaining(card) == [500, 0, 400]


def test_takes_the_rest_from_others_of_the_same_funding_in_the_order_of_spending() -> None:
    with at(0):
        card = make_wallet(balance=500)
        make_credit(card, 400, expires_at=NOON + 2 * DAY, funding="promotional")
        adjustment = make_adjustment(card, 200, expires_at=NOON + DAY)
        make_purchase(card, 150)
        make_credit(card, 60, expires_at=NOON + 3 * DAY)

        reversal = make_reversal(adjustment)

    assert remaining(card) == [410, 400, 0, 0]
    assert moves(reversal) == [
        ("available", "removed", 50),
        ("available", "removed", 60),
        ("available", "removed", 90),
    ]


def test_takes_nothing_of_another_funding() -> None:
    card = make_wallet(balance=100)
    adjustment = make_adjustment(card, 200)
    make_purchase(card, 101)
    make_credit(card, 500, funding="promotional")

    with refuses(card, CreditSpent):
        make_reversal(adjustment)


def test_is_refused_when_it_was_spent_and_accepted_when_there_is_enough_again() -> None:
    card = make_wallet()
    adjustment = make_adjustment(card, 200)
    purchase = make_purchase(card, 1)
    with refuses(card, CreditSpent):
        make_reversal(adjustment, request_id="R1")
    make_cancellation(purchase, 1)

    with unchanged(card), pytest.raises(CreditSpent):
        make_reversal(adjustment, request_id="R1")
    make_reversal(adjustment, request_id="R2")

    assert buckets(card) == {"credited": 200, "removed": 200}


def test_takes_nothing_that_was_booked_as_expired() -> None:
    with at(0):
        card = make_wallet()
        adjustment = make_adjustment(card, 200, expires_at=NOON + DAY)
    with at(2):
        ledger.expire(card.pk, actor="clock")

        with refuses(card, CreditSpent):
            make_reversal(adjustment)


def test_puts_back_into_the_grants_that_it_was_taken_from() -> None:
    with at(0):
        card = make_wallet(balance=500)
        make_credit(card, 400, expires_at=NOON + 2 * DAY, funding="promotional")
        make_credit(card, 300, expires_at=NOON + 9 * DAY)
        adjustment = make_adjustment(card, -750)
        assert remaining(card) == [450, 0, 0]

        reversal = make_reversal(adjustment)

    assert remaining(card) == [500, 400, 300]
    assert moves(reversal) == [("removed", "available", amount) for amount in (50, 300, 400)]


def test_puts_back_what_expired_meanwhile_on_a_new_grant_as_a_cancellation_does() -> None:
    with at(0):
        card = make_wallet(balance=500, expires_at=NOON + 9 * DAY)
        make_credit(card, 400, expires_at=NOON + DAY, funding="promotional")
        adjustment = make_adjustment(card, -600)
    with at(2):
        make_reversal(adjustment)

        make_hold(card, 900)

    landing = grants(card)[2]
    assert (landing.origin, landing.funding, landing.amount) == ("refund", "promotional", 400)
    assert remaining(card) == [0, 0, 0]
    assert fresh(card).expires_at == landing.expires_at
    # The end of the store's day, thirty days later.
    assert landing.expires_at == datetime.datetime(
        2026, 4, 12, 2, 59, 59, 999999, tzinfo=datetime.UTC
    )


def test_without_grace_it_comes_back_to_the_expired_grant_and_expires() -> None:
    with at(0):
        program = make_program(make_store(refund_grace_days=0))
        card = make_card(program, balance=500, expires_at=NOON + DAY)
        adjustment = make_adjustment(card, -200)
    with at(2):
        make_reversal(adjustment)
        ledger.expire(card.pk, actor="clock")

    assert buckets(card) == {"credited": 500, "expired": 500}
    assert remaining(card) == [0]


def test_comes_back_to_a_grant_that_was_extended_meanwhile() -> None:
    with at(0):
        card = make_card(balance=500, expires_at=NOON + DAY)
        adjustment = make_adjustment(card, -200)
    with at(2):
        make_extension(card, expires_at=NOON + 5 * DAY)

        make_reversal(adjustment)

    assert remaining(card) == [500]


@pytest.mark.parametrize("change", [200, -200])
def test_takes_a_blocked_card(change: int) -> None:
    card = make_blocked_card(balance=500)
    adjustment = make_adjustment(card, change)

    make_reversal(adjustment)

    assert (buckets(card)["available"], fresh(card).status) == (500, "blocked")


@pytest.mark.parametrize("change", [200, -200])
def test_happens_once(change: int) -> None:
    card = make_card(balance=500)
    adjustment = make_adjustment(card, change)
    make_reversal(adjustment, request_id="R1")

    with refuses(card, AlreadyReversed):
        make_reversal(adjustment, request_id="R2")
    with unchanged(card), pytest.raises(AlreadyReversed):
        make_reversal(adjustment, request_id="R2")


def test_takes_back_one_adjustment_and_not_another_like_it() -> None:
    card = make_card(balance=500)
    first, second = make_adjustment(card, -200), make_adjustment(card, -200)

    make_reversal(first)
    make_reversal(second)

    assert buckets(card) == {"credited": 500, "available": 500}


def test_of_an_adjustment_up_is_refused_by_a_closed_card_which_lost_it() -> None:
    card = make_card()
    adjustment = make_adjustment(card, 200)
    close(card)

    with refuses(card, CreditSpent):
        make_reversal(adjustment)


def test_never_takes_a_refund_off_a_closed_card_a_second_time() -> None:
    card = make_wallet(balance=100)
    purchase = make_purchase(card, 100)
    adjustment = make_adjustment(card, 100)
    close(card)  # takes the adjustment off
    make_cancellation(purchase, 100)

    with refuses(card, CreditSpent):
        make_reversal(adjustment)

    assert buckets(card) == {"credited": 200, "available": 100, "removed": 100}


def test_of_an_adjustment_down_is_refused_by_a_closed_card() -> None:
    card = make_card(balance=500)
    adjustment = make_adjustment(card, -200)
    close(card)

    with refuses(card, CardClosed):
        make_reversal(adjustment)


def test_answers_with_the_operation_as_it_is_stored() -> None:
    card = make_card(balance=500)
    adjustment = make_adjustment(card, -200)

    operation = make_reversal(adjustment, request_id="R1", actor="staff:7", note="Wrong card.")

    stored = Operation.objects.get(oid=operation.oid)
    for field in stored._meta.concrete_fields:
        assert getattr(operation, field.attname) == getattr(stored, field.attname)
    assert (stored.kind, stored.outcome, stored.actor) == ("reverse", "ok", "staff:7")
    assert (stored.request_id, stored.amount, stored.applied) == ("R1", 200, 200)
    assert (stored.reason, stored.note) == ("correction", "Wrong card.")
    assert (stored.transaction, stored.reverses) == (None, adjustment)


def test_a_refusal_names_what_was_to_be_reversed_too() -> None:
    card = make_wallet()
    adjustment = make_adjustment(card, 200)
    make_purchase(card, 1)

    with refuses(card, CreditSpent):
        make_reversal(adjustment)

    assert card.operations.get(outcome="declined").reverses == adjustment


@pytest.mark.parametrize("change", [200, -200])
def test_answers_a_repeated_request_as_before(change: int) -> None:
    card = make_card(balance=500)
    adjustment = make_adjustment(card, change)
    first = make_reversal(adjustment, request_id="R1")

    with unchanged(card):
        again = make_reversal(adjustment, request_id="R1")

    assert (again.oid, again.applied, again.reverses_id) == (first.oid, 200, adjustment.pk)


def test_refuses_the_id_of_a_reversal_for_that_of_another() -> None:
    card = make_card(balance=500)
    first, second = make_adjustment(card, -200), make_adjustment(card, -200)
    make_reversal(first, request_id="R1")

    with refuses(card, RequestConflict):
        make_reversal(second, request_id="R1")


@pytest.mark.parametrize("kind", ["issue", "credit", "authorize", "settle", "cancel", "reverse"])
def test_refuses_what_is_no_adjustment(kind: str) -> None:
    card = make_wallet(balance=500)
    credit = make_credit(card, 100)
    make_purchase(card, 100)
    make_cancellation(credit, 100)
    make_reversal(make_adjustment(card, 10))
    operation = card.operations.get(kind=kind)

    with refuses(card, NotReversible):
        make_reversal(operation)


def test_refuses_an_adjustment_that_was_declined() -> None:
    card = make_card(balance=500)
    with refuses(card, BelowZero):
        make_adjustment(card, -501)

    with refuses(card, NotReversible):
        make_reversal(card.operations.get(kind="adjust"))


def test_refuses_an_adjustment_of_another_card() -> None:
    card, other = make_card(balance=500), make_card(balance=500)
    adjustment = make_adjustment(card, -200)
    adjustment.card_id = other.pk

    with unchanged(card), refuses(other, NotReversible):
        make_reversal(adjustment)


def test_believes_the_books_and_not_the_operation_that_it_is_given() -> None:
    card = make_card(balance=500)
    adjustment = make_adjustment(card, -200)
    forged = Operation(pk=adjustment.pk, card_id=card.pk, kind="adjust", amount=999, applied=999)

    make_reversal(forged)

    assert buckets(card) == {"credited": 500, "available": 500}


@pytest.mark.parametrize("reason", ["", "because"])
def test_needs_a_reason_of_the_list(reason: str) -> None:
    card = make_card(balance=500)
    adjustment = make_adjustment(card, -200)

    with refuses(card, ReasonRequired):
        make_reversal(adjustment, reason=reason)


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\x00b"])
def test_refuses_what_is_no_request_id(request_id: str) -> None:
    card = make_card(balance=500)
    adjustment = make_adjustment(card, -200)

    with refuses(card, InvalidRequestId):
        make_reversal(adjustment, request_id=request_id)
