import datetime

import pytest
import time_machine
from django.utils import timezone

from loyalty import ledger
from loyalty.exceptions import (
    CardClosed,
    InsufficientBalance,
    InvalidDates,
    InvalidRequestId,
    UnknownCard,
)
from loyalty.models import GiftCard, Operation
from tests.builders import (
    buckets,
    fresh,
    history,
    make_blocked_card,
    make_cancellation,
    make_card,
    make_closed_card,
    make_credit,
    make_expired_card,
    make_hold,
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


def renew(
    card: GiftCard, expires_at: datetime.datetime | None = None, request_id: str = "RENEW"
) -> Operation:
    return ledger.renew(card.pk, expires_at=expires_at, request_id=request_id, actor="staff:7")


@pytest.mark.parametrize("end", [NOON + INSTANT, NOON + 365 * DAY, None])
def test_gives_an_expired_card_another_end_and_it_takes_credit_again(
    end: datetime.datetime | None,
) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_expired_card(is_reloadable=True)

        renew(card, end)
        credit = make_credit(card, 500)

    assert fresh(card).expires_at == end
    assert credit.grants.get().expires_at == end
    assert buckets(card) == {"credited": 500, "available": 500}


@pytest.mark.parametrize("end", [NOON + 11 * DAY, NOON + 30 * DAY, None])
def test_moves_no_money_of_a_card_that_has_not_expired(end: datetime.datetime | None) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=1000, expires_at=NOON + 10 * DAY)
        make_hold(card, 300)
        before = history(card)

        operation = renew(card, end)

    after = history(card)
    assert moves(operation) == []
    assert (operation.amount, operation.applied) == (0, 0)
    assert before.pop("card") != after.pop("card")
    assert after == before
    assert fresh(card).expires_at == end


def test_leaves_the_dates_of_the_grants_alone() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_wallet(balance=1000, expires_at=NOON + 10 * DAY)
        make_credit(card, 200, expires_at=NOON + 5 * DAY)

        renew(card, NOON + 90 * DAY)

    ends = card.grants.order_by("id").values_list("expires_at", flat=True)
    assert list(ends) == [NOON + 10 * DAY, NOON + 5 * DAY]
    with time_machine.travel(NOON + 10 * DAY, tick=False), refuses(card, InsufficientBalance):
        make_hold(card, 1)


@pytest.mark.parametrize("is_booked", [True, False])
def test_what_has_expired_stays_expired_booked_or_not(*, is_booked: bool) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_wallet(balance=1000, expires_at=NOON + DAY)

    with time_machine.travel(NOON + DAY, tick=False):
        if is_booked:
            ledger.expire(card.pk, actor="clock")
        operation = renew(card)
        with refuses(card, InsufficientBalance):
            make_hold(card, 1)

    assert buckets(card) == {"credited": 1000, "expired": 1000}
    assert remaining(card) == [0]
    booked = [] if is_booked else [("available", "expired", 1000)]
    assert moves(operation) == booked
    assert operation.amount == operation.applied == sum(amount for *_, amount in booked)


def test_what_a_purchase_held_meanwhile_comes_back_to_the_renewed_card() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=1000, expires_at=NOON + DAY)
        hold = make_hold(card, 300)

    with time_machine.travel(NOON + 2 * DAY, tick=False):
        renew(card)
        make_cancellation(hold, 300)
        make_hold(card, 300)

    assert buckets(card) == {"credited": 1000, "held": 300, "expired": 700}
    assert fresh(card).expires_at is None


def test_answers_with_the_operation_as_it_is_stored() -> None:
    card = make_expired_card(balance=1000)

    operation = ledger.renew(
        card.pk,
        expires_at=None,
        request_id="RENEW",
        actor="staff:7",
        reason="customer_service",
        note="Was ill.",
    )

    stored = Operation.objects.get(oid=operation.oid)
    for field in stored._meta.concrete_fields:
        assert getattr(operation, field.attname) == getattr(stored, field.attname)
    assert (stored.kind, stored.outcome, stored.actor) == ("renew", "ok", "staff:7")
    assert (stored.request_id, stored.reason) == ("RENEW", "customer_service")
    assert (stored.note, stored.applied) == ("Was ill.", 1000)


def test_lets_a_blocked_card_stay_blocked() -> None:
    card = make_blocked_card(balance=1000, expires_at=timezone.now() + DAY)

    renew(card)

    assert (fresh(card).status, fresh(card).expires_at) == ("blocked", None)


@pytest.mark.parametrize("end", [NOON + 30 * DAY, NOON + 60 * DAY, None])
def test_answers_a_repeated_request_as_before_whatever_the_end(
    end: datetime.datetime | None,
) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_expired_card(balance=1000)
        first = renew(card, NOON + 30 * DAY)

    with time_machine.travel(NOON + 31 * DAY, tick=False), unchanged(card):
        again = renew(card, end)

    assert (again.oid, again.applied) == (first.oid, 1000)
    assert fresh(card).expires_at == NOON + 30 * DAY


def test_another_request_renews_again() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_expired_card()
        renew(card, NOON + 30 * DAY, request_id="RENEW-1")

        renew(card, NOON + 60 * DAY, request_id="RENEW-2")

    assert fresh(card).expires_at == NOON + 60 * DAY
    assert card.operations.filter(kind="renew").count() == 2


@pytest.mark.parametrize("end", [NOON - 400 * DAY, NOON - INSTANT, NOON])
def test_refuses_an_end_that_has_passed(end: datetime.datetime) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_expired_card(balance=1000)

        with refuses(card, InvalidDates):
            renew(card, end)


@pytest.mark.parametrize("end", [NOON + DAY, NOON + 10 * DAY])
def test_refuses_an_end_that_does_not_come_after_the_beginning(end: datetime.datetime) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=1000, valid_from=NOON + 10 * DAY)

        with refuses(card, InvalidDates):
            renew(card, end)


@pytest.mark.parametrize("end", [NOON + DAY, NOON + 10 * DAY])
def test_refuses_an_end_that_is_not_later_than_the_cards_own(end: datetime.datetime) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_wallet(balance=1000, expires_at=NOON + 10 * DAY)

        with refuses(card, InvalidDates):
            renew(card, end)


def test_refuses_an_end_for_a_card_that_has_none() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_wallet(balance=1000)

        with refuses(card, InvalidDates):
            renew(card, NOON + 10 * DAY)


def test_a_late_refund_to_a_renewed_card_brings_nothing_else_back() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_wallet(balance=1000, expires_at=NOON + DAY)
        hold = make_hold(card, 600)
        renew(card, NOON + 2 * DAY)

    with time_machine.travel(NOON + 4 * DAY, tick=False):
        make_cancellation(hold, 100)
        make_hold(card, 100)
        with refuses(card, InsufficientBalance):
            make_hold(card, 1)


def test_is_refused_by_a_closed_card_for_good() -> None:
    card = make_closed_card(balance=1000)

    with refuses(card, CardClosed):
        renew(card)
    with unchanged(card), pytest.raises(CardClosed):
        renew(card)


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\x00b"])
def test_refuses_what_is_no_request_id(request_id: str) -> None:
    card = make_expired_card(balance=1000)

    with refuses(card, InvalidRequestId):
        renew(card, request_id=request_id)


def test_refuses_a_card_that_does_not_exist() -> None:
    with pytest.raises(UnknownCard):
        ledger.renew(0, expires_at=None, request_id="RENEW", actor="staff:7")

    assert not Operation.objects.exists()
