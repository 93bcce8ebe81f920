import datetime

import pytest
import time_machine

from loyalty import ledger
from loyalty.exceptions import CardExpired, InsufficientBalance, UnknownCard
from loyalty.models import GiftCard, Operation
from loyalty.money import MAX_UNITS
from tests.builders import (
    buckets,
    make_blocked_card,
    make_card,
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
INSTANT = datetime.timedelta(microseconds=1)


@pytest.mark.parametrize("amount", [1, 2_840, 9_007_199_254_740_991, MAX_UNITS])
def test_books_all_that_is_available_of_an_expired_card(amount: int) -> None:
    card = make_expired_card(balance=amount)

    operation = ledger.expire(card.pk, actor="clock")

    assert operation is not None
    assert buckets(card) == {"credited": amount, "expired": amount}
    assert moves(operation) == [("available", "expired", amount)]
    assert remaining(card) == [0]


@time_machine.travel(NOON, tick=False)
def test_records_what_was_booked() -> None:
    card = make_expired_card(balance=1000)

    operation = ledger.expire(card.pk, actor="clock")

    stored = card.operations.get(kind="expire")
    assert operation == stored
    assert (stored.outcome, stored.actor, stored.created_at) == ("ok", "clock", NOON)
    assert (stored.amount, stored.applied, stored.transaction) == (1000, 1000, None)


def test_leaves_what_is_held_and_spent() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=1000, expires_at=NOON + DAY)
        debit = make_hold(card, 300)
        make_purchase(card, 200)

    with time_machine.travel(NOON + DAY, tick=False):
        ledger.expire(card.pk, actor="clock")
        assert buckets(card) == {"credited": 1000, "held": 300, "spent": 200, "expired": 500}
        make_settlement(debit, 300)

    assert buckets(card) == {"credited": 1000, "spent": 500, "expired": 500}


@pytest.mark.parametrize(
    "at", [pytest.param(NOON, id="at once"), pytest.param(NOON + DAY - INSTANT, id="just before")]
)
def test_books_nothing_of_a_card_that_is_still_valid(at: datetime.datetime) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=1000, expires_at=NOON + DAY)

    with time_machine.travel(at, tick=False), unchanged(card):
        operation = ledger.expire(card.pk, actor="clock")

    assert operation is None


def test_books_nothing_of_a_card_that_never_expires() -> None:
    card = make_card(balance=1000)

    with time_machine.travel(NOON + 36_500 * DAY, tick=False), unchanged(card):
        operation = ledger.expire(card.pk, actor="clock")

    assert operation is None


def test_books_a_card_from_the_very_instant_of_expiry() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=1000, expires_at=NOON + DAY)

    with time_machine.travel(NOON + DAY, tick=False):
        ledger.expire(card.pk, actor="clock")

    assert buckets(card) == {"credited": 1000, "expired": 1000}


@time_machine.travel(NOON, tick=False)
def test_books_only_the_grants_that_are_over() -> None:
    card = make_wallet(balance=100)
    make_credit(card, 200, valid_from=NOON - 2 * DAY, expires_at=NOON - DAY)
    make_credit(card, 400, valid_from=NOON - 2 * DAY, expires_at=NOON)
    make_credit(card, 800, expires_at=NOON + DAY)

    operation = ledger.expire(card.pk, actor="clock")

    assert operation is not None
    assert moves(operation) == [("available", "expired", 200), ("available", "expired", 400)]
    assert buckets(card) == {"credited": 1500, "available": 900, "expired": 600}
    assert remaining(card) == [100, 0, 0, 800]


@time_machine.travel(NOON, tick=False)
def test_books_every_grant_of_an_expired_card() -> None:
    card = make_wallet(balance=100, valid_from=NOON - 9 * DAY, expires_at=NOON + DAY)
    make_credit(card, 200)

    with time_machine.travel(NOON + DAY, tick=False):
        ledger.expire(card.pk, actor="clock")

    assert buckets(card) == {"credited": 300, "expired": 300}


def test_books_the_grants_that_would_outlive_a_card_cut_short() -> None:
    card = make_wallet(balance=1000)
    GiftCard.objects.filter(pk=card.pk).update(valid_from=NOON - 2 * DAY, expires_at=NOON - INSTANT)

    with time_machine.travel(NOON, tick=False):
        ledger.expire(card.pk, actor="clock")

    assert buckets(card) == {"credited": 1000, "expired": 1000}


def test_can_be_repeated_at_any_time() -> None:
    card = make_expired_card(balance=1000)
    ledger.expire(card.pk, actor="clock")

    with unchanged(card):
        operation = ledger.expire(card.pk, actor="clock")

    assert operation is None


def test_books_again_what_expires_later() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_wallet(balance=100)
        for days in (1, 2):
            make_credit(card, 200, expires_at=NOON + days * DAY)

    operations = []
    for days in (1, 2, 3):
        with time_machine.travel(NOON + days * DAY, tick=False):
            operations.append(ledger.expire(card.pk, actor="clock"))

    assert [operation and operation.applied for operation in operations] == [200, 200, None]
    assert buckets(card) == {"credited": 500, "available": 100, "expired": 400}


def test_books_a_blocked_card() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_blocked_card(balance=1000, expires_at=NOON + DAY)

    with time_machine.travel(NOON + DAY, tick=False):
        ledger.expire(card.pk, actor="clock")

    assert buckets(card) == {"credited": 1000, "expired": 1000}


def test_finds_nothing_on_an_empty_card() -> None:
    card = make_expired_card()

    with unchanged(card):
        operation = ledger.expire(card.pk, actor="clock")

    assert operation is None


def test_is_not_needed_for_a_debit_to_be_refused() -> None:
    card = make_expired_card(balance=1000)

    with refuses(card, CardExpired):
        make_hold(card, 1)


def test_is_not_needed_for_a_grant_to_be_unusable() -> None:
    card = make_wallet(balance=100)
    make_credit(card, 200, valid_from=NOON - 2 * DAY, expires_at=NOON - DAY)

    with refuses(card, InsufficientBalance):
        make_hold(card, 101)


def test_refuses_a_card_that_does_not_exist() -> None:
    with pytest.raises(UnknownCard):
        ledger.expire(0, actor="clock")

    assert not Operation.objects.exists()
