import datetime
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from loyalty import ledger
from loyalty.exceptions import (
    BalanceLimitExceeded,
    CardBlocked,
    CardClosed,
    CardExpired,
    InvalidAmount,
    InvalidDates,
    InvalidRequestId,
    LedgerError,
    NotReloadable,
    UnknownCard,
)
from loyalty.models import GiftCard, Operation
from loyalty.money import MAX_UNITS
from tests.builders import (
    buckets,
    fresh,
    make_blocked_card,
    make_card,
    make_closed_card,
    make_credit,
    make_expired_card,
    make_hold,
    make_program,
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


@pytest.mark.parametrize("amount", [1, 10_000, 9_007_199_254_740_991, MAX_UNITS])
def test_puts_the_amount_on_the_card(amount: int) -> None:
    card = make_card()

    transaction = make_credit(card, amount)

    assert buckets(card) == {"credited": amount, "available": amount}
    assert moves(transaction.operations.get()) == [("outside", "available", amount)]
    assert fresh(transaction).amount == transaction.amount == amount


@time_machine.travel(NOON, tick=False)
def test_answers_with_the_transaction_as_it_is_stored() -> None:
    card = make_card()

    transaction = make_credit(card, 700, request_id="R1", order_id="v1-01", order_sequence="501")

    stored = fresh(transaction)
    for field in stored._meta.concrete_fields:
        assert getattr(transaction, field.attname) == getattr(stored, field.attname)
    assert (stored.kind, stored.state, stored.created_at) == ("credit", "credited", NOON)
    assert (stored.settled, stored.released, stored.refunded) == (0, 0, 0)
    assert (stored.request_id, stored.order_id, stored.order_sequence) == ("R1", "v1-01", "501")


@time_machine.travel(NOON, tick=False)
def test_opens_a_grant_as_the_program_says() -> None:
    card = make_wallet(make_program(funding="promotional", validity_days=10), expires_at=None)

    transaction = make_credit(card, 700)

    grant = card.grants.get()
    assert (grant.amount, grant.remaining) == (700, 700)
    assert (grant.origin, grant.funding, grant.reference) == ("credit", "promotional", "")
    assert grant.valid_from == NOON
    assert grant.expires_at == datetime.datetime(2026, 3, 20, 23, 59, 59, 999999, tzinfo=SAO_PAULO)
    assert (grant.transaction, grant.operation) == (transaction, transaction.operations.get())


@time_machine.travel(NOON, tick=False)
def test_opens_a_grant_as_the_caller_says() -> None:
    card = make_wallet()

    make_credit(
        card,
        700,
        origin="reward",
        funding="promotional",
        valid_from=NOON + DAY,
        expires_at=NOON + 5 * DAY,
        reference="v1000-01",
    )

    grant = card.grants.get()
    assert (grant.origin, grant.funding, grant.reference) == ("reward", "promotional", "v1000-01")
    assert (grant.valid_from, grant.expires_at) == (NOON + DAY, NOON + 5 * DAY)


@time_machine.travel(NOON, tick=False)
def test_never_outlives_the_card() -> None:
    card = make_wallet(expires_at=NOON + 3 * DAY)

    make_credit(card, expires_at=NOON + 9 * DAY)
    make_credit(card, expires_at=NOON + 2 * DAY)
    make_credit(card)

    ends = card.grants.order_by("id").values_list("expires_at", flat=True)
    assert list(ends) == [NOON + 3 * DAY, NOON + 2 * DAY, NOON + 3 * DAY]


def test_leaves_other_money_alone() -> None:
    card = make_wallet(balance=1000)
    make_hold(card, 300)

    make_credit(card, 50)

    assert buckets(card) == {"credited": 1050, "available": 750, "held": 300}
    assert remaining(card) == [700, 50]


def test_records_who_gave_it_and_why() -> None:
    card = make_card()

    transaction = make_credit(card, 700, actor="staff:7", reason="campaign", note="Easter")

    operation = transaction.operations.get()
    assert (operation.kind, operation.outcome, operation.actor) == ("credit", "ok", "staff:7")
    assert (operation.amount, operation.applied) == (700, 700)
    assert (operation.reason, operation.note) == ("campaign", "Easter")


def test_is_allowed_once_on_a_card_that_is_not_reloadable() -> None:
    card = make_card(is_reloadable=False)
    make_credit(card, 700)

    with refuses(card, NotReloadable):
        make_credit(card, 700)

    assert buckets(card) == {"credited": 700, "available": 700}


def test_is_no_first_credit_when_the_card_was_issued_with_an_amount() -> None:
    card = make_card(balance=1, is_reloadable=False)

    with refuses(card, NotReloadable):
        make_credit(card, 1)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        pytest.param(make_blocked_card, CardBlocked, id="blocked"),
        pytest.param(make_closed_card, CardClosed, id="closed"),
        pytest.param(make_expired_card, CardExpired, id="expired"),
    ],
)
def test_is_refused_by_a_card_that_is(
    make: Callable[..., GiftCard], error: type[LedgerError]
) -> None:
    card = make(balance=100, is_reloadable=True)

    with refuses(card, error):
        make_credit(card, 1)


