"""The delivery log, a customer's messages, and a program's own words with preview and test."""

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.urls import reverse

from loyalty import codes, notifications
from loyalty.models import AuditEvent, Customer, MessageText, Notification, Program
from tests.builders import make_customer, make_program, make_store
from tests.loyalty.admin.test_pages import Inline
from tests.loyalty.notifications.builders import (
    make_announced_card,
    make_telling_program,
    make_writing_program,
)
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db

SignedIn = Callable[[User], Client]
WORDS = {"subject": "{store}: {amount}", "body": "Dear {name},\n\nspend {amount}."}


def log(name: str, *arguments: object) -> str:
    return reverse(f"admin:loyalty_notification_{name}", args=arguments)


def words_of(program: Program, kind: str = "issued", language: str = "en") -> str:
    return reverse("admin:loyalty_program_words", args=[program.pk, kind, language])


def preview_of(program: Program, kind: str = "issued", language: str = "en") -> str:
    return reverse("admin:loyalty_program_preview", args=[program.pk, kind, language])


def messages_of(row: Customer | Program) -> str:
    return reverse(f"admin:loyalty_{row._meta.model_name}_messages", args=[row.pk])


@pytest.fixture
def clerk(signed_in: SignedIn) -> Client:
    wanted = ("view_notification", "send_message", "view_customer", "change_customer")
    return signed_in(make_staff(*wanted))


@pytest.fixture
def editor(signed_in: SignedIn) -> Client:
    return signed_in(make_staff("view_program", "change_program", email="ines@store.example"))


# --- The log -------------------------------------------------------------------------------------


def test_the_log_shows_what_became_of_each_message(clerk: Client) -> None:
    program = make_writing_program()
    make_announced_card(program)
    make_announced_card(program, make_customer(program.store, email=""))
    notifications.send_due()

    rows = clerk.get(log("changelist")).content.decode()
    [skipped] = Notification.objects.filter(status="skipped")
    page = clerk.get(log("change", skipped.pk)).content.decode()

    assert "badge-good" in rows
    assert ">sent</span>" in rows
    assert ">not sent</span>" in rows
    assert "no usable e-mail address is known" in page


@pytest.mark.parametrize(
    ("filters", "count"),
    [({"status__exact": "sent"}, 1), ({"kind__exact": "credited"}, 0), ({"status__exact": "x"}, 0)],
)
def test_the_log_is_filtered(clerk: Client, filters: dict[str, str], count: int) -> None:
    make_announced_card()
    notifications.send_due()

    answer = clerk.get(log("changelist"), filters)

    assert len(answer.context["cl"].result_list) == count


def test_the_log_says_when_there_is_no_mail_server(clerk: Client, settings: object) -> None:
    assert "EMAIL_URL" not in clerk.get(log("changelist")).content.decode()

    settings.EMAIL_IS_SET_UP = False  # type: ignore[attr-defined]

    assert "EMAIL_URL" in clerk.get(log("changelist")).content.decode()


@pytest.mark.parametrize("code_in_message", ["link", "code"])
def test_what_a_message_says_is_shown_without_its_code(clerk: Client, code_in_message: str) -> None:
    card = make_announced_card(make_writing_program(code_in_message=code_in_message))
    row = Notification.objects.get()

    answer = clerk.get(log("preview", row.pk))

    text = answer.content.decode()
    assert "You have R$50.00 to spend at Casa Aurora" in text
    for secret in (card.code, codes.grouped(card.code), "/card/"):
        assert secret not in text
    assert not AuditEvent.objects.exists()


def test_a_preview_is_a_document_that_may_do_nothing(clerk: Client) -> None:
    make_announced_card()

    answer = clerk.get(log("preview", Notification.objects.get().pk))
    page = clerk.get(log("change", Notification.objects.get().pk))

    assert answer["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"
    )
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]
    assert Inline(page.content.decode()).refused == []


def test_a_message_is_sent_again_once_for_each_page(clerk: Client) -> None:
    make_announced_card()
    notifications.send_due()
    row = Notification.objects.get()
    page = clerk.get(log("change", row.pk)).content.decode()
    [token] = re.findall(r'name="token" value="(\w+)"', page)

    first, second = (clerk.post(log("again", row.pk), {"token": token}) for _ in range(2))

    again = Notification.objects.get(resend_of=row)
    assert first["Location"] == second["Location"] == log("change", again.pk)
    notifications.send_due()
    assert len(mail.outbox) == 2
    assert AuditEvent.objects.filter(action="message_resent").count() == 1


