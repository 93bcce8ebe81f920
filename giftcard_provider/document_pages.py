"""The OpenAPI document, for programs as JSON and for people as a page without a script."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import simplejson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from giftcard_provider import described
from giftcard_provider.openapi import document

# Enough to show how a schema is put together; below it, its name says enough.
_DEPTH = 6
# As a purchase goes, not as paths are spelled.
_ORDER = [operation["operationId"] for operation in described.OPERATIONS.values()]


@dataclass(frozen=True, slots=True)
class Field:
    """A line of a schema: how deep, which name, what it may be, and what for."""

    depth: int
    name: str
    kind: str
    is_required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and what comes with it."""

    status: str
    description: str
    fields: list[Field]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document, ready for the template."""

    key: str
    method: str
    path: str
    summary: str
    parameters: list[Field]
    body: list[Field]
    answers: list[Answer]


def as_json(request: HttpRequest) -> HttpResponse:
    """The document itself."""
    return HttpResponse(
        simplejson.dumps(document(), use_decimal=True, ensure_ascii=False),
        content_type="application/json",
    )


def as_page(request: HttpRequest) -> HttpResponse:
    """The document to read."""
    operations = sorted(_operations(document()), key=lambda each: _ORDER.index(each.key))
    context = {"document": document(), "operations": operations}
    return render(request, "api/document.html", context)


def _operations(whole: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {})
            yield Operation(
                key=operation["operationId"],
                method=method.upper(),
                path=path,
                summary=operation["summary"],
                parameters=[_parameter(each) for each in operation["parameters"]],
                body=_fields_of(body, whole),
                answers=[
                    Answer(
                        status,
                        answer["description"],
                        _fields_of(answer.get("content", {}), whole),
                    )
                    for status, answer in operation["responses"].items()
                ],
            )


def _parameter(parameter: dict[str, Any]) -> Field:
    return Field(
        depth=0,
        name=parameter["name"],
        kind=f"{parameter['in']}, {_kind(parameter['schema'])}",
        is_required=parameter.get("required", False),
        description=parameter["description"],
    )


def _fields_of(content: dict[str, Any], whole: dict[str, Any]) -> list[Field]:
    schema = content.get("application/json", {}).get("schema")
    return list(_lines(schema, whole, depth=0)) if schema else []


def _lines(schema: dict[str, Any], whole: dict[str, Any], *, depth: int) -> Iterator[Field]:
    schema = _resolved(schema, whole)
    if "items" in schema:
        yield Field(depth, "[ ]", "list of", is_required=False, description="")
        yield from _lines(schema["items"], whole, depth=depth + 1)
        return
    if depth > _DEPTH:
        return
    for name, each in schema.get("properties", {}).items():
        yield Field(
            depth=depth,
            name=name,
            kind=_kind(each),
            is_required=name in schema.get("required", []),
            description=each.get("description", ""),
        )
        yield from _lines(each, whole, depth=depth + 1)


def _resolved(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = whole["components"]["schemas"].get(reference, schema)
    return found


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "const" in schema:
        return f"always {simplejson.dumps(schema['const'])}"
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(schema["enum"])
    kinds = schema.get("type", "anything")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)
