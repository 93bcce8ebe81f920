"""docs/protocol.md says what the code does."""

import json
import re
from pathlib import Path

import pytest

from giftcard_provider.exceptions import STATUS_OF
from tests.giftcard_provider import schemas
from tests.giftcard_provider.routes import ROUTES, Route, each_route

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text()
ROW = re.compile(r"^\| (\d{3}) \| `([a-z_]+)` \| \S.* \|$", re.MULTILINE)
# Answered by the protocol itself; the ledger does not know them.
OF_THE_PROTOCOL = {
    "malformed_json": 400,
    "invalid_field": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "body_too_large": 413,
    "error": 500,
}


def section(route: Route) -> str:
    """What the page says about an operation."""
    path = route.template.replace("{card}", "{id}").replace("{transaction}", "{tid}")
    [text] = re.findall(
        rf"^## {route.method} /{re.escape(path)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL
    )
    return str(text)


def blocks(text: str) -> list[str]:
    """Its blocks of JSON."""
    return re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_every_code_is_on_the_page_with_its_status() -> None:
    rows = [(code, int(status)) for status, code in ROW.findall(PAGE)]

    expected = {error.code: status for error, status in STATUS_OF.items()} | OF_THE_PROTOCOL
    assert dict(rows) == expected
    assert len(rows) == len(expected)


@each_route
def test_every_operation_has_a_real_answer_on_the_page(route: Route) -> None:
    answer = json.loads(blocks(section(route))[-1])

    schemas.schema_of(route.method, route.path("x", "y"), 200).validate(answer)


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.method == "POST"], ids=lambda route: route.name
)
def test_every_post_has_a_request_on_the_page(route: Route) -> None:
    request, _ = blocks(section(route))

    assert set(json.loads(request)) <= {*json.loads(json.dumps(route.body)), "expiringDate"}


def test_the_example_of_a_refusal_is_one() -> None:
    [example] = [block for block in blocks(PAGE) if '"error"' in block]

    schemas.schema_of("POST", "giftcards", 422).validate(json.loads(example))
