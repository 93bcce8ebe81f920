"""What the ledger's verbs leave to be told: with the money, or not at all."""

from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty import ledger
from loyalty.exceptions import RequestConflict
from loyalty.ledger import NewCard
from loyalty.models import Batch, GiftCard, Notification, Program
from tests.builders import (
    make_adjustment,
    make_card,
    make_cards,
    make_credit,
    make_customer,
    make_program,
    make_purchase,
    make_wallet,
    new_id,
    unchanged,
)
from tests.loyalty.ledger.race import errors, race
from tests.loyalty.notifications.builders import (
    make_announced_card,
    make_announced_wallet,
    make_writing_program,
    waiting,
)
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db


def test_a_new_card_leaves_a_message_to_its_owner() -> None:
    card = make_announced_card()

    row = Notification.objects.get()
    assert (row.kind, row.status, row.cause) == ("issued", "waiting", f"card:{card.pk}")
    assert (row.customer, row.card, row.program) == (card.owner, card, card.program)
    assert (row.created_at, row.next_attempt_at) == (card.created_at, card.created_at)
    assert bytes(row.address_digest) == b""
    assert card.owner is not None
    assert card.owner.email not in str(Notification.objects.values().get())


def test_credit_leaves_a_message_about_that_credit() -> None:
    wallet = make_announced_wallet()

    credit = make_credit(wallet, 10_00)

    row = Notification.objects.get()
    assert (row.kind, row.credit, row.card) == ("credited", credit, wallet)
    assert row.customer == wallet.owner


def test_a_repeated_credit_is_told_once() -> None:
    wallet, request_id = make_announced_wallet(), new_id()

    for _ in range(3):
        make_credit(wallet, 10_00, request_id=request_id)

    assert waiting() == [("credited", "waiting")]


def test_a_repeated_issue_is_told_once() -> None:
    program = make_writing_program()
    owner = make_customer(program.store)

    for _ in range(2):
        make_card(program, balance=100, owner=owner, public_id="a" * 32)

    assert waiting() == [("issued", "waiting")]


@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(lambda program: make_card(program, balance=100), id="a card of nobody"),
        pytest.param(
            lambda program: make_wallet(program, owner=make_customer(program.store)),
            id="a card without money",
        ),
        pytest.param(
            lambda program: make_announced_card(program, imported_code="NATAL-2019"),
            id="a code made elsewhere",
        ),
        pytest.param(
            lambda program: make_announced_card(
                program, batch=make_import(program), batch_number=1
            ),
            id="an import",
        ),
    ],
)
def test_nothing_is_told_about(silent: Callable[[Program], GiftCard]) -> None:
    silent(make_writing_program())

    assert waiting() == []


def make_import(program: Program) -> Batch:
    return Batch.objects.create(
        program=program,
        name="cards.csv",
        source=Batch.Source.IMPORTED,
        count=1,
        total=0,
        created_by=make_staff(),
    )


def test_programs_are_silent_until_somebody_switches_them_on() -> None:
    program = make_program()
    owner = make_customer(program.store)

    wallet = make_wallet(program, balance=100, owner=owner)
    make_credit(wallet, 100)

    assert waiting() == []


def test_corrections_and_purchases_are_not_told() -> None:
    wallet = make_announced_wallet()
    make_credit(wallet, 100_00)

    make_adjustment(wallet, 5_00)
    make_purchase(wallet, 20_00)

    assert waiting() == [("credited", "waiting")]


def test_a_refused_credit_is_not_told() -> None:
    wallet, request_id = make_announced_wallet(), new_id()
    make_credit(wallet, 100, request_id=request_id)

    with unchanged(wallet), pytest.raises(RequestConflict):
        make_credit(wallet, 200, request_id=request_id)

    assert len(waiting()) == 1


def test_a_rehearsal_tells_nothing() -> None:
    wallet = make_announced_wallet()

    with ledger.rehearsal():
        make_credit(wallet, 100)

    assert waiting() == []


@pytest.mark.django_db(transaction=True)
def test_without_the_message_there_is_no_money() -> None:
    wallet = make_announced_wallet()

    with (
        unchanged(wallet),
        patch.object(Notification.objects, "create", side_effect=RuntimeError),
        pytest.raises(RuntimeError),
    ):
        make_credit(wallet, 100)

    assert waiting() == []


@pytest.mark.django_db(transaction=True)
def test_the_same_credit_twice_at_once_is_told_once() -> None:
    wallet = make_announced_wallet()

    def give() -> object:
        return ledger.credit(wallet.pk, amount=100, request_id="once", actor="test")

    found = race([give] * 4)

    assert errors(found) == []
    assert waiting() == [("credited", "waiting")]


def test_a_batch_pays_one_statement_for_all_its_messages(sent_in_full: None) -> None:
    silent, writing = make_program(), make_writing_program()

    def statements(program: Program) -> int:
        owner = make_customer(program.store)
        cards = [NewCard(amount=100, owner=owner) for _ in range(200)]
        with CaptureQueriesContext(connection) as queries:
            make_cards(program, *cards)
        return len(queries)

    assert statements(writing) == statements(silent) + 1
    assert len(waiting()) == 200
