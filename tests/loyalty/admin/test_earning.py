"""Rules, campaigns, the policy with its example, and why an order earned or not."""

import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from loyalty import earning, jobs
from loyalty.earning import simulation
from loyalty.identity import Identity
from loyalty.models import (
    AuditEvent,
    Campaign,
    Customer,
    Earning,
    EarningMovement,
    EarningPolicy,
    EarningRule,
    Job,
    OrderListening,
    Program,
    RuleSimulation,
    ShopOrder,
)
from tests.builders import make_program, make_store
from tests.loyalty.earning.builders import (
    DAY,
    START,
    an_order,
    canceled,
    invoiced,
    make_campaign,
    make_earning_program,
    make_rule,
    returned,
    take,
)

RULE = {
    "name": "A point for a real",
    "points": "1",
    "per_amount": "1.00",
    "first_day": "2026-03-01",
    "priority": "100",
}
POLICY = {
    "usable_from": "invoice",
    "usable_after_days": "7",
    "undelivered_days": "30",
    "take_back": "owe",
}


@pytest.fixture
def program(db: None) -> Program:
    return make_earning_program(unit_name="points")


def at(name: str, *arguments: object) -> str:
    return reverse(f"admin:{name}", args=arguments)


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode().replace("\u00a0", " ")


def write(client: Client, program: Program, **changes: Any) -> Any:
    return client.post(at("loyalty_earningrule_new", program.pk), RULE | changes)


def errors(answer: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = answer.context["form"].errors
    return dict(found)


def test_a_rule_is_written_as_a_draft(boss: Client, program: Program) -> None:
    answer = write(
        boss,
        program,
        last_day="2026-03-31",
        channels="1, 3 3",
        minimum="50.00",
        cap_per_order="500",
        cap_per_period="2000",
        period="month",
    )

    rule = EarningRule.objects.get()
    zone = program.store.zone
    assert answer.status_code == 302
    assert (rule.points, rule.per_amount, rule.percent, rule.is_on) == (1, 100, None, False)
    assert (rule.channels, rule.minimum) == (["1", "3"], 50_00)
    assert (rule.cap_per_order, rule.cap_per_period) == (500 * 25, 2000 * 25)
    assert rule.starts_at == datetime.datetime(2026, 3, 1, tzinfo=zone)
    assert rule.ends_at == datetime.datetime(2026, 4, 1, tzinfo=zone)
    event = AuditEvent.objects.get(action="added")
    assert (event.subject, event.after["points"]) == (f"loyalty.earningrule:{rule.pk}", 1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"points": "", "per_amount": ""}, "percent"),
        ({"percent": "5"}, "percent"),
        ({"percent": "101", "points": "", "per_amount": ""}, "percent"),
        ({"per_amount": ""}, "per_amount"),
        ({"per_amount": "1,00"}, "per_amount"),
        ({"points": ""}, "points"),
        ({"points": "0"}, "points"),
        ({"last_day": "2026-02-28"}, "last_day"),
        ({"first_day": "tomorrow"}, "first_day"),
        ({"cap_per_period": "10"}, "period"),
        ({"period": "month"}, "period"),
        ({"cap_per_order": "0.5"}, "cap_per_order"),
        ({"skus": "x" * 65}, "skus"),
        ({"priority": "-1"}, "priority"),
    ],
)
def test_what_is_wrong_is_said_next_to_its_field(
    boss: Client, program: Program, changes: dict[str, str], field: str
) -> None:
    answer = write(boss, program, **changes)

    assert answer.status_code == 200
    assert list(errors(answer)) == [field]
    assert not EarningRule.objects.exists()


def test_a_program_in_money_takes_percentages_and_caps_in_money(boss: Client) -> None:
    cashback = make_earning_program(unit_name="", point_units=None, finer_digits=0)

    refused = write(boss, cashback)
    write(boss, cashback, points="", per_amount="", percent="2.5", cap_per_order="30.00")

    assert errors(refused) == {"points": ["This program counts in money: give a percentage."]}
    rule = EarningRule.objects.get()
    assert (str(rule.percent), rule.cap_per_order) == ("2.5000", 30_00)


def test_a_draft_changes_and_what_is_on_does_not(boss: Client, program: Program) -> None:
    rule = make_rule(program, on=False, name="Draft")
    url = at("loyalty_earningrule_edit", rule.pk)

    boss.post(url, RULE | {"points": "3"})
    shown = text(boss, at("loyalty_earningrule_switch", rule.pk, "on"))
    boss.post(at("loyalty_earningrule_switch", rule.pk, "on"))

    rule.refresh_from_db()
    assert "never changes, but for its end" in shown
    assert (rule.points, rule.is_on, rule.unit, rule.point_units) == (3, True, 25, 25)
    assert boss.get(url).status_code == 404
    events = AuditEvent.objects.filter(subject=f"loyalty.earningrule:{rule.pk}").order_by("pk")
    assert [sorted(event.after) for event in events][1] == ["point_units", "switched_on_at", "unit"]


