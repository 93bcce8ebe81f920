"""A transfer changes no figure of the books: nothing is issued, spent or owed by it."""

import datetime
from typing import Any

import pytest
import time_machine

from loyalty import reports
from loyalty.models import BookDay, Program, Store
from loyalty.reports.cohorts import cohorts
from loyalty.reports.outstanding import outstanding
from loyalty.reports.roll_forward import roll_forward
from loyalty.reports.sums import verify
from tests.builders import (
    make_credit,
    make_customer,
    make_hold,
    make_merge,
    make_program,
    make_unmerge,
    make_wallet,
)

pytestmark = pytest.mark.django_db

JANUARY = datetime.datetime(2026, 1, 10, 15, tzinfo=datetime.UTC)
MARCH = datetime.datetime(2026, 3, 10, 15, tzinfo=datetime.UTC)


def books_of(store: Store) -> list[Any]:
    """Every figure of finance, as of the end of March."""
    return [
        outstanding(store),
        roll_forward(store, JANUARY.date(), MARCH.date()),
        cohorts(store, currency="BRL"),
    ]


@pytest.mark.parametrize("summed", [False, True])
def test_the_books_are_the_same_before_and_after_and_when_undone(summed: bool) -> None:
    with time_machine.travel(JANUARY, tick=False) as clock:
        program = make_program(
            kind=Program.Kind.LOYALTY, is_reloadable=True, relation_name="loyalty-program"
        )
        owner, stays = (make_customer(program.store, profile_id="", document="") for _ in "12")
        source = make_wallet(program, owner=owner, balance=300)
        make_credit(source, 70, origin="reward", funding="promotional")
        make_hold(source, 20)
        clock.move_to(MARCH)
        make_wallet(program, owner=stays, balance=5)
        before = books_of(program.store)

        merge = make_merge(owner, stays)
        if summed:
            reports.aggregate_due()
        after = books_of(program.store)
        make_unmerge(merge)
        if summed:
            reports.aggregate_due()

        assert after == before
        assert books_of(program.store) == before
    assert BookDay.objects.filter(target="outside").exists() == summed
    assert verify() == []
