"""`manage.py verify_ledger`: a proof for people, and an exit code for whatever runs it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from loyalty.ledger.invariants import MAX_ROWS
from loyalty.ledger.promises import INVARIANTS
from loyalty.models import GiftCard
from tests import builders

pytestmark = pytest.mark.django_db


def verify(*arguments: str) -> list[str]:
    """The lines that the command prints."""
    out = StringIO()
    call_command("verify_ledger", *arguments, stdout=out)
    return out.getvalue().splitlines()


def refused(*arguments: str) -> tuple[list[str], CommandError]:
    """The lines that the command prints before it fails, and how it fails."""
    out = StringIO()
    with pytest.raises(CommandError) as raised:
        call_command("verify_ledger", *arguments, stdout=out)
    return out.getvalue().splitlines(), raised.value


def renumber(card: GiftCard) -> None:
    """Break I3 on a card behind the ledger's back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE loyalty_balance SET version = version + 1 WHERE card_id = %s", [card.pk]
        )


def test_prints_a_line_for_each_invariant_when_the_books_are_right() -> None:
    builders.make_purchase(builders.make_card(balance=1000), 300)

    lines = verify()

    assert lines == [f"{invariant.name:<4}holds  {invariant.meaning}" for invariant in INVARIANTS]


def test_prints_the_rows_and_fails_with_1_when_the_books_are_wrong() -> None:
    card = builders.make_card(balance=1000)
    renumber(card)

    lines, error = refused()

    assert error.returncode == 1
    assert str(error) == "The books are wrong: I3."
    assert len(lines) == len(INVARIANTS) + 1
    assert lines[2].startswith("I3  BROKEN a card's entries are numbered from 1")
    assert lines[3] == f"      card_id {card.pk}, version 2, entries 1, first 1, last 1"


def test_says_when_there_may_be_more_rows_than_it_shows() -> None:
    program = builders.make_program()
    for _ in range(MAX_ROWS + 1):
        renumber(builders.make_card(program, balance=1))

    lines, _ = refused()

    assert len(lines) == len(INVARIANTS) + MAX_ROWS + 1
    assert f"      and maybe more: only {MAX_ROWS} rows are shown" in lines


def test_looks_only_at_the_cards_of_the_store_that_it_is_given() -> None:
    broken, sound = builders.make_card(balance=1), builders.make_card(balance=1)
    renumber(broken)

    lines = verify("--store", sound.store.account)
    _, error = refused("--store", broken.store.account)

    assert len(lines) == len(INVARIANTS)
    assert error.returncode == 1


def test_refuses_an_unknown_store_with_2() -> None:
    lines, error = refused("--store", "nowhere")

    assert (lines, error.returncode) == ([], 2)
    assert str(error) == "There is no store 'nowhere'."
