import pytest

from loyalty import ledger
from loyalty.exceptions import CardClosed, UnknownCard
from loyalty.models import Operation
from tests.builders import (
    buckets,
    fresh,
    history,
    make_blocked_card,
    make_card,
    make_closed_card,
    make_hold,
    moves,
    refuses,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]


def test_lets_a_blocked_card_be_used_again() -> None:
    card = make_blocked_card(balance=1000)

    ledger.unblock(card.pk, request_id="U1", actor="staff:7")

    assert fresh(card).status == "active"
    make_hold(card, 1000)
    assert buckets(card) == {"credited": 1000, "held": 1000}


def test_moves_no_money() -> None:
    card = make_blocked_card(balance=1000)
    before = history(card)

    operation = ledger.unblock(card.pk, request_id="U1", actor="staff:7", reason="correction")

    after = history(card)
    assert moves(operation) == []
    assert before.pop("card") != after.pop("card")
    assert after == before
    assert (operation.kind, operation.amount, operation.reason) == ("unblock", 0, "correction")


def test_changes_nothing_but_the_record_on_an_active_card() -> None:
    card = make_card(balance=1000)
    before = history(card)

    ledger.unblock(card.pk, request_id="U1", actor="staff:7")

    assert history(card) == before
    assert card.operations.filter(kind="unblock").count() == 1


def test_answers_a_repeated_request_as_before_although_the_card_was_blocked_since() -> None:
    card = make_blocked_card(balance=1000)
    first = ledger.unblock(card.pk, request_id="U1", actor="staff:7")
    ledger.block(card.pk, request_id="B2", actor="staff:7")

    with unchanged(card):
        again = ledger.unblock(card.pk, request_id="U1", actor="staff:7")

    assert again.oid == first.oid
    assert fresh(card).status == "blocked"


def test_has_request_ids_of_its_own() -> None:
    card = make_card(balance=1000)

    ledger.block(card.pk, request_id="SAME", actor="staff:7")
    ledger.unblock(card.pk, request_id="SAME", actor="staff:7")

    assert fresh(card).status == "active"


def test_is_refused_by_a_closed_card() -> None:
    card = make_closed_card(balance=1000)

    with refuses(card, CardClosed):
        ledger.unblock(card.pk, request_id="U1", actor="staff:7")


def test_refuses_a_card_that_does_not_exist() -> None:
    with pytest.raises(UnknownCard):
        ledger.unblock(0, request_id="U1", actor="staff:7")

    assert not Operation.objects.exists()
