"""What each operation takes and answers, in the words of OpenAPI.

Which paths and methods there are is read from the code (`giftcard_provider.openapi`). As strict as
we are, and no stricter: what is read leniently has no type here.
"""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
PATH_ID: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
LABEL: Schema = {"type": "string", "minLength": 1}
AMOUNT: Schema = {
    "type": "number",
    "minimum": 0,
    "description": "Major units, with exactly the digits of the currency.",
}
VALUE: Schema = {**AMOUNT, "exclusiveMinimum": 0}
del VALUE["minimum"]
CARD_DATE: Schema = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$",
    "description": "UTC, without a zone. 2099-12-31T00:00:00.000 is never.",
}
STEP_DATE: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"}
ANYTHING: Schema = {"description": "Read when it can be; anything else counts as not given."}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _closed(properties: Schema, *, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties | (optional or {}),
        "required": list(properties),
        "additionalProperties": False,
    }


def _open(properties: Schema, *required: str) -> Schema:
    found: Schema = {"type": "object", "properties": properties}
    return found | {"required": list(required)} if required else found


def _list(name: str) -> Schema:
    return {"type": "array", "items": _ref(name)}


def _link(path: str) -> Schema:
    pattern = "^giftcards/[0-9a-f]{32}" + path.replace("{id}", "[0-9a-f]{32}") + "$"
    return _closed({"href": {"type": "string", "pattern": pattern}})


def _text(limit: int, description: str) -> Schema:
    return {
        "description": description,
        "anyOf": [
            {"type": "string", "maxLength": limit},
            {"type": "integer"},
            {"type": "null"},
        ],
    }


_FLAG: Schema = {"type": ["boolean", "null"]}
_LABELS: Schema = {"relationName": LABEL, "caption": LABEL}
_CARD: Schema = {
    "id": ID,
    "provider": LABEL,
    "redemptionToken": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "redemptionCode": {"type": "string", "pattern": r"^\*{12}.{0,4}$"},
    "balance": {**AMOUNT, "description": "What is usable now; 0 of a card that may not pay."},
    "emissionDate": CARD_DATE,
    "expiringDate": CARD_DATE,
    "currencyCode": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "discount": {"const": False},
    "transaction": _link("/transactions"),
    "transactions": _link("/transactions"),
}
_ASKED_VALUE: Schema = {
    "description": "Major units, above 0 and no finer than the currency allows.",
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,2})?$"},
    ],
}
_REQUEST_ID: Schema = {
    "description": "Makes the request happen once: repeated, it gets its first answer.",
    "anyOf": [{"type": "string", "minLength": 1, "maxLength": 128}, {"type": "integer"}],
}
_WHO = {"email": ANYTHING, "document": ANYTHING, "corporateDocument": ANYTHING}

