from collections.abc import Callable

import pytest

from loyalty import ledger
from loyalty.exceptions import (
    ExceedsHold,
    InsufficientBalance,
    InvalidRequestId,
    RequestConflict,
    UnknownCard,
    UnknownTransaction,
)
from loyalty.models import GiftCard, Operation, Transaction
from tests.builders import (
    make_cancellation,
    make_card,
    make_credit,
    make_hold,
    make_points_program,
    make_purchase,
    make_settlement,
    make_store,
    make_wallet,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]


def recall_purchase(card: GiftCard, request_id: str) -> ledger.Recall:
    return ledger.recall_purchase(card.store_id, card.public_id, request_id=request_id)


def recall_step(debit: Transaction, kind: str, request_id: str) -> ledger.StepRecall:
    card = debit.card
    return ledger.recall_step(
        card.store_id, card.public_id, debit.public_id, kind=kind, request_id=request_id
    )


def test_finds_the_card_of_a_new_request() -> None:
    card = make_card(make_points_program(), balance=1000)

    recall = recall_purchase(card, "PAYMENT")

    assert (recall.card_id, recall.currency, recall.exponent) == (card.pk, "BRL", 4)
    assert recall.first_answer("authorize", 700) is None


@pytest.mark.parametrize(("make", "kind"), [(make_hold, "authorize"), (make_credit, "credit")])
def test_answers_a_repeated_purchase_with_the_first_transaction(
    make: Callable[..., Transaction], kind: str
) -> None:
    card = make_wallet(balance=1000)
    first = make(card, 700, request_id="SAME")

    answer = recall_purchase(card, "SAME").first_answer(kind, 700)

    assert answer == first
    assert answer is not None
    for field in first._meta.concrete_fields:
        assert getattr(answer, field.attname) == getattr(first, field.attname)


def test_answers_a_repeated_debit_with_what_became_of_it() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700, request_id="PAYMENT")
    make_settlement(debit, 300)
    make_cancellation(debit, 500)

    answer = recall_purchase(card, "PAYMENT").first_answer("authorize", 700)

    assert answer is not None
    assert (answer.settled, answer.released, answer.refunded) == (300, 400, 100)


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        pytest.param("authorize", 701, id="other amount"),
        pytest.param("credit", 700, id="other operation"),
    ],
)
def test_refuses_a_used_id_with_another_meaning(kind: str, amount: int) -> None:
    card = make_wallet(balance=1000)
    make_hold(card, 700, request_id="PAYMENT")

    with pytest.raises(RequestConflict):
        recall_purchase(card, "PAYMENT").first_answer(kind, amount)


def test_repeats_a_decline() -> None:
    card = make_card(balance=1000)
    with pytest.raises(InsufficientBalance):
        make_hold(card, 1001, request_id="PAYMENT")

    with pytest.raises(InsufficientBalance):
        recall_purchase(card, "PAYMENT").first_answer("authorize", 1001)


def test_knows_nothing_of_the_same_id_on_another_card() -> None:
    card, other = make_card(balance=1000), make_card(balance=1000)
    make_hold(card, 700, request_id="PAYMENT")

    assert recall_purchase(other, "PAYMENT").first_answer("authorize", 700) is None


def test_knows_nothing_of_the_ids_of_other_verbs() -> None:
    card = make_card(balance=1000)
    make_settlement(make_hold(card, 700, request_id="PAYMENT"), 700, request_id="STEP")

    assert recall_purchase(card, "STEP").first_answer("authorize", 700) is None


def test_does_not_know_a_card_that_does_not_exist() -> None:
    store = make_store()

    with pytest.raises(UnknownCard):
        ledger.recall_purchase(store.pk, "0" * 32, request_id="PAYMENT")


def test_does_not_know_a_card_of_another_store() -> None:
    card, store = make_card(balance=1000), make_store()

    with pytest.raises(UnknownCard):
        ledger.recall_purchase(store.pk, card.public_id, request_id="PAYMENT")
    with pytest.raises(UnknownCard):
        ledger.recall_step(store.pk, card.public_id, "0" * 32, kind="settle", request_id="STEP")


def test_finds_the_transaction_of_a_new_step() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)

    recall = recall_step(debit, "settle", "STEP")

    assert (recall.card_id, recall.currency, recall.exponent) == (card.pk, "BRL", 2)
    assert (recall.transaction, recall.transaction.amount) == (debit, 700)
    assert recall.first_answer("settle", 700) is None


@pytest.mark.parametrize(
    ("step", "kind"), [(make_settlement, "settle"), (make_cancellation, "cancel")]
)
def test_answers_a_repeated_step_with_the_first_operation(
    step: Callable[..., Operation], kind: str
) -> None:
    debit = make_hold(make_card(balance=1000), 700)
    first = step(debit, 250, request_id="STEP")

    answer = recall_step(debit, kind, "STEP").first_answer(kind, 250)

    assert answer is not None
    assert (answer.oid, answer.applied, answer.created_at) == (first.oid, 250, first.created_at)


def test_tells_the_steps_of_one_id_apart_by_their_value() -> None:
    debit = make_hold(make_card(balance=1000), 700)
    first = make_settlement(debit, 250, request_id="STEP")
    second = make_settlement(debit, 100, request_id="STEP")

    recall = recall_step(debit, "settle", "STEP")

    answers = [recall.first_answer("settle", amount) for amount in (250, 100, 350)]
    assert answers == [first, second, None]
    assert recall.transaction.settled == 350


def test_repeats_the_decline_of_a_step_for_its_value_only() -> None:
    debit = make_hold(make_card(balance=1000), 700)
    with pytest.raises(ExceedsHold):
        make_settlement(debit, 701, request_id="STEP")

    recall = recall_step(debit, "settle", "STEP")

    with pytest.raises(ExceedsHold):
        recall.first_answer("settle", 701)
    assert recall.first_answer("settle", 700) is None


def test_knows_nothing_of_the_same_id_on_another_transaction() -> None:
    card = make_card(balance=1000)
    debit, other = make_hold(card, 300), make_hold(card, 300)
    make_settlement(debit, 300, request_id="STEP")

    assert recall_step(other, "settle", "STEP").first_answer("settle", 300) is None
    assert recall_step(debit, "cancel", "STEP").first_answer("cancel", 300) is None


def test_does_not_know_a_transaction_of_another_card() -> None:
    card = make_card(balance=1000)
    debit = make_purchase(make_card(card.program, balance=1000), 700)

    with pytest.raises(UnknownTransaction):
        ledger.recall_step(
            card.store_id, card.public_id, debit.public_id, kind="cancel", request_id="STEP"
        )


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\x00b"])
def test_refuses_what_is_no_request_id(request_id: str) -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 700)

    with pytest.raises(InvalidRequestId):
        recall_purchase(card, request_id)
    with pytest.raises(InvalidRequestId):
        recall_step(debit, "settle", request_id)
