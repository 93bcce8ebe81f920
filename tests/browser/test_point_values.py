"""Changing a point value, from the program's page to its history: accessible all the way."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from loyalty.models import Program
from tests.browser.conftest import Desk, make_person, work
from tests.builders import make_hold, make_wallet
from tests.loyalty.earning.builders import make_earning_program, make_scheme


@pytest.fixture
def program() -> Program:
    """Members with 40 to 2,000 points, one of them with a purchase under way."""
    program = make_earning_program(unit_name="pontos", name="Aurora Pontos")
    make_scheme(program, basis="points")
    for points in (40, 350, 1200, 2000):
        wallet = make_wallet(program, balance=25 * points)
    make_hold(wallet, 2500)
    return program


@pytest.mark.parametrize(("width", "is_dark"), [(1400, False), (390, True)])
def test_a_point_value_is_changed(
    desk: Callable[..., Desk], program: Program, width: int, *, is_dark: bool
) -> None:
    person = make_person(
        *("add_pointvaluechange", "view_pointvaluechange", "view_program", "view_job"),
        *("view_giftcard", "view_approval"),
        per_action=1000_00,
    )
    seat = desk(person, language="pt-BR", width=width, is_dark=is_dark)
    page = seat.open(reverse("admin:loyalty_program_change", args=[program.pk]))
    page.click("text=Mudar o valor do ponto")
    seat.check()
    picture(page, "form", width)

    page.fill("[name=value]", "0,0010")
    page.check("[name=policy][value=keep_points]")
    page.select_option("[name=reason]", "campaign")
    page.fill("[name=note]", "A partir de julho")
    page.click("text=Ver o que muda")
    page.wait_for_selector("text=As duas políticas")
    assert page.locator("svg.chart").count() == 2
    seat.check()
    picture(page, "preview", width)

    page.click("[name=confirm]")
    page.wait_for_selector("text=Ajuste dos vales")
    picture(page, "under-way", width)
    work()
    page.wait_for_selector("text=4 de 4 (100%)")
    page.reload()
    seat.check()
    picture(page, "done", width)

    page = seat.open(reverse("admin:loyalty_program_change", args=[program.pk]))
    assert page.locator("text=os pontos ficam, o dinheiro é ajustado").count() == 1
    seat.check()
    picture(page, "program", width)


def picture(page: Page, name: str, width: int) -> None:
    """For whoever wants to look at it: `PICTURES` names a folder."""
    if folder := os.environ.get("PICTURES"):
        Path(folder).mkdir(exist_ok=True)
        page.screenshot(path=f"{folder}/{name}-{width}.png", full_page=True)
