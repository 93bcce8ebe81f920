import datetime
from collections.abc import Callable

import pytest
import time_machine

from loyalty import ledger
from loyalty.exceptions import (
    CreditSpent,
    ExceedsTransaction,
    InsufficientBalance,
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
    remaining,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize("amount", [1, 2_840, 9_007_199_254_740_991, MAX_UNITS])
def test_releases_all_of_a_hold(amount: int) -> None:
    card = make_card(balance=amount)
    debit = make_hold(card, amount)

    operation = make_cancellation(debit, amount)

    assert buckets(card) == {"credited": amount, "available": amount}
    assert moves(operation) == [("held", "available", amount)]
    assert (fresh(debit).released, fresh(debit).state) == (amount, "canceled")


@pytest.mark.parametrize("amount", [1, 2_840, 9_007_199_254_740_991, MAX_UNITS])
def test_refunds_all_of_a_settled_purchase(amount: int) -> None:
    card = make_card(balance=amount)
    debit = make_purchase(card, amount)

    operation = make_cancellation(debit, amount)

    assert buckets(card) == {"credited": amount, "available": amount}
    assert moves(operation) == [("spent", "available", amount)]
    assert (fresh(debit).refunded, fresh(debit).state) == (amount, "canceled")


def test_releases_a_part_of_a_hold() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)

    make_cancellation(debit, 250)

    assert buckets(card) == {"credited": 1000, "available": 550, "held": 450}
    assert (fresh(debit).released, fresh(debit).state) == (250, "held")


def test_releases_what_is_held_before_it_refunds_what_was_spent() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)
    make_settlement(debit, 400)

    operation = make_cancellation(debit, 500)

    assert moves(operation) == [("held", "available", 300), ("spent", "available", 200)]
    assert buckets(card) == {"credited": 1000, "available": 800, "spent": 200}
    stored = fresh(debit)
    assert (stored.settled, stored.released, stored.refunded) == (400, 300, 200)
    assert stored.state == "partially_refunded"


def test_answers_with_the_operation_as_it_is_stored() -> None:
    debit = make_hold(make_card(balance=1000), 700)

    operation = make_cancellation(debit, 250, request_id="C1", actor="vtex:key")

    stored = Operation.objects.get(oid=operation.oid)
    for field in stored._meta.concrete_fields:
        assert getattr(operation, field.attname) == getattr(stored, field.attname)
    assert (stored.kind, stored.outcome, stored.actor) == ("cancel", "ok", "vtex:key")
    assert (stored.request_id, stored.amount, stored.applied) == ("C1", 250, 250)
    assert stored.transaction == debit


def test_takes_any_number_of_cancellations_up_to_the_debit() -> None:
    card = make_card(balance=1000)
    debit = make_purchase(card, 700)

    for amount in (333, 333, 34):
        make_cancellation(debit, amount)

    assert buckets(card) == {"credited": 1000, "available": 1000}
    with refuses(card, ExceedsTransaction):
        make_cancellation(debit, 1)


def test_leaves_other_purchases_alone() -> None:
    card = make_card(balance=1000)
    debit, other = make_purchase(card, 300), make_purchase(card, 400)

    make_cancellation(debit, 300)

    assert buckets(card) == {"credited": 1000, "available": 600, "spent": 400}
    assert (fresh(other).refunded, fresh(other).state) == (0, "settled")


def test_makes_what_comes_back_usable_again() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 1000)
    with refuses(card, InsufficientBalance):
        make_hold(card, 600)

    make_cancellation(debit, 600)

    make_hold(card, 600)
    assert buckets(card) == {"credited": 1000, "held": 1000}


@pytest.mark.parametrize("amount", [401, 699, 701, MAX_UNITS])
def test_refuses_more_than_is_left(amount: int) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)
    make_cancellation(debit, 300)

    with refuses(card, ExceedsTransaction):
        make_cancellation(debit, amount)


