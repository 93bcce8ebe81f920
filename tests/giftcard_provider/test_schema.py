"""Answers have the form that we promise, and the form that VTEX's own OpenAPI document gives."""

import json
import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator, ValidationError

from loyalty.models import Program
from tests.builders import make_customer, make_hold, make_wallet
from tests.giftcard_provider import schemas
from tests.giftcard_provider.conftest import Protocol
from tests.giftcard_provider.routes import ROUTES, Route, each_route

ROOT = Path(__file__).resolve().parents[2]
OPENAPI = ROOT.parent / "shared" / "spec" / "vtex-giftcard-provider-protocol.json"

needs_openapi = pytest.mark.skipif(
    not OPENAPI.exists(), reason="VTEX's OpenAPI document is not beside this repository"
)


@cache
def openapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(OPENAPI.read_text())
    return document


def resource_of(path: str) -> str:
    """VTEX's path as one of ours: it calls the ids by several names."""
    return re.sub(r"\{[^}]+\}", "[^/]+", path).strip("/")


def openapi_schema(method: str, resource: str) -> dict[str, Any]:
    """The schema of a 200, with the components that it refers to."""
    for path, operations in openapi()["paths"].items():
        if resource_of(path) == resource and method.lower() in operations:
            [content] = operations[method.lower()]["responses"]["200"]["content"].values()
            return {**content["schema"], "components": openapi()["components"]}
    raise LookupError(resource)


def pattern_of(route: Route) -> str:
    """The route as the key of its schema."""
    return re.sub(r"\{[^}]+\}", "[^/]+", route.template)


@needs_openapi
def test_every_operation_of_the_document_has_a_schema_of_ours() -> None:
    documented = {
        (method.upper(), resource_of(path))
        for path, operations in openapi()["paths"].items()
        for method in operations
        if method in {"get", "post", "put", "patch", "delete"}
    }

    assert documented == set(schemas.ANSWERS)


def test_every_schema_has_a_route_and_every_route_a_schema() -> None:
    assert {(route.method, pattern_of(route)) for route in ROUTES} == set(schemas.ANSWERS)


@needs_openapi
@each_route
def test_every_answer_fits_the_document(protocol: Protocol, program: Program, route: Route) -> None:
    owner = make_customer(program.store)
    card = make_wallet(
        program, balance=10_000, owner=owner, caption="Vale", imported_code="ABCD-EFGH-JKLM-NPQR"
    )
    hold = make_hold(card, 5_000)
    for kind in ("settlements", "cancellations"):
        path = f"giftcards/{card.public_id}/transactions/{hold.public_id}/{kind}"
        protocol.post(path, {"value": 20, "requestId": "before"})

    answer = protocol.call(route.method, route.path(card, hold), route.body)

    assert answer.status == 200
    assert answer.data != []
    Draft4Validator(openapi_schema(route.method, pattern_of(route))).validate(answer.data)


CARD: dict[str, Any] = {
    "id": "0" * 32,
    "provider": "ourcredit",
    "balance": Decimal("1.00"),
    "_self": {"href": f"giftcards/{'0' * 32}"},
}


@pytest.mark.parametrize(
    "change",
    [
        {"balance": "1.00"},
        {"balance": 0},
        {"balance": -1},
        {"redemptionCode": "ABCD"},
        {"caption": ""},
        {"id": 24},
        {"id": ""},
        {"_self": {"href": "https://example.com/giftcards/1"}},
        {"_self": {"href": f"/giftcards/{'0' * 32}"}},
        {"provider": None},
    ],
    ids=str,
)
def test_the_schemas_find_what_they_are_there_for(change: dict[str, Any]) -> None:
    schema = schemas.schema_of("POST", "giftcards/_search", 200)
    schema.validate([CARD])

    with pytest.raises(ValidationError):
        schema.validate([CARD | change])


def test_an_answer_that_the_protocol_does_not_have_is_seen() -> None:
    with pytest.raises(LookupError):
        schemas.schema_of("GET", "giftcards", 200)
    with pytest.raises(LookupError):
        schemas.schema_of("GET", "giftcards/x/transactions/y/refunds", 200)


def test_every_answer_of_the_fixture_was_checked(protocol: Protocol, program: Program) -> None:
    card = make_wallet(program)

    for _ in range(3):
        protocol.get(f"giftcards/{card.public_id}")

    assert protocol.checked == 3
