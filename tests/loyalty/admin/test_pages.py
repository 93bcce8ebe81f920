import base64
import datetime
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from giftcard_provider.models import Credential
from loyalty import codes
from loyalty.admin.base import BoundedPaginator
from loyalty.models import (
    Balance,
    Customer,
    Entry,
    GiftCard,
    Grant,
    Operation,
    Program,
    Store,
    Transaction,
)
from tests.builders import (
    make_blocked_card,
    make_card,
    make_expired_card,
    make_hold,
    make_program,
    make_store,
)
from tests.loyalty.admin.conftest import Books, make_books

# Pages that only show, of which the books have rows. Others have a test file of their own.
OURS: list[type[Model]] = [
    Store,
    Program,
    Customer,
    GiftCard,
    Balance,
    Grant,
    Transaction,
    Operation,
    Entry,
    Credential,
]
every_model = pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
# Staff make and change these (tests/loyalty/admin/test_settings.py, test_customers.py).
SETTINGS = (Store, Program, Customer)
every_shown_model = pytest.mark.parametrize(
    "model", [each for each in OURS if each not in SETTINGS], ids=lambda model: model.__name__
)

# Without a page, and why.
HIDDEN = {
    "StaffProfile": "on the page of the user",
    "Spending": "reserved by loyalty.limits; what a person may still move is what matters",
    "ChainLink": "what the proofs sealed; their page says what became of it",
    "ReturnPayment": "seen through the ledger's credits of the order",
    "EarningPolicy": "on the program's page of earning",
    "OrderListening": "how far a store's orders are known",
    "OrderHook": "create_order_hook makes it; nothing of it is shown",
    "RuleSimulation": "on the page where a rule is tried",
    "OpenHold": "the page of open holds",
    "ExpiringMoney": "the page of expiring money",
    "ReconciliationFile": "sealed, and emptied when the run is over",
    "BookDay": "sums that the reports are made of",
    "BookCohort": "sums that the reports are made of",
    "BookCause": "sums that a program's figures are made of",
    "BookJoined": "sums that a program's members are made of",
    "BookActive": "which wallets are counted in a month",
    "BookProgress": "how far the sums are",
    "CustomerMerge": "on the pages of both customers",
    "MessageText": "on the page of the program's messages",
    "ReminderProgress": "how far the reminders are",
    "PeriodicWork": "the page of periodic work",
    "MonthClosingLine": "on the page of the closed month",
}