def test_gives_back_the_rest_when_the_whole_debit_is_asked_for() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)
    make_settlement(debit, 500)
    make_cancellation(debit, 300)

    operation = make_cancellation(debit, 700)

    assert (operation.amount, operation.applied) == (700, 400)
    assert moves(operation) == [("spent", "available", 400)]
    assert buckets(card) == {"credited": 1000, "available": 1000}


def test_refuses_the_whole_debit_when_nothing_is_left() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)
    make_cancellation(debit, 300)
    make_cancellation(debit, 400)

    with refuses(card, ExceedsTransaction):
        make_cancellation(debit, 700)


def test_reads_the_transaction_anew_under_the_lock() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)
    seen_before = fresh(debit)
    make_cancellation(debit, 500)

    with refuses(card, ExceedsTransaction):
        make_cancellation(seen_before, 201)


def test_records_a_decline_with_what_was_asked_for() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)

    with refuses(card, ExceedsTransaction):
        make_cancellation(debit, 701, request_id="C1")

    decline = card.operations.get(kind="cancel")
    assert (decline.outcome, decline.decline_code) == ("declined", "exceeds_transaction")
    assert (decline.amount, decline.applied, decline.request_id) == (701, 0, "C1")
    assert decline.transaction == debit


def block(card: GiftCard) -> None:
    ledger.block(card.pk, request_id=new_id(), actor="test")


def empty(card: GiftCard) -> None:
    make_adjustment(card, -300)


@pytest.mark.parametrize("happens", [block, empty])
@pytest.mark.parametrize("make", [make_hold, make_purchase])
def test_is_honored_although_the_card_since_met(
    happens: Callable[[GiftCard], None], make: Callable[..., Transaction]
) -> None:
    card = make_card(balance=1000)
    debit = make(card, 700)
    happens(card)
    before = buckets(card).get("available", 0)

    make_cancellation(debit, 700)

    assert buckets(card)["available"] == before + 700


def test_is_honored_on_a_closed_card() -> None:
    card = make_card(balance=1000)
    debit = make_purchase(card, 700)
    ledger.close(card.pk, request_id="CLOSE", actor="test", reason="lost")

    make_cancellation(debit, 700)

    assert buckets(card) == {"credited": 1000, "available": 700, "removed": 300}


@pytest.mark.parametrize("make", [make_hold, make_purchase])
def test_is_honored_on_an_expired_card(make: Callable[..., Transaction]) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=1000, expires_at=NOON + DAY)
        debit = make(card, 700)

    with time_machine.travel(NOON + DAY, tick=False):
        make_cancellation(debit, 700)

    assert buckets(card) == {"credited": 1000, "available": 1000}
    assert fresh(debit).state == "canceled"


@pytest.mark.parametrize("amount", [1, 2_840, 9_007_199_254_740_991, MAX_UNITS])
def test_takes_all_of_a_credit_back(amount: int) -> None:
    card = make_card()
    credit = make_credit(card, amount)

    operation = make_cancellation(credit, amount)

    assert buckets(card) == {"credited": amount, "removed": amount}
    assert moves(operation) == [("available", "removed", amount)]
    stored = fresh(credit)
    assert (stored.settled, stored.released, stored.refunded) == (0, amount, 0)
    assert stored.state == "canceled"


def test_takes_a_part_of_a_credit_back() -> None:
    card = make_card()
    credit = make_credit(card, 1000)

    make_cancellation(credit, 300)

    assert buckets(card) == {"credited": 1000, "available": 700, "removed": 300}
    assert (fresh(credit).cancelable, fresh(credit).state) == (700, "credited")


@pytest.mark.parametrize("amount", [701, 1000, 1001])
def test_refuses_more_than_is_left_of_a_credit(amount: int) -> None:
    card = make_wallet(balance=5000)
    credit = make_credit(card, 1000)
    make_cancellation(credit, 300)

    with refuses(card, ExceedsTransaction):
        make_cancellation(credit, amount)


