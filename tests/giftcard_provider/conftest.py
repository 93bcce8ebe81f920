"""Fixtures of the protocol's tests: a store, its program and credential, and VTEX as `protocol`."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from threading import Barrier
from typing import Any

import pytest
import simplejson
from django.core.cache import cache
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from giftcard_provider.models import Credential
from loyalty.ledger.durability import COMMIT_PATIENTLY
from loyalty.models import Program, Store
from tests.builders import make_program, make_store
from tests.giftcard_provider import schemas

MOUNT = "/vtex/"
# What the Gift Card Hub sends with every call (payloads/request-headers of VTEX's guide, 2026).
MEDIA_TYPE = "application/vnd.vtex.giftcards.v1+json"
HEADERS = {
    "accept": MEDIA_TYPE,
    "x-vtex-operation-id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "x-vtex-debug-id": "",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "baggage": "",
    "accept-encoding": "gzip",
}


@dataclass(frozen=True)
class Answer:
    """What came back, to the byte."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @cached_property
    def data(self) -> Any:
        """The body with every number exact."""
        return json.loads(self.body, parse_float=Decimal)

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.data["error"]["code"])

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code of a refusal."""
        return self.status, self.code


class Protocol:
    """VTEX as we see it: calls with its headers, and holds every answer against its schema.

    Headers are given as keywords (`rest_range="0-9"`); None takes one away. A body is a dict, or
    the bytes themselves. Paths are relative to the mount unless they begin with a slash.
    """

    def __init__(self, credential: Credential, token: str) -> None:
        self.credential = credential
        self.token = token
        self.checked = 0
        # As every live one: today's first call has been noted.
        Credential.objects.filter(pk=credential.pk).update(last_used_on=timezone.now().date())

    def get(self, path: str, **headers: str | None) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: object = b"", **headers: str | None) -> Answer:
        return self.call("POST", path, body, **headers)

    def call(self, method: str, path: str, body: object = b"", **headers: str | None) -> Answer:
        """One request, and its answer, which has the form that the protocol demands."""
        content = body if isinstance(body, bytes) else simplejson.dumps(body).encode()
        sent = self._headers(method, headers)
        url = path if path.startswith("/") else MOUNT + path
        response = Client().generic(
            method, f"http://testserver{url}", content, content_type="", headers=sent
        )
        answer = Answer(response.status_code, response.content, response.headers)
        schemas.check(method, _resource(url), answer)
        self.checked += 1
        return answer

    def _headers(self, method: str, changes: Mapping[str, str | None]) -> dict[str, str]:
        usual: dict[str, str | None] = {
            **HEADERS,
            "x-provider-api-appkey": self.credential.app_key,
            "x-provider-api-apptoken": self.token,
        }
        if method == "POST":
            usual["content-type"] = MEDIA_TYPE
        usual |= {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in usual.items() if value is not None}


def _resource(url: str) -> str:
    path = re.sub("/+", "/", url.partition("?")[0]).removeprefix(MOUNT)
    return path.removeprefix("api/").rstrip("/")


def make_protocol(store: Store) -> Protocol:
    """Another store's VTEX."""
    return Protocol(*Credential.objects.issue(store))


def at_once(protocol: Protocol, path: str, bodies: Sequence[object]) -> list[Answer]:
    """The answers to all of them, posted at the same moment, each on a connection of its own."""
    barrier = Barrier(len(bodies))

    def call(body: object) -> Answer:
        try:
            barrier.wait(timeout=10)
            return protocol.post(path, body)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(bodies)) as threads:
        return list(threads.map(call, bodies))


@pytest.fixture
def store(db: None) -> Store:
    """The store that calls."""
    return make_store()


@pytest.fixture
def program(store: Store) -> Program:
    """The store's plain gift cards."""
    return make_program(store)


@pytest.fixture
def protocol(store: Store) -> Protocol:
    """VTEX, with the store's credential."""
    return make_protocol(store)


@pytest.fixture
def other_protocol(db: None) -> Protocol:
    """VTEX, with the credential of another store."""
    return make_protocol(make_store())


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """No wrong codes are remembered from test to test."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def nothing_kept(settings: Settings) -> None:
    """No failed call is written down: what follows the answer is no part of the call's cost."""
    settings.FAILED_CALLS_PER_MINUTE = 0


@pytest.fixture
def statements(
    sent_in_full: None, nothing_kept: None
) -> Callable[[Callable[[], Answer]], list[str]]:
    """What a call sends, a text each round trip, without the look-up of its credential.

    BEGIN and COMMIT are seen in tests with real transactions only.
    """

    def sent_by(call: Callable[[], Answer]) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            call()
        sent = [query["sql"].removeprefix(COMMIT_PATIENTLY) for query in captured.captured_queries]
        assert "giftcard_provider_credential" in sent[0]
        return sent[1:]

    return sent_by