def test_what_waits_has_no_button_and_is_not_sent_again(clerk: Client) -> None:
    make_announced_card()
    row = Notification.objects.get()

    page = clerk.get(log("change", row.pk)).content.decode()
    answer = clerk.post(log("again", row.pk), {"token": "a"}, follow=True)

    assert 'name="token"' not in page
    assert "still waits" in answer.content.decode()
    assert Notification.objects.count() == 1


def test_an_unknown_message_says_what_to_do(clerk: Client) -> None:
    make_announced_card()
    Notification.objects.update(status="unknown")

    page = clerk.get(log("change", Notification.objects.get().pk)).content.decode()

    assert "nobody knows whether this message arrived" in page
    assert "Send it again" in page


# --- A customer's --------------------------------------------------------------------------------


def test_a_statement_is_sent_on_request(clerk: Client) -> None:
    card = make_announced_card(make_writing_program(announces_issue=False))
    assert card.owner
    page = clerk.get(messages_of(card.owner)).content.decode()
    [token] = re.findall(r'name="token" value="(\w+)"', page)

    for _ in range(2):
        clerk.post(messages_of(card.owner), {"statement": "1", "token": token})
    notifications.send_due()

    assert [email.subject for email in mail.outbox] == ["Your credit at Casa Aurora"]
    assert AuditEvent.objects.filter(action="statement_sent").count() == 1


def test_without_an_address_there_is_no_statement(clerk: Client) -> None:
    customer = make_customer(email="")

    page = clerk.get(messages_of(customer)).content.decode()
    answer = clerk.post(messages_of(customer), {"statement": "1", "token": "a"}, follow=True)

    assert 'value="1" class="button button-primary" disabled' in page
    assert "No e-mail of this person is known." in answer.content.decode()
    assert not Notification.objects.exists()


def test_language_and_reminders_are_kept(clerk: Client) -> None:
    customer = make_customer(make_store(language="en"))

    clerk.post(messages_of(customer), {"language": "es"})

    customer.refresh_from_db()
    assert customer.language == "es"
    assert customer.reminders_stopped_at is not None
    actions = AuditEvent.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["changed", "reminders_stopped"]

    clerk.post(messages_of(customer), {"language": "es", "reminders": "on"})

    customer.refresh_from_db()
    assert customer.reminders_stopped_at is None


def test_a_language_that_there_is_not_is_refused(clerk: Client) -> None:
    customer = make_customer()

    answer = clerk.post(messages_of(customer), {"language": "de", "reminders": "on"})

    assert "language" in answer.context["form"].errors
    customer.refresh_from_db()
    assert customer.language == ""


def test_whoever_only_sends_changes_no_wishes(signed_in: SignedIn) -> None:
    customer = make_customer()
    client = signed_in(make_staff("view_customer", "send_message"))

    assert client.post(messages_of(customer), {"language": "es"}).status_code == 403

    customer.refresh_from_db()
    assert (customer.language, customer.reminders_stopped_at) == ("", None)


# --- A program's ---------------------------------------------------------------------------------


def test_switches_are_kept_and_in_the_trail(editor: Client) -> None:
    program = make_program()

    editor.post(messages_of(program), {"announces_credit": "on", "code_in_message": "code"})

    program.refresh_from_db()
    assert (program.announces_issue, program.announces_credit) == (False, True)
    assert program.code_in_message == "code"
    event = AuditEvent.objects.get()
    assert (event.before["announces_credit"], event.after["announces_credit"]) == (False, True)


def test_news_are_offered_where_orders_earn(editor: Client) -> None:
    silent, program = make_program(), make_telling_program()

    other = editor.get(messages_of(silent)).content.decode()
    page = editor.get(messages_of(program)).content.decode()

    assert "announces_earned" not in other
    assert editor.get(words_of(silent, "earned")).status_code == 404
    assert "announces_earned" in page
    assert "Tier reached" in page


def test_news_are_switched_with_since_when(editor: Client) -> None:
    program = make_telling_program(announces_usable=False)
    wanted = {"announces_usable": "on", "code_in_message": "link"}

    editor.post(messages_of(program), wanted)

    program.refresh_from_db()
    assert (program.announces_earned, program.announces_earned_since) == (False, None)
    assert program.announces_usable_since is not None
    since = program.announces_usable_since

    editor.post(messages_of(program), wanted | {"announces_tier": "on"})

    program.refresh_from_db()
    assert (program.announces_tier, program.announces_usable_since) == (True, since)


