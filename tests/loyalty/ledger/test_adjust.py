import datetime
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
import time_machine

from loyalty import ledger
from loyalty.exceptions import (
    BalanceLimitExceeded,
    BelowZero,
    CardClosed,
    CardExpired,
    InvalidAmount,
    InvalidDates,
    InvalidRequestId,
    LedgerError,
    ReasonRequired,
    UnknownCard,
)
from loyalty.models import GiftCard, Operation, Reason
from loyalty.money import MAX_UNITS
from tests.builders import (
    buckets,
    make_adjustment,
    make_blocked_card,
    make_card,
    make_closed_card,
    make_credit,
    make_expired_card,
    make_hold,
    make_program,
    make_purchase,
    make_wallet,
    moves,
    refuses,
    remaining,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
SAO_PAULO = ZoneInfo("America/Sao_Paulo")


@pytest.mark.parametrize("amount", [1, 2_840, 9_007_199_254_740_991, MAX_UNITS])
def test_puts_more_on_the_card(amount: int) -> None:
    card = make_card()

    operation = make_adjustment(card, amount)

    assert buckets(card) == {"credited": amount, "available": amount}
    assert moves(operation) == [("outside", "available", amount)]


@pytest.mark.parametrize("amount", [1, 2_840, 9_007_199_254_740_991, MAX_UNITS])
def test_takes_all_of_it_off_the_card(amount: int) -> None:
    card = make_card(balance=amount)

    operation = make_adjustment(card, -amount)

    assert buckets(card) == {"credited": amount, "removed": amount}
    assert moves(operation) == [("available", "removed", amount)]


def test_answers_with_the_operation_as_it_is_stored() -> None:
    card = make_card(balance=1000)

    operation = make_adjustment(card, -250, request_id="A1", actor="staff:7", note="Typo.")

    stored = Operation.objects.get(oid=operation.oid)
    for field in stored._meta.concrete_fields:
        assert getattr(operation, field.attname) == getattr(stored, field.attname)
    assert (stored.kind, stored.outcome, stored.actor) == ("adjust", "ok", "staff:7")
    assert (stored.request_id, stored.amount, stored.applied) == ("A1", 250, 250)
    assert (stored.reason, stored.note, stored.transaction) == ("correction", "Typo.", None)


def test_takes_from_one_grant_alone_when_it_is_named() -> None:
    card = make_wallet(balance=1000)
    named = make_credit(card, 300).grants.get()

    make_adjustment(card, -200, grant_id=named.pk)

    assert remaining(card) == [1000, 100]
    with refuses(card, BelowZero):
        make_adjustment(card, -101, grant_id=named.pk)


@time_machine.travel(NOON, tick=False)
def test_opens_a_grant_as_the_program_says() -> None:
    card = make_card(make_program(funding="promotional", validity_days=10))

    operation = make_adjustment(card, 700)

    grant = card.grants.get()
    assert (grant.origin, grant.funding) == ("adjustment", "promotional")
    assert (grant.valid_from, grant.operation, grant.transaction) == (NOON, operation, None)
    assert grant.expires_at == datetime.datetime(2026, 3, 20, 23, 59, 59, 999999, tzinfo=SAO_PAULO)


@time_machine.travel(NOON, tick=False)
def test_opens_a_grant_as_the_caller_says() -> None:
    card = make_card()

    make_adjustment(card, 700, funding="promotional", expires_at=NOON + DAY)

    grant = card.grants.get()
    assert (grant.funding, grant.expires_at) == ("promotional", NOON + DAY)


def test_reloads_a_card_that_is_not_reloadable() -> None:
    card = make_card(balance=1000, is_reloadable=False)

    make_adjustment(card, 500)

    assert buckets(card) == {"credited": 1500, "available": 1500}


def test_takes_only_what_is_available() -> None:
    card = make_card(balance=1000)
    make_hold(card, 300)
    make_purchase(card, 200)

    with refuses(card, BelowZero):
        make_adjustment(card, -501)

    make_adjustment(card, -500)
    assert buckets(card) == {"credited": 1000, "held": 300, "spent": 200, "removed": 500}


@time_machine.travel(NOON, tick=False)
def test_takes_in_the_order_of_spending_and_what_is_not_usable_last() -> None:
    card = make_wallet()
    for validity in (
        {"valid_from": NOON - 9 * DAY, "expires_at": NOON - DAY},  # 0: expired, not booked
        {"valid_from": NOON + DAY},  # 1: not valid yet
        {},  # 2: never expires
        {"expires_at": NOON + 5 * DAY},  # 3: soonest
    ):
        make_credit(card, 100, **validity)

    operation = make_adjustment(card, -350)

    assert remaining(card) == [0, 50, 0, 0]
    grants = list(card.grants.order_by("id"))
    taken = operation.entries.order_by("seq").values_list("grant", "amount")
    assert list(taken) == [
        (grants[3].pk, 100),
        (grants[2].pk, 100),
        (grants[0].pk, 100),
        (grants[1].pk, 50),
    ]


@pytest.mark.parametrize("make", [make_blocked_card, make_expired_card])
def test_takes_money_off_a_card_that_nobody_can_use(make: Callable[..., GiftCard]) -> None:
    card = make(balance=1000)

    make_adjustment(card, -1000)

    assert buckets(card) == {"credited": 1000, "removed": 1000}


def test_puts_money_on_a_blocked_card() -> None:
    card = make_blocked_card(balance=1000)

    make_adjustment(card, 500)

    assert buckets(card) == {"credited": 1500, "available": 1500}


@pytest.mark.parametrize(
    ("make", "error"), [(make_closed_card, CardClosed), (make_expired_card, CardExpired)]
)
def test_puts_no_money_where_nobody_can_use_it(
    make: Callable[..., GiftCard], error: type[LedgerError]
) -> None:
    card = make(balance=1000)

    with refuses(card, error):
        make_adjustment(card, 1)


def test_is_refused_beyond_what_the_ledger_can_count() -> None:
    card = make_card(balance=MAX_UNITS)

    with refuses(card, BalanceLimitExceeded):
        make_adjustment(card, 1)


@pytest.mark.parametrize("reason", ["", "because", "CORRECTION"])
@pytest.mark.parametrize("change", [1, -1])
def test_needs_a_reason_of_the_list(reason: str, change: int) -> None:
    card = make_card(balance=1000)

    with refuses(card, ReasonRequired):
        make_adjustment(card, change, reason=reason)


@pytest.mark.parametrize("reason", Reason)
def test_records_the_reason(reason: Reason) -> None:
    card = make_card(balance=1000)

    operation = make_adjustment(card, -1, reason=reason)

    assert Operation.objects.get(oid=operation.oid).reason == reason


@pytest.mark.parametrize("change", [0, MAX_UNITS + 1, -MAX_UNITS - 1])
def test_refuses_what_is_no_amount(change: int) -> None:
    card = make_card(balance=1000)

    with refuses(card, InvalidAmount):
        make_adjustment(card, change)


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\x00b"])
def test_refuses_what_is_no_request_id(request_id: str) -> None:
    card = make_card(balance=1000)

    with refuses(card, InvalidRequestId):
        make_adjustment(card, 1, request_id=request_id)


def test_refuses_a_grant_that_is_over_at_once() -> None:
    card = make_card(balance=1000)

    with refuses(card, InvalidDates):
        make_adjustment(card, 1, expires_at=NOON - 3650 * DAY)


def test_refuses_a_card_that_does_not_exist() -> None:
    card = make_card(balance=1000)

    with unchanged(card), pytest.raises(UnknownCard):
        ledger.adjust(0, change=1, request_id="A1", actor="test", reason="correction")
