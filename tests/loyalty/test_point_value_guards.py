"""What the database refuses of point values: a program's follows its changes, and they stay."""

# ruff: noqa: S608 - the attacks are SQL, put together from constants

import pytest
from django.db import IntegrityError

from loyalty import point_values
from loyalty.models import PointValueChange, Program
from tests.builders import fresh, make_points_program, make_wallet
from tests.loyalty.guards import (
    Contents,
    constraints,
    contents,
    copy,
    run,
    triggers,
    update,
)

pytestmark = pytest.mark.django_db

CHANGE, PROGRAM = "loyalty_pointvaluechange", "loyalty_program"


def change(program: Program, after: int, policy: str, request_id: str) -> PointValueChange:
    return point_values.change(
        program,
        before=fresh(program).point_units or 0,
        after=after,
        policy=policy,
        requested_by=None,
        reason="campaign",
        request_id=request_id,
    )


@pytest.fixture
def program() -> Program:
    """A program whose point is worth 10 units, once 25, and soon 50: a card waits for its turn."""
    program = make_points_program()
    make_wallet(program, balance=2500)
    change(program, 10, "keep_money", "one")
    change(program, 50, "keep_points", "two")
    run("SET CONSTRAINTS ALL IMMEDIATE")
    return program


@pytest.fixture
def books(program: Program) -> Contents:
    return contents()


@pytest.mark.parametrize(
    "changes",
    [
        "point_units = 25",
        "point_units = 10",
        "point_units = 51",
        "point_units = NULL",
        "point_units_before = 25",
        "point_units_before = NULL",
        "point_units = 10, point_units_before = NULL",
    ],
)
def test_refuses_another_value_than_the_latest_changes(changes: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match="changes only by its change"):
        run(f"UPDATE {PROGRAM} SET {changes}")

    assert contents() == books


def test_refuses_it_of_a_program_that_was_never_changed() -> None:
    program = make_points_program()
    program.point_units = 10

    with pytest.raises(IntegrityError, match="changes only by its change"):
        program.save()


def test_refuses_points_for_a_program_in_money() -> None:
    make_points_program(point_units=None)

    with pytest.raises(IntegrityError, match="changes only by its change"):
        run(f"UPDATE {PROGRAM} SET point_units = 25")


def test_lets_everything_else_of_a_program_change(program: Program) -> None:
    program = fresh(program)
    program.name = "Another"
    program.save()

    assert fresh(program).name == "Another"


NEW = {"request_id": "'three'", "finished_at": "now()"}
REFUSED: list[tuple[str, str, str]] = [
    ("loyalty_pointvaluechange_request_id_key", "a request twice", copy(CHANGE)),
    ("point_value_differs", "the same value", copy(CHANGE, **NEW, after="before")),
    ("point_value_differs", "worth nothing", copy(CHANGE, **NEW, after="0")),
    ("point_value_policy", "money stays, later", copy(CHANGE, **NEW | {"finished_at": "NULL"})),
    ("point_value_policy", "nothing stays", copy(CHANGE, **NEW, policy="'none'")),
    (
        "point_value_one_under_way",
        "two under way",
        copy(CHANGE, **NEW | {"finished_at": "NULL"}, policy="'keep_points'"),
    ),
    ("loyalty_pointvaluechange_cards_check", "less than no card", copy(CHANGE, **NEW, cards="-1")),
]


@pytest.mark.parametrize(
    ("constraint", "sql"),
    [pytest.param(name, sql, id=f"{name}: {words}") for name, words, sql in REFUSED],
)
def test_refuses_what_breaks(constraint: str, sql: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match=f'"{constraint}"'):
        run(sql)

    assert contents() == books


def test_has_no_constraint_that_is_not_tried_here() -> None:
    # A value below nothing is refused by the constraint that has a name.
    shadowed = {
        "loyalty_pointvaluechange_before_check",
        "loyalty_pointvaluechange_after_check",
    }

    assert constraints((CHANGE,)) - shadowed == {name for name, _, _ in REFUSED}


@pytest.mark.parametrize("sql", [f"DELETE FROM {CHANGE}", f"TRUNCATE {CHANGE} CASCADE"])
def test_nothing_goes(sql: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match="is not allowed"):
        run(sql)

    assert contents() == books


@pytest.mark.parametrize(
    "changes",
    [
        "program_id = program_id + 1",
        "before = before + 1",
        "after = after + 1",
        "policy = 'keep_points'",
        "cards = cards + 1",
        "available = available + 1",
        "reason = 'other'",
        "note = 'x'",
        "request_id = 'new'",
        "changed_by_id = 1",
        "changed_at = changed_at - interval '1 day'",
    ],
)
def test_a_change_stays_as_it_was(changes: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match="is not allowed"):
        run(update(CHANGE, changes))

    assert contents() == books


def test_has_no_trigger_that_is_not_tried_here() -> None:
    assert triggers((CHANGE,)) == {
        f"{CHANGE}_no_delete",
        f"{CHANGE}_no_truncate",
        f"{CHANGE}_fixed",
    }
