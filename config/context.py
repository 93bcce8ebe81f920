"""Which request a log line belongs to: request id, VTEX's operation id, W3C's traceparent."""

import logging
import re
import secrets
from collections.abc import Callable, Mapping
from contextvars import ContextVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from giftcard_provider.masking import masked_path, scrubbed

# What a caller may name a request: anything else would let it write into our logs.
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_HEADERS = {"operation_id": "HTTP_X_VTEX_OPERATION_ID", "traceparent": "HTTP_TRACEPARENT"}

_context: ContextVar[Mapping[str, str] | None] = ContextVar("request_context", default=None)


class RequestContextMiddleware:
    """First of all: every line that is logged from here on says of which request it is.

    Until the thread takes the next one: what is done once the answer has left belongs to it too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request; its answer carries the id, so that a caller can name it to us."""
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _ID.fullmatch(given) else secrets.token_hex(8)
        context = {"request_id": request_id}
        for name, header in _HEADERS.items():
            value = request.META.get(header)
            if value and _ID.fullmatch(value):
                context[name] = value
        _context.set(context)
        response = self._get_response(request)
        response.headers["X-Request-Id"] = request_id
        return response


class RequestContextFilter(logging.Filter):
    """Adds the request's ids to a record, and takes out what an address may say about a person."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        record.__dict__.update(_context.get() or {})
        # Django adds the whole request, whose address may hold a code or what somebody searched.
        if record.__dict__.pop("request", None) is not None and isinstance(record.args, tuple):
            record.args = tuple(
                _without_who(each) if isinstance(each, str) else each for each in record.args
            )
        return True


def _without_who(text: str) -> str:
    path = text.partition("?")[0]
    return f"/{masked_path(path)}" if "/giftcards/" in path else scrubbed(path)
