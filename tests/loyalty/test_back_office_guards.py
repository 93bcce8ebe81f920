"""What the database refuses of the back office's rows: the trail, approvals, batches, limits."""

import pytest
from django.db import IntegrityError

from tests.loyalty.guards import (
    MODELS,
    Contents,
    constraints,
    contents,
    copy,
    make_books,
    run,
    triggers,
    update,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def books() -> Contents:
    """What was in the tables before the attack."""
    return make_books()


TRAIL = "loyalty_auditevent"
PERMANENT = ("loyalty_approval", "loyalty_batch", "loyalty_batchowner")
TABLES = (
    TRAIL,
    *PERMANENT,
    "loyalty_importfile",
    "loyalty_job",
    "loyalty_spending",
    "loyalty_spendinglimit",
    "loyalty_staffprofile",
)

# The constraint, the attempt in words, and its SQL.
REFUSED: list[tuple[str, str, str]] = [
    ("audit_request_once", "an action twice", copy(TRAIL)),
    ("loyalty_approval_request_id_key", "a request twice", copy("loyalty_approval")),
    (
        "loyalty_approval_exponent_check",
        "negative digits",
        copy("loyalty_approval", request_id="'new'", exponent="-1"),
    ),
    (
        "approval_by_another_person",
        "decided by whoever asked",
        update("loyalty_approval", "decided_by_id = requested_by_id"),
    ),
    *(
        ("approval_decided_by_somebody", words, update("loyalty_approval", changes))
        for words, changes in (
            ("done by nobody", "decided_by_id = NULL"),
            ("done at no time", "decided_at = NULL"),
            ("waiting and decided", "status = 'waiting'"),
            ("lapsed and decided", "status = 'lapsed'"),
            ("in no state", "status = 'maybe'"),
        )
    ),
    *(
        ("batch_amounts", words, copy("loyalty_batch", **changes))
        for words, changes in (
            ("negative amount", {"amount": "-1", "total": "-2"}),
            ("no cards", {"count": "0", "total": "0"}),
            ("negative total", {"source": "'imported'", "total": "-1"}),
        )
    ),
    ("batch_total", "another total than its cards", update("loyalty_batch", "total = total + 1")),
    ("batch_owner_of_number", "a number twice", copy("loyalty_batchowner")),
    (
        "loyalty_batchowner_number_check",
        "a negative number",
        copy("loyalty_batchowner", number="-1"),
    ),
    *(
        ("batch_owner_amount", words, update("loyalty_batchowner", changes))
        for words, changes in (
            ("refused, and no credit", "problem = 'own'"),
            ("a wallet, and no credit", "card_id = 0"),
        )
    ),
    ("batch_owner_amount", "nothing", copy("loyalty_batchowner", number="9", amount="0")),
    (
        "batch_owner_credited",
        "a credit on no card",
        copy("loyalty_batchowner", number="9", amount="1", credit_id="1"),
    ),
    (
        "loyalty_importfile_problem_count_check",
        "fewer than no problems",
        update("loyalty_importfile", "problem_count = -1"),
    ),
    *(
        ("job_progress", words, update("loyalty_job", changes))
        for words, changes in (
            ("less than nothing done", "done = -1, failed = -1"),
            ("less than nothing failed", "failed = -1"),
            ("more failed than done", "failed = done + 1"),
        )
    ),
    ("loyalty_spending_request_id_key", "a request twice", copy("loyalty_spending")),
    ("spending_not_negative", "less than nothing", update("loyalty_spending", "amount = -1")),
    *(
        ("spending_limit_of_role_or_person", words, update("loyalty_spendinglimit", changes))
        for words, changes in (
            ("of nobody", "group_id = NULL"),
            ("of both", "user_id = (SELECT min(id) FROM auth_user)"),
        )
    ),
    *(
        (
            "spending_limit_not_negative",
            f"negative {column}",
            update("loyalty_spendinglimit", f"{column} = -1"),
        )
        for column in ("per_action", "per_day")
    ),
    (
        "spending_limit_of_role",
        "a role's twice",
        copy("loyalty_spendinglimit", "group_id IS NOT NULL"),
    ),
    (
        "spending_limit_of_person",
        "a person's twice",
        copy("loyalty_spendinglimit", "user_id IS NOT NULL"),
    ),
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
    # `batch_amounts` is asked first, and lets no such count through.
    shadowed = {"loyalty_batch_count_check"}

    assert constraints(TABLES) == {name for name, _, _ in REFUSED} | shadowed


@pytest.mark.parametrize(
    ("operation", "sql"),
    [
        pytest.param("UPDATE", "UPDATE {} SET note = 'x'", id="changing"),
        pytest.param("UPDATE", "UPDATE {} SET note = note", id="changing nothing"),
        pytest.param("DELETE", "DELETE FROM {}", id="deleting"),
        pytest.param("TRUNCATE", "TRUNCATE {} CASCADE", id="emptying"),
    ],
)
def test_the_trail_refuses(operation: str, sql: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match=f"{operation} of {TRAIL} is not allowed"):
        run(sql.format(TRAIL))

    assert contents() == books


@pytest.mark.parametrize("table", PERMANENT)
@pytest.mark.parametrize(
    ("operation", "sql"),
    [
        pytest.param("DELETE", "DELETE FROM {}", id="deleting"),
        pytest.param("TRUNCATE", "TRUNCATE {} CASCADE", id="emptying"),
    ],
)
def test_nothing_goes_by(table: str, operation: str, sql: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match=rf"{operation} of loyalty_\w+ is not allowed"):
        run(sql.format(table))

    assert contents() == books


# Another value for every column that says what a row is about.
FIXED = {
    "loyalty_batchowner": {"batch_id": "0", "number": "number + 5", "amount": "7"},
    "loyalty_approval": {
        "action": "'close'",
        "parameters": "'[]'",
        "request_id": "'new'",
        "store_id": "store_id + 1",
        "card_id": "0",
        "customer_id": "0",
        "currency": "'USD'",
        "exponent": "exponent + 1",
        "amount": "amount + 1",
        "before": "'[]'",
        "after": "'[]'",
        "requested_by_id": "0",
        "requested_at": "requested_at - interval '1 day'",
    },
    "loyalty_batch": {
        "program_id": "program_id + 1",
        "source": "'imported'",
        "amount": "amount + 1, total = total + count",
        "created_by_id": "0",
        "created_at": "created_at - interval '1 day'",
    },
}


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [(table, column, value) for table, values in FIXED.items() for column, value in values.items()],
)
def test_does_not_change(table: str, column: str, value: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match=f"UPDATE of {table} is not allowed"):
        run(update(table, f"{column} = {value}"))

    assert contents() == books


@pytest.mark.parametrize("table", FIXED)
def test_may_be_saved_again_as_it_is(table: str) -> None:
    for row in MODELS[table]._default_manager.all():
        row.save()


def test_has_no_trigger_that_is_not_tried_here() -> None:
    assert triggers(TABLES) == {
        f"{TRAIL}_append_only",
        *(f"{table}_no_truncate" for table in (TRAIL, *PERMANENT)),
        *(f"{table}_no_delete" for table in PERMANENT),
        *(f"{table}_fixed_too" for table in FIXED),
    }