def test_ending_a_rule_keeps_what_was_earned(boss: Client, program: Program) -> None:
    rule = make_rule(program)
    take(program.store, an_order(100_00))

    boss.post(at("loyalty_earningrule_switch", rule.pk, "off"))
    take(program.store, an_order(50_00, paid=START))

    rule.refresh_from_db()
    assert rule.ends_at is not None
    assert Earning.objects.count() == 2


def test_a_new_draft_begins_with_another_rule(boss: Client, program: Program) -> None:
    rule = make_rule(program, skus=["7"], cap_per_order=500 * 25)

    answer = boss.get(at("loyalty_earningrule_new", program.pk), {"copy": rule.pk})

    form = answer.context["form"]
    assert (form["skus"].value(), form["cap_per_order"].value()) == ("7", "500")
    assert EarningRule.objects.count() == 1


def test_a_campaign_is_written_switched_on_and_only_grows(boss: Client, program: Program) -> None:
    dates = {"first_day": "2026-03-01", "last_day": "2099-03-31"}
    boss.post(
        at("loyalty_campaign_new", program.pk),
        dates | {"name": "Twice", "multiplier": "2", "budget": "1000"},
    )
    campaign = Campaign.objects.get()
    boss.post(at("loyalty_campaign_switch", campaign.pk, "on"))
    make_rule(program)
    take(program.store, an_order(600_00))

    url = at("loyalty_campaign_edit", campaign.pk)
    refused = boss.post(url, dates | {"name": "Twice", "multiplier": "9", "budget": "599"})
    boss.post(url, dates | {"name": "Twice", "multiplier": "9", "budget": "2000"})

    campaign.refresh_from_db()
    assert errors(refused) == {"budget": ["More than that is used already."]}
    assert (str(campaign.multiplier), campaign.budget) == ("2.00", 2000 * 25)
    assert campaign.used == 600 * 25


def test_the_policy_is_kept_after_its_example_was_seen(boss: Client) -> None:
    program = make_earning_program(unit_name="points")
    EarningPolicy.objects.filter(program=program).update(usable_after_days=3)
    url = at("loyalty_program_earning", program.pk)

    first = boss.post(url, POLICY)
    unchanged = EarningPolicy.objects.get().usable_after_days
    seen = first.context["form"].mark
    other = boss.post(url, POLICY | {"usable_after_days": "9", "seen": seen})
    boss.post(url, POLICY | {"seen": seen})

    assert (first.status_code, unchanged, other.status_code) == (200, 3, 200)
    policy = EarningPolicy.objects.get()
    assert (policy.usable_after_days, policy.take_back) == (7, "owe")
    assert AuditEvent.objects.get(action="changed").after == {
        "take_back": "owe",
        "usable_after_days": 7,
    }


def test_the_example_is_worked_out_by_the_rules(boss: Client, program: Program) -> None:
    make_rule(program, points=2)
    url = at("loyalty_program_earning", program.pk)

    example = boss.post(url, POLICY).context["example"]
    waived = boss.post(url, POLICY | {"take_back": "waive"}).context["example"]

    plain = [line.replace("\u00a0", " ") for line in example]
    # R$ 150.00 of R$ 200.00 earn 300 points; half comes back.
    assert "300 points (R$0.7500) are pending" in plain[0]
    assert "150 points (R$0.3750) are taken back" in plain[3]
    assert "75 points (R$0.1875) are left by then" in plain[4]
    assert "are taken from what the customer earns next" in plain[4]
    assert "are waived" in waived[4]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "gift_card"}, "Customers earn in loyalty programs"),
        ({"relation_name": ""}, "Customers earn in loyalty programs"),
        ({"is_reloadable": False}, "must take more than one credit"),
    ],
)
def test_refuses_a_program_that_cannot_give(
    boss: Client, fields: dict[str, Any], words: str
) -> None:
    base: dict[str, Any] = {
        "kind": "loyalty",
        "relation_name": "loyalty-program",
        "is_reloadable": True,
    }
    program = make_program(**base | fields)

    answer = boss.post(at("loyalty_program_earning", program.pk), POLICY)

    assert words in str(errors(answer))
    assert not EarningPolicy.objects.exists()


def test_refuses_a_second_program_of_a_relation(boss: Client, program: Program) -> None:
    second = make_program(
        program.store, kind="loyalty", relation_name="loyalty-program", is_reloadable=True
    )

    answer = boss.post(at("loyalty_program_earning", second.pk), POLICY)

    assert "Another program has the same relation name" in str(errors(answer))


