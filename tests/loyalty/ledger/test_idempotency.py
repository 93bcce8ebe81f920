import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, InterfaceError, OperationalError

from loyalty import ledger
from loyalty.exceptions import (
    BelowZero,
    CreditSpent,
    ExceedsHold,
    ExceedsTransaction,
    InsufficientBalance,
    LedgerBusy,
    LedgerError,
    NotReloadable,
    RequestConflict,
    WrongToken,
)
from loyalty.ledger.idempotency import DECLINES
from loyalty.ledger.position import lock_card
from loyalty.models import GiftCard, Operation, Transaction
from tests.builders import (
    buckets,
    fresh,
    make_adjustment,
    make_cancellation,
    make_card,
    make_change_of_owner,
    make_credit,
    make_extension,
    make_hold,
    make_purchase,
    make_reversal,
    make_settlement,
    make_wallet,
    new_id,
    refuses,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def nothing(card: GiftCard) -> None:
    """The second request comes at once."""


def empty(card: GiftCard) -> None:
    make_adjustment(card, -300)


def block(card: GiftCard) -> None:
    ledger.block(card.pk, request_id=new_id(), actor="test")


def expire(card: GiftCard) -> None:
    ledger.expire(card.pk, actor="test")


def undo_and_close(card: GiftCard) -> None:
    for debit in card.transactions.filter(kind="debit"):
        make_cancellation(debit, debit.amount)
    ledger.close(card.pk, request_id=new_id(), actor="test", reason="lost")


@pytest.mark.parametrize("happens", [nothing, empty, block, expire, undo_and_close])
def test_answers_a_repeated_debit_as_before_whatever_the_card_met(
    happens: Callable[[GiftCard], None],
) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=1000, expires_at=NOON + DAY)
        first = make_hold(card, 700, request_id="PAYMENT")

    with time_machine.travel(NOON + 2 * DAY, tick=False):
        happens(card)
        with unchanged(card):
            again = make_hold(card, 700, request_id="PAYMENT")

    assert (again.public_id, again.amount) == (first.public_id, 700)


@pytest.mark.parametrize("happens", [nothing, block, expire])
def test_answers_a_repeated_credit_as_before_whatever_the_card_met(
    happens: Callable[[GiftCard], None],
) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(expires_at=NOON + DAY)
        first = make_credit(card, 700, request_id="CREDIT")

    with time_machine.travel(NOON + 2 * DAY, tick=False):
        happens(card)
        with unchanged(card):
            again = make_credit(card, 700, request_id="CREDIT")

    assert again == first


def test_answers_with_the_transaction_as_it_is_by_now() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700, request_id="PAYMENT")
    make_settlement(debit, 300)

    again = make_hold(card, 700, request_id="PAYMENT")

    assert (again.pk, again.settled, again.state) == (debit.pk, 300, "partially_settled")


@pytest.mark.parametrize("amount", [1, 699, 701, 5000])
@pytest.mark.parametrize("make", [make_hold, make_credit])
def test_refuses_a_used_id_with_another_amount(
    make: Callable[..., Transaction], amount: int
) -> None:
    card = make_wallet(balance=1000)
    make(card, 700, request_id="SAME")

    with refuses(card, RequestConflict):
        make(card, amount, request_id="SAME")


def test_refuses_the_id_of_a_debit_for_a_credit() -> None:
    card = make_wallet(balance=1000)
    make_hold(card, 700, request_id="SAME")

    with refuses(card, RequestConflict):
        make_credit(card, 700, request_id="SAME")


def test_refuses_the_id_of_a_credit_for_a_debit() -> None:
    card = make_wallet(balance=1000)
    make_credit(card, 700, request_id="SAME")

    with refuses(card, RequestConflict):
        make_hold(card, 700, request_id="SAME")


def test_takes_the_same_id_on_another_card_for_another_request() -> None:
    card, other = make_card(balance=1000), make_card(balance=1000)

    first = make_hold(card, 700, request_id="SAME")
    second = make_hold(other, 200, request_id="SAME")

    assert first.public_id != second.public_id
    assert (buckets(card)["held"], buckets(other)["held"]) == (700, 200)


@pytest.mark.parametrize(
    "differing",
    [
        pytest.param({"order_id": "v1-02"}, id="order"),
        pytest.param({"order_sequence": "502"}, id="sequence"),
        pytest.param({"actor": "vtex:other-key"}, id="credential"),
        pytest.param({"token": "not-the-token"}, id="token"),
    ],
)
def test_does_not_take_into_account_the(differing: dict[str, Any]) -> None:
    card = make_card(balance=1000)
    asked: dict[str, Any] = {"request_id": "PAYMENT", "order_id": "v1-01", "order_sequence": "501"}
    first = make_hold(card, 700, **asked)

    with unchanged(card):
        again = make_hold(card, 700, **asked | differing)

    assert again == first
    assert (again.order_id, again.order_sequence) == ("v1-01", "501")


