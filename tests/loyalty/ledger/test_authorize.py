import datetime
from collections.abc import Callable

import pytest
import time_machine

from loyalty import ledger
from loyalty.exceptions import (
    CardBlocked,
    CardClosed,
    CardExpired,
    CardNotYetValid,
    InsufficientBalance,
    InvalidAmount,
    InvalidRequestId,
    LedgerError,
    SingleUseCardSpent,
    UnknownCard,
    WrongCurrency,
    WrongOwner,
    WrongToken,
)
from loyalty.identity import Identity
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
    make_customer,
    make_expired_card,
    make_hold,
    make_program,
    make_purchase,
    make_settlement,
    make_wallet,
    moves,
    refuses,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
INSTANT = datetime.timedelta(microseconds=1)


def test_holds_a_part_of_the_balance() -> None:
    card = make_card(balance=10_000)

    debit = make_hold(card, 2_840)

    assert buckets(card) == {"credited": 10_000, "available": 7_160, "held": 2_840}
    assert moves(debit.operations.get()) == [("available", "held", 2_840)]


@pytest.mark.parametrize("amount", [1, 9_007_199_254_740_991, MAX_UNITS])
def test_holds_all_of_the_balance(amount: int) -> None:
    card = make_card(balance=amount)

    make_hold(card, amount)

    assert buckets(card) == {"credited": amount, "held": amount}


@time_machine.travel(NOON, tick=False)
def test_answers_with_the_transaction_as_it_is_stored() -> None:
    card = make_card(balance=1000)

    debit = make_hold(card, 700, request_id="PAYMENT", order_id="v1-01", order_sequence="501")

    stored = fresh(debit)
    for field in stored._meta.concrete_fields:
        assert getattr(debit, field.attname) == getattr(stored, field.attname)
    assert (stored.kind, stored.state, stored.created_at) == ("debit", "held", NOON)
    assert (stored.amount, stored.held) == (700, 700)
    assert (stored.settled, stored.released, stored.refunded) == (0, 0, 0)
    assert (stored.request_id, stored.order_id) == ("PAYMENT", "v1-01")
    assert stored.order_sequence == "501"


def test_records_the_request() -> None:
    card = make_card(balance=1000)

    debit = make_hold(card, 700, request_id="PAYMENT", actor="vtex:key")

    operation = debit.operations.get()
    assert (operation.kind, operation.outcome) == ("authorize", "ok")
    assert (operation.request_id, operation.actor) == ("PAYMENT", "vtex:key")
    assert (operation.amount, operation.applied) == (700, 700)


def test_lets_several_purchases_share_a_card() -> None:
    card = make_card(balance=1000)

    debits = [make_hold(card, amount) for amount in (500, 300, 200)]

    assert buckets(card) == {"credited": 1000, "held": 1000}
    assert len({debit.public_id for debit in debits}) == 3


def test_refuses_more_than_the_available_balance() -> None:
    card = make_card(balance=1000)

    with refuses(card, InsufficientBalance):
        make_hold(card, 1001)


def test_refuses_what_another_purchase_holds_or_has_spent() -> None:
    card = make_card(balance=1000)
    make_hold(card, 300)
    make_purchase(card, 300)

    with refuses(card, InsufficientBalance):
        make_hold(card, 401)

    make_hold(card, 400)
    assert buckets(card) == {"credited": 1000, "held": 700, "spent": 300}


def test_refuses_an_empty_card() -> None:
    card = make_card()

    with refuses(card, InsufficientBalance):
        make_hold(card, 1)


def test_records_a_decline_with_what_was_asked_for() -> None:
    card = make_card(balance=1000)

    with refuses(card, InsufficientBalance):
        make_hold(card, 5000, request_id="PAYMENT", actor="vtex:key")

    decline = card.operations.get(kind="authorize")
    assert (decline.outcome, decline.decline_code) == ("declined", "insufficient_balance")
    assert (decline.amount, decline.applied) == (5000, 0)
    assert (decline.request_id, decline.actor) == ("PAYMENT", "vtex:key")
    assert decline.transaction is None


@pytest.mark.parametrize(
    ("make", "error"),
    [
        pytest.param(make_blocked_card, CardBlocked, id="blocked"),
        pytest.param(make_closed_card, CardClosed, id="closed"),
        pytest.param(make_expired_card, CardExpired, id="expired, booked or not"),
    ],
)
def test_refuses_a_card_that_is(make: Callable[..., GiftCard], error: type[LedgerError]) -> None:
    card = make(balance=1000)

    with refuses(card, error):
        make_hold(card, 1)


@pytest.mark.parametrize(
    "at", [pytest.param(NOON, id="first instant"), pytest.param(NOON + DAY - INSTANT, id="last")]
)
def test_accepts_a_card_in_its(at: datetime.datetime) -> None:
    with time_machine.travel(NOON - DAY, tick=False):
        card = make_card(balance=1000, valid_from=NOON, expires_at=NOON + DAY)

    with time_machine.travel(at, tick=False):
        make_hold(card, 1000)

    assert buckets(card) == {"credited": 1000, "held": 1000}


@pytest.mark.parametrize(
    ("at", "error"),
    [
        pytest.param(NOON - INSTANT, CardNotYetValid, id="before the first"),
        pytest.param(NOON + DAY, CardExpired, id="after the last"),
    ],
)
def test_refuses_a_card_an_instant(at: datetime.datetime, error: type[LedgerError]) -> None:
    with time_machine.travel(NOON - DAY, tick=False):
        card = make_card(balance=1000, valid_from=NOON, expires_at=NOON + DAY)

    with time_machine.travel(at, tick=False), refuses(card, error):
        make_hold(card, 1)


