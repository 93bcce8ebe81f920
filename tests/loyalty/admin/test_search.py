"""The search box of every page, and what it leads to."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyalty.models import Operation
from tests.builders import make_card, make_customer, make_hold, make_program, make_store
from tests.loyalty.admin.conftest import Books
from tests.loyalty.staff import make_staff

pytestmark = pytest.mark.django_db


def search(client: Client, typed: str) -> Any:
    return client.post(reverse("admin:search"), {"typed": typed})


def page(kind: str, row: Any) -> str:
    return reverse(f"admin:loyalty_{kind}_change", args=[row.pk])


@pytest.mark.parametrize(
    "typed",
    ["code", "grouped code", "card id", "last four", "masked"],
)
def test_a_card_is_found_by_whatever_one_has_of_it(books: Books, boss: Client, typed: str) -> None:
    from loyalty import codes

    card = books.card
    terms = {
        "code": card.code,
        "grouped code": codes.grouped(card.code).lower(),
        "card id": card.public_id,
        "last four": card.code_last4.lower(),
        "masked": str(card),
    }

    assert search(boss, terms[typed]).headers["Location"] == page("giftcard", card)


@pytest.mark.parametrize(
    "typed", ["ana@example.com", " ANA@Example.com ", "123.456.789-09", "12345678909", "souza"]
)
def test_a_customer_is_found(books: Books, boss: Client, typed: str) -> None:
    assert search(boss, typed).headers["Location"] == page("customer", books.owner)


def test_an_order_leads_to_everything_that_touched_it(books: Books, boss: Client) -> None:
    found = search(boss, "1402310500123-01")
    assert found.headers["Location"] == reverse("admin:loyalty_order", args=["1402310500123-01"])

    text = boss.get(found.headers["Location"]).content.decode()

    assert str(books.card) in text
    assert "R$2.0000" in text


def test_a_transaction_is_found_by_its_id_and_its_payment(books: Books, boss: Client) -> None:
    there = page("transaction", books.debit)

    assert search(boss, books.debit.public_id).headers["Location"] == there
    assert search(boss, books.debit.request_id).headers["Location"] == there


def test_several_are_listed_by_kind(books: Books, boss: Client) -> None:
    make_customer(books.card.store, name="Ana Souza Lima")

    answer = search(boss, "souza")

    assert [(table.title, len(table.rows)) for table in answer.context["hits"]] == [
        ("Customers", 2)
    ]


def test_nothing_found_says_what_can_be_searched_for(books: Books, boss: Client) -> None:
    text = search(boss, "nobody@example.com").content.decode()

    assert "Nothing was found." in text
    assert "a CPF or CNPJ" in text


def test_what_is_searched_for_stands_in_no_address(books: Books, boss: Client) -> None:
    answer = search(boss, books.card.code)

    assert books.card.code not in answer.headers["Location"]
    home = boss.get(reverse("admin:index")).content.decode()
    assert f'method="post" action="{reverse("admin:search")}"' in home


def test_nobody_finds_what_they_may_not_see(
    books: Books, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(make_staff("view_customer"))

    answer = search(client, books.card.code)

    assert answer.context["hits"] == []


def test_a_search_takes_few_statements(books: Books, boss: Client) -> None:
    search(boss, "souza")
    for typed in (books.card.code, "souza", "ana@example.com", "1402310500123-01", "ABCD"):
        with CaptureQueriesContext(connection) as queries:
            search(boss, typed)
        assert len(queries) <= 15, typed


def test_the_page_of_a_card_says_in_a_sentence_how_it_is(books: Books, boss: Client) -> None:
    text = boss.get(page("giftcard", books.card)).content.decode()

    assert re.search(r"Usable: [\d,]+\s+ponto \(R\$", text)
    assert "Late delivery" in text
    assert page("transaction", books.debit) in text


def test_a_declined_purchase_is_told_with_its_reason(books: Books, boss: Client) -> None:
    from loyalty.exceptions import InsufficientBalance

    with pytest.raises(InsufficientBalance):
        make_hold(books.card, 10**12)

    text = boss.get(page("giftcard", books.card)).content.decode()

    assert "Purchase refused" in text
    assert InsufficientBalance.message.replace("'", "&#x27;") in text
    assert Operation.objects.filter(outcome="declined").count() == 1


def test_why_a_card_did_not_appear_is_said_for_each(boss: Client) -> None:
    store = make_store()
    program = make_program(store, is_restricted=True)
    owner = make_customer(store, email="ana@example.com", document="12345678909")
    make_card(program, balance=1000, owner=owner)
    make_card(program, balance=0, owner=owner)

    answer = boss.post(reverse("admin:verdicts"), {"store": store.pk, "email": "ana@example.com"})

    words = [line.words for line in answer.context["lines"]]
    assert words[0][0].startswith("Checkout is shown this card.")
    assert words[1] == ["Nothing is left on it."]


def test_why_not_asks_for_something_to_go_by(boss: Client) -> None:
    answer = boss.post(reverse("admin:verdicts"), {"store": make_store().pk})

    assert answer.context["form"].errors["__all__"] == ["Type who the customer is, or the code."]
