"""Every log line of a request says of which one it is, and none says who it was for."""

import json
import logging
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pythonjsonlogger.json import JsonFormatter

from config.context import RequestContextFilter, RequestContextMiddleware

OPERATION = "0f8fad5b-d9cb-469f-a165-70867728950e"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Lines(logging.Handler):
    """What would be written, as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []
        self.setFormatter(JsonFormatter("%(levelname)s %(name)s %(message)s"))
        self.addFilter(RequestContextFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(json.loads(self.format(record)))


@pytest.fixture
def lines() -> Any:
    handler = Lines()
    logging.getLogger().addHandler(handler)
    yield handler.found
    logging.getLogger().removeHandler(handler)


def served(rf: RequestFactory, **headers: str) -> HttpResponse:
    def view(_: HttpRequest) -> HttpResponse:
        logging.getLogger("loyalty.anything").warning("something")
        return HttpResponse()

    response = RequestContextMiddleware(view)(rf.get("/", headers=headers))
    assert isinstance(response, HttpResponse)
    return response


def test_a_line_has_the_ids_that_the_caller_gave(
    rf: RequestFactory, lines: list[dict[str, Any]]
) -> None:
    answer = served(
        rf,
        **{"x-request-id": "from-proxy-1", "x-vtex-operation-id": OPERATION, "traceparent": TRACE},
    )

    [line] = lines
    assert line["request_id"] == answer["X-Request-Id"] == "from-proxy-1"
    assert (line["operation_id"], line["traceparent"]) == (OPERATION, TRACE)


def test_a_request_without_an_id_gets_one(rf: RequestFactory, lines: list[dict[str, Any]]) -> None:
    first, second = served(rf)["X-Request-Id"], served(rf)["X-Request-Id"]

    assert [line["request_id"] for line in lines] == [first, second]
    assert first != second
    assert "operation_id" not in lines[1]


def test_an_id_that_would_write_into_the_log_is_not_taken(
    rf: RequestFactory, lines: list[dict[str, Any]]
) -> None:
    given = 'x", "level": "none'
    answer = served(rf, **{"x-request-id": given, "x-vtex-operation-id": "ana@example.com"})

    assert answer["X-Request-Id"] != given
    assert "operation_id" not in lines[0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "/vtex/giftcards/K3M9-Q2RT-7WXY-4ZAB?email=ana@example.com",
        "/nothing/ana@example.com/?q=52998224725",
    ],
)
def test_an_address_says_nothing_of_people_and_codes(
    client: Client, lines: list[dict[str, Any]], address: str
) -> None:
    client.get(address)

    text = json.dumps(lines)
    assert lines
    assert not [each for each in ("K3M9", "ana@", "52998224725") if each in text]
