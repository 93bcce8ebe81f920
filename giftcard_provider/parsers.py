"""Bodies: JSON whatever the Content-Type says, numbers exact.

VTEX has sent three media types over the years, with and without charset: the body decides.
"""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any, NoReturn

from django.conf import settings
from django.http import UnreadablePostError
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from giftcard_provider import failed_calls


class BodyTooLarge(APIException):
    """More than any cart that VTEX sends."""

    status_code = 413
    default_detail = "The body is too large."
    default_code = "body_too_large"


class ProtocolParser(BaseParser):
    """A JSON object with `Decimal` for every number that is not an integer.

    Anything else is a 400, also a repeated key: which of two amounts was meant is not ours to
    guess.
    """

    media_type = "*/*"
    repeated_keys_allowed = False

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The body as a dict. Raises `ParseError` or `BodyTooLarge`."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        try:
            body = stream.read(limit + 1)
        except UnreadablePostError as error:
            raise ParseError("The body did not arrive.", "malformed_json") from error
        if len(body) > limit:
            raise BodyTooLarge
        if parser_context:
            failed_calls.notes_of(parser_context["request"].META).body = body
        try:
            parsed = json.loads(
                body.decode("utf-8-sig"),
                parse_float=_number,
                parse_int=_number,
                parse_constant=_refuse,
                object_pairs_hook=None if self.repeated_keys_allowed else _without_repeats,
            )
        except (ValueError, RecursionError) as error:
            raise ParseError("The body is not valid JSON.", "malformed_json") from error
        if not isinstance(parsed, dict):
            raise ParseError("The body must be a JSON object.", "malformed_json")
        return parsed


class LenientParser(ProtocolParser):
    """For searches, which move nothing: of a repeated key the last value counts."""

    repeated_keys_allowed = True


def _number(text: str) -> int | Decimal:
    """Exact; what is too large or too fine to be computed with is NaN, and no amount."""
    try:
        return int(text) if text.lstrip("-").isdecimal() else Decimal(text)
    except (ValueError, InvalidOperation):
        return Decimal("NaN")


def _refuse(constant: str) -> NoReturn:
    msg = f"{constant} is not JSON."
    raise ValueError(msg)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        msg = "A key is repeated."
        raise ValueError(msg)
    return found
