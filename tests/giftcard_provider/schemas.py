"""What each answer must look like, as JSON schemas of our own: every answer of the tests is held
against them (`check`).

Stricter than VTEX's OpenAPI document: nothing that is not named here may be in an answer.
"""

import re
from collections.abc import Mapping
from typing import Any, Protocol

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

Schema = dict[str, Any]

ID = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
AMOUNT = {"type": "number", "minimum": 0}
VALUE = {"type": "number", "exclusiveMinimum": 0}
LABEL = {"type": "string", "minLength": 1}
CARD_DATE = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$"}
STEP_DATE = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"}


def closed(properties: Schema, *, optional: Schema | None = None) -> Schema:
    """An object with all of these properties, perhaps the optional ones, and no other."""
    return {
        "type": "object",
        "properties": properties | (optional or {}),
        "required": list(properties),
        "additionalProperties": False,
    }


def link(path: str) -> Schema:
    """A link relative to the service URL."""
    pattern = "^giftcards/[0-9a-f]{32}" + path.replace("{id}", "[0-9a-f]{32}") + "$"
    return closed({"href": {"type": "string", "pattern": pattern}})


def list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


LABELS = {"relationName": LABEL, "caption": LABEL}
CARD_FIELDS = {
    "id": ID,
    "provider": LABEL,
    "redemptionToken": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "redemptionCode": {"type": "string", "pattern": r"^\*{12}.{4}$"},
    "balance": AMOUNT,
    "emissionDate": CARD_DATE,
    "expiringDate": CARD_DATE,
    "currencyCode": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "discount": {"const": False},
    "transaction": link("/transactions"),
    "transactions": link("/transactions"),
}
FOUND_CARD = closed(
    {"id": ID, "provider": LABEL, "balance": VALUE, "_self": link("")}, optional=LABELS
)
CARD = closed(CARD_FIELDS, optional=LABELS)
WALLET = closed(
    CARD_FIELDS
    | {
        "relationName": {"type": "string"},
        "caption": {"type": "string"},
        "restrictedToOwner": {"type": "boolean"},
        "multipleRedemptions": {"type": "boolean"},
        "multipleCredits": {"type": "boolean"},
        "profileId": {"type": ["string", "null"]},
    }
)
REFERENCE = closed({"cardId": ID, "id": ID, "_self": link("/transactions/{id}")})
TRANSACTION = closed(
    {
        "cardId": ID,
        "id": ID,
        "operation": {"enum": ["Debit", "Credit"]},
        "value": VALUE,
        "description": {"type": "string"},
        "date": STEP_DATE,
        "requestId": LABEL,
        "authorization": link("/transactions/{id}/authorization"),
        "settlement": link("/transactions/{id}/settlements"),
        "cancellation": link("/transactions/{id}/cancellations"),
        "_self": link("/transactions/{id}"),
    }
)
STEP = closed({"oid": ID, "value": VALUE, "date": STEP_DATE})
ERROR = closed(
    {"error": closed({"code": {"type": "string", "pattern": "^[a-z_]+$"}, "message": LABEL})}
)

_CARD = "giftcards/[^/]+"
_TRANSACTION = f"{_CARD}/transactions/[^/]+"
ANSWERS: dict[tuple[str, str], Schema] = {
    ("POST", "giftcards/_search"): list_of(FOUND_CARD),
    ("POST", "giftcards"): WALLET,
    ("GET", _CARD): CARD,
    ("GET", f"{_CARD}/transactions"): list_of(REFERENCE),
    ("POST", f"{_CARD}/transactions"): REFERENCE,
    ("GET", _TRANSACTION): TRANSACTION,
    ("GET", f"{_TRANSACTION}/authorization"): STEP,
    ("GET", f"{_TRANSACTION}/settlements"): list_of(STEP),
    ("POST", f"{_TRANSACTION}/settlements"): STEP,
    ("GET", f"{_TRANSACTION}/cancellations"): list_of(STEP),
    ("POST", f"{_TRANSACTION}/cancellations"): STEP,
}
ERRORS = {400, 404, 405, 409, 413, 422, 429, 500, 503}


class Checked(Protocol):
    """What `check` needs to know of an answer."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def data(self) -> Any: ...


def schema_of(method: str, resource: str, status: int) -> Validator:
    """The schema of an answer; a 200 where the protocol has nothing is a `LookupError`."""
    if status in ERRORS:
        return Draft202012Validator(ERROR)
    for (known_method, pattern), schema in ANSWERS.items():
        if method == known_method and re.fullmatch(pattern, resource):
            return Draft202012Validator(schema)
    msg = f"{method} {resource} has no answer {status}"
    raise LookupError(msg)


def check(method: str, resource: str, answer: Checked) -> None:
    """Fail unless the answer has the form that its operation and status demand."""
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not {"Location", "Set-Cookie"} & set(answer.headers)
    assert answer.headers.get("Retry-After") == ("1" if answer.status in {429, 503} else None)
    if method == "HEAD":
        assert answer.body == b""
        return
    assert answer.headers["Content-Length"] == str(len(answer.body))
    if answer.status in {401, 403}:
        assert answer.body == b""
        assert "Content-Type" not in answer.headers
        return
    assert answer.headers["Content-Type"] == "application/json"
    schema_of(method, resource, answer.status).validate(answer.data)