def url(model: type[Model] | Model, page: str, *arguments: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def pages_of(model: type[Model]) -> list[str]:
    rows = [url(model, "change", row.pk) for row in model._default_manager.all()]
    assert rows, "the books have a row in every table"
    return [url(model, "changelist"), *rows]


def every_page() -> Iterator[str]:
    yield reverse("admin:index")
    for app in ("loyalty", "giftcard_provider"):
        yield reverse("admin:app_list", args=[app])
    for model in OURS:
        yield from pages_of(model)


def text_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def found(client: Client, model: type[Model], term: str) -> list[object]:
    answer = client.get(url(model, "changelist"), {"q": term})
    return [row.pk for row in answer.context["cl"].result_list]


def test_every_model_has_its_pages_or_a_reason() -> None:
    ours = {
        model
        for app in ("loyalty", "giftcard_provider")
        for model in apps.get_app_config(app).get_models()
    }
    shown = {model for model in ours if model in admin.site._registry}

    assert {model.__name__ for model in ours - shown} == set(HIDDEN)


@every_shown_model
def test_nobody_can_change_anything(model: type[Model], books: Books, boss: Client) -> None:
    row = model._default_manager.order_by("pk")[0]
    change, before = url(model, "change", row.pk), model._default_manager.values().get(pk=row.pk)

    text = text_of(boss, change)
    statuses = [
        boss.get(url(model, "add")).status_code,
        boss.post(url(model, "add")).status_code,
        boss.post(change, {"name": "other", "_save": "1"}).status_code,
        boss.get(url(model, "delete", row.pk)).status_code,
        boss.post(url(model, "delete", row.pk), {"post": "yes"}).status_code,
    ]
    action = {"action": "delete_selected", "_selected_action": row.pk}
    boss.post(url(model, "changelist"), action)

    assert statuses == [403, 403, 403, 403, 403]
    assert not re.search(r'type="submit"[^>]*name="_', text)
    assert model._default_manager.values().get(pk=row.pk) == before


def test_staff_signs_in_with_a_password(viewer: User, books: Books, client: Client) -> None:
    answer = client.post(
        reverse("admin:login"),
        {"username": viewer.username, "password": "a long password", "next": "/admin/"},
        follow=True,
    )

    assert answer.status_code == 200
    assert answer.wsgi_request.user == viewer


def test_a_viewer_sees_every_page(
    viewer: User, books: Books, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(viewer)

    assert {path: client.get(path).status_code for path in every_page()} == dict.fromkeys(
        every_page(), 200
    )


def test_staff_without_permissions_sees_nothing(
    books: Books, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(User.objects.create_user("new", password="x", is_staff=True))

    for model in OURS:
        assert {client.get(path).status_code for path in pages_of(model)} == {403}


def test_no_page_shows_a_code_or_what_a_code_can_be_found_by(books: Books, boss: Client) -> None:
    card, credential = books.card, Credential.objects.get(pk=books.credential.pk)
    secrets = [
        card.code,
        codes.grouped(card.code),
        card.token,
        books.app_token,
        credential.token_hash,
        credential.previous_token_hash,
    ]
    for raw in (bytes(card.code_digest), bytes(card.code_sealed)):
        secrets += [raw.hex(), base64.b64encode(raw).decode(), repr(raw)[2:-1]]

    for path in every_page():
        text = text_of(boss, path)
        assert [secret for secret in secrets if secret in text] == [], path


class Inline(HTMLParser):
    """What a strict Content-Security-Policy would refuse in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.refused.append(tag)
        self.refused += [
            f"{tag} {name}={value}"
            for name, value in attributes
            if name == "style" or name.startswith("on") or (value or "").startswith("javascript:")
        ]


def test_pages_need_nothing_that_the_strict_policy_refuses(books: Books, boss: Client) -> None:
    policy = boss.get(reverse("admin:index")).headers["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    for path in [*every_page(), reverse("admin:login")]:
        assert (
            Inline(text_of(boss if path != reverse("admin:login") else Client(), path)).refused
            == []
        )


@every_model
def test_more_rows_take_no_more_statements(model: type[Model], books: Books, boss: Client) -> None:
    def statements(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            text_of(boss, path)
        return len(queries)

    row = model._default_manager.order_by("pk")[0]
    paths = [url(model, "changelist"), url(model, "change", row.pk)]
    for path in paths:  # content types are looked up once in a process
        text_of(boss, path)
    few = [statements(path) for path in paths]

    for _ in range(3):
        make_books()
        make_hold(books.card, 100)

    assert [statements(path) for path in paths] == few


@every_model
def test_no_list_counts_a_whole_table(model: type[Model], books: Books, boss: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        text_of(boss, url(model, "changelist"))

    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert counts
    assert [sql for sql in counts if f"LIMIT {BoundedPaginator.limit}" not in sql] == []


def test_counts_no_further_than_the_limit(
    books: Books, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedPaginator, "limit", 2)

    answer = boss.get(url(Entry, "changelist"))

    assert Entry.objects.count() > 2
    assert answer.context["cl"].result_count == 2


def test_amounts_are_exact_money_of_the_card(books: Books, boss: Client) -> None:
    card = make_card(make_program(make_store(currency="CLP")), balance=1_500_000)

    text = text_of(boss, url(GiftCard, "changelist"))

    assert "CLP\u00a01,500,000" in text
    assert "CLP\u00a01,500,000" in text_of(boss, url(Balance, "change", card.pk))
    # 1234.5678 - 2.0000 + 0.5000 + 0.0100
    assert "R$1,233.0778" in text
    # Never as bare units, not even in a title.
    for row in (*Balance.objects.all(), *Grant.objects.all()):
        assert "12330778" not in text_of(boss, url(row, "change", row.pk))


def test_moments_are_those_of_the_store(db: None, boss: Client) -> None:
    store = make_store(time_zone="America/Sao_Paulo")
    expires_at = store.last_instant(datetime.date(2099, 12, 31))
    card = make_card(make_program(store), balance=1, expires_at=expires_at)

    assert "12/31/2099" in text_of(boss, url(GiftCard, "changelist"))
    assert "12/31/2099\u00a011:59\u00a0p.m." in text_of(boss, url(GiftCard, "change", card.pk))


def test_a_card_in_points_says_them_first_and_their_worth_below(books: Books, boss: Client) -> None:
    text = text_of(boss, url(GiftCard, "change", books.card.pk))

    tiles = re.findall(r'tile-figure">(.*?)</span> <span class="tile-note">(.*?)</span>', text)
    assert [(figure.replace("\u00a0", " "), worth) for figure, worth in tiles] == [
        ("493,231 ponto", "R$1,233.0778"),
        ("0 ponto", "R$0.0000"),
        ("600 ponto", "R$1.5000"),
        ("0 ponto", "R$0.0000"),
        ("0 ponto", "R$0.0000"),
        ("493,831 ponto", "R$1,234.5778"),
    ]


def test_the_state_of_a_card_knows_its_dates(db: None, boss: Client) -> None:
    program = make_program()
    tomorrow = timezone.now() + datetime.timedelta(days=1)
    cards = {
        make_card(program, balance=1): "active",
        make_blocked_card(program, balance=1): "blocked",
        make_expired_card(program, balance=1): "expired",
        make_card(program, balance=1, valid_from=tomorrow): "not valid yet",
    }

    for card, state in cards.items():
        assert f">{state}</span>" in text_of(boss, url(GiftCard, "change", card.pk))


def test_finds_a_customer_by_part_of_the_name(books: Books, boss: Client) -> None:
    assert found(boss, Customer, "souza") == [books.owner.pk]
    assert found(boss, Customer, "Ana S") == [books.owner.pk]
    assert found(boss, Customer, "Bruno") == []