def test_a_declined_debit_stays_declined_after_a_top_up() -> None:
    card = make_wallet(balance=100)
    with refuses(card, InsufficientBalance):
        make_hold(card, 700, request_id="PAYMENT")
    make_credit(card, 1000)

    with unchanged(card), pytest.raises(InsufficientBalance):
        make_hold(card, 700, request_id="PAYMENT")

    make_hold(card, 700, request_id="ANOTHER")
    assert buckets(card) == {"credited": 1100, "available": 400, "held": 700}


def test_a_declined_debit_stays_declined_with_the_right_token() -> None:
    card = make_card(balance=1000)
    with refuses(card, WrongToken):
        make_hold(card, 700, request_id="PAYMENT", token="wrong")

    with unchanged(card), pytest.raises(WrongToken):
        make_hold(card, 700, request_id="PAYMENT", token=card.token)


def test_a_declined_debit_keeps_its_id() -> None:
    card = make_card(balance=100)
    with refuses(card, InsufficientBalance):
        make_hold(card, 700, request_id="PAYMENT")

    with refuses(card, RequestConflict):
        make_hold(card, 100, request_id="PAYMENT")


def test_a_declined_credit_stays_declined_when_the_card_becomes_reloadable() -> None:
    card = make_card(balance=100)
    with refuses(card, NotReloadable):
        make_credit(card, 700, request_id="CREDIT")
    GiftCard.objects.filter(pk=card.pk).update(is_reloadable=True)

    with unchanged(card), pytest.raises(NotReloadable):
        make_credit(card, 700, request_id="CREDIT")


@pytest.mark.parametrize(
    ("step", "error"), [(make_settlement, ExceedsHold), (make_cancellation, ExceedsTransaction)]
)
def test_a_declined_step_is_recorded_once(
    step: Callable[..., Operation], error: type[LedgerError]
) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)
    with refuses(card, error):
        step(debit, 701, request_id="STEP")

    with unchanged(card), pytest.raises(error):
        step(debit, 701, request_id="STEP")


def test_a_declined_reversal_stays_declined_after_a_top_up() -> None:
    card = make_wallet()
    credit = make_credit(card, 700)
    make_purchase(card, 500)
    with refuses(card, CreditSpent):
        make_cancellation(credit, 700, request_id="REVERSAL")
    make_credit(card, 1000)

    with unchanged(card), pytest.raises(CreditSpent):
        make_cancellation(credit, 700, request_id="REVERSAL")


@pytest.mark.parametrize("step", [make_settlement, make_cancellation])
def test_answers_a_repeated_step_as_before(step: Callable[..., Operation]) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)
    first = step(debit, 250, request_id="STEP")

    with unchanged(card):
        again = step(debit, 250, request_id="STEP")

    assert (again.oid, again.applied, again.created_at) == (first.oid, 250, first.created_at)


def test_answers_a_repeated_settlement_as_before_when_all_was_canceled_since() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)
    first = make_settlement(debit, 700, request_id="STEP")
    make_cancellation(debit, 700)

    with unchanged(card):
        again = make_settlement(debit, 700, request_id="STEP")

    assert again.oid == first.oid


def test_answers_a_repeated_cancellation_of_the_rest_with_what_was_given_back() -> None:
    card = make_card(balance=1000)
    debit = make_purchase(card, 700)
    make_cancellation(debit, 300)
    make_cancellation(debit, 700, request_id="STEP")

    with unchanged(card):
        again = make_cancellation(debit, 700, request_id="STEP")

    assert (again.amount, again.applied) == (700, 400)


@pytest.mark.parametrize("step", [make_settlement, make_cancellation])
def test_takes_the_same_id_with_another_value_for_another_step(
    step: Callable[..., Operation],
) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)

    first = step(debit, 250, request_id="STEP")
    second = step(debit, 100, request_id="STEP")

    assert first.oid != second.oid
    assert buckets(card)["held"] == 350


@pytest.mark.parametrize(
    ("step", "error"), [(make_settlement, ExceedsHold), (make_cancellation, ExceedsTransaction)]
)
def test_keeps_another_value_under_the_cap(
    step: Callable[..., Operation], error: type[LedgerError]
) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)
    step(debit, 250, request_id="STEP")

    with refuses(card, error):
        step(debit, 451, request_id="STEP")


def test_takes_the_same_id_on_another_debit_for_another_step() -> None:
    card = make_card(balance=1000)
    debit, other = make_hold(card, 500), make_hold(card, 500)

    make_settlement(debit, 500, request_id="STEP")
    make_settlement(other, 500, request_id="STEP")

    assert buckets(card) == {"credited": 1000, "spent": 1000}


def test_takes_the_same_id_for_one_operation_of_each_kind() -> None:
    card = make_card(balance=1000)

    debit = make_hold(card, 700, request_id="SAME")
    make_settlement(debit, 500, request_id="SAME")
    make_cancellation(debit, 500, request_id="SAME")
    make_adjustment(card, -500, request_id="SAME")

    assert buckets(card) == {"credited": 1000, "available": 300, "spent": 200, "removed": 500}
    assert fresh(debit).state == "partially_refunded"


