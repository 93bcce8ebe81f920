"""What the database refuses of tiers, whatever code talks to it."""

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.utils import timezone

from loyalty import earning
from loyalty.models import TierChange
from tests.builders import make_customer
from tests.loyalty.earning.builders import DAY, make_earning_program, make_scheme
from tests.loyalty.guards import Contents, constraints, contents, copy, run, triggers, update

pytestmark = pytest.mark.django_db

SCHEME, STANDING = "loyalty_tierscheme", "loyalty_tierstanding"
GRANT, CHANGE = "loyalty_tiergrant", "loyalty_tierchange"
TABLES = (SCHEME, STANDING, GRANT, CHANGE)


@pytest.fixture(autouse=True)
def books() -> Contents:
    """A customer to whom staff granted a tier."""
    program = make_earning_program()
    make_scheme(program)
    earning.grant(
        program,
        make_customer(program.store),
        tier="Gold",
        until=timezone.now() + DAY,
        reason="Waited long",
        by=User.objects.create(username="eva"),
        request_id="first",
    )
    assert TierChange.objects.count() == 1
    run("SET CONSTRAINTS ALL IMMEDIATE")
    return contents()


REFUSED: list[tuple[str, str, str]] = [
    ("tier_scheme_basis", "counts nothing", copy(SCHEME, basis="'visits'")),
    ("tier_scheme_period", "rolling over no days", copy(SCHEME, days="NULL")),
    ("tier_scheme_period", "a year of days", copy(SCHEME, period="'year'")),
    ("tier_scheme_period", "over no known time", copy(SCHEME, period="'week'", days="NULL")),
    ("loyalty_tierscheme_grace_days_check", "negative grace", copy(SCHEME, grace_days="-1")),
    ("tier_grant_until", "ends before it begins", copy(GRANT, request_id="'2'", until="given_at")),
    ("tier_grant_until", "no end", copy(GRANT, request_id="'2'", until="NULL")),
    ("tier_grant_until", "nothing until", copy(GRANT, request_id="'2'", tier="''")),
    ("tier_grant_reason", "for no reason", copy(GRANT, request_id="'2'", reason="''")),
    ("loyalty_tiergrant_request_id_key", "twice", copy(GRANT)),
    ("tier_standing_once", "two of a customer", copy(STANDING)),
    ("tier_standing_cause", "for no cause", update(STANDING, "cause = 'luck'")),
    ("tier_change_is_one", "to the same", copy(CHANGE, before="after")),
    ("tier_change_cause", "for no cause", copy(CHANGE, cause="'luck'")),
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
    # Those with a name are asked first, and let no such value through.
    shadowed = {"loyalty_tierscheme_days_check"}

    assert constraints(TABLES) - shadowed == {name for name, _, _ in REFUSED}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("sql", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_nothing_goes(table: str, sql: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match="is not allowed"):
        run(sql.format(table))

    assert contents() == books


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        (SCHEME, "tiers = '[]'"),
        (SCHEME, "grace_days = grace_days + 1"),
        (SCHEME, "switched_on_at = NULL"),
        (STANDING, "customer_id = customer_id + 1"),
        (GRANT, "until = until + interval '1 day'"),
        (CHANGE, "counted = counted + 1"),
    ],
)
def test_what_was_promised_and_what_happened_never_changes(
    table: str, changes: str, books: Contents
) -> None:
    with pytest.raises(IntegrityError, match=r"UPDATE of \w+ is not allowed"):
        run(update(table, changes))

    assert contents() == books


def test_a_draft_may_change() -> None:
    scheme = make_scheme(make_earning_program(), on=False)

    scheme.grace_days = 60
    scheme.save()

    scheme.refresh_from_db()
    assert scheme.grace_days == 60


def test_has_no_trigger_that_is_not_tried_here() -> None:
    assert triggers(TABLES) == {
        *(f"{table}_append_only" for table in (GRANT, CHANGE)),
        *(f"{table}_no_delete" for table in (SCHEME, STANDING)),
        *(f"{table}_no_truncate" for table in TABLES),
        "loyalty_tierstanding_fixed",
        "loyalty_tierscheme_fixed_when_on",
    }
