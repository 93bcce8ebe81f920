"""The document says what we do: the paths of the code, the answers that the tests demand."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from jsonschema import Draft202012Validator

from giftcard_provider import described
from giftcard_provider.exceptions import STATUS_OF
from giftcard_provider.openapi import document
from tests.giftcard_provider import schemas


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path.strip("/")): operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }


def shape(schema: dict[str, Any]) -> Any:
    """A schema as far as answers can differ by it: references resolved, no words for people."""
    name = schema.get("$ref", "").rpartition("/")[2]
    schema = described.SCHEMAS[name] if name else schema
    found = {key: value for key, value in schema.items() if key != "description"}
    if "properties" in found:
        found["properties"] = {key: shape(value) for key, value in found["properties"].items()}
        found["required"] = sorted(found["required"])
    if "items" in found:
        found["items"] = shape(found["items"])
    if found.get("enum"):
        found.pop("type", None)
    # Of a short imported code no more than half is shown.
    if found.get("pattern") == r"^\*{12}.{0,4}$":
        found["pattern"] = r"^\*{12}.{4}$"
    return found


def test_it_is_a_valid_document_with_every_operation_of_the_code() -> None:
    assert document()["openapi"] == "3.1.0"
    assert len(operations()) == len(schemas.ANSWERS) == len(described.OPERATIONS) == 11
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_answer_is_described_as_strictly_as_the_tests_hold_it() -> None:
    for (method, path), operation in operations().items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", path)
        [wanted] = [
            schema
            for (known, expected), schema in schemas.ANSWERS.items()
            if (known, expected) == (method, pattern)
        ]
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]

        assert shape(answer) == shape(wanted), (method, path)


def test_every_status_of_a_refusal_is_described() -> None:
    said = {status for each in operations().values() for status in each["responses"]}

    assert {str(status) for status in STATUS_OF.values()} <= said
    for operation in operations().values():
        assert {"200", "401", "403", "429", "503"} <= operation["responses"].keys()
        assert ("requestBody" in operation) == ("413" in operation["responses"])


def test_every_link_leads_to_an_operation_with_these_parameters() -> None:
    by_name = {each["operationId"]: each for each in operations().values()}

    for operation in operations().values():
        for link in operation["responses"]["200"].get("links", {}).values():
            wanted = {
                each["name"]
                for each in by_name[link["operationId"]]["parameters"]
                if each["in"] == "path"
            }
            assert link["parameters"].keys() == wanted


def test_it_is_served_to_programs(client: Client) -> None:
    response = client.get(reverse("openapi"))

    assert response["Content-Type"] == "application/json"
    assert json.loads(response.content) == document()


def test_it_is_served_to_people_without_a_script(client: Client) -> None:
    response = client.get(reverse("api_document"))

    page = response.content.decode()
    assert response.status_code == 200
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert "<script" not in page
    assert " style=" not in page
    for _, path in operations():
        assert f"<code>/{path}</code>" in page


@pytest.mark.parametrize("address", ["/docs/api/", "/docs/openapi.json"])
def test_it_lies_outside_of_what_vtex_calls(address: str) -> None:
    assert not address.startswith("/vtex/")
