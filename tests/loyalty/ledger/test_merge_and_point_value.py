"""Merging customers while a program's cards are adjusted to another point value, and after it.

Of two cards one may be adjusted and the other not yet: what went from one to the other meanwhile
would be adjusted twice, or never.
"""

import pytest

from loyalty import jobs, ledger, point_values
from loyalty.exceptions import LedgerBusy, MergeTouched, PointValueUnderWay
from loyalty.models import Customer, GiftCard, PointValueChange, Program, Reason, Transaction
from loyalty.tasks import HANDLERS
from tests.builders import (
    ACTOR,
    buckets,
    fresh,
    make_credit,
    make_customer,
    make_merge,
    make_points_program,
    make_unmerge,
    make_wallet,
    new_id,
    unchanged,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]


@pytest.fixture
def program() -> Program:
    return make_points_program(relation_name="loyalty-program")


@pytest.fixture
def people(program: Program) -> tuple[Customer, Customer]:
    """One known by an e-mail, and the same person known by a document."""
    store = program.store
    return (
        make_customer(store, profile_id="", document=""),
        make_customer(store, profile_id="", email=""),
    )


@pytest.fixture
def wallets(program: Program, people: tuple[Customer, Customer]) -> tuple[GiftCard, GiftCard]:
    return make_wallet(program, owner=people[0]), make_wallet(program, owner=people[1], balance=50)


@pytest.fixture
def credit(wallets: tuple[GiftCard, GiftCard]) -> Transaction:
    return make_credit(wallets[0], 250, origin="reward")


def make_change(program: Program) -> PointValueChange:
    """Points are worth twice as much, and stay."""
    return point_values.change(
        program,
        before=25,
        after=50,
        policy=PointValueChange.Policy.KEEP_POINTS,
        requested_by=None,
        reason=Reason.CAMPAIGN,
        request_id=new_id("change"),
    )


def adjust_all() -> None:
    while jobs.run_next(HANDLERS):
        pass


def available(*cards: GiftCard) -> list[int]:
    return [buckets(fresh(card)).get("available", 0) for card in cards]


@pytest.mark.usefixtures("credit")
def test_nobody_is_merged_while_cards_are_adjusted(
    program: Program, people: tuple[Customer, Customer], wallets: tuple[GiftCard, GiftCard]
) -> None:
    make_change(program)

    with unchanged(wallets[0]), unchanged(wallets[1]), pytest.raises(PointValueUnderWay):
        make_merge(*people)

    adjust_all()
    make_merge(*people)
    assert available(*wallets) == [0, 600]


@pytest.mark.usefixtures("credit")
def test_no_merge_is_undone_while_cards_are_adjusted(
    program: Program, people: tuple[Customer, Customer], wallets: tuple[GiftCard, GiftCard]
) -> None:
    merge = make_merge(*people)
    make_change(program)

    with unchanged(wallets[0]), unchanged(wallets[1]), pytest.raises(PointValueUnderWay):
        make_unmerge(merge)

    adjust_all()
    assert available(*wallets) == [0, 600]


@pytest.mark.usefixtures("credit")
def test_what_was_adjusted_since_is_touched(
    program: Program, people: tuple[Customer, Customer], wallets: tuple[GiftCard, GiftCard]
) -> None:
    merge = make_merge(*people)
    make_change(program)
    adjust_all()

    with unchanged(wallets[0]), unchanged(wallets[1]), pytest.raises(MergeTouched):
        make_unmerge(merge)


def test_a_cancellation_of_a_credit_that_went_on_waits_until_cards_are_adjusted(
    program: Program,
    people: tuple[Customer, Customer],
    wallets: tuple[GiftCard, GiftCard],
    credit: Transaction,
) -> None:
    make_merge(*people)
    make_change(program)

    with unchanged(wallets[0]), unchanged(wallets[1]), pytest.raises(LedgerBusy):
        ledger.cancel(credit, amount=250, request_id="cancel", actor=ACTOR)

    adjust_all()
    ledger.cancel(credit, amount=250, request_id="cancel", actor=ACTOR)
    assert sum(available(*wallets)) == 350
