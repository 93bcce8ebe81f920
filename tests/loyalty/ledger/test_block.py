import pytest

from loyalty import ledger
from loyalty.exceptions import CardBlocked, CardClosed, InvalidRequestId, UnknownCard
from loyalty.models import Operation
from tests.builders import (
    buckets,
    fresh,
    history,
    make_card,
    make_closed_card,
    make_credit,
    make_expired_card,
    make_hold,
    make_wallet,
    moves,
    refuses,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]


def test_stops_debits_and_credits() -> None:
    card = make_wallet(balance=1000)

    ledger.block(card.pk, request_id="B1", actor="staff:7")

    assert fresh(card).status == "blocked"
    with refuses(card, CardBlocked):
        make_hold(card, 1)
    with refuses(card, CardBlocked):
        make_credit(card, 1)


def test_moves_no_money() -> None:
    card = make_card(balance=1000)
    make_hold(card, 300)
    before = history(card)

    operation = ledger.block(card.pk, request_id="B1", actor="staff:7")

    after = history(card)
    assert moves(operation) == []
    assert before.pop("card") != after.pop("card")
    assert after == before
    assert buckets(card) == {"credited": 1000, "available": 700, "held": 300}


def test_answers_with_the_operation_as_it_is_stored() -> None:
    card = make_card()

    operation = ledger.block(
        card.pk, request_id="B1", actor="staff:7", reason="fraud", note="Chargeback."
    )

    stored = Operation.objects.get(oid=operation.oid)
    for field in stored._meta.concrete_fields:
        assert getattr(operation, field.attname) == getattr(stored, field.attname)
    assert (stored.kind, stored.outcome, stored.actor) == ("block", "ok", "staff:7")
    assert (stored.amount, stored.applied, stored.transaction) == (0, 0, None)
    assert (stored.reason, stored.note) == ("fraud", "Chargeback.")


def test_changes_nothing_but_the_record_on_a_blocked_card() -> None:
    card = make_card(balance=1000)
    ledger.block(card.pk, request_id="B1", actor="staff:7")
    before = history(card)

    ledger.block(card.pk, request_id="B2", actor="staff:8")

    assert history(card) == before
    assert card.operations.filter(kind="block").count() == 2


def test_answers_a_repeated_request_as_before_although_the_card_was_unblocked_since() -> None:
    card = make_card(balance=1000)
    first = ledger.block(card.pk, request_id="B1", actor="staff:7")
    ledger.unblock(card.pk, request_id="U1", actor="staff:7")

    with unchanged(card):
        again = ledger.block(card.pk, request_id="B1", actor="staff:7")

    assert again.oid == first.oid
    assert fresh(card).status == "active"


def test_works_on_an_expired_card() -> None:
    card = make_expired_card(balance=1000)

    ledger.block(card.pk, request_id="B1", actor="staff:7")

    assert fresh(card).status == "blocked"


def test_is_refused_by_a_closed_card() -> None:
    card = make_closed_card()

    with refuses(card, CardClosed):
        ledger.block(card.pk, request_id="B1", actor="staff:7")


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\x00b"])
def test_refuses_what_is_no_request_id(request_id: str) -> None:
    card = make_card()

    with refuses(card, InvalidRequestId):
        ledger.block(card.pk, request_id=request_id, actor="staff:7")


def test_refuses_a_card_that_does_not_exist() -> None:
    with pytest.raises(UnknownCard):
        ledger.block(0, request_id="B1", actor="staff:7")

    assert not Operation.objects.exists()
