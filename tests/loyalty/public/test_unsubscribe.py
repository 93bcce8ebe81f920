"""No more reminders: without signing in, by one click of a mail program, and by no scanner."""

import pytest
from django.core import signing
from django.test import Client

from loyalty.models import AuditEvent, Customer
from loyalty.notifications.links import card_link, unsubscribe_link
from tests.builders import make_card, make_customer, make_program, make_store
from tests.loyalty.admin.test_pages import Inline

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> Customer:
    return make_customer(make_store(name="Casa Aurora", language="en"))


@pytest.fixture
def address(customer: Customer) -> str:
    return unsubscribe_link(customer).removeprefix("https://credit.example")


def is_stopped(customer: Customer) -> bool:
    return Customer.objects.filter(pk=customer.pk, reminders_stopped_at__isnull=False).exists()


def test_opening_the_link_changes_nothing(client: Client, customer: Customer, address: str) -> None:
    for method in (client.get, client.head):
        assert method(address).status_code == 200

    assert not is_stopped(customer)


def test_the_button_stops_reminders_and_another_one_resumes_them(
    client: Client, customer: Customer, address: str
) -> None:
    stopped = client.post(address, {"stop": "1"})
    assert is_stopped(customer)

    resumed = client.post(address, {"resume": "1"})

    assert "You get no more reminders from Casa Aurora" in stopped.content.decode()
    assert "You get these messages again." in resumed.content.decode()
    assert not is_stopped(customer)


def test_a_mail_program_does_it_with_one_click(customer: Customer, address: str) -> None:
    """RFC 8058: posted by the provider's server, which has seen no page and no cookie."""
    client = Client(enforce_csrf_checks=True)

    for _ in range(2):
        answer = client.post(address, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200

    assert is_stopped(customer)
    assert AuditEvent.objects.filter(action="reminders_stopped").count() == 1


@pytest.mark.parametrize("end", ["", "x"], ids=["cut", "changed"])
def test_a_spoiled_link_does_nothing(
    client: Client, customer: Customer, address: str, end: str
) -> None:
    spoiled = f"{address[:-2]}{end}/"

    answer = client.post(spoiled, {"stop": "1"}, headers={"accept-language": "en"})

    assert answer.status_code == 404
    assert "This link does not work any more" in answer.content.decode()
    assert not is_stopped(customer)


def test_a_signature_for_something_else_does_nothing(client: Client, customer: Customer) -> None:
    other = signing.Signer(salt="another").sign(str(customer.pk))

    assert client.post(f"/messages/no-reminders/{other}/").status_code == 404

    assert not is_stopped(customer)


def test_an_erased_person_has_no_link(client: Client, customer: Customer, address: str) -> None:
    Customer.objects.filter(pk=customer.pk).update(
        erased_at=customer.created_at, email="", document="", profile_id="", name=""
    )

    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("pt-br", "Não me envie mais estas mensagens"),
        ("es", "No enviarme más estos mensajes"),
        ("en", "Send me no more of these messages"),
    ],
)
def test_in_the_customers_language_whatever_the_browsers(
    client: Client, customer: Customer, address: str, language: str, words: str
) -> None:
    Customer.objects.filter(pk=customer.pk).update(language=language)

    text = client.get(address, headers={"accept-language": "de"}).content.decode()

    assert words in text
    assert f'<html lang="{language}">' in text


def test_nobody_keeps_finds_or_passes_on_the_page(client: Client, address: str) -> None:
    answer = client.get(address)

    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert answer["Referrer-Policy"] == "same-origin"
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert Inline(answer.content.decode()).refused == []
    assert not answer.cookies


def test_other_methods_are_refused(client: Client, address: str) -> None:
    assert client.delete(address).status_code == 405


def test_links_of_cards_are_of_another_kind(client: Client, customer: Customer) -> None:
    card = make_card(make_program(customer.store), owner=customer, balance=1)
    token = card_link(card).rstrip("/").rpartition("/")[2]

    assert client.get(f"/messages/no-reminders/{token}/").status_code == 404
