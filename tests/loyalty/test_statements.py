import pytest

from loyalty.models import Customer, GiftCard
from loyalty.statements import Scale, Totals, movements, statement
from tests.builders import (
    make_adjustment,
    make_cancellation,
    make_card,
    make_change_of_owner,
    make_customer,
    make_hold,
    make_points_program,
    make_program,
    make_settlement,
    make_store,
)

BRL, FINE = Scale("BRL", 2), Scale("BRL", 4)


@pytest.fixture
def customer(db: None) -> Customer:
    return make_customer(make_store(), name="Ana Souza", email="ana@example.com")


@pytest.fixture
def cards(customer: Customer) -> list[GiftCard]:
    program = make_program(customer.store)
    return [make_card(program, balance=units, owner=customer) for units in (10_000, 5_000)]


def test_each_line_has_what_could_be_spent_after_it(
    customer: Customer, cards: list[GiftCard]
) -> None:
    debit = make_hold(cards[0], 3_000)
    make_settlement(debit, 2_000)
    make_cancellation(debit, 1_000)
    make_adjustment(cards[1], -500)

    found = statement(customer)

    assert [(line.operation.kind, line.change, line.available_after) for line in found.lines] == [
        ("adjust", -500, 12_500),
        ("cancel", 1_000, 13_000),
        ("settle", 0, 12_000),
        ("authorize", -3_000, 12_000),
        ("issue", 5_000, 15_000),
        ("issue", 10_000, 10_000),
    ]
    assert found.totals == [Totals(BRL, available=12_500, held=0)]
    assert found.older is None


def test_older_pages_go_on_with_the_balance_of_that_time(
    customer: Customer, cards: list[GiftCard]
) -> None:
    make_hold(cards[0], 3_000)
    make_adjustment(cards[1], 700)

    newest = statement(customer, most=2)
    older = statement(customer, before=newest.older, most=2)

    assert [line.available_after for line in newest.lines] == [12_700, 12_000]
    assert [line.available_after for line in older.lines] == [15_000, 10_000]
    assert older.older is None
    assert older.totals == newest.totals == [Totals(BRL, available=12_700, held=3_000)]


def test_the_whole_statement_is_the_same_forwards(
    customer: Customer, cards: list[GiftCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    debit = make_hold(cards[0], 3_000)
    make_settlement(debit, 2_000)
    make_adjustment(cards[1], -500)
    monkeypatch.setattr("loyalty.statements._ENTRIES_A_STATEMENT", 2)

    moved = list(movements(customer))

    assert [(each.change, each.available_after) for each in moved] == [
        (10_000, 10_000),
        (5_000, 15_000),
        (-3_000, 12_000),
        (0, 12_000),
        (-500, 11_500),
    ]
    assert [each.entry.amount for each in moved] == [10_000, 5_000, 3_000, 2_000, 500]


def test_points_and_money_are_added_in_the_finest_units(
    customer: Customer, cards: list[GiftCard]
) -> None:
    wallet = make_card(make_points_program(customer.store), balance=12_345, owner=customer)

    found = statement(customer, most=1)
    older = statement(customer, before=found.older, most=2)

    assert wallet.exponent == 4
    assert found.totals == [Totals(FINE, available=1_500_000 + 12_345, held=0)]
    assert [(line.change, line.available_after) for line in found.lines] == [(12_345, 1_512_345)]
    assert [line.available_after for line in older.lines] == [1_500_000, 1_000_000]
    assert [each.available_after for each in movements(customer)] == [
        1_000_000,
        1_500_000,
        1_512_345,
    ]


def test_it_is_about_nobody_elses_cards(customer: Customer, cards: list[GiftCard]) -> None:
    other = make_customer(customer.store, name="Bruno Lima", email="bruno@example.com")
    make_change_of_owner(cards[1], other)

    assert [line.operation.card for line in statement(customer).lines] == [cards[0]]
    assert [line.operation.card for line in statement(other).lines] == [cards[1]]
    assert statement(other).totals == [Totals(BRL, available=5_000, held=0)]


def test_somebody_without_cards_has_an_empty_one(customer: Customer) -> None:
    found = statement(customer)

    assert (found.totals, found.lines, found.older) == ([], [], None)
    assert list(movements(customer)) == []