SCHEMAS: Mapping[str, Schema] = {
    "SearchRequest": _open(
        {
            "client": {**ANYTHING, "description": "The shopper: id, email, document."},
            "cart": {
                **ANYTHING,
                "description": "The cart: id, and redemptionCode when the shopper typed one.",
            },
        }
    ),
    "FoundCard": _closed(
        {"id": ID, "provider": LABEL, "balance": VALUE, "_self": _link("")}, optional=_LABELS
    ),
    "Card": _closed(_CARD, optional=_LABELS),
    "WalletRequest": _open(
        {
            "relationName": _text(100, "The kind of credit. It or a caption is needed."),
            "caption": _text(100, "What shoppers see."),
            "currencyCode": _text(3, "ISO 4217; the store's when it is not given."),
            "profileId": {**ANYTHING, "description": "The owner: VTEX's profile id, or an e-mail."},
            "expiringDate": {**ANYTHING, "description": "A date that has passed is no date."},
            "restrictedToOwner": _FLAG,
            "multipleRedemptions": _FLAG,
            "multipleCredits": _FLAG,
        }
    ),
    "Wallet": _closed(
        _CARD
        | {
            "relationName": {"type": "string"},
            "caption": {"type": "string"},
            "restrictedToOwner": {"type": "boolean"},
            "multipleRedemptions": {"type": "boolean"},
            "multipleCredits": {"type": "boolean"},
            "profileId": {"type": ["string", "null"]},
        }
    ),
    "TransactionRequest": _open(
        {
            "operation": {
                "type": "string",
                "enum": ["Debit", "Credit"],
                "description": "A debit holds the value; a credit gives it.",
            },
            "value": _ASKED_VALUE,
            "requestId": _REQUEST_ID,
            "redemptionToken": _text(512, "The card's token; a masked or missing one is not read."),
            "redemptionCode": {**ANYTHING, "description": "Not read."},
            "orderInfo": {
                "type": ["object", "null"],
                "properties": {
                    "orderId": _text(64, "The order."),
                    "sequence": _text(32, "Its number in the store."),
                    "clientProfile": {
                        "type": ["object", "null"],
                        "properties": {"profileId": ANYTHING, **_WHO},
                    },
                },
            },
        },
        "operation",
        "value",
        "requestId",
    ),
    "StepRequest": _open({"value": _ASKED_VALUE, "requestId": _REQUEST_ID}, "value", "requestId"),
    "Reference": _closed({"cardId": ID, "id": ID, "_self": _link("/transactions/{id}")}),
    "Transaction": _closed(
        {
            "cardId": ID,
            "id": ID,
            "operation": {"type": "string", "enum": ["Debit", "Credit"]},
            "value": VALUE,
            "description": {"type": "string"},
            "date": STEP_DATE,
            "requestId": LABEL,
            "authorization": _link("/transactions/{id}/authorization"),
            "settlement": _link("/transactions/{id}/settlements"),
            "cancellation": _link("/transactions/{id}/cancellations"),
            "_self": _link("/transactions/{id}"),
        }
    ),
    "Step": _closed({"oid": ID, "value": VALUE, "date": STEP_DATE}),
    "Error": _closed(
        {"error": _closed({"code": {"type": "string", "pattern": "^[a-z_]+$"}, "message": LABEL})}
    ),
}

SECURITY_SCHEMES: Mapping[str, Schema] = {
    "AppKey": {"type": "apiKey", "in": "header", "name": "X-PROVIDER-API-AppKey"},
    "AppToken": {"type": "apiKey", "in": "header", "name": "X-PROVIDER-API-AppToken"},
}

_RETRY_AFTER = {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}}
_REFUSALS: Mapping[str, str] = {
    "400": "A field is missing or malformed, or the body is no JSON object.",
    "401": "A credential header is missing. No body.",
    "403": "The credential is wrong. No body.",
    "404": "No such card or transaction in this store.",
    "409": "The request id was used before for something else. Nothing moved.",
    "413": "The body is larger than 1 MB.",
    "422": "The card refuses, for good: the code says why. Nothing moved.",
    "429": "More calls than the store's credential may make. Nothing moved: repeat it.",
    "503": "Busy, or the outcome is unknown: repeat the same request.",
}
_ALWAYS = ("401", "403", "429", "503")
_BODILESS = {"401", "403"}
_RANGE: Schema = {
    "name": "REST-Range",
    "in": "header",
    "schema": {"type": "string"},
    "example": "resources=0-49",
    "description": "Which rows; a malformed range asks for the first 50.",
}
_CONTENT_RANGE = {
    "REST-Content-Range": {"schema": {"type": "string", "pattern": r"^resources \d+-\d+/\d+$"}}
}
_PATH_PARAMETERS = {
    "card_id": "The card's id, never its code.",
    "transaction_id": "The transaction's id.",
}


def _refusal(status: str) -> Schema:
    answer: Schema = {"description": _REFUSALS[status]}
    if status not in _BODILESS:
        answer["content"] = {"application/json": {"schema": _ref("Error")}}
    if status in {"429", "503"}:
        answer["headers"] = _RETRY_AFTER
    return answer