@time_machine.travel(NOON, tick=False)
def test_is_refused_from_the_very_instant_of_expiry() -> None:
    card = make_wallet(valid_from=NOON - DAY, expires_at=NOON)

    with refuses(card, CardExpired):
        make_credit(card, 1)


@time_machine.travel(NOON, tick=False)
def test_is_accepted_before_the_card_is_valid() -> None:
    card = make_wallet(valid_from=NOON + DAY)

    make_credit(card, 700)

    assert buckets(card) == {"credited": 700, "available": 700}


def test_is_refused_beyond_what_the_ledger_can_count() -> None:
    card = make_wallet(balance=MAX_UNITS - 5)
    make_hold(card, MAX_UNITS - 6)

    with refuses(card, BalanceLimitExceeded):
        make_credit(card, 6)

    make_credit(card, 5)
    assert buckets(card) == {"credited": MAX_UNITS, "available": 6, "held": MAX_UNITS - 6}


@pytest.mark.parametrize("amount", [0, -1, MAX_UNITS + 1])
def test_refuses_what_is_no_amount(amount: int) -> None:
    card = make_wallet(balance=100)

    with refuses(card, InvalidAmount):
        make_credit(card, amount)


@pytest.mark.parametrize(
    "request_id",
    [
        pytest.param("", id="empty"),
        pytest.param("x" * 129, id="too long"),
        pytest.param("a\x00b", id="NUL"),
        pytest.param("a\ud800b", id="half a surrogate pair"),
    ],
)
def test_refuses_what_is_no_request_id(request_id: str) -> None:
    card = make_wallet(balance=100)

    with refuses(card, InvalidRequestId):
        make_credit(card, request_id=request_id)


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize(
    "dates",
    [
        pytest.param({"expires_at": NOON}, id="over at once"),
        pytest.param({"expires_at": NOON - DAY}, id="over yesterday"),
        pytest.param({"valid_from": NOON + DAY, "expires_at": NOON + DAY}, id="empty"),
        pytest.param({"valid_from": NOON + 9 * DAY}, id="begins after the card's end"),
    ],
)
def test_refuses_dates_without_a_usable_instant(dates: dict[str, Any]) -> None:
    card = make_wallet(expires_at=NOON + 5 * DAY)

    with refuses(card, InvalidDates):
        make_credit(card, **dates)


def test_refuses_a_card_that_does_not_exist() -> None:
    card = make_wallet(balance=100)

    with unchanged(card), pytest.raises(UnknownCard):
        ledger.credit(0, amount=1, request_id="R1", actor="test")

    assert Operation.objects.count() == 1