@pytest.mark.parametrize(
    ("kind", "language", "subject", "line"),
    [
        ("earned", "en", "You earned 120 pontos (R$0.30) at Casa Aurora", "7 days after the"),
        ("usable", "en", "You can now use 120 pontos (R$0.30) at", "valid until"),
        ("tier_reached", "pt-br", "Você chegou ao nível Ouro em Casa Aurora", "1,5 vezes o normal"),
    ],
)
def test_a_preview_of_news(
    editor: Client, kind: str, language: str, subject: str, line: str
) -> None:
    program = make_telling_program()

    text = editor.get(preview_of(program, kind, language)).content.decode().replace("\u00a0", " ")

    assert subject in text
    assert line in text


def test_own_words_are_kept_for_one_language(editor: Client) -> None:
    program = make_writing_program()

    answer = editor.post(words_of(program), WORDS)

    assert answer["Location"] == words_of(program)
    text = MessageText.objects.get()
    assert (text.program, text.kind, text.language) == (program, "issued", "en")
    assert (text.subject, text.body) == (WORDS["subject"], WORDS["body"])
    assert AuditEvent.objects.get().after == {"message": "issued", "language": "en"}
    assert "own words" in editor.get(messages_of(program)).content.decode()


@pytest.mark.parametrize(
    ("field", "text", "error"),
    [
        ("subject", "Hello {nome}", "There is no placeholder {nome} here."),
        ("body", "{name", "A brace { or } has no partner."),
        ("body", "{code}", "There is no placeholder {code} here."),
        ("body", "", "This field is required."),
        ("subject", "x" * 151, "at most 150 characters"),
    ],
)
def test_words_that_cannot_be_used_are_refused_next_to_their_field(
    editor: Client, field: str, text: str, error: str
) -> None:
    program = make_writing_program()

    answer = editor.post(words_of(program), WORDS | {field: text})

    assert error in str(answer.context["form"].errors[field])
    assert list(answer.context["form"].errors) == [field]
    assert not MessageText.objects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        ("pt-br", "Você tem R$ 100,00 para gastar em Casa Aurora"),
        ("es", "Tienes R$100,00 para gastar en Casa Aurora"),
        ("en", "You have R$100.00 to spend at Casa Aurora"),
    ],
)
def test_a_preview_in_each_language(editor: Client, language: str, subject: str) -> None:
    program = make_writing_program()

    text = editor.get(preview_of(program, language=language)).content.decode()

    assert subject in text
    assert f'<html lang="{language}">' in text


def test_a_preview_shows_what_is_typed_and_keeps_nothing(editor: Client) -> None:
    program = make_writing_program()

    shown = editor.post(preview_of(program), WORDS).content.decode()
    wrong = editor.post(preview_of(program), WORDS | {"body": "{what}"}).content.decode()

    assert "Dear Ana Souza," in shown
    assert "There is no placeholder {what} here." in wrong
    assert not MessageText.objects.exists()


def test_a_test_is_kept_and_sent_to_oneself(editor: Client) -> None:
    program = make_writing_program()

    for _ in range(2):
        editor.post(words_of(program), WORDS | {"test": "1", "token": "a"})
    notifications.send_due()

    [email] = mail.outbox
    assert (email.to, email.subject) == (["ines@store.example"], "Casa Aurora: R$100.00")


def test_without_an_address_of_ones_own_there_is_no_test(signed_in: SignedIn) -> None:
    program = make_writing_program()
    client = signed_in(make_staff("view_program", "change_program"))

    page = client.get(words_of(program)).content.decode()
    answer = client.post(words_of(program), WORDS | {"test": "1", "token": "a"}, follow=True)

    assert 'name="test"' not in page
    assert "Your account has no e-mail address." in answer.content.decode()
    assert not Notification.objects.exists()


def test_back_to_the_usual_words(editor: Client) -> None:
    program = make_writing_program()
    editor.post(words_of(program), WORDS)

    editor.post(words_of(program), WORDS | {"usual": "1"})

    assert not MessageText.objects.exists()
    assert "You have {amount} to spend" in editor.get(words_of(program)).content.decode()


@pytest.mark.parametrize(("kind", "language"), [("issued", "de"), ("nothing", "en")])
def test_there_is_no_other_kind_or_language(editor: Client, kind: str, language: str) -> None:
    program = make_writing_program()

    assert editor.get(words_of(program, kind, language)).status_code == 404
    assert editor.get(preview_of(program, kind, language)).status_code == 404