@pytest.mark.parametrize("change", [250, -250])
def test_answers_a_repeated_adjustment_as_before(change: int) -> None:
    card = make_card(balance=1000)
    first = make_adjustment(card, change, request_id="ADJUST")

    with unchanged(card):
        again = make_adjustment(card, change, request_id="ADJUST", reason="other", note="Again.")

    assert again.oid == first.oid


@pytest.mark.parametrize(("change", "other"), [(250, 251), (-250, -1), (250, -250), (-250, 250)])
def test_refuses_the_id_of_an_adjustment_for_another(change: int, other: int) -> None:
    card = make_card(balance=1000)
    make_adjustment(card, change, request_id="ADJUST")

    with refuses(card, RequestConflict):
        make_adjustment(card, other, request_id="ADJUST")


def test_a_declined_adjustment_stays_declined_after_a_top_up() -> None:
    card = make_wallet(balance=100)
    with refuses(card, BelowZero):
        make_adjustment(card, -700, request_id="ADJUST")
    make_credit(card, 1000)

    with unchanged(card), pytest.raises(BelowZero):
        make_adjustment(card, -700, request_id="ADJUST")


def test_refuses_the_id_of_a_declined_adjustment_for_the_opposite_one() -> None:
    card = make_wallet(balance=100)
    with refuses(card, BelowZero):
        make_adjustment(card, -700, request_id="ADJUST")

    with refuses(card, RequestConflict):
        make_adjustment(card, 700, request_id="ADJUST")


def extend(card: GiftCard) -> Operation:
    return make_extension(card, card.grants.earliest("id"), request_id="STAFF")


def change_owner(card: GiftCard) -> Operation:
    return make_change_of_owner(card, None, request_id="STAFF")


def reverse(card: GiftCard) -> Operation:
    return make_reversal(card.operations.get(request_id="ADJUST"), request_id="STAFF")


@pytest.mark.parametrize("verb", [extend, change_owner, reverse])
@pytest.mark.parametrize("happens", [nothing, block, expire, undo_and_close])
def test_answers_what_staff_asked_for_as_before_whatever_the_card_met(
    verb: Callable[[GiftCard], Operation], happens: Callable[[GiftCard], None]
) -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=1000, expires_at=NOON + DAY)
        make_adjustment(card, -250, request_id="ADJUST")
    with time_machine.travel(NOON + 2 * DAY, tick=False):
        expire(card)
        first = verb(card)

    with time_machine.travel(NOON + 800 * DAY, tick=False):
        happens(card)
        with unchanged(card):
            again = verb(card)

    assert (again.oid, again.applied, again.created_at) == (
        first.oid,
        first.applied,
        first.created_at,
    )


def test_takes_the_same_id_for_one_request_of_staff_of_each_kind() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=1000, expires_at=NOON + DAY)
        make_adjustment(card, -250, request_id="ADJUST")

        done = [extend(card), change_owner(card), reverse(card)]

    assert len({operation.oid for operation in done}) == 3


def test_knows_every_decline_by_its_code() -> None:
    assert all(DECLINES[code].code == code for code in DECLINES)
    assert len(DECLINES) == len(set(DECLINES.values()))
    assert all(len(code) <= 32 for code in DECLINES)


def look_past_the_prior(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Blind the replay check, as an equal request that commits a moment earlier would."""

    def blind(card_id: int, **request: Any) -> Any:
        return dataclasses.replace(lock_card(card_id, **request), prior=None, **changes)

    monkeypatch.setattr("loyalty.ledger.purchases.lock_card", blind)


def test_the_database_refuses_what_the_replay_check_did_not_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = make_card(balance=1000)
    make_hold(card, 200, request_id="PAYMENT")
    look_past_the_prior(monkeypatch)

    with refuses(card, LedgerBusy):
        make_hold(card, 200, request_id="PAYMENT")


def test_the_database_refuses_a_position_that_is_out_of_date(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = make_card(balance=1000)
    make_hold(card, 200)
    look_past_the_prior(monkeypatch, version=1)

    with unchanged(card), pytest.raises(IntegrityError, match="entry_number_on_card"):
        make_hold(card, 200)


def test_the_database_refuses_a_second_reversal_that_the_check_did_not_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = make_card(balance=1000)
    adjustment = make_adjustment(card, -250)
    make_reversal(adjustment)
    monkeypatch.setattr("loyalty.ledger.reversals._is_reversed", lambda _: False)

    with refuses(card, LedgerBusy):
        make_reversal(adjustment)


@pytest.mark.parametrize("problem", [OperationalError, InterfaceError])
def test_an_unknown_outcome_is_not_a_refusal(
    monkeypatch: pytest.MonkeyPatch, problem: type[Exception]
) -> None:
    card = make_card(balance=1000)

    def fail(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr("loyalty.ledger.purchases.post_transaction", fail)

    with refuses(card, LedgerBusy):
        make_hold(card, 200, request_id="PAYMENT")

    monkeypatch.undo()
    make_hold(card, 200, request_id="PAYMENT")
    assert buckets(card) == {"credited": 1000, "available": 800, "held": 200}
