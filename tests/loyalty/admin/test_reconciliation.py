"""Comparisons: begun from the back office over days or with a file, watched, and never changed."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from loyalty import jobs, reconciliation
from loyalty.models import (
    AuditEvent,
    Discrepancy,
    GiftCard,
    Job,
    JobKind,
    ReconciliationRun,
    Store,
)
from tests.builders import make_program, make_store, make_wallet
from tests.loyalty.reconciliation.records import LATER, NOON, WEEK, Records, make_debit
from tests.loyalty.staff import make_staff

SAMPLE = Path("loyalty/static/loyalty/sample-payments.csv")


@pytest.fixture(autouse=True)
def five_days_later() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def store(db: None) -> Store:
    return make_store(name="Casa Aurora")


@pytest.fixture
def card(store: Store) -> GiftCard:
    with time_machine.travel(NOON, tick=False):
        return make_wallet(make_program(store), balance=100_000)


@pytest.fixture
def readable(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Every store has keys."""
    settings.LOYALTY_ORDER_SOURCE = "tests.loyalty.reconciliation.records.Records"

    def stores(_class: type[Records]) -> QuerySet[Store]:
        return Store.objects.all()

    monkeypatch.setattr(Records, "stores", classmethod(stores))


def at(name: str, *arguments: object) -> str:
    return reverse(f"admin:loyalty_reconciliationrun_{name}", args=arguments)


def page(client: Client, name: str, *arguments: object) -> str:
    answer = client.get(at(name, *arguments))
    assert answer.status_code == 200
    return answer.content.decode()


def days(store: Store) -> dict[str, object]:
    return {"store": store.pk, "by": "authorized", "first": "2026-11-09", "last": "2026-11-11"}


def test_a_comparison_with_vtex_begins_over_days_of_the_store(
    store: Store, readable: None, boss: Client, superuser: User
) -> None:
    answer = boss.post(at("start"), days(store))

    run = ReconciliationRun.objects.get()
    assert answer["Location"] == at("change", run.pk)
    assert [each.astimezone(store.zone).isoformat() for each in (run.since, run.until)] == [
        "2026-11-09T00:00:00-03:00",
        "2026-11-12T00:00:00-03:00",
    ]
    assert (run.by, run.source, run.requested_by) == ("authorized", "orders", superuser)
    assert Job.objects.get().kind == JobKind.RECONCILE
    event = AuditEvent.objects.get(action="added")
    assert (event.subject, event.store) == (f"loyalty.reconciliationrun:{run.pk}", store)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"last": "2026-11-08"}, "comes before the first one"),
        ({"first": "2025-01-01"}, "a year at most"),
        ({"first": "2026-12-01", "last": "2026-12-02"}, "nothing to compare yet"),
        ({"store": ""}, "required"),
    ],
)
def test_days_that_make_no_sense_begin_nothing(
    store: Store, readable: None, boss: Client, data: dict[str, object], problem: str
) -> None:
    answer = boss.post(at("start"), days(store) | data)

    assert problem in answer.content.decode()
    assert not ReconciliationRun.objects.exists()
    assert not Job.objects.exists()


def test_without_keys_the_way_to_a_file_is_shown(store: Store, boss: Client) -> None:
    text = page(boss, "start")

    assert "No store has keys" in text
    assert at("upload") in text


def test_a_file_is_compared_from_end_to_end(store: Store, card: GiftCard, boss: Client) -> None:
    debit = make_debit(card, settled=0)
    content = (
        "order;tid;amount;authorized_at;status;settled\n"
        f"v1str-01;{debit.public_id};10,00;2026-11-10T09:00:00;finished;10,00\n"
    )
    file = SimpleUploadedFile("payments.csv", content.encode())

    boss.post(at("upload"), {"store": store.pk, "by": "authorized", "file": file})
    while jobs.run_next({JobKind.RECONCILE: reconciliation.reconcile_chunk}):
        pass

    run = ReconciliationRun.objects.get()
    assert (run.status, run.source) == ("done", "file")
    assert (run.since, run.until) == (NOON, NOON + datetime.timedelta(seconds=1))
    assert Discrepancy.objects.values_list("kind", "remedy_units").get() == ("settlement", 1000)
    assert "another amount settled" in page(boss, "change", run.pk)


def test_the_sample_can_be_read(store: Store, boss: Client) -> None:
    file = SimpleUploadedFile("sample.csv", SAMPLE.read_bytes())

    boss.post(at("upload"), {"store": store.pk, "by": "changed", "file": file})

    assert ReconciliationRun.objects.get().source == "file"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"order,payment,amount,authorized_at\nv1,P1,ten,2026-11-10", "Line 2 cannot be read"),
        (b"order,payment\nv1,P1", "no column amount, authorized_at"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_begins_nothing(
    store: Store, boss: Client, content: bytes, problem: str
) -> None:
    file = SimpleUploadedFile("payments.csv", content)

    answer = boss.post(at("upload"), {"store": store.pk, "by": "authorized", "file": file})

    assert problem in answer.content.decode()
    assert not ReconciliationRun.objects.exists()


def test_the_page_shows_how_far_it_is_until_it_ends(
    store: Store, card: GiftCard, readable: None, boss: Client
) -> None:
    make_debit(card, settled=0)
    run = reconciliation.start(store, WEEK)
    before = page(boss, "change", run.pk)
    while jobs.run_next({JobKind.RECONCILE: reconciliation.reconcile_chunk}):
        pass

    after = page(boss, "change", run.pk)

    assert '<meta http-equiv="refresh" content="3">' in before
    assert '<progress max="100" value="0"' in before
    assert "refresh" not in after
    assert '<progress max="100" value="100"' in after
    assert "looked up one by one" in after
    assert "100%" in page(boss, "changelist")


def test_who_may_only_look_begins_nothing(store: Store, readable: None) -> None:
    client = Client()
    client.force_login(make_staff("view_reconciliationrun"))

    for name in ("start", "upload"):
        assert client.get(at(name)).status_code == 403
        assert client.post(at(name), days(store)).status_code == 403

    assert client.get(at("changelist")).status_code == 200
    assert not ReconciliationRun.objects.exists()


def test_nobody_deletes_or_changes(store: Store, readable: None, boss: Client) -> None:
    run = reconciliation.start(store, WEEK)
    before = ReconciliationRun.objects.values().get()

    for name in ("change", "delete"):
        assert boss.post(at(name, run.pk), {"status": "done"}).status_code == 403

    assert ReconciliationRun.objects.values().get() == before