def test_a_rule_is_tried_with_a_chart_and_names(boss: Client, program: Program) -> None:
    rule = make_rule(program, on=False)
    ana = Identity.of(email="ana@example.com")
    earning.record(program.store, an_order(100_00, buyer=ana, buyer_name="Ana Souza"))
    earning.record(program.store, canceled(an_order(50_00)))
    url = at("loyalty_earningrule_try", rule.pk)

    boss.post(url, {"first_day": "2026-03-01", "last_day": "2026-03-31"})
    waiting = text(boss, url)
    assert jobs.run_next({Job.Kind.SIMULATE_RULE: simulation.chunk})
    shown = text(boss, url)

    assert "A worker is at it" in waiting
    assert "100 points (R$0.2500)" in shown
    assert "Ana Souza" in shown
    assert "The order was canceled" in shown
    assert '<svg class="chart"' in shown
    assert RuleSimulation.objects.get().job.requested_by is not None


@pytest.mark.parametrize(
    ("first", "last"), [("2026-03-02", "2026-03-01"), ("2025-01-01", "2026-03-01")]
)
def test_a_trial_refuses_a_window_that_makes_no_sense(
    boss: Client, program: Program, first: str, last: str
) -> None:
    url = at("loyalty_earningrule_try", make_rule(program, on=False).pk)

    answer = boss.post(url, {"first_day": first, "last_day": last})

    assert list(errors(answer)) == ["last_day"]
    assert not Job.objects.exists()


def test_the_customers_page_says_why_each_order_earned_or_not(
    boss: Client, program: Program
) -> None:
    make_rule(program, name="Real by real")
    make_rule(program, name="Welcome", first_order_only=True, priority=1)
    take(program.store, invoiced(an_order(100_00)), an_order(30_00, paid=START + DAY))
    customer = Customer.objects.get()

    shown = text(boss, at("loyalty_customer_change", customer.pk))

    assert "Real by real: given · 100 points (R$0.2500)" in shown
    assert "Welcome: it is not the customer&#x27;s first order<" in shown
    assert "200 points (R$0.5000)" in shown


def test_pages_of_orders_earnings_and_steps(boss: Client, program: Program) -> None:
    rule = make_rule(program)
    campaign = make_campaign(program)
    take(program.store, returned(an_order(100_00), 40_00))
    for model in (EarningRule, Campaign, ShopOrder, Earning, EarningMovement):
        name = f"loyalty_{model._meta.model_name}"
        text(boss, at(f"{name}_changelist"))
        for row in model._default_manager.all():
            text(boss, at(f"{name}_change", row.pk))

    page = text(boss, at("loyalty_program_earning", program.pk))
    assert rule.name in page
    assert campaign.name in page
    assert "60 points (R$0.1500)" in page


def test_an_order_that_was_only_announced_has_no_amounts(boss: Client, program: Program) -> None:
    earning.announce(program.store, ["1234567890123-01"])

    shown = text(boss, at("loyalty_shoporder_changelist"))

    assert "1234567890123-01" in shown
    assert "R$" not in shown


def test_more_orders_take_no_more_statements(
    boss: Client, program: Program, django_assert_max_num_queries: Any
) -> None:
    make_rule(program)
    take(program.store, *(invoiced(an_order(10_00)) for _ in range(6)))
    text(boss, at("loyalty_shoporder_changelist"))

    with django_assert_max_num_queries(25):
        text(boss, at("loyalty_shoporder_changelist"))
        text(boss, at("loyalty_earning_changelist"))


def test_orders_of_a_window_are_read_again_by_a_job(boss: Client, program: Program) -> None:
    url = at("loyalty_shoporder_again", program.store.pk)

    boss.post(url, {"first_day": "2026-03-01", "last_day": "2026-03-03"})

    job = Job.objects.get()
    assert (job.kind, job.total) == ("catch_up_orders", 3)
    assert job.parameters == {"store": program.store.pk, "first": "2026-03-01"}


def test_a_stores_page_says_until_when_its_orders_are_heard_and_what_hinders(
    db: None, boss: Client
) -> None:
    store = make_store()
    page = at("loyalty_store_change", store.pk)
    before = text(boss, page)
    half_an_hour = datetime.timedelta(minutes=30)
    listening = OrderListening.objects.create(store=store, heard_at=timezone.now())
    heard = text(boss, page)
    OrderListening.objects.update(heard_at=timezone.now() - half_an_hour)
    silent = text(boss, page)
    listening.heard_at, listening.problem = START, "VTEX answered 401."
    listening.save()
    hindered = text(boss, page)

    assert "heard until" not in before
    assert "heard until" in heard
    assert "heard until 03/02/2026 9 a.m." in hindered
    assert "Nobody has listened since." in silent
    assert "Nobody has listened since." not in heard + hindered
    assert "VTEX answered 401.<" in hindered
    assert "Look at the store&#x27;s keys of VTEX" in hindered
    assert at("loyalty_shoporder_again", store.pk) in hindered


def test_orders_are_read_again_only_by_whoever_may_run_jobs(db: None) -> None:
    store = make_store()
    viewer = Client()
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_store"]))
    viewer.force_login(user)

    page = text(viewer, at("loyalty_store_change", store.pk))

    assert at("loyalty_shoporder_again", store.pk) not in page
    assert viewer.get(at("loyalty_shoporder_again", store.pk)).status_code == 403
