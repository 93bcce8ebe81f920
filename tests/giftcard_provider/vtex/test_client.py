"""One call to VTEX, and what is done when it goes wrong."""

import datetime
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.utils.http import http_date

from giftcard_provider.vtex import client as clients
from giftcard_provider.vtex.client import ATTEMPTS, Client
from loyalty.models import Store
from loyalty.order_sources import SourceRefused, SourceUnavailable, SourceUnreadable
from tests.vtex import StandIn

ORDERS = "/api/oms/pvt/orders"


@pytest.fixture
def client(store: Store, pauses: list[float]) -> Iterator[Client]:
    made = Client(store.vtex_keys)
    yield made
    made.close()


def test_many_calls_share_one_connection(client: Client, vtex: StandIn) -> None:
    answers = [client.orders(ORDERS)["list"] for _ in range(5)]

    assert answers == [[]] * 5
    assert (client.calls, vtex.connections) == (5, 1)


def test_what_does_not_exist_is_none(client: Client) -> None:
    assert client.orders(f"{ORDERS}/v1-01") is None
    assert client.payments("/api/pvt/transactions/T1") is None


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500},
        {"status": 503},
        {"cut_after": 0},
        {"cut_after": 10},
        {"body": b'{"list": ['},
        {"body": b'{"list": "\xff"}'},
        {"body": b""},
    ],
    ids=["broken", "unavailable", "no answer", "cut", "half an answer", "no text", "nothing"],
)
def test_tries_again_after_a_pause(
    client: Client, vtex: StandIn, pauses: list[float], trouble: dict[str, Any]
) -> None:
    vtex.trouble("orders", times=2, **trouble)

    assert client.orders(ORDERS)["list"] == []
    assert client.calls == vtex.total_calls == 3
    assert 0.5 <= pauses[0] < 1
    assert 1 <= pauses[1] < 2


@pytest.mark.parametrize(("asked", "waited"), [("7", 7.0), ("86400", 30.0)])
def test_waits_as_long_as_it_is_asked_to_within_reason(
    client: Client, vtex: StandIn, pauses: list[float], asked: str, waited: float
) -> None:
    vtex.trouble("orders", status=429, headers={"Retry-After": asked})

    assert client.orders(ORDERS)["list"] == []
    assert pauses == [waited]


@pytest.mark.parametrize(("seconds", "waited"), [(12, 12.0), (3600, 30.0), (-60, 0.5)])
def test_waits_until_the_moment_that_it_is_asked_to(
    client: Client, vtex: StandIn, pauses: list[float], seconds: int, waited: float
) -> None:
    now = datetime.datetime(2026, 11, 10, 12, tzinfo=datetime.UTC)
    moment = http_date(now.timestamp() + seconds)
    vtex.trouble("orders", status=503, headers={"Retry-After": moment})

    with time_machine.travel(now, tick=False):
        client.orders(ORDERS)

    # Without a longer wish it is half a second, and up to twice that.
    assert waited <= pauses[0] < waited + 0.5


def test_gives_up_in_the_end(client: Client, vtex: StandIn, pauses: list[float]) -> None:
    vtex.trouble("orders", times=100, status=500)

    with pytest.raises(SourceUnavailable, match="VTEX answered 500, 5 times"):
        client.orders(ORDERS)
    assert (vtex.total_calls, len(pauses)) == (ATTEMPTS, ATTEMPTS - 1)


def test_a_slow_answer_is_given_up(
    client: Client, vtex: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "TIMEOUT", (1, 0.05))
    vtex.trouble("orders", times=1, delay=0.3)

    assert client.orders(ORDERS)["list"] == []
    assert client.calls == 2


def test_refused_keys_are_not_tried_again(client: Client, vtex: StandIn) -> None:
    vtex.app_token = "another"

    with pytest.raises(SourceRefused, match="List Orders"):
        client.orders(ORDERS)
    assert client.calls == 1


@pytest.mark.parametrize("status", [302, 400, 418])
def test_an_answer_out_of_the_blue_is_not_tried_again(
    client: Client, vtex: StandIn, status: int
) -> None:
    vtex.trouble("orders", status=status, headers={"Location": "http://192.0.2.1/"})

    with pytest.raises(SourceUnreadable, match=str(status)):
        client.orders(ORDERS)
    assert client.calls == 1


def test_no_key_and_no_query_is_logged_or_raised(
    client: Client, vtex: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    vtex.trouble("orders", times=100, status=500)

    with pytest.raises(SourceUnavailable) as raised:
        client.orders(ORDERS, {"q": "ana@example.com"})

    said = caplog.text + str(raised.value)
    assert "VTEX answered 500" in said
    for secret in (vtex.app_token, vtex.app_key, "ana@example.com"):
        assert secret not in said


def test_the_token_is_sealed_for_its_store(store: Store, vtex: StandIn) -> None:
    keys = store.vtex_keys
    keys.refresh_from_db()

    assert vtex.app_token.encode() not in bytes(keys.token_sealed)
    assert keys.app_token == vtex.app_token
