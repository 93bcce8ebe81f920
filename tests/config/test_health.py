import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import ConnectionHandler
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from config import health
from loyalty.models import PeriodicWork
from tests.config.processes import free_port

UP = {"database": True, "migrations": True, "broker": True, "beat": None}


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """As in a process that has just started."""
    health._all_applied.cache_clear()
    yield
    health._all_applied.cache_clear()


def ready(rf: RequestFactory) -> tuple[int, Any]:
    response: HttpResponse = health.ready(rf.get("/health/ready"))
    return response.status_code, json.loads(response.content)


def test_alive_without_asking_anyone(client: Client) -> None:
    response = client.get("/health/live")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
def test_ready_when_all_of_it_answers(client: Client) -> None:
    response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == UP


@pytest.mark.django_db
def test_an_orchestrator_calls_by_any_name_and_by_plain_http(
    client: Client, settings: LazySettings
) -> None:
    settings.ALLOWED_HOSTS = ["shop.example"]
    settings.SECURE_SSL_REDIRECT = True

    response = client.get("/health/ready", headers={"host": "10.0.0.7:8000"})

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert client.post("/health/live").status_code == 405


@pytest.mark.django_db
def test_the_queue_is_reported_and_never_decides(
    rf: RequestFactory, settings: LazySettings
) -> None:
    away = settings.CACHES["default"] | {"LOCATION": f"redis://127.0.0.1:{free_port()}/0"}
    settings.CACHES = {"default": away}

    assert ready(rf) == (200, UP | {"broker": False})


@pytest.mark.django_db
def test_how_long_ago_beat_was_seen_is_reported_and_never_decides(rf: RequestFactory) -> None:
    ticked = timezone.now() - datetime.timedelta(hours=1)
    PeriodicWork.objects.create(name="watch", started_at=ticked)

    status, body = ready(rf)

    assert status == 200
    assert body["beat"] == pytest.approx(3600, abs=5)


@pytest.mark.django_db
def test_not_ready_without_a_database(
    rf: RequestFactory, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = settings.DATABASES["default"] | {"HOST": "127.0.0.1", "PORT": free_port()}
    nowhere["OPTIONS"] = {}
    monkeypatch.setattr(health, "connection", ConnectionHandler({"default": nowhere})["default"])

    assert ready(rf) == (503, UP | {"database": False, "migrations": False})


@pytest.mark.django_db
def test_not_ready_when_the_database_takes_no_writes(rf: RequestFactory) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")

    assert ready(rf) == (503, UP | {"database": False, "migrations": False})


@pytest.mark.django_db
def test_not_ready_before_a_migration_and_never_asked_again_after_the_last(
    rf: RequestFactory, django_assert_num_queries: Any
) -> None:
    recorder = MigrationRecorder(connection)
    [last] = MigrationLoader(connection).graph.leaf_nodes("giftcard_provider")
    recorder.record_unapplied(*last)
    before = ready(rf)
    recorder.record_applied(*last)

    assert before == (503, UP | {"migrations": False})
    assert ready(rf) == (200, UP)
    with django_assert_num_queries(2):
        assert ready(rf) == (200, UP)
