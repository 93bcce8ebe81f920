"""What the database refuses of runs and differences."""

import pytest
from django.db import IntegrityError

from loyalty import reconciliation
from loyalty.models import GiftCard, Store
from tests.loyalty.guards import Contents, constraints, contents, copy, run, triggers, update
from tests.loyalty.reconciliation.records import WEEK, Records, make_debit

RUN, DIFFERENCE, FILE = (
    "loyalty_reconciliationrun",
    "loyalty_discrepancy",
    "loyalty_reconciliationfile",
)

REFUSED: list[tuple[str, str, str]] = [
    *(
        ("reconciliation_window", words, update(RUN, changes))
        for words, changes in (
            ("compared before it begins", "compared_until = since - interval '1 day'"),
            ("compared after its end", "compared_until = until + interval '1 day'"),
        )
    ),
    ("reconciliation_window", "of no time", copy(RUN, until="since", compared_until="since")),
    *(
        ("reconciliation_status", words, update(RUN, changes))
        for words, changes in (
            ("running and finished", "status = 'running'"),
            ("done at no time", "finished_at = NULL"),
            ("in no state", "status = 'maybe'"),
        )
    ),
    ("reconciliation_calls", "fewer than no calls", update(RUN, "calls = -1")),
    ("discrepancy_once", "a difference twice", copy(DIFFERENCE)),
    *(
        ("discrepancy_choices", words, copy(DIFFERENCE, key="'new'", **changes))
        for words, changes in (
            ("no kind", {"kind": "'odd'"}),
            ("no severity", {"severity": "4"}),
            ("no remedy of ours", {"remedy": "'pray'"}),
        )
    ),
    ("discrepancy_amounts", "less than nothing at risk", update(DIFFERENCE, "amount = -1")),
    *(
        ("discrepancy_remedy", words, update(DIFFERENCE, changes))
        for words, changes in (
            ("a remedy of nothing", "remedy_units = 0"),
            ("units without a remedy", "remedy = 'none'"),
            ("a remedy of no transaction", "transaction_id = NULL"),
        )
    ),
    *(
        ("discrepancy_status", words, update(DIFFERENCE, changes))
        for words, changes in (
            ("open and closed", "closed_at = now()"),
            ("closed at no time", "status = 'closed'"),
            ("ignored for no reason", "status = 'ignored'"),
            ("open for a reason", "ignored_because = 'x'"),
        )
    ),
    (
        "discrepancy_seen",
        "last seen before the first time",
        update(DIFFERENCE, "last_seen = first_seen - interval '1 day'"),
    ),
    (
        "loyalty_discrepancy_reopened_check",
        "came back less than never",
        update(DIFFERENCE, "reopened = -1"),
    ),
]


@pytest.fixture(autouse=True)
def before(store: Store, card: GiftCard, records: Records) -> Contents:
    make_debit(card, settled=0)
    reconciliation.run(store, WEEK, records)
    run("SET CONSTRAINTS ALL IMMEDIATE")
    return contents()


@pytest.mark.parametrize(
    ("constraint", "sql"),
    [pytest.param(name, sql, id=f"{name}: {words}") for name, words, sql in REFUSED],
)
def test_refuses_what_breaks(constraint: str, sql: str, before: Contents) -> None:
    with pytest.raises(IntegrityError, match=f'"{constraint}"'):
        run(sql)

    assert contents() == before


def test_has_no_constraint_that_is_not_tried_here() -> None:
    # `discrepancy_choices` is asked first, and lets no such severity through.
    shadowed = {"loyalty_discrepancy_severity_check"}

    assert constraints((RUN, DIFFERENCE, FILE)) == {name for name, _, _ in REFUSED} | shadowed


@pytest.mark.parametrize("table", [RUN, DIFFERENCE])
@pytest.mark.parametrize("sql", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_nothing_goes_by(table: str, sql: str, before: Contents) -> None:
    with pytest.raises(IntegrityError, match=r"of loyalty_\w+ is not allowed"):
        run(sql.format(table))

    assert contents() == before


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        *(
            (RUN, changes)
            for changes in (
                "store_id = 0",
                "source = 'file'",
                "by = 'changed'",
                "since = since - interval '1 day'",
                "until = until + interval '1 day'",
                "requested_by_id = 0",
                "started_at = now()",
            )
        ),
        *(
            (DIFFERENCE, changes)
            for changes in (
                "store_id = 0",
                "kind = 'refund'",
                "key = 'x'",
                "run_id = 0",
                "first_seen = first_seen - interval '1 day'",
            )
        ),
    ],
)
def test_what_it_is_about_does_not_change(table: str, changes: str, before: Contents) -> None:
    with pytest.raises(IntegrityError, match=f"UPDATE of {table} is not allowed"):
        run(update(table, changes))

    assert contents() == before


def test_has_no_trigger_that_is_not_tried_here() -> None:
    names = ("no_delete", "no_truncate", "fixed")

    assert triggers((RUN, DIFFERENCE, FILE)) == {
        f"{table}_{name}" for table in (RUN, DIFFERENCE) for name in names
    }
