import json
from dataclasses import asdict

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.bench.back_office import answers_of
from tests.bench.pages.measure import open_page
from tests.bench.pages.report import Answer, Visit, table
from tests.loyalty.admin.conftest import make_books


def answer(
    path: str, *, status: int = 200, ms: float = 20, queries: int = 7, scanned: int = 0
) -> Answer:
    visit = Visit("list: cards", path)
    return Answer(visit, status, ms, queries, scanned, slowest="9 ms … loyalty_giftcard")


def test_a_page_keeps_every_promise_or_is_named() -> None:
    answers = [
        answer("/quick/", ms=300, queries=15, scanned=25_000),
        answer("/slow/", ms=301),
        answer("/chatty/", queries=16),
        answer("/scan/", scanned=25_001),
        answer("/broken/", status=500),
    ]

    lines = table(answers).splitlines()

    assert lines[1].split() == ["list:", "cards", "5", "20", "301", "16", "25001"]
    assert lines[3] == "5 pages, 4 beyond what is promised"
    assert [line.partition(":")[0] for line in lines[4:]] == [
        "/slow/",
        "/chatty/",
        "/scan/",
        "/broken/",
    ]


def test_a_page_is_opened_and_its_statements_are_counted(db: None) -> None:
    make_books()
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))

    found = open_page(client, Visit("lists", reverse("admin:loyalty_giftcard_changelist")))
    searched = open_page(client, Visit("search", reverse("admin:search"), {"typed": "Ana Souza"}))

    assert (found.status, searched.status) == (200, 302)
    assert 5 <= found.queries <= 15
    assert found.ms > 0
    assert found.is_ok
    assert answers_of(f"{json.dumps(asdict(found))}\n{json.dumps(asdict(searched))}\n") == [
        found,
        searched,
    ]