def test_refuses_a_card_in_another_currency_than_the_store() -> None:
    card = make_card(balance=1000, currency="USD")

    with refuses(card, WrongCurrency):
        make_hold(card, 1)


@pytest.mark.parametrize(
    "buyer",
    [
        pytest.param(Identity(email="ana@example.com"), id="by e-mail"),
        pytest.param(Identity(document="52998224725"), id="by document"),
        pytest.param(Identity(profile_id="P1", email="new@example.com"), id="by profile"),
        pytest.param(Identity(), id="unknown to the caller"),
        pytest.param(None, id="not said"),
    ],
)
def test_lets_the_owner_pay_with_a_restricted_card(buyer: Identity | None) -> None:
    owner = make_customer(profile_id="P1", email="ana@example.com", document="52998224725")
    card = make_card(make_program(owner.store), balance=1000, owner=owner, is_restricted=True)

    make_hold(card, 1000, buyer=buyer)

    assert buckets(card) == {"credited": 1000, "held": 1000}


@pytest.mark.parametrize(
    "buyer",
    [
        pytest.param(Identity(email="bruno@example.com"), id="another e-mail"),
        pytest.param(Identity(document="11144477735"), id="another document"),
        pytest.param(
            Identity(email="ana@example.com", document="11144477735"),
            id="the same e-mail, another document",
        ),
    ],
)
def test_refuses_a_restricted_card_to_someone_with(buyer: Identity) -> None:
    owner = make_customer(email="ana@example.com", document="52998224725")
    card = make_card(make_program(owner.store), balance=1000, owner=owner, is_restricted=True)

    with refuses(card, WrongOwner):
        make_hold(card, 1, buyer=buyer)


@pytest.mark.parametrize(
    "is_restricted", [pytest.param(False, id="not restricted"), pytest.param(True, id="ownerless")]
)
def test_lets_anybody_pay_with_a_card_that_is(*, is_restricted: bool) -> None:
    owner = None if is_restricted else make_customer(email="ana@example.com")
    program = make_program(owner.store if owner else None)
    card = make_card(program, balance=1000, owner=owner, is_restricted=is_restricted)

    make_hold(card, 1000, buyer=Identity(email="bruno@example.com"))

    assert buckets(card) == {"credited": 1000, "held": 1000}


def test_accepts_the_token_of_the_card() -> None:
    card = make_card(balance=1000)

    make_hold(card, 1000, token=card.token)

    assert buckets(card) == {"credited": 1000, "held": 1000}


def test_refuses_the_token_of_another_card() -> None:
    card, other = make_card(balance=1000), make_card()

    with refuses(card, WrongToken):
        make_hold(card, 1, token=other.token)


def test_refuses_the_code_in_place_of_the_token() -> None:
    card = make_card(balance=1000)

    with refuses(card, WrongToken):
        make_hold(card, 1, token=card.code)


def test_refuses_a_second_purchase_on_a_single_use_card() -> None:
    card = make_card(balance=1000, is_reusable=False)
    make_hold(card, 300)

    with refuses(card, SingleUseCardSpent):
        make_hold(card, 1)


def test_refuses_a_second_purchase_while_any_of_the_first_stands() -> None:
    card = make_card(balance=1000, is_reusable=False)
    first = make_hold(card, 300)
    make_settlement(first, 100)
    make_cancellation(first, 299)

    with refuses(card, SingleUseCardSpent):
        make_hold(card, 1)


def test_frees_a_single_use_card_when_its_purchase_is_canceled() -> None:
    card = make_card(balance=1000, is_reusable=False)
    first = make_hold(card, 300)
    make_settlement(first, 100)
    make_cancellation(first, 300)

    make_hold(card, 1000)

    assert buckets(card) == {"credited": 1000, "held": 1000}


def test_does_not_count_credit_put_on_a_single_use_card_as_a_purchase() -> None:
    card = make_wallet(is_reusable=False)
    make_credit(card, 1000)

    make_hold(card, 1000)

    assert buckets(card) == {"credited": 1000, "held": 1000}


@pytest.mark.parametrize("amount", [0, -1, MAX_UNITS + 1])
def test_refuses_what_is_no_amount(amount: int) -> None:
    card = make_card(balance=1000)

    with refuses(card, InvalidAmount):
        make_hold(card, amount)


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\nb"])
def test_refuses_what_is_no_request_id(request_id: str) -> None:
    card = make_card(balance=1000)

    with refuses(card, InvalidRequestId):
        make_hold(card, 1, request_id=request_id)


@pytest.mark.parametrize("request_id", ["x", "x" * 128, "pago-ção 😀"])
def test_keeps_a_request_id_to_the_letter(request_id: str) -> None:
    card = make_card(balance=1000)

    debit = make_hold(card, 1, request_id=request_id)

    assert fresh(debit).request_id == debit.operations.get().request_id == request_id


def test_refuses_a_card_that_does_not_exist() -> None:
    card = make_card(balance=1000)

    with unchanged(card), pytest.raises(UnknownCard):
        ledger.authorize(0, amount=1, request_id="R1", actor="test")

    assert Operation.objects.count() == 1