@pytest.mark.parametrize("make", [make_hold, make_purchase])
def test_refuses_a_credit_that_was_used(make: Callable[..., Transaction]) -> None:
    card = make_card()
    credit = make_credit(card, 1000)
    make(card, 400)

    with refuses(card, CreditSpent):
        make_cancellation(credit, 601)

    make_cancellation(credit, 600)
    assert buckets(card)["removed"] == 600


def test_takes_a_credit_from_its_own_grant_first() -> None:
    card = make_wallet(balance=1000)
    credit = make_credit(card, 500)
    make_credit(card, 700)

    make_cancellation(credit, 500)

    assert remaining(card) == [1000, 0, 700]


def test_takes_a_spent_credit_from_other_grants_of_its_funding() -> None:
    card = make_wallet(balance=1000)
    credit = make_credit(card, 500)
    make_credit(card, 700, funding="promotional")
    make_hold(card, 700)
    make_hold(card, 1200)
    assert remaining(card) == [0, 300, 0]
    make_credit(card, 600)

    make_cancellation(credit, 500)

    assert remaining(card) == [0, 0, 0, 400]


def test_takes_a_credit_back_from_its_own_grant_alone_when_asked_to() -> None:
    card = make_wallet()
    credit = make_credit(card, 500)
    make_credit(card, 600)
    make_hold(card, 200)
    assert remaining(card) == [300, 600]

    with refuses(card, CreditSpent):
        make_cancellation(credit, 301, own_grant_only=True)

    make_cancellation(credit, 300, own_grant_only=True)
    assert remaining(card) == [0, 600]


def test_takes_no_paid_money_for_a_promotional_credit() -> None:
    card = make_wallet(balance=1000)
    credit = make_credit(card, 500, funding="promotional")
    make_hold(card, 200)
    assert remaining(card) == [1000, 300]

    with refuses(card, CreditSpent):
        make_cancellation(credit, 301)

    make_cancellation(credit, 300)
    assert remaining(card) == [1000, 0]


def test_takes_a_credit_back_from_a_blocked_card() -> None:
    card = make_card()
    credit = make_credit(card, 1000)
    block(card)

    make_cancellation(credit, 1000)

    assert buckets(card) == {"credited": 1000, "removed": 1000}


def test_takes_a_credit_back_that_has_expired_but_is_not_booked() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(expires_at=NOON + DAY)
        credit = make_credit(card, 1000)

    with time_machine.travel(NOON + 2 * DAY, tick=False):
        make_cancellation(credit, 400)
        ledger.expire(card.pk, actor="test")

    assert buckets(card) == {"credited": 1000, "expired": 600, "removed": 400}
    with refuses(card, CreditSpent):
        make_cancellation(credit, 1)


def test_refuses_a_credit_on_a_card_closed_since() -> None:
    card = make_card()
    credit = make_credit(card, 1000)
    ledger.close(card.pk, request_id="CLOSE", actor="test", reason="lost")

    with refuses(card, CreditSpent):
        make_cancellation(credit, 1)


@pytest.mark.parametrize("amount", [0, -1, MAX_UNITS + 1])
def test_refuses_what_is_no_amount(amount: int) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)

    with refuses(card, InvalidAmount):
        make_cancellation(debit, amount)


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\x00b"])
def test_refuses_what_is_no_request_id(request_id: str) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)

    with refuses(card, InvalidRequestId):
        make_cancellation(debit, 1, request_id=request_id)


@pytest.mark.parametrize("kind", ["debit", "credit"])
def test_refuses_a_transaction_that_is_not_on_the_card(kind: str) -> None:
    card, other = make_card(balance=1000), make_wallet(balance=1000)
    real = make_hold(other, 700) if kind == "debit" else make_credit(other, 700)
    forged = Transaction(pk=real.pk, card_id=card.pk, kind=kind)

    with unchanged(card), unchanged(other), pytest.raises(UnknownTransaction):
        make_cancellation(forged, 1)
