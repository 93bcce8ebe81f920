"""The pages of loyalty programs: nothing to complain about, wide and narrow, light and dark."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from loyalty import earning, jobs
from loyalty.earning import simulation
from loyalty.models import Customer, Job, Program
from tests.browser.conftest import Desk
from tests.loyalty.earning.builders import (
    DAY,
    START,
    an_order,
    canceled,
    invoiced,
    make_campaign,
    make_earning_program,
    make_rule,
    make_scheme,
    returned,
    take,
)


@pytest.fixture
def program() -> Program:
    """A program that gave something, and a draft that was tried."""
    program = make_earning_program(unit_name="pontos", name="Aurora Pontos")
    make_rule(program, name="10 pontos por real", points=10)
    make_rule(program, name="Primeira compra", points=20, first_order_only=True, priority=50)
    make_campaign(program, name="Semana Aurora", budget=10**6 * 25)
    make_scheme(program)
    take(
        program.store,
        returned(an_order(219_90), 49_90),
        invoiced(an_order(89_90, paid=START + 3 * DAY)),
        canceled(an_order(59_90, paid=START + 5 * DAY)),
        an_order(149_90, paid=START + 40 * DAY),
    )
    draft = make_rule(program, on=False, name="Pix em dobro", points=20)
    simulation.simulate(draft, START.date(), START.date() + 20 * DAY, by=None)
    assert jobs.run_next({Job.Kind.SIMULATE_RULE: simulation.chunk})
    return program


@pytest.mark.parametrize(("width", "is_dark"), [(1400, False), (390, True)])
def test_every_page(
    desk: Callable[..., Desk], boss: User, program: Program, width: int, *, is_dark: bool
) -> None:
    seat = desk(boss, language="pt-BR", width=width, is_dark=is_dark)
    draft = program.earning_rules.get(name="Pix em dobro")
    for name, row in (
        ("program_earning", program),
        ("earningrule_new", program),
        ("earningrule_change", draft),
        ("earningrule_try", draft),
        ("campaign_change", program.campaigns.get()),
        ("shoporder_change", program.store.shop_orders.earliest("pk")),
        ("customer_change", Customer.objects.get()),
    ):
        page = seat.open(reverse(f"admin:loyalty_{name}", args=[row.pk]))

        seat.check()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize(("width", "is_dark"), [(1300, True), (390, False)])
def test_the_figures_of_a_program(
    desk: Callable[..., Desk], boss: User, program: Program, width: int, *, is_dark: bool
) -> None:
    seat = desk(boss, language="pt-BR", width=width, is_dark=is_dark)
    for name in ("program_figures", "program_members"):
        page = seat.open(f"{reverse(f'admin:{name}')}?program={program.pk}&first=2026-01-01")

        seat.check()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize(("width", "is_dark"), [(1300, False), (390, True)])
def test_the_pages_of_tiers(
    desk: Callable[..., Desk], boss: User, program: Program, width: int, *, is_dark: bool
) -> None:
    seat = desk(boss, language="pt-BR", width=width, is_dark=is_dark)
    customer, draft = Customer.objects.get(), make_scheme(program, on=False)
    earning.grant(
        program,
        customer,
        tier="Gold",
        until=timezone.now() + 90 * DAY,
        reason="Entrega atrasada",
        by=boss,
        request_id="granted",
    )
    for name, row in (
        ("customer_tier", customer),
        ("tierscheme_new", program),
        ("tierscheme_edit", draft),
        ("tierscheme_switch", draft),
        ("tierscheme_change", program.tier_schemes.earliest("pk")),
        *((f"{model}_changelist", None) for model in ("tierscheme", "tierstanding")),
        *((f"{model}_changelist", None) for model in ("tierchange", "tiergrant")),
    ):
        page = seat.open(reverse(f"admin:loyalty_{name}", args=[row.pk] if row else []))

        seat.check()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
