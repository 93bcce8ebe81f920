"""A difference with a store in a real browser: found in the list, looked at, put right, noted."""

import datetime
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone

from loyalty import reconciliation
from loyalty.models import Discrepancy, GiftCard
from loyalty.order_sources import Window, WindowKind
from tests.browser.conftest import DeskOf
from tests.builders import buckets, make_program, make_store, make_wallet
from tests.loyalty.reconciliation.records import Records, make_debit, make_purchase, payment_of

DAY = datetime.timedelta(days=1)


@pytest.fixture
def card() -> GiftCard:
    """A card that VTEX gave 3.00 back to, which never came."""
    store, now = make_store(name="Casa Aurora"), timezone.now()
    bought = now - 5 * DAY
    with time_machine.travel(bought, tick=False):
        card = make_wallet(make_program(store), balance=10_000)
    records = Records(store)
    payment = payment_of(make_debit(card, at=bought), returned=Decimal("3.00"))
    records.add(make_purchase(payment, changed_at=bought), at=bought)
    reconciliation.run(store, Window(WindowKind.AUTHORIZED, bought - DAY, now), records)
    return card


def test_a_swallowed_refund_is_put_right_from_the_work_list(
    card: GiftCard, desk: DeskOf, boss: User
) -> None:
    at = desk(boss)

    at.page.click(".tiles a[href*='/discrepancy/']")
    at.page.wait_for_selector("text=Open differences by kind and age")
    at.check()
    at.page.click("#result_list a:has-text('another amount given back')")
    at.page.wait_for_url("**/change/**")
    at.check()
    at.page.click("text=Give back what is missing")
    at.page.wait_for_selector("text=See what changes")
    at.check()
    at.page.click("text=See what changes")
    at.page.wait_for_selector("text=This is what changes")
    at.check()
    at.page.click("button[name=confirm]")
    at.page.wait_for_selector("text=Something has moved since it was compared")

    assert buckets(card) == {"credited": 10_000, "available": 9_300, "spent": 700}
    assert at.complaints == []


def test_a_difference_is_ignored_for_a_reason_in_the_dark(
    card: GiftCard, desk: DeskOf, boss: User
) -> None:
    at = desk(boss, width=390, is_dark=True)
    difference = Discrepancy.objects.get()

    at.open(f"/admin/loyalty/discrepancy/{difference.pk}/change/")
    at.check()
    at.page.fill("textarea[name=because]", "Paid back in cash.")
    at.page.click("button[name=ignore]")
    at.page.wait_for_selector("text=Ignore it no longer")
    at.check()

    difference.refresh_from_db()
    assert (difference.status, difference.ignored_because) == ("ignored", "Paid back in cash.")


@pytest.mark.parametrize(("width", "is_dark"), [(1400, False), (390, True)])
def test_the_ways_to_a_comparison_are_accessible(
    card: GiftCard, desk: DeskOf, boss: User, width: int, *, is_dark: bool
) -> None:
    at = desk(boss, language="pt-BR", width=width, is_dark=is_dark)
    run = card.store.reconciliation_runs.get()

    for path in (
        "/admin/loyalty/reconciliationrun/",
        f"/admin/loyalty/reconciliationrun/{run.pk}/change/",
        "/admin/loyalty/reconciliationrun/start/",
        "/admin/loyalty/reconciliationrun/upload/",
        "/admin/giftcard_provider/vtexkeys/set/",
    ):
        at.open(path)
        at.check()
        assert not at.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        ), f"{path} is wider than the screen"
