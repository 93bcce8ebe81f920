"""Credit and refunds by hand in a real browser, and that nothing is done twice by it."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Error, expect

from loyalty.ledger.invariants import violations
from loyalty.models import GiftCard
from tests.browser.conftest import Desk, DeskOf, confirm, make_person, preview
from tests.builders import (
    buckets,
    make_card,
    make_customer,
    make_hold,
    make_program,
    make_purchase,
    make_store,
    make_wallet,
)
from tests.giftcard_provider.conftest import make_protocol


def fill_adjustment(desk: Desk, card: GiftCard, *, down: str) -> None:
    desk.open(f"/admin/loyalty/giftcard/{card.pk}/do/adjust/")
    desk.page.check("input[name=direction][value=down]")
    desk.page.fill("input[name=amount]", down)
    desk.page.select_option("select[name=reason]", "correction")
    desk.page.fill("textarea[name=note]", "typed twice")


def test_an_order_is_found_by_its_number(desk: DeskOf, boss: User) -> None:
    card = make_card(make_program(make_store()), balance=5_000)
    make_purchase(card, 3_000, order_id="1402310500123-01")
    at = desk(boss, language="pt-BR")

    at.page.fill("#site-search", "1402310500123-01")
    at.page.press("#site-search", "Enter")
    at.page.wait_for_url("**/order/1402310500123-01/")
    at.check()
    at.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    at.page.click("button[data-copies]")
    expect(at.page.locator("button[data-copies]")).to_have_text("Copiado")

    copied = at.page.evaluate("navigator.clipboard.readText()")
    assert "R$ 30,00" in copied


def test_a_customer_is_found_by_document_and_given_credit(desk: DeskOf) -> None:
    store = make_store()
    program = make_program(store, name="Vale-troca", kind="return_credit")
    owner = make_customer(store, document="12345678909")
    clerk = make_person(
        *("credit_card", "issue_card", "view_customer", "view_giftcard"), per_action=5_000
    )
    at = desk(clerk, language="pt-BR")

    at.page.fill("#site-search", "123.456.789-09")
    at.page.press("#site-search", "Enter")
    at.page.wait_for_url(f"**/customer/{owner.pk}/change/")
    at.check()
    at.page.click(f"a[href$='/customer/{owner.pk}/do/give/']")
    at.page.select_option("select[name=destination]", f"program-{program.pk}")
    at.page.fill("input[name=amount]", "35,90")
    at.page.select_option("select[name=reason]", "return")
    preview(at)
    confirm(at)

    card = GiftCard.objects.get()
    assert (card.owner, card.program) == (owner, program)
    assert buckets(card) == {"credited": 3_590, "available": 3_590}


def test_a_refund_by_hand_is_a_cancellation_to_vtex(desk: DeskOf, boss: User) -> None:
    store = make_store()
    card = make_card(make_program(store), balance=5_000)
    debit = make_purchase(card, 3_000, order_id="1402310500123-01")
    at = desk(boss)

    at.open(f"/admin/loyalty/transaction/{debit.pk}/change/")
    at.check()
    at.page.click("a[href$='/do/cancel/']")
    at.page.fill("input[name=amount]", "12.50")
    at.page.select_option("select[name=reason]", "return")
    preview(at)
    confirm(at)

    path = f"giftcards/{card.public_id}/transactions/{debit.public_id}/cancellations"
    listed = make_protocol(store).get(path).data
    assert [str(each["value"]) for each in listed] == ["12.50"]
    assert buckets(card) == {"credited": 5_000, "available": 3_250, "spent": 1_750}


def test_a_double_click_does_it_once(desk: DeskOf, boss: User) -> None:
    card = make_wallet(make_program(make_store()), balance=1_000)
    at = desk(boss)

    fill_adjustment(at, card, down="1.00")
    preview(at)
    at.page.dblclick("button[name=confirm]")
    at.page.wait_for_selector(".messagelist")

    assert buckets(card) == {"credited": 1_000, "available": 900, "removed": 100}


def test_the_back_button_sends_nothing_again(desk: DeskOf, boss: User) -> None:
    card = make_wallet(make_program(make_store()), balance=1_000)
    at = desk(boss)
    fill_adjustment(at, card, down="1.00")
    preview(at)
    confirm(at)

    # The browser keeps no page of the back office: it would have to ask before it sends the form.
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        at.page.go_back()

    assert buckets(card) == {"credited": 1_000, "available": 900, "removed": 100}


def test_of_two_tabs_the_second_sees_what_the_first_did(desk: DeskOf, boss: User) -> None:
    card = make_wallet(make_program(make_store()), balance=1_000)
    first, second = desk(boss), desk(boss)
    for at in (first, second):
        fill_adjustment(at, card, down="6.00")
        preview(at)

    confirm(first)
    second.page.click("button[name=confirm]")
    second.page.wait_for_selector(".errornote, .notice-bad, .errorlist")
    second.check()

    assert buckets(card) == {"credited": 1_000, "available": 400, "removed": 600}


def test_a_purchase_between_look_and_confirmation_shows_the_new_figures_first(
    desk: DeskOf, boss: User
) -> None:
    card = make_wallet(make_program(make_store()), balance=1_000)
    at = desk(boss)
    fill_adjustment(at, card, down="1.00")
    preview(at)

    make_hold(card, 300)
    said = confirm(at)
    assert "Something changed since you looked." in said
    assert buckets(card) == {"credited": 1_000, "available": 700, "held": 300}
    confirm(at)

    assert buckets(card) == {"credited": 1_000, "available": 600, "held": 300, "removed": 100}
    assert violations([card.pk]) == []
