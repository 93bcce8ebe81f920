"""Answers: JSON whatever the Accept header says, amounts as exact numbers."""

from collections.abc import Iterable, Mapping
from typing import Any

import simplejson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class ProtocolRenderer(BaseRenderer):
    """JSON with every `Decimal` as a number of exactly its digits; nothing at all for None."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The body as bytes, empty for None."""
        if data is None:
            return b""
        return simplejson.dumps(data, use_decimal=True, separators=(",", ":")).encode()


class AnyMediaType(BaseContentNegotiation):
    """No 406 and no 415: there is one way to read a body and one way to write it."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """The only parser."""
        return next(iter(parsers))

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """The only renderer."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type
