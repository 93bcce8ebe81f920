"""The main ways of staff in a real browser: no console message, nothing that axe objects to."""

import pytest
from django.contrib.auth.models import User

from loyalty.models import Approval, GiftCard
from tests.browser.conftest import Desk, DeskOf, confirm, make_person, preview
from tests.builders import buckets, make_card, make_customer, make_program, make_store, make_wallet


def adjust(desk: Desk, card: GiftCard, amount: str) -> None:
    desk.open(f"/admin/loyalty/giftcard/{card.pk}/do/adjust/")
    desk.page.check("input[name=direction][value=up]")
    desk.page.fill("input[name=amount]", amount)
    desk.page.select_option("select[name=reason]", "correction")
    desk.page.fill("textarea[name=note]", "typo")
    preview(desk)
    confirm(desk)


@pytest.mark.parametrize(
    ("language", "is_dark", "width"), [("pt-BR", False, 1400), ("es", True, 390)]
)
def test_a_card_is_found_by_its_code_and_corrected(
    desk: DeskOf, boss: User, language: str, is_dark: bool, width: int
) -> None:
    card = make_wallet(make_program(make_store()), balance=1000)
    at = desk(boss, language=language, is_dark=is_dark, width=width)

    at.page.fill("#site-search", card.code)
    at.page.press("#site-search", "Enter")
    at.page.wait_for_url(f"**/giftcard/{card.pk}/change/")
    at.check()
    adjust(at, card, "5,00")

    assert buckets(card)["available"] == 1500
    assert card.code not in at.page.url


def test_above_the_limit_another_person_approves(desk: DeskOf) -> None:
    card = make_card(make_program(make_store()), balance=1000)
    clerk = make_person("adjust_card", "view_giftcard", "view_approval", per_action=100)
    decider = make_person("decide_approval", "view_approval", "view_giftcard")

    adjust(desk(clerk), card, "5.00")
    assert buckets(card)["available"] == 1000
    at = desk(decider)
    at.open(f"/admin/loyalty/approval/{Approval.objects.get().pk}/change/")
    at.check()
    at.page.click("button[name=approve]")
    at.page.wait_for_selector(".messagelist")
    at.check()

    assert buckets(card)["available"] == 1500


def test_the_pages_of_every_day_are_accessible(desk: DeskOf, boss: User) -> None:
    store = make_store()
    owner = make_customer(store)
    make_wallet(make_program(store), balance=1000, owner=owner)
    at = desk(boss, language="pt-BR")

    for path in (
        "/admin/",
        "/admin/why-not/",
        f"/admin/loyalty/customer/{owner.pk}/change/",
        f"/admin/loyalty/customer/{owner.pk}/do/give/",
        "/admin/loyalty/approval/",
        "/admin/loyalty/importfile/",
    ):
        at.open(path)
        at.check()
