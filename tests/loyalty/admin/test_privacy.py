"""The pages of a person's rights."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from loyalty import roles
from loyalty.models import AuditEvent, Customer
from loyalty.roles import Role
from loyalty.sign_in.confirmation import CONFIRMED_AT
from tests.builders import make_card, make_customer, make_hold, make_program, make_store

SignedIn = Callable[[User], Client]


@pytest.fixture
def ana(db: None) -> Customer:
    return make_customer(make_store(), name="Ana Souza", email="ana@example.com")


def client_of(role: Role, signed_in: SignedIn) -> Client:
    roles.sync()
    user = User.objects.create_user(f"one-{role}", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return signed_in(user)


@pytest.fixture
def administrator(db: None, signed_in: SignedIn) -> Client:
    return client_of(Role.ADMINISTRATOR, signed_in)


def pages(customer: Customer) -> tuple[str, str, str]:
    base = f"/admin/loyalty/customer/{customer.pk}/personal-data/"
    return base, f"{base}copy/", f"{base}erase/"


def filled(customer: Customer, **changes: str) -> dict[str, str]:
    return {"reason": "asked", "typed": str(customer.pk)} | changes


def test_a_copy_to_read(administrator: Client, ana: Customer) -> None:
    card = make_card(make_program(ana.store), balance=1_234_56, owner=ana)

    text = administrator.post(pages(ana)[1], {"format": "page"}).content.decode()

    for word in ("Ana Souza", "ana@example.com", str(card), "R$1,234.56", "issue"):
        assert word in text
    assert card.code not in text
    assert AuditEvent.objects.get().action == "person_exported"


def test_a_copy_as_a_file(administrator: Client, ana: Customer) -> None:
    answer = administrator.post(pages(ana)[1], {"format": "json"})

    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"] == f'attachment; filename="customer-{ana.pk}.json"'
    assert json.loads(answer.content)["person"]["email"] == "ana@example.com"


def test_looking_leaves_no_copy_and_erases_nobody(administrator: Client, ana: Customer) -> None:
    make_card(make_program(ana.store), balance=10_00, owner=ana, is_restricted=True)
    base, copy, erase = pages(ana)

    assert administrator.get(base).status_code == 200
    assert administrator.get(copy).status_code == 405
    text = administrator.get(erase).content.decode()

    assert "R$10.00" in text
    assert "1 card with credit stays usable" in text
    assert "1 of them is only for its owner" in text
    assert not AuditEvent.objects.exists()


def test_erases_who_was_typed_and_for_a_reason(administrator: Client, ana: Customer) -> None:
    answer = administrator.post(pages(ana)[2], filled(ana))

    assert answer["Location"] == f"/admin/loyalty/customer/{ana.pk}/change/"
    ana.refresh_from_db()
    assert (ana.name, ana.email, bool(ana.erased_at)) == ("", "", True)
    assert AuditEvent.objects.get().action == "person_erased"
    again = administrator.get(pages(ana)[2]).content.decode()
    assert "This person is erased already." in again
    assert "Erase for ever" not in again


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"typed": "Ana"}, "This is not the number of this customer."),
        ({"typed": ""}, "This field is required."),
        ({"reason": ""}, "This field is required."),
        ({"reason": "because"}, "Select a valid choice."),
    ],
)
def test_a_slip_erases_nobody(
    changes: dict[str, str], error: str, administrator: Client, ana: Customer
) -> None:
    answer = administrator.post(pages(ana)[2], filled(ana, **changes))

    assert error in answer.content.decode()
    ana.refresh_from_db()
    assert ana.email == "ana@example.com"


def test_says_what_to_do_while_a_purchase_is_open(administrator: Client, ana: Customer) -> None:
    make_hold(make_card(make_program(ana.store), balance=1000, owner=ana), 10)

    texts = [
        administrator.get(pages(ana)[2]).content.decode(),
        administrator.post(pages(ana)[2], filled(ana)).content.decode(),
    ]

    for text in texts:
        assert "settle it or cancel it first" in text
    ana.refresh_from_db()
    assert ana.erased_at is None


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMINISTRATOR])
def test_only_administrators(role: Role, signed_in: SignedIn, ana: Customer) -> None:
    client = client_of(role, signed_in)
    base, copy, erase = pages(ana)

    statuses = [
        client.get(base).status_code,
        client.post(copy, {"format": "json"}).status_code,
        client.get(erase).status_code,
        client.post(erase, filled(ana)).status_code,
    ]

    assert statuses == [403, 403, 403, 403]
    ana.refresh_from_db()
    assert ana.erased_at is None


def test_asks_for_the_password_again(administrator: Client, ana: Customer) -> None:
    session = administrator.session
    del session[CONFIRMED_AT]
    session.save()
    _base, copy, erase = pages(ana)

    answers: list[Any] = [administrator.post(copy), administrator.post(erase, filled(ana))]

    assert {answer["Location"].split("?")[0] for answer in answers} == {"/admin/sign-in/password/"}
    ana.refresh_from_db()
    assert ana.erased_at is None
    assert not AuditEvent.objects.exists()


def test_nobody_is_not_found(administrator: Client) -> None:
    for path in ("personal-data/", "personal-data/erase/"):
        assert administrator.get(f"/admin/loyalty/customer/999999/{path}").status_code == 404
