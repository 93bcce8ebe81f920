"""The comparisons of each night begin by themselves: once, late, and for whoever can be read."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from pytest_django import Settings

from loyalty import reconciliation
from loyalty.models import Job, ReconciliationRun, Store
from loyalty.order_sources import WindowKind
from tests.builders import make_store
from tests.loyalty.reconciliation.records import LATER, Records

NIGHT = datetime.datetime(2026, 11, 17, 5, 0, tzinfo=datetime.UTC)  # Tuesday, 02:00 in São Paulo


@pytest.fixture(autouse=True)
def readable(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Every store but those whose account ends in -x has keys."""

    def stores(_class: type[Records]) -> QuerySet[Store]:
        return Store.objects.exclude(account__endswith="-x")

    monkeypatch.setattr(Records, "stores", classmethod(stores))
    settings.LOYALTY_ORDER_SOURCE = "tests.loyalty.reconciliation.records.Records"


def windows(store: Store) -> list[tuple[str, str, str]]:
    rows = ReconciliationRun.objects.filter(store=store).order_by("pk")
    return [
        (
            row.by,
            row.since.astimezone(store.zone).isoformat(" ", "minutes")[:16],
            row.until.astimezone(store.zone).isoformat(" ", "minutes")[:16],
        )
        for row in rows
    ]


def finish() -> None:
    now = LATER + datetime.timedelta(days=60)
    ReconciliationRun.objects.update(status="done", finished_at=now)


def begin(at: datetime.datetime) -> int:
    with time_machine.travel(at, tick=False):
        return reconciliation.start_due()


def test_each_night_has_both_windows_up_to_the_end_of_yesterday(store: Store) -> None:
    begun = begin(NIGHT)

    assert begun == 2
    assert windows(store) == [
        ("authorized", "2026-11-14 00:00", "2026-11-17 00:00"),
        ("changed", "2026-11-10 00:00", "2026-11-17 00:00"),
    ]
    assert not ReconciliationRun.objects.exclude(source="orders", requested_by=None).exists()
    assert Job.objects.count() == 2


def test_a_store_begins_in_its_own_night(store: Store) -> None:
    tokyo = make_store(time_zone="Asia/Tokyo")

    begin(NIGHT - datetime.timedelta(minutes=1))

    assert windows(store) == []
    assert len(windows(tokyo)) == 2


def test_a_second_call_begins_nothing(store: Store) -> None:
    first = begin(NIGHT)
    running = begin(NIGHT + datetime.timedelta(minutes=10))
    finish()

    done = begin(NIGHT + datetime.timedelta(hours=20))

    assert (first, running, done) == (2, 0, 0)


def test_a_run_that_goes_on_is_not_overtaken(store: Store) -> None:
    begin(NIGHT)

    assert begin(NIGHT + datetime.timedelta(days=1)) == 0
    finish()
    assert begin(NIGHT + datetime.timedelta(days=1)) == 2


def test_nights_that_were_missed_are_part_of_the_next_window(store: Store) -> None:
    begin(NIGHT)
    finish()

    begin(NIGHT + datetime.timedelta(days=9))

    assert windows(store)[2:] == [
        ("authorized", "2026-11-17 00:00", "2026-11-26 00:00"),
        ("changed", "2026-11-17 00:00", "2026-11-26 00:00"),
    ]


def test_one_night_of_the_week_goes_back_further(store: Store) -> None:
    begin(NIGHT - datetime.timedelta(days=2))

    assert windows(store)[0] == ("authorized", "2026-10-01 00:00", "2026-11-15 00:00")


def test_a_failed_night_does_not_stop_the_next_one(store: Store) -> None:
    begin(NIGHT)
    ReconciliationRun.objects.update(status="failed", finished_at=LATER, error="VTEX is down.")

    assert begin(NIGHT + datetime.timedelta(days=1)) == 2


def test_a_store_without_keys_is_left_out(store: Store) -> None:
    other = make_store(account="no-keys-x")

    begin(NIGHT)

    assert windows(other) == []
    assert len(windows(store)) == 2


def test_what_people_began_does_not_count(store: Store, admin_user: User) -> None:
    with time_machine.travel(NIGHT, tick=False):
        for kind in WindowKind:
            window = reconciliation.recent(kind, store, days=3)
            reconciliation.start(store, window, requested_by=admin_user)

    assert begin(NIGHT) == 2


@pytest.mark.django_db(transaction=True)
def test_two_clocks_at_once_begin_each_comparison_once() -> None:
    for _ in range(3):
        make_store()

    def tick() -> int:
        try:
            return reconciliation.start_due()
        finally:
            connection.close()

    with time_machine.travel(NIGHT, tick=False), ThreadPoolExecutor(4) as pool:
        begun = [pool.submit(tick) for _ in range(4)]
        numbers = [each.result() for each in begun]

    assert sum(numbers) == ReconciliationRun.objects.count() == 6
