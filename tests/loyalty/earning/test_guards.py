"""What the database refuses of earnings, whatever code talks to it."""

import pytest
from django.db import IntegrityError

from loyalty.models import Earning, EarningMovement
from tests.loyalty.earning.builders import (
    an_order,
    invoiced,
    make_campaign,
    make_earning_program,
    make_rule,
    take,
)
from tests.loyalty.guards import Contents, constraints, contents, copy, run, triggers, update

pytestmark = pytest.mark.django_db

RULE, CAMPAIGN, POLICY = "loyalty_earningrule", "loyalty_campaign", "loyalty_earningpolicy"
ORDER, EARNING, MOVEMENT = "loyalty_shoporder", "loyalty_earning", "loyalty_earningmovement"
TABLES = (RULE, CAMPAIGN, POLICY, ORDER, EARNING, MOVEMENT)


@pytest.fixture(autouse=True)
def books() -> Contents:
    """A program that earned something, by a rule and a campaign."""
    program = make_earning_program()
    make_rule(program, cap_per_period=10**6, period="year")
    make_campaign(program, budget=10**6)
    take(program.store, invoiced(an_order(100_00)))
    assert (Earning.objects.count(), EarningMovement.objects.count()) == (2, 2)
    run("SET CONSTRAINTS ALL IMMEDIATE")
    return contents()


NEW = {"request_id": "'new'", "number": "9"}
REFUSED: list[tuple[str, str, str]] = [
    *(
        ("earning_rule_percent_or_points", words, copy(RULE, **changes))
        for words, changes in (
            ("neither", {"points": "NULL", "per_amount": "NULL"}),
            ("both", {"percent": "1"}),
            ("for nothing", {"per_amount": "0"}),
            ("no points", {"points": "0"}),
        )
    ),
    ("earning_rule_points_are_worth", "points of no worth", copy(RULE, point_units="NULL")),
    ("earning_rule_ends_after_start", "ends first", copy(RULE, ends_at="'2000-01-01'")),
    ("earning_rule_period", "a cap of no period", copy(RULE, period="''")),
    ("earning_rule_unit", "on without its unit", copy(RULE, unit="NULL")),
    *(
        (f"loyalty_earningrule_{column}_check", f"negative {column}", copy(RULE, **{column: "-1"}))
        for column in ("minimum", "cap_per_order", "cap_per_period", "priority")
    ),
    ("campaign_gives_more", "gives the same", copy(CAMPAIGN, multiplier="1")),
    ("campaign_ends_after_start", "ends first", copy(CAMPAIGN, ends_at="'2000-01-01'")),
    ("campaign_within_budget", "more than its budget", update(CAMPAIGN, "used = budget + 1")),
    ("campaign_within_budget", "less than nothing", update(CAMPAIGN, "used = -1")),
    ("earning_policy_choices", "no such choice", update(POLICY, "take_back = 'maybe'")),
    ("loyalty_earningpolicy_program_id_key", "two of a program", copy(POLICY)),
    *(
        (
            f"loyalty_earningpolicy_{column}_check",
            f"negative {column}",
            update(POLICY, f"{column} = -1"),
        )
        for column in ("usable_after_days", "undelivered_days")
    ),
    ("shop_order_once", "an order twice", copy(ORDER)),
    ("shop_order_state", "in no state", update(ORDER, "state = 'lost'")),
    ("shop_order_seen", "seen at no time", update(ORDER, "changed_at = NULL")),
    ("shop_order_settled", "settled before seen", update(ORDER, "settled_version = 9")),
    ("shop_order_kept", "more kept than bought", update(ORDER, "kept = total + 1")),
    *(
        (f"loyalty_shoporder_{column}_check", f"negative {column}", sql)
        for column, sql in (
            ("settled_version", update(ORDER, "settled_version = -1")),
            ("failures", update(ORDER, "failures = -1")),
        )
    ),
    ("earning_once", "an earning twice", copy(EARNING)),
    (
        "loyalty_earning_validity_days_check",
        "a negative validity",
        update(EARNING, "validity_days = -1"),
    ),
    ("earning_due", "more due than earned", update(EARNING, "due = gross + 1")),
    ("earning_within_credit", "more taken than credited", update(EARNING, "taken = credited + 1")),
    ("earning_movement_number", "a number twice", copy(MOVEMENT, request_id="'new'")),
    ("loyalty_earningmovement_request_id_key", "a request twice", copy(MOVEMENT, number="9")),
    ("earning_movement_choices", "of no kind", copy(MOVEMENT, **NEW, kind="'gift'")),
    (
        "earning_movement_names_its_credit",
        "a credit of no date",
        copy(MOVEMENT, **NEW, valid_from="NULL"),
    ),
    ("earning_movement_worth", "worth nothing", copy(MOVEMENT, **NEW, worth="0")),
    ("earning_movement_status", "refused for nothing", update(MOVEMENT, "status = 'refused'")),
    (
        "loyalty_earningmovement_number_check",
        "a negative number",
        copy(MOVEMENT, **NEW | {"number": "-1"}),
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
    # Those with a name are asked first, and let no such value through.
    shadowed = {
        "loyalty_earningrule_points_check",
        "loyalty_earningrule_per_amount_check",
        "loyalty_earningrule_unit_check",
        "loyalty_earningrule_point_units_check",
        "loyalty_campaign_budget_check",
        "loyalty_shoporder_version_check",
    }

    assert constraints(TABLES) - shadowed == {name for name, _, _ in REFUSED}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("sql", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_nothing_goes(table: str, sql: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match="is not allowed"):
        run(sql.format(table))

    assert contents() == books


FIXED = [
    (RULE, "points = points + 1"),
    (RULE, "channels = '[\"9\"]'"),
    (RULE, "tiers = '[\"Gold\"]'"),
    (RULE, "starts_at = starts_at - interval '1 day'"),
    (RULE, "switched_on_at = NULL, unit = NULL"),
    (CAMPAIGN, "multiplier = multiplier + 1"),
    (POLICY, "program_id = program_id + 1"),
    (ORDER, "order_id = 'other'"),
    (EARNING, "campaign_id = 0"),
    (EARNING, "rule_id = 0"),
    (MOVEMENT, "units = units + 1"),
    (MOVEMENT, "request_id = 'other'"),
    (MOVEMENT, "valid_from = valid_from + interval '1 day'"),
    (MOVEMENT, "expires_at = valid_from"),
    (MOVEMENT, "worth = 1"),
    (MOVEMENT, "grant_id = 1"),
    (MOVEMENT, "point_value_id = 1"),
]


@pytest.mark.parametrize(("table", "changes"), FIXED)
def test_what_a_row_is_about_never_changes(table: str, changes: str, books: Contents) -> None:
    with pytest.raises(IntegrityError, match=r"UPDATE of \w+ is not allowed"):
        run(update(table, changes))

    assert contents() == books


def test_a_draft_may_change_and_what_is_on_may_end() -> None:
    rule = make_rule(make_earning_program(), on=False)

    rule.points, rule.channels = 3, ["2"]
    rule.save()
    run(update(RULE, "ends_at = '2030-01-01'"))

    rule.refresh_from_db()
    assert (rule.points, rule.channels) == (3, ["2"])


def test_has_no_trigger_that_is_not_tried_here() -> None:
    assert triggers(TABLES) == {
        *(f"{table}_no_delete" for table in TABLES),
        *(f"{table}_no_truncate" for table in TABLES),
        *(f"{table}_fixed" for table in (ORDER, EARNING, MOVEMENT, POLICY)),
        *(f"{table}_fixed_when_on" for table in (RULE, CAMPAIGN)),
    }
