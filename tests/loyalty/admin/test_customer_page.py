import csv
import io
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyalty import privacy, roles
from loyalty.audit import Actor
from loyalty.models import AuditEvent, Customer
from loyalty.roles import Role
from tests.builders import (
    make_card,
    make_customer,
    make_hold,
    make_points_program,
    make_program,
    make_purchase,
    make_store,
    make_wallet,
)
from tests.loyalty.admin.conftest import Books


def page_of(client: Client, customer: Customer, **parameters: int) -> str:
    url = reverse("admin:loyalty_customer_change", args=[customer.pk])
    answer = client.get(url, parameters)
    assert answer.status_code == 200
    return answer.content.decode().replace("\u00a0", " ")


def statement_of(customer: Customer) -> str:
    return reverse("admin:loyalty_customer_statement", args=[customer.pk])


def test_it_tells_who_what_they_have_and_what_moved(books: Books, boss: Client) -> None:
    text = page_of(boss, books.owner)

    for part in (
        *("Ana Souza", "ana@example.com", "123.456.789-09", "Casa Aurora"),
        *("R$1,233.0778", "1402310500123-01", "Held for a purchase", "\u2212R$2.0000"),
        *("Given back", "+R$0.5000", "R$1,232.5678", "Customer service"),
    ):
        assert part in text, part
    assert books.card.code not in text


def test_its_parts_lead_to_their_pages(books: Books, boss: Client) -> None:
    text = page_of(boss, books.owner)

    for url in (
        reverse("admin:loyalty_giftcard_change", args=[books.card.pk]),
        reverse("admin:loyalty_order", args=["1402310500123-01"]),
        reverse("admin:loyalty_customer_action", args=[books.owner.pk, "give"]),
        reverse("admin:personal_data", args=[books.owner.pk]),
        statement_of(books.owner),
    ):
        assert f'href="{url}"' in text, url


def test_a_long_statement_goes_on_with_its_balance(db: None, boss: Client) -> None:
    owner = make_customer(make_store(), name="Ana Souza")
    card = make_card(make_program(owner.store), balance=100_000, owner=owner)
    for number in range(26):
        make_hold(card, 100, request_id=f"payment{number}")

    newest = boss.get(reverse("admin:loyalty_customer_change", args=[owner.pk])).context
    older = page_of(boss, owner, before=newest["older"])

    assert len(newest["lines"]) == 25
    assert newest["lines"][-1].available_after == "R$998.00"
    assert "R$999.00" in older
    assert "R$1,000.00" in older
    assert "R$998.00" not in older.partition('id="statement"')[2]


def test_somebody_with_many_cards_sees_the_newest_and_the_way_to_all(
    db: None, boss: Client
) -> None:
    owner = make_customer(make_store(), name="Ana Souza")
    program = make_program(owner.store)
    cards = [make_card(program, balance=100, owner=owner) for _ in range(21)]
    page_of(boss, owner)

    with CaptureQueriesContext(connection) as queries:
        text = page_of(boss, owner)

    shown = text.partition('id="statement"')[0]
    urls = [reverse("admin:loyalty_giftcard_change", args=[card.pk]) for card in cards]
    assert [url in shown for url in urls] == [False] + [True] * 20
    assert f"?owner__id__exact={owner.pk}" in shown
    assert len(queries) <= 15


def test_an_erased_person_is_a_number(books: Books, boss: Client, superuser: User) -> None:
    privacy.erase(books.owner, reason=next(iter(privacy.REASONS)), actor=Actor(superuser, None))

    text = page_of(boss, books.owner)

    assert "This person was erased" in text
    assert "ana@example.com" not in text
    assert "R$1,233.0778" in text


def test_the_statement_goes_out_whole(books: Books, boss: Client, superuser: User) -> None:
    answer = boss.get(statement_of(books.owner))
    text = answer.getvalue().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))

    assert [
        (row["what happened"], row["change of what is available"], row["available after"])
        for row in rows
    ] == [
        ("Card issued", "1234.5678", "1234.5678"),
        ("Held for a purchase", "-2.0000", "1232.5678"),
        ("Settled: spent", "0.0000", "1232.5678"),
        ("Given back", "0.5000", "1233.0678"),
        ("Adjusted", "0.0100", "1233.0778"),
    ]
    assert {row["currency"] for row in rows} == {"BRL"}
    assert rows[1]["order"] == "1402310500123-01"
    event = AuditEvent.objects.get(action="export")
    assert (event.user, event.customer, event.note) == (superuser, books.owner, "statement")


@pytest.mark.parametrize("role", Role)
def test_who_may_take_it_away(
    role: Role, books: Books, signed_in: Callable[[User], Client]
) -> None:
    roles.sync()
    user = User.objects.create_user("one", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = signed_in(user)
    may = role in {Role.MANAGER, Role.FINANCE, Role.ADMINISTRATOR}

    answer = client.get(statement_of(books.owner))

    assert answer.status_code == (200 if may else 403)
    assert (statement_of(books.owner) in page_of(client, books.owner)) is may
    assert AuditEvent.objects.filter(action="export").exists() is may


def test_cards_and_movements_of_points_say_points_and_money(db: None, boss: Client) -> None:
    customer = make_customer(name="Ana Souza")
    card = make_wallet(make_points_program(customer.store), balance=1_000 * 25, owner=customer)
    make_purchase(card, 40 * 100)

    pages = [
        boss.get(reverse(f"admin:loyalty_{name}", args=[row.pk] if row else []))
        for name, row in (
            ("customer_change", customer),
            ("giftcard_change", card),
            ("transaction_change", card.transactions.get()),
            ("giftcard_changelist", None),
            ("entry_changelist", None),
        )
    ]

    texts = [page.content.decode().replace("\xa0", " ") for page in pages]
    assert all("ponto (R$" in text for text in texts)
    for text in texts[:2]:
        assert "840 ponto (R$2.1000)" in text
