import datetime
import re
import zlib
from base64 import a85decode
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty import codes
from loyalty.admin.printing import PrintedCard, pdf_of
from loyalty.models import AuditEvent, GiftCard
from tests.builders import make_card, make_program, make_store, unchanged
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db

SignedIn = Callable[[User], Client]
WHY = {"reason": "customer_service", "note": "lost the e-mail"}


def address(card: GiftCard, page: str = "reveal") -> str:
    return reverse(f"admin:loyalty_giftcard_{page}", args=[card.pk])


def text_of(pdf: bytes) -> str:
    """The letters on the page, without what places them."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    found = [zlib.decompress(a85decode(b"<~" + each.strip(), adobe=True)) for each in streams]
    return b"\n".join(found).decode("latin-1")


@pytest.fixture
def clerk(signed_in: SignedIn) -> Client:
    return signed_in(make_staff("reveal_code", "view_giftcard"))


def test_the_code_is_shown_after_a_reason_and_leaves_a_trace(clerk: Client) -> None:
    card = make_card(balance=1000)

    asked = clerk.get(address(card))
    with unchanged(card):
        shown = clerk.post(address(card), WHY)

    assert codes.grouped(card.code) not in asked.content.decode()
    assert codes.grouped(card.code) in shown.content.decode()
    assert shown.headers["Cache-Control"].startswith("no-store")
    event = AuditEvent.objects.get(action="reveal")
    assert (event.card, event.reason, event.note) == (card, *WHY.values())
    assert card.code not in str(event.__dict__)


def test_without_a_reason_nothing_is_shown(clerk: Client) -> None:
    card = make_card(balance=1000)

    answer = clerk.post(address(card), {"reason": "", "note": "x"})

    assert codes.grouped(card.code) not in answer.content.decode()
    assert "reason" in answer.context["form"].errors
    assert not AuditEvent.objects.filter(action="reveal").exists()


def test_an_imported_code_is_shown_to_the_letter(clerk: Client) -> None:
    card = make_card(imported_code="Natal-2026-aBc")

    assert "Natal-2026-aBc" in clerk.post(address(card), WHY).content.decode()


@pytest.mark.parametrize("page", ["reveal", "print"])
def test_without_the_permission_it_is_refused(signed_in: SignedIn, page: str) -> None:
    card = make_card(balance=1000)
    client = signed_in(make_staff("view_giftcard"))

    assert client.get(address(card, page)).status_code == 403
    assert client.post(address(card, page), WHY).status_code == 403
    assert not AuditEvent.objects.filter(action__in=["reveal", "print"]).exists()


@pytest.mark.parametrize("page", ["reveal", "print"])
def test_the_password_is_asked_for_again(page: str) -> None:
    card = make_card(balance=1000)
    client = Client()
    client.force_login(make_staff("reveal_code", "view_giftcard"))

    answer = client.post(address(card, page), WHY)

    assert answer.headers["Location"].startswith(reverse("admin:confirm_password"))
    assert not AuditEvent.objects.filter(action__in=["reveal", "print"]).exists()


def test_the_card_is_printed_with_all_that_a_shopper_needs(clerk: Client) -> None:
    store = make_store(name="Casa Aurora Decoração")
    program = make_program(store, caption="Vale-presente", terms="Válido na loja <online>.")
    last = store.last_instant(datetime.date(2099, 12, 31))
    card = make_card(program, balance=12345, expires_at=last)

    answer: Any = clerk.post(address(card, "print"), WHY)

    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Cache-Control"].startswith("no-store")
    text = text_of(answer.content)
    for words in ("Vale-presente", "R$123.45", "12/31/2099", codes.grouped(card.code)):
        assert words in text, words
    assert AuditEvent.objects.filter(action="print", card=card).count() == 1


def test_the_same_card_prints_the_same_bytes_and_another_code_does_not() -> None:
    card = PrintedCard("Loja", "Vale", "R$ 1,00", "Sem fim", "ABCD-EFGH")
    other = PrintedCard("Loja", "Vale", "R$ 1,00", "Sem fim", "ABCD-EFGJ")

    assert pdf_of(card) == pdf_of(card)
    assert pdf_of(card) != pdf_of(other)
    assert pdf_of(card).startswith(b"%PDF")


def test_the_page_of_a_card_leads_there_for_whoever_may(clerk: Client, signed_in: SignedIn) -> None:
    card = make_card(balance=1000)
    page = reverse("admin:loyalty_giftcard_change", args=[card.pk])

    assert address(card) in clerk.get(page).content.decode()
    viewer = signed_in(make_staff("view_giftcard"))
    assert address(card) not in viewer.get(page).content.decode()
