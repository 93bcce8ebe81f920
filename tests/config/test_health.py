import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.db.utils import ConnectionHandler
from django.http import HttpResponse
from django.test import Client, RequestFactory

from config import health
from tests.config.processes import free_port


def ready(rf: RequestFactory) -> tuple[int, Any]:
    response: HttpResponse = health.ready(rf.get("/health/ready"))
    return response.status_code, json.loads(response.content)


def test_alive_without_asking_anyone(client: Client) -> None:
    response = client.get("/health/live")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
def test_ready_when_database_and_cache_answer(client: Client) -> None:
    response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {"database": True, "cache": True}


@pytest.mark.django_db
def test_the_cache_is_reported_and_never_decides(
    rf: RequestFactory, settings: LazySettings
) -> None:
    cache = settings.CACHES["default"] | {"LOCATION": f"redis://127.0.0.1:{free_port()}/0"}
    settings.CACHES = {"default": cache}

    assert ready(rf) == (200, {"database": True, "cache": False})


@pytest.mark.django_db
def test_not_ready_without_a_database(
    rf: RequestFactory, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = settings.DATABASES["default"] | {"HOST": "127.0.0.1", "PORT": free_port()}
    nowhere["OPTIONS"] = {}
    monkeypatch.setattr(health, "connection", ConnectionHandler({"default": nowhere})["default"])

    assert ready(rf) == (503, {"database": False, "cache": True})


@pytest.mark.django_db
def test_not_ready_when_the_database_takes_no_writes(rf: RequestFactory) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")

    assert ready(rf) == (503, {"database": False, "cache": True})
