"""Customers, added and completed by staff; who somebody is does not change."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty.models import AuditEvent, Customer, Store
from tests.builders import make_customer, make_store
from tests.loyalty.staff import make_staff

NEW = "/admin/loyalty/customer/add/"
CPF, CNPJ = "529.982.247-25", "11.222.333/0001-81"


@pytest.fixture
def person(db: None) -> User:
    return make_staff("view_customer", "add_customer", "change_customer", "view_store")


@pytest.fixture
def client(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person)
    return client


@pytest.fixture
def store(db: None) -> Store:
    return make_store()


def page_of(customer: Customer) -> str:
    return reverse("admin:loyalty_customer_edit", args=[customer.pk])


def sent(client: Client, path: str, **typed: Any) -> str:
    """What is wrong with the form; nothing when it was taken."""
    answer = client.post(path, {**typed, "_save": "1"})
    if answer.status_code == 302:
        return ""
    assert answer.status_code == 200, answer.status_code
    return str(answer.context["adminform"].form.errors.as_text())


def test_the_page_of_a_new_customer_has_its_button(client: Client) -> None:
    page = client.get(NEW).content.decode()

    assert 'name="_save"' in page


def test_a_customer_is_added_normalized_and_audited_without_personal_data(
    client: Client, store: Store, person: User
) -> None:
    problem = sent(
        client,
        NEW,
        store=store.pk,
        name="Ana",
        email=" Ana@Example.com ",
        document=CPF,
        language="",
    )

    assert problem == ""
    made = Customer.objects.get()
    event = AuditEvent.objects.get()
    assert (made.email, made.document) == ("ana@example.com", "52998224725")
    assert (event.action, event.user, event.customer) == ("added", person, made)
    assert "ana" not in str(event.after).lower()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({"name": "Ana"}, "Type an e-mail, a document or a profile id"),
        ({"document": "529.982.247-26"}, "This is not a CPF"),
        ({"corporate_document": "11.222.333/0001-82"}, "This is not a CNPJ"),
        ({"email": "ana"}, "Enter a valid email address"),
        ({"email": "known@example.com"}, "The store has a customer with one of these"),
        ({"document": CPF}, "The store has a customer with one of these"),
    ],
    ids=["nobody", "cpf", "cnpj", "e-mail", "known e-mail", "known document"],
)
def test_what_is_wrong_is_said_and_nobody_is_added(
    client: Client, store: Store, typed: dict[str, str], expected: str
) -> None:
    make_customer(store, email="known@example.com", document="52998224725")

    problem = sent(client, NEW, store=store.pk, **typed)

    assert expected in problem
    assert Customer.objects.count() == 1
    assert not AuditEvent.objects.exists()


def test_nobody_adds_themselves(client: Client, store: Store, person: User) -> None:
    User.objects.filter(pk=person.pk).update(email="me@example.com")

    problem = sent(client, NEW, store=store.pk, email="ME@example.com")

    assert "This is you" in problem
    assert not Customer.objects.exists()


def test_what_is_missing_is_completed(client: Client, store: Store) -> None:
    customer = make_customer(store, email="ana@example.com", document="")

    problem = sent(client, page_of(customer), name="Ana", document=CPF, language="es")

    customer.refresh_from_db()
    assert problem == ""
    assert (customer.name, customer.document, customer.language) == ("Ana", "52998224725", "es")


def test_who_somebody_is_stays(client: Client, store: Store) -> None:
    customer = make_customer(store, email="ana@example.com", document="52998224725")

    sent(client, page_of(customer), name="Ana", email="thief@example.com", document="", store="9")

    customer.refresh_from_db()
    assert (customer.email, customer.document) == ("ana@example.com", "52998224725")
    assert customer.store == store


def test_nobody_completes_a_customer_into_themselves(
    client: Client, store: Store, person: User
) -> None:
    User.objects.filter(pk=person.pk).update(email="me@example.com")
    customer = make_customer(store, email="", document="52998224725")

    problem = sent(client, page_of(customer), name="", email="me@example.com")

    customer.refresh_from_db()
    assert "This is you" in problem
    assert customer.email == ""


def test_who_may_only_look_gets_no_form(store: Store) -> None:
    viewer = make_staff("view_customer")
    client = Client()
    client.force_login(viewer)
    customer = make_customer(store, email="ana@example.com")

    page = client.get(page_of(customer)).content.decode()

    assert 'name="_save"' not in page
    assert client.get(NEW).status_code == 403
    assert client.post(page_of(customer), {"name": "X", "_save": "1"}).status_code == 403
