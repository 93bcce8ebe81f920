import csv
import datetime
import io
from collections.abc import Callable

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyalty import roles
from loyalty.admin import csv as csv_module
from loyalty.admin import filters, lists
from loyalty.admin.exports import ExportedList
from loyalty.models import AuditEvent, Customer, Entry, GiftCard, Grant, Operation, Transaction
from loyalty.roles import Role
from tests.builders import make_blocked_card, make_card, make_customer, make_program, make_store
from tests.loyalty.admin.conftest import Books, make_books

EXPORTED = [model for model, page in admin.site._registry.items() if isinstance(page, ExportedList)]


def export_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_export")


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def file_of(client: Client, model: type[Model], **parameters: str) -> list[dict[str, str]]:
    answer = client.get(export_of(model), parameters)
    assert answer.status_code == 200
    text = answer.getvalue().decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_a_list_of_cards_has_exact_numbers_their_currency_and_the_days_of_the_store(
    db: None, boss: Client
) -> None:
    store = make_store(name="Casa Aurora", time_zone="America/Sao_Paulo")
    owner = make_customer(store, name="Ana Souza", email="ana@example.com")
    end = store.last_instant(datetime.date(2099, 12, 31))
    card = make_card(make_program(store), balance=123456, owner=owner, expires_at=end)

    (row,) = file_of(boss, GiftCard)

    assert row["available"] == "1234.56"
    assert row["currency"] == "BRL"
    assert row["last day"] == "2099-12-31"
    assert row["owner"] == str(owner)
    assert row["state"] == "active"
    assert row["card id"] == card.public_id
    assert card.code not in str(row)


def test_the_file_has_what_the_filters_and_the_search_leave(books: Books, boss: Client) -> None:
    blocked = make_blocked_card(make_program(), balance=100)
    other = make_customer(make_store(), name="Bruno Lima", email="bruno@example.com")

    by_state = file_of(boss, GiftCard, state="blocked")
    by_owner = file_of(boss, GiftCard, owner__id__exact=str(books.owner.pk))
    by_name = file_of(boss, Customer, q="bruno")

    assert [row["number"] for row in by_state] == [str(blocked.pk)]
    assert [row["number"] for row in by_owner] == [str(books.card.pk)]
    assert [row["number"] for row in by_name] == [str(other.pk)]


def test_the_file_has_every_row_where_the_page_stops_looking(
    db: None, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = make_program()
    soon = datetime.timedelta(days=3)
    end = program.store.last_instant(timezone.localdate() + soon)
    cards = [make_card(program, balance=1, expires_at=end) for _ in range(7)]
    monkeypatch.setattr(lists.LargeChangeList, "steps", (2,))
    monkeypatch.setattr(lists.BoundedPaginator, "limit", 3)
    monkeypatch.setattr(filters, "SOONEST", 2)
    everything = [str(card.pk) for card in cards]

    page = boss.get(list_of(GiftCard), {"money": "some"}).context["cl"]
    by_money = [row["number"] for row in file_of(boss, GiftCard, money="some")]
    by_end = [row["number"] for row in file_of(boss, Grant, expiring="7")]
    on_page_two = [
        row["number"] for row in file_of(boss, GiftCard, money="some", p="2", before="3")
    ]

    assert page.result_count == 2
    assert by_money == everything
    assert by_end == [str(grant.pk) for grant in Grant.objects.order_by("pk")]
    assert on_page_two == everything


def test_portuguese_files_open_in_portuguese_spreadsheets(books: Books, superuser: User) -> None:
    client = Client(headers={"accept-language": "pt-br"})
    client.force_login(superuser)

    answer = client.get(export_of(GiftCard))
    header, row = answer.getvalue().decode().splitlines()[:2]

    assert header.startswith("\ufeffnúmero;código;")
    assert "1233,0778;" in row
    assert ";BRL;" in row


def test_a_name_that_is_a_formula_is_text(db: None, boss: Client) -> None:
    make_customer(make_store(), name='=HYPERLINK("http://example.com")', email="a@example.com")

    (row,) = file_of(boss, Customer)

    assert row["name"] == '\'=HYPERLINK("http://example.com")'


def test_a_statement_of_a_card_is_its_entries_with_what_was_left(
    books: Books, boss: Client
) -> None:
    rows = file_of(boss, Entry, card__id__exact=str(books.card.pk))

    assert [(row["amount"], row["available after"]) for row in rows] == [
        ("1234.5678", "1234.5678"),
        ("2.0000", "1232.5678"),
        ("2.0000", "1232.5678"),
        ("0.5000", "1233.0678"),
        ("0.0100", "1233.0778"),
    ]


@pytest.mark.parametrize("model", EXPORTED, ids=lambda model: model.__name__)
def test_every_list_goes_out(model: type[Model], books: Books, boss: Client) -> None:
    answer = boss.get(export_of(model))

    lines = answer.getvalue().decode().splitlines()
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    assert len(lines) >= 1 + min(model._default_manager.count(), 1)
    assert "Download as CSV" in boss.get(list_of(model)).content.decode()


def test_lists_of_tables_that_matter_go_out() -> None:
    assert {GiftCard, Customer, Entry, Grant, Operation, Transaction, AuditEvent} <= set(EXPORTED)


@pytest.mark.parametrize("role", Role)
def test_who_may_take_lists_away(
    role: Role, books: Books, signed_in: Callable[[User], Client]
) -> None:
    roles.sync()
    user = User.objects.create_user("one", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = signed_in(user)
    may = role in {Role.MANAGER, Role.FINANCE, Role.ADMINISTRATOR}

    answer = client.get(export_of(GiftCard))

    assert answer.status_code == (200 if may else 403)
    assert (export_of(GiftCard) in client.get(list_of(GiftCard)).content.decode()) is may
    assert AuditEvent.objects.filter(action="export").exists() is may


def test_what_a_role_may_not_see_it_may_not_take_away(
    books: Books, signed_in: Callable[[User], Client]
) -> None:
    roles.sync()
    user = User.objects.create_user("one", is_staff=True)
    user.groups.add(Group.objects.get(name=Role.MANAGER))

    assert signed_in(user).get(export_of(AuditEvent)).status_code == 403


def test_an_export_is_in_the_audit_trail_without_what_was_searched_for(
    books: Books, boss: Client, superuser: User
) -> None:
    file_of(boss, Customer, q="ana@example.com", store__id__exact=str(books.owner.store_id))

    event = AuditEvent.objects.get(action="export")
    assert event.user == superuser
    assert event.note == f"customer store__id__exact={books.owner.store_id} q"


def test_a_filter_that_does_not_exist_leads_to_the_list(books: Books, boss: Client) -> None:
    answer = boss.get(export_of(GiftCard), {"nothing": "1"})

    assert answer.status_code == 302
    assert answer["Location"] == list_of(GiftCard)
    assert not AuditEvent.objects.filter(action="export").exists()


def test_statements_and_memory_grow_by_pieces_and_not_by_rows(
    books: Books, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        make_books()
    size = GiftCard.objects.count()
    monkeypatch.setattr(csv_module.in_chunks, "__kwdefaults__", {"size": 2})

    with CaptureQueriesContext(connection) as queries:
        rows = file_of(boss, GiftCard)

    pieces = [query for query in queries if "LIMIT 2" in query["sql"].partition("giftcard")[2]]
    assert len(rows) == size
    assert len(pieces) == size // 2 + 1
