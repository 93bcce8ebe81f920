"""What a message says: exact amounts and days, in the reader's language, and only as text."""

import datetime
import re
from html.parser import HTMLParser

import pytest
import time_machine
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from loyalty import codes, notifications
from loyalty.models import MessageText, Notification, Program, Store
from tests.builders import (
    make_card,
    make_credit,
    make_customer,
    make_points_program,
    make_purchase,
    make_store,
    make_wallet,
)
from tests.loyalty.notifications.builders import (
    ALL_ON,
    make_announced_card,
    make_announced_wallet,
    make_writing_program,
)
from tests.loyalty.staff import acting, make_staff

pytestmark = pytest.mark.django_db


class Tags(HTMLParser):
    """The tags of a document, and what its links lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attributes if name in {"href", "src"}]


def sent() -> EmailMultiAlternatives:
    """The one message that was sent."""
    notifications.send_due()
    [email] = mail.outbox
    assert isinstance(email, EmailMultiAlternatives)
    return email


def html_of(email: EmailMultiAlternatives) -> str:
    [(content, kind)] = email.alternatives
    assert kind == "text/html"
    return str(content)


def text_of(email: EmailMultiAlternatives) -> str:
    """With plain spaces, as people read it."""
    return str(email.body).replace("\u00a0", " ")


def test_a_card_with_a_link() -> None:
    program = make_writing_program(validity_days=30)
    with time_machine.travel(datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC), tick=False):
        card = make_announced_card(program, make_customer(program.store, name="Ana Souza"))
        email = sent()

    assert text_of(email).startswith(
        "Hello Ana Souza,\n\nCasa Aurora has given you a gift card of R$50.00,"
        " valid until Dec. 1, 2026.\n\nTo pay with it, type its code at checkout.\n"
    )
    assert f"Card: {card}\n" in text_of(email)
    [link] = re.findall(r"https://credit\.example/card/\S+", text_of(email))
    assert link in Tags(html_of(email)).links
    assert "List-Unsubscribe" not in email.extra_headers


def test_a_card_with_its_code() -> None:
    card = make_announced_card(make_writing_program(code_in_message="code"))

    email = sent()

    assert f"Your code: {codes.grouped(card.code)}\n" in text_of(email)
    assert codes.grouped(card.code) in html_of(email)
    assert "https://" not in text_of(email)
    assert card.code not in email.subject


def test_credit_with_what_is_usable_now() -> None:
    wallet = make_announced_wallet()
    make_wallet(make_writing_program(), balance=1)
    make_credit(wallet, 100_00, expires_at=timezone.now() + datetime.timedelta(days=365))
    make_purchase(wallet, 30_00)
    Notification.objects.filter(kind="issued").update(status="failed")

    email = sent()

    assert email.subject == "You received R$100.00 at Casa Aurora"
    assert "Amount: R$100.00\nUsable now: R$70.00\n" in text_of(email)


def test_points_are_told_as_points() -> None:
    store = make_store(language="en")
    program = make_points_program(store, **ALL_ON)
    wallet = make_wallet(program, owner=make_customer(store))
    make_credit(wallet, 1000 * 25)

    assert sent().subject.startswith("You received 1,000 ponto (R$2.50) at ")


@pytest.mark.parametrize(
    ("language", "subject", "lang"),
    [
        ("pt-br", "Você tem R$ 1.234,50 para gastar em Casa Aurora", "pt-br"),
        ("es", "Tienes R$1.234,50 para gastar en Casa Aurora", "es"),
        ("en", "You have R$1,234.50 to spend at Casa Aurora", "en"),
    ],
)
def test_in_the_customers_language(language: str, subject: str, lang: str) -> None:
    program = make_writing_program(make_store(name="Casa Aurora", language="en"))
    make_announced_card(program, make_customer(program.store, language=language), balance=1_234_50)

    email = sent()

    assert email.subject == subject
    assert f'<html lang="{lang}">' in html_of(email)
    assert Notification.objects.get().language == language


def test_in_the_stores_language_when_the_customers_is_not_known() -> None:
    program = make_writing_program(make_store(name="Casa Aurora", language="es"))
    make_announced_card(program)

    assert sent().subject == "Tienes R$50,00 para gastar en Casa Aurora"


def test_a_programs_own_words() -> None:
    program = make_writing_program()
    MessageText.objects.create(
        program=program,
        kind="issued",
        language="en",
        subject="{store}: {amount}",
        body="Dear {name},\r\n\r\nspend {amount}.\r\nSoon.",
    )
    make_announced_card(program, make_customer(program.store, name="Ana"))

    email = sent()

    assert email.subject == "Casa Aurora: R$50.00"
    assert text_of(email).startswith("Dear Ana,\n\nspend R$50.00.\nSoon.\n")
    assert "<p>Dear Ana,</p>" in html_of(email)


def test_whatever_is_typed_stays_text() -> None:
    evil = '<script>alert(1)</script>{{ 7 }}<img src="//evil.example">'
    program = make_writing_program(caption=evil[:100])
    MessageText.objects.create(
        program=program, kind="issued", language="en", subject="x\ny", body=f"{evil} {{name}}"
    )
    make_announced_card(program, make_customer(program.store, name="<b>Ana</b>\nBcc: x"))

    email = sent()

    tags = Tags(html_of(email))
    assert {"script", "img", "b"}.isdisjoint(tags.tags)
    assert "&lt;script&gt;" in html_of(email)
    assert "{{ 7 }}" in text_of(email)
    assert email.subject == "x y"


def test_the_html_asks_nobody_for_anything() -> None:
    """No picture that tells when it was opened, no font, no style from elsewhere."""
    make_announced_card()

    tags = Tags(html_of(sent()))

    assert {"img", "link", "script", "style", "iframe", "form"}.isdisjoint(tags.tags)
    assert all(link.startswith("https://credit.example/card/") for link in tags.links)


def test_a_statement_lists_the_cards_and_their_latest_movements() -> None:
    store = make_store(name="Casa Aurora", language="en")
    program = make_program_named(store, "Gift card")
    ana = make_customer(store, name="Ana Souza")
    with time_machine.travel(datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC), tick=False):
        card = make_card(program, balance=100_00, owner=ana)
    with time_machine.travel(datetime.datetime(2026, 11, 2, 12, tzinfo=datetime.UTC), tick=False):
        make_purchase(card, 30_00)
        make_card(program, balance=1, owner=make_customer(store))
        notifications.request_statement(ana, token="t", actor=acting(make_staff()))

        email = sent()

    assert email.subject == "Your credit at Casa Aurora"
    assert (
        f"Gift card {card}\nUsable now: R$70.00, without an end date\n"
        "  11/02/2026  Purchase  \u2212R$30.00\n  11/01/2026  Credit  +R$100.00\n"
    ) in text_of(email)
    assert text_of(email).count("Usable now") == 1
    assert card.code not in html_of(email)


def make_program_named(store: Store, caption: str) -> Program:
    return make_writing_program(store, caption=caption, announces_issue=False)