def _operation(
    name: str,
    summary: str,
    answer: Schema,
    *refusals: str,
    body: str = "",
    is_ranged: bool = False,
    leads_to: Mapping[str, Mapping[str, str]] | None = None,
) -> Schema:
    served: Schema = {
        "description": "Served.",
        "content": {"application/json": {"schema": answer}},
    }
    if is_ranged:
        served["headers"] = _CONTENT_RANGE
    if leads_to:
        served["links"] = {
            target: {"operationId": target, "parameters": dict(parameters)}
            for target, parameters in leads_to.items()
        }
    statuses = sorted({*_ALWAYS, *refusals, *(("400", "413") if body else ())})
    found: Schema = {
        "operationId": name,
        "summary": summary,
        "responses": {"200": served} | {status: _refusal(status) for status in statuses},
        "security": [{each: [] for each in SECURITY_SCHEMES}],
    }
    if body:
        content = {"application/json": {"schema": _ref(body)}}
        found["requestBody"] = {"required": True, "content": content}
    if is_ranged:
        found["parameters"] = [_RANGE]
    return found


_OF_CARD = {"card_id": "$response.body#/id"}
_OF_FOUND = {"card_id": "$response.body#/0/id"}
_OF_TRANSACTION = {
    "card_id": "$response.body#/cardId",
    "transaction_id": "$response.body#/id",
}
_STEPS = ("settle", "listSettlements", "cancel", "listCancellations")
_READ = ("getTransaction", "getAuthorization")

# By the name of the path (`giftcard_provider.models.Endpoint`) and the method.
OPERATIONS: Mapping[tuple[str, str], Schema] = {
    ("search", "POST"): _operation(
        "searchCards",
        "The usable cards of a shopper, or the one card of a typed code",
        _list("FoundCard"),
        body="SearchRequest",
        is_ranged=True,
        leads_to={"getCard": _OF_FOUND},
    ),
    ("cards", "POST"): _operation(
        "openWallet",
        "The customer's wallet, opened when there is none yet",
        _ref("Wallet"),
        *("404", "409", "422"),
        body="WalletRequest",
        leads_to={"getCard": _OF_CARD, "createTransaction": _OF_CARD},
    ),
    ("card", "GET"): _operation(
        "getCard",
        "A card, with what is usable of it now",
        _ref("Card"),
        "404",
        leads_to={"listTransactions": _OF_CARD, "createTransaction": _OF_CARD},
    ),
    ("transactions", "GET"): _operation(
        "listTransactions",
        "A card's transactions, newest first",
        _list("Reference"),
        "404",
        is_ranged=True,
    ),
    ("transactions", "POST"): _operation(
        "createTransaction",
        "A debit or a credit, once for each request id",
        _ref("Reference"),
        *("404", "409", "422"),
        body="TransactionRequest",
        leads_to=dict.fromkeys((*_READ, *_STEPS), _OF_TRANSACTION),
    ),
    ("transaction", "GET"): _operation(
        "getTransaction",
        "One transaction",
        _ref("Transaction"),
        "404",
        leads_to=dict.fromkeys(("getAuthorization", *_STEPS), _OF_TRANSACTION),
    ),
    ("authorization", "GET"): _operation(
        "getAuthorization", "What was authorized", _ref("Step"), "404"
    ),
    ("settlements", "GET"): _operation(
        "listSettlements", "Every settlement, oldest first", _list("Step"), "404"
    ),
    ("settlements", "POST"): _operation(
        "settle",
        "Capture a part of the hold, once for each request id and value",
        _ref("Step"),
        *("404", "409", "422"),
        body="StepRequest",
    ),
    ("cancellations", "GET"): _operation(
        "listCancellations", "Every cancellation, oldest first", _list("Step"), "404"
    ),
    ("cancellations", "POST"): _operation(
        "cancel",
        "Give back: what is held first, then what was spent",
        _ref("Step"),
        *("404", "409", "422"),
        body="StepRequest",
    ),
}


def parameter(name: str) -> Schema:
    """A parameter of a path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": PATH_ID,
        "description": _PATH_PARAMETERS[name],
    }
