"""Merging two customers as staff do it: nothing to complain about on a narrow screen."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from loyalty.models import Approval, Customer, CustomerMerge, Program
from tests.browser.conftest import PASSWORD, Desk
from tests.builders import (
    make_card,
    make_credit,
    make_customer,
    make_hold,
    make_points_program,
    make_program,
    make_store,
    make_wallet,
)


@pytest.fixture
def ana() -> Customer:
    """Somebody known by e-mail, with points, a card and a purchase under way."""
    store = make_store(name="Loja Aurora")
    blank = {"profile_id": "", "corporate_document": ""}
    ana = make_customer(store, **blank, document="", email="ana@example.com", name="Ana Souza")
    twin = make_customer(
        store, **blank, document="52998224725", email="ana.souza@work.example", name="Ana M. Souza"
    )
    points = make_points_program(store, name="Aurora Pontos", relation_name="loyalty-program")
    wallet = make_wallet(points, owner=ana)
    make_credit(wallet, 120 * 25, origin="earning")
    make_hold(wallet, 20 * 25)
    make_wallet(points, owner=twin, balance=7 * 25)
    gifts = make_program(store, kind=Program.Kind.GIFT_CARD, name="Vale-presente")
    make_card(gifts, owner=ana, balance=150_00)
    return ana


def test_asked_by_one_and_decided_by_another(
    desk: Callable[..., Desk], boss: User, ana: Customer
) -> None:
    width = 390
    other = User.objects.create_superuser("other", password=PASSWORD)
    twin = Customer.objects.get(document="52998224725")
    asks = desk(boss, language="pt-BR", width=width, is_dark=True)
    decides = desk(other, language="pt-BR", width=width)

    def seen(seat: Desk) -> None:
        seat.check()
        assert seat.page.evaluate("document.documentElement.scrollWidth") <= width

    page = asks.open(reverse("admin:loyalty_customer_change", args=[ana.pk]))
    page.get_by_role("link", name="Unir a outro cliente").click()
    seen(asks)
    page.fill("[name=other]", "529.982.247-25")
    page.check("[name=stays][value=other]")
    page.select_option("[name=reason]", "correction")
    page.fill("[name=note]", "Ligou com os dois cadastros.")
    page.click("form.form-page [type=submit]")
    page.wait_for_selector("[name=confirm]")
    seen(asks)
    page.click("[name=confirm]")
    page.wait_for_url("**/approval/**")

    approval = Approval.objects.get()
    decided = decides.open(reverse("admin:loyalty_approval_change", args=[approval.pk]))
    seen(decides)
    decided.click("[name=approve]")
    decided.wait_for_selector(".messagelist, .success")
    assert CustomerMerge.objects.get().into == twin

    for customer in (ana, twin):
        asks.open(reverse("admin:loyalty_customer_change", args=[customer.pk]))
        seen(asks)
    asks.open(reverse("admin:loyalty_customer_action", args=[ana.pk, "unmerge"]))
    page.select_option("[name=reason]", "correction")
    page.fill("[name=note]", "Eram duas pessoas.")
    page.click("form.form-page [type=submit]")
    page.wait_for_selector("[name=confirm]")
    seen(asks)
    page.click("[name=confirm]")
    page.wait_for_url("**/change/")
    assert CustomerMerge.objects.get().undone_at
