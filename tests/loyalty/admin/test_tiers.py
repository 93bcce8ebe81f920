"""Schemes are written and switched on, tiers granted, and explained on the customer's page."""

import datetime
import re
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from loyalty.models import (
    AuditEvent,
    Customer,
    EarningRule,
    Program,
    TierChange,
    TierGrant,
    TierScheme,
    TierStanding,
)
from tests.builders import make_customer
from tests.loyalty.earning.builders import (
    DAY,
    START,
    an_order,
    make_earning_program,
    make_rule,
    make_scheme,
    take,
)

NOW = START + 5 * DAY
TIERS: list[dict[str, Any]] = [
    {"name": "Silver", "threshold": 100_00, "multiplier": "1.50", "validity_days": None},
    {"name": "Gold", "threshold": 300_00, "multiplier": "2.00", "validity_days": 730},
]
SCHEME = {
    "first_day": "2026-03-08",
    "basis": "spend",
    "period": "rolling",
    "days": "365",
    "grace_days": "30",
    "tiers-TOTAL_FORMS": "3",
    "tiers-INITIAL_FORMS": "0",
    "tiers-0-name": "Gold",
    "tiers-0-threshold": "1,000.00",
    "tiers-0-multiplier": "2",
    "tiers-0-validity_days": "730",
    "tiers-1-name": "Silver",
    "tiers-1-threshold": "",
    "tiers-1-multiplier": "",
    "tiers-1-validity_days": "",
}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def program(db: None) -> Program:
    return make_earning_program(unit_name="points")


def at(name: str, *arguments: object) -> str:
    return reverse(f"admin:loyalty_{name}", args=arguments)


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode().replace("\u00a0", " ")


def write(client: Client, program: Program, **changes: Any) -> Any:
    changed = {name.replace("__", "-"): value for name, value in changes.items()}
    return client.post(at("tierscheme_new", program.pk), SCHEME | changed)


def errors(answer: Any) -> list[str]:
    """The fields that have errors next to them, by their names on the page."""
    forms = [answer.context["form"], *answer.context.get("tiers", ())]
    return [form.add_prefix(name) for form in forms for name in form.errors]


def test_a_scheme_is_written_as_a_draft_lowest_tier_first(boss: Client, program: Program) -> None:
    answer = write(boss, program)

    scheme = TierScheme.objects.get()
    assert answer.status_code == 302
    assert (scheme.basis, scheme.period, scheme.days, scheme.grace_days) == (
        *("spend", "rolling", 365),
        30,
    )
    assert scheme.starts_at == datetime.datetime(2026, 3, 8, tzinfo=program.store.zone)
    assert scheme.tiers == [
        {"name": "Silver", "threshold": 0, "multiplier": "1.00", "validity_days": None},
        {"name": "Gold", "threshold": 1000_00, "multiplier": "2.00", "validity_days": 730},
    ]
    assert not scheme.is_on
    event = AuditEvent.objects.get(action="added")
    assert event.subject == f"loyalty.tierscheme:{scheme.pk}"


def test_thresholds_of_points_are_whole_points(boss: Client, program: Program) -> None:
    write(boss, program, basis="points", tiers__0__threshold="500")

    assert [tier["threshold"] for tier in TierScheme.objects.get().tiers] == [0, 500 * 25]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"first_day": "2026-03-07"}, "first_day"),
        ({"first_day": "soon"}, "first_day"),
        ({"days": ""}, "days"),
        ({"period": "year"}, "days"),
        ({"days": "0"}, "days"),
        ({"grace_days": ""}, "grace_days"),
        ({"grace_days": "-1"}, "grace_days"),
        ({"basis": "visits"}, "basis"),
        ({"tiers__0__name": ""}, "tiers-0-name"),
        ({"tiers__1__name": "Gold"}, "tiers-1-name"),
        ({"tiers__1__threshold": "1,000.00"}, "tiers-1-threshold"),
        ({"tiers__0__threshold": "much"}, "tiers-0-threshold"),
        ({"tiers__0__multiplier": "0.5"}, "tiers-0-multiplier"),
        ({"tiers__0__validity_days": "0"}, "tiers-0-validity_days"),
        ({"basis": "points", "tiers__0__threshold": "0.5"}, "tiers-0-threshold"),
    ],
)
def test_what_is_wrong_is_said_next_to_its_field(
    boss: Client, program: Program, changes: dict[str, str], field: str
) -> None:
    answer = write(boss, program, **changes)

    assert answer.status_code == 200
    assert errors(answer) == [field]
    assert not TierScheme.objects.exists()


def test_a_scheme_has_a_tier(boss: Client, program: Program) -> None:
    nothing = {name: "" for name in SCHEME if name.startswith("tiers-") and name[6].isdecimal()}

    answer = boss.post(at("tierscheme_new", program.pk), SCHEME | nothing)

    assert errors(answer) == ["tiers-0-name"]


def test_a_draft_changes_a_tier_goes_and_one_comes(boss: Client, program: Program) -> None:
    write(boss, program)
    scheme = TierScheme.objects.get()
    known = {"tiers-TOTAL_FORMS": "5", "tiers-INITIAL_FORMS": "2"}
    gone = {f"tiers-0-{name}": "" for name in ("name", "threshold", "multiplier", "validity_days")}

    boss.post(
        at("tierscheme_edit", scheme.pk),
        {**SCHEME, **known, **gone, "tiers-1-name": "Gold", "tiers-2-name": "Bronze"}
        | {"tiers-1-threshold": "1,000.00", "grace_days": "60"},
    )

    scheme.refresh_from_db()
    assert scheme.grace_days == 60
    assert [tier["name"] for tier in scheme.tiers] == ["Bronze", "Gold"]


