"""Bodies as they may be kept and read: who somebody is and what a card's code is are not in them.

Values are shown by the name of their field, from a list of what is known to be harmless; of any
other only the kind and the length remain. Even a harmless one is searched for what looks like an
e-mail, a CPF, a CNPJ, a telephone number or a code.
"""

import json
import re
from typing import Any

import simplejson

MAX_BODY = 4000
_MAX_TEXT, _MAX_KEY, _MAX_ITEMS, _MAX_DEPTH = 128, 40, 20, 8

# As VTEX spells them: what a call was about, never for whom.
HARMLESS = frozenset(
    {
        *("operation", "value", "requestId", "orderId", "sequence", "oid"),
        *("caption", "relationName", "currencyCode", "expiringDate", "emissionDate"),
        *("restrictedToOwner", "multipleCredits", "multipleRedemptions"),
        *("grandTotal", "subTotal", "itemsTotal", "discount", "discounts", "shipping", "taxes"),
        *("price", "quantity", "productId", "refId", "skuId"),
    }
)
# Words that say something harmless only inside of this: the id of a product, the code of an error.
_HARMLESS_IN = frozenset({("items", "id"), ("error", "code"), ("error", "message")})

_TOO_LONG = "…"
_PERSONS_AND_CODES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"[^\s\"'<>,;:()\[\]]+@[^\s\"'<>,;:()\[\]]+",  # an e-mail
        r"(?<![\w-])\d{3}[. ]?\d{3}[. ]?\d{3}[-. ]?\d{2}(?![\w-])",  # a CPF
        # a CNPJ, whose first twelve may be letters from 2026
        r"(?<![\w-])[0-9A-Z]{2}[. ]?[0-9A-Z]{3}[. ]?[0-9A-Z]{3}[/ ]?[0-9A-Z]{4}[- ]?\d{2}(?![\w-])",
        r"\+\d[\d ().-]{8,20}\d|\(\d{2,3}\) ?\d{4,5}[- ]?\d{4}",  # a telephone number
        # a code, in groups as we print it or in one
        r"(?<![\w-])(?:[0-9A-Z]{4}[- ]){3}[0-9A-Z]{4}(?![\w-])|(?<![\w-])[0-9A-Z]{16}(?![\w-])",
    )
]
_WORD = re.compile(r"[A-Za-z_]{1,40}")
_SEGMENT = re.compile(
    r"giftcards|_search|transactions|authorization|settlements|cancellations|api|[0-9a-f]{32}"
)


def masked_body(body: bytes) -> str:
    """A request's or answer's body, masked, on one line and of at most `MAX_BODY` characters."""
    try:
        parsed = json.loads(
            body.decode("utf-8-sig"), parse_float=_Number, parse_int=_Number, parse_constant=_Number
        )
    except (ValueError, RecursionError):
        return _shape(body)
    shown = _masked(parsed, name="", parent="", depth=0)
    return _cut(simplejson.dumps(shown, ensure_ascii=False))


class _Number(str):
    """A number as it was sent: a document may be one too."""

    __slots__ = ()


def masked_path(path: str) -> str:
    """A path below the mount: words of the protocol and ids of ours; anything else is hidden."""
    segments = path.strip("/").split("/")[:_MAX_DEPTH]
    return "/".join(each if _SEGMENT.fullmatch(each) else hidden(each) for each in segments)


def scrubbed(text: str) -> str:
    """A harmless text without what looks like a person or a code all the same."""
    for pattern in _PERSONS_AND_CODES:
        text = pattern.sub("***", text)
    return text


def hidden(value: str) -> str:
    """Nothing of a text but how long it is."""
    return f"***({len(value)})" if value else ""


def _masked(value: Any, *, name: str, parent: str, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return _TOO_LONG
    match value:
        case dict():
            return {
                _name(key): _masked(each, name=key, parent=name, depth=depth + 1)
                for key, each in list(value.items())[:_MAX_ITEMS]
            }
        case list():
            kept = [
                _masked(each, name=name, parent=parent, depth=depth + 1)
                for each in value[:_MAX_ITEMS]
            ]
            return [*kept, _TOO_LONG] if len(value) > _MAX_ITEMS else kept
        case str() if name in HARMLESS or (parent, name) in _HARMLESS_IN:
            shown = scrubbed(value[:_MAX_TEXT])
            is_number = isinstance(value, _Number) and shown == value
            return simplejson.RawJSON(shown) if is_number else shown
        case str():
            return hidden(value)
        case _:
            return value


def _name(key: str) -> str:
    return key if _WORD.fullmatch(key) else scrubbed(key[:_MAX_KEY])


def _shape(body: bytes) -> str:
    """What is no JSON: every letter as x and every digit as 0, so that only its form is seen."""
    text = body[: 2 * MAX_BODY].decode("utf-8", "replace")
    letters = re.sub(r"[^\W\d_]", "x", text)
    return _cut(re.sub(r"\d", "0", letters).replace("\x00", "�"))


def _cut(text: str) -> str:
    # What PostgreSQL cannot hold: a NUL, half of a surrogate pair.
    one_line = " ".join(text.replace("\x00", "").encode("utf-8", "replace").decode().split())
    return one_line if len(one_line) <= MAX_BODY else one_line[: MAX_BODY - 1] + _TOO_LONG
