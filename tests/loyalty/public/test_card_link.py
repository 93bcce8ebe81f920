"""The code of a card by the link of a message: for its owner, for a while, and when asked for."""

import datetime

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from loyalty import codes
from loyalty.models import AuditEvent, GiftCard
from loyalty.notifications.links import CARD_LINK_LASTS, card_link, unsubscribe_link
from loyalty.public.views import MOST_SHOWN, WINDOW
from tests.builders import (
    buckets,
    make_blocked_card,
    make_change_of_owner,
    make_customer,
    make_purchase,
)
from tests.loyalty.admin.test_pages import Inline
from tests.loyalty.notifications.builders import make_announced_card, make_writing_program

pytestmark = pytest.mark.django_db


@pytest.fixture
def card() -> GiftCard:
    program = make_writing_program(terms="Valid <online> only.")
    return make_announced_card(program)


def address_of(card: GiftCard) -> str:
    return card_link(card).removeprefix("https://credit.example")


def test_opening_the_link_shows_what_the_card_is_worth_and_no_code(
    client: Client, card: GiftCard
) -> None:
    make_purchase(card, 20_00)

    text = client.get(address_of(card)).content.decode()

    assert "R$30.00" in text
    assert "Casa Aurora" in text
    assert "Valid &lt;online&gt; only." in text
    assert card.code not in text
    assert codes.grouped(card.code) not in text
    assert not AuditEvent.objects.exists()


def test_the_button_shows_the_code_and_leaves_a_trace(client: Client, card: GiftCard) -> None:
    before = buckets(card)

    answer = client.post(address_of(card))

    assert codes.grouped(card.code) in answer.content.decode()
    event = AuditEvent.objects.get()
    assert (event.action, event.card, event.customer) == ("code_opened", card, card.owner)
    assert (event.user, event.address) == (None, None)
    assert card.code not in str(event.__dict__)
    assert buckets(card) == before


def test_an_imported_code_is_shown_to_the_letter(client: Client) -> None:
    card = make_announced_card(imported_code="Natal-2026-aBc")

    assert "Natal-2026-aBc" in client.post(address_of(card)).content.decode()


def test_the_button_needs_the_page_that_it_is_on(card: GiftCard) -> None:
    client = Client(enforce_csrf_checks=True)

    assert client.post(address_of(card)).status_code == 403

    assert not AuditEvent.objects.exists()


def test_it_is_not_shown_without_end(client: Client, card: GiftCard) -> None:
    statuses = [client.post(address_of(card)).status_code for _ in range(MOST_SHOWN + 2)]

    assert statuses == [200] * MOST_SHOWN + [429] * 2
    last = client.post(address_of(card))
    assert codes.grouped(card.code) not in last.content.decode()
    assert AuditEvent.objects.count() == MOST_SHOWN
    later = timezone.now() + WINDOW + datetime.timedelta(minutes=1)
    with time_machine.travel(later, tick=False):
        assert client.post(address_of(card)).status_code == 200


def assert_gone(client: Client, address: str) -> None:
    for answer in (client.get(address), client.post(address)):
        assert answer.status_code == 404
        assert "R$" not in answer.content.decode()
    assert not AuditEvent.objects.filter(action="code_opened").exists()


def test_after_its_time_it_leads_nowhere(client: Client, card: GiftCard) -> None:
    address = address_of(card)

    almost = timezone.now() + CARD_LINK_LASTS - datetime.timedelta(minutes=1)
    with time_machine.travel(almost, tick=False):
        assert client.get(address).status_code == 200
    with time_machine.travel(almost + datetime.timedelta(minutes=2), tick=False):
        assert_gone(client, address)


def test_a_card_that_went_to_somebody_else_is_not_shown(client: Client, card: GiftCard) -> None:
    address = address_of(card)
    make_change_of_owner(card, make_customer(card.store))

    assert_gone(client, address)


def test_a_closed_card_is_not_shown_and_a_blocked_one_is(client: Client) -> None:
    program = make_writing_program()
    blocked = make_blocked_card(program, balance=100, owner=make_customer(program.store))
    address = address_of(blocked)
    assert client.get(address).status_code == 200

    GiftCard.objects.filter(pk=blocked.pk).update(status="closed")

    assert_gone(client, address)


@pytest.mark.parametrize("end", ["", "x"], ids=["cut", "changed"])
def test_a_spoiled_link_leads_nowhere(client: Client, card: GiftCard, end: str) -> None:
    assert_gone(client, f"{address_of(card)[:-2]}{end}/")


def test_links_of_reminders_are_of_another_kind(client: Client, card: GiftCard) -> None:
    assert card.owner
    token = unsubscribe_link(card.owner).rstrip("/").rpartition("/")[2]

    assert_gone(client, f"/card/{token}/")


def test_nobody_keeps_finds_or_passes_on_the_page(client: Client, card: GiftCard) -> None:
    for answer in (client.get(address_of(card)), client.post(address_of(card))):
        assert "no-store" in answer["Cache-Control"]
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["X-Frame-Options"] == "DENY"
        assert Inline(answer.content.decode()).refused == []