def test_switching_on_says_what_it_means_and_is_for_good(boss: Client, program: Program) -> None:
    write(boss, program)
    scheme = TierScheme.objects.get()
    url = at("tierscheme_switch", scheme.pk)

    shown = text(boss, url)
    boss.post(url)

    scheme.refresh_from_db()
    assert "Gold: from R$1,000.00, 2 times as much, valid for 730 days" in shown
    assert "Silver: everyone<" in shown
    assert scheme.switched_on_at == NOW
    assert boss.get(at("tierscheme_edit", scheme.pk)).status_code == 404


def test_a_draft_whose_day_has_passed_is_not_switched_on(boss: Client, program: Program) -> None:
    scheme = make_scheme(program, on=False, starts_at=NOW)

    answer = boss.post(at("tierscheme_switch", scheme.pk), follow=True)

    assert "It begins in the past by now" in answer.content.decode()
    assert not TierScheme.objects.get().is_on


def test_the_customers_page_says_how_a_tier_came_about_and_what_comes_next(
    boss: Client, program: Program
) -> None:
    make_rule(program)
    make_scheme(program)
    take(program.store, an_order(120_00))
    customer = Customer.objects.get()

    first = text(boss, at("customer_change", customer.pk))
    page = text(boss, at("customer_tier", customer.pk))

    assert f"Silver (reached), {program}" in first
    assert "Reached: R$120.00 in 30 days." in page
    assert "R$180.00 more for Gold." in page
    assert "It changes on 04/01/2026 when nothing is bought until then." in page


def test_the_ladder_shows_where_the_customer_stands_and_what_is_missing(
    boss: Client, program: Program
) -> None:
    make_scheme(program, tiers=[*TIERS, {**TIERS[1], "name": "Ruby", "threshold": 0}])
    take(program.store, an_order(120_00))
    customer = Customer.objects.get()

    reached = rungs(text(boss, at("customer_tier", customer.pk)))
    grant(boss, customer)
    granted = rungs(text(boss, at("customer_tier", customer.pk)))

    assert reached == [
        ("1", "192", "Gold, from R$300.00: R$180.00 missing"),
        ("2", "480", "Silver, from R$100.00: reached"),
        ("1", "480", "Ruby: reached"),
    ]
    assert granted[0] == ("2", "192", "Gold, from R$300.00: granted by staff")
    assert granted[1] == ("1", "480", "Silver, from R$100.00: reached")


def test_without_tiers_the_page_says_where_they_are_written(boss: Client, program: Program) -> None:
    page = text(boss, at("customer_tier", make_customer(program.store).pk))

    assert "No program of the store has tiers yet." in page


def rungs(page: str) -> list[tuple[str, str, str]]:
    """Of each rung: its color (2 where the customer stands), how long it is, and its title."""
    found = re.findall(
        r'class="chart-([12])" x="0" y="[^"]*" width="([^"]*)"[^>]*><title>(.*?)</title>', page
    )
    return [(color, width, title.replace("\xa0", " ")) for color, width, title in found]


def grant(client: Client, customer: Customer, **changes: str) -> Any:
    program = Program.objects.get()
    typed = {
        "tier": f"{program.pk}:Gold",
        "last_day": "2026-03-31",
        "reason": "A parcel was lost",
        "token": "t" * 32,
    }
    return client.post(at("customer_tier", customer.pk), typed | changes)


def test_a_tier_is_granted_until_a_day_once_and_shown(boss: Client, program: Program) -> None:
    make_scheme(program)
    customer = make_customer(program.store)

    grant(boss, customer)
    grant(boss, customer)

    made = TierGrant.objects.get()
    assert made.until == program.store.last_instant(datetime.date(2026, 3, 31))
    assert TierStanding.objects.get().tier == "Gold"
    event = AuditEvent.objects.get(action="tier_granted")
    assert (event.customer, event.note) == (customer, "A parcel was lost")
    page = text(boss, at("customer_tier", customer.pk))
    assert f"Granted by {made.given_by.username} until 03/31/2026: A parcel was lost" in page


def test_what_was_granted_is_ended(
    boss: Client, program: Program, clock: time_machine.Traveller
) -> None:
    make_scheme(program)
    customer = make_customer(program.store)
    grant(boss, customer)
    clock.shift(60)

    grant(boss, customer, tier=f"{program.pk}:", last_day="", token="u" * 32)

    assert list(TierChange.objects.order_by("pk").values_list("after", flat=True)) == ["Gold", ""]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tier": "0:Gold"}, "tier"),
        ({"last_day": ""}, "last_day"),
        ({"last_day": "2026-03-06"}, "last_day"),
        ({"reason": ""}, "reason"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused_next_to_its_field(
    boss: Client, program: Program, changes: dict[str, str], field: str
) -> None:
    make_scheme(program)
    customer = make_customer(program.store)

    answer = grant(boss, customer, **changes)

    assert errors(answer) == [field]
    assert not TierGrant.objects.exists()


def test_an_end_has_no_day(boss: Client, program: Program) -> None:
    make_scheme(program)

    answer = grant(boss, make_customer(program.store), tier=f"{program.pk}:")

    assert errors(answer) == ["last_day"]


def test_a_rule_may_be_for_some_tiers(boss: Client, program: Program) -> None:
    make_scheme(program)
    typed = {
        "name": "For the best",
        "points": "1",
        "per_amount": "1.00",
        "first_day": "2026-03-01",
        "priority": "100",
    }

    refused = boss.post(at("earningrule_new", program.pk), typed | {"tiers": ["Platinum"]})
    boss.post(at("earningrule_new", program.pk), typed | {"tiers": ["Gold"]})

    assert errors(refused) == ["tiers"]
    assert EarningRule.objects.get().tiers == ["Gold"]
