"""The OpenAPI document of what VTEX calls: its paths and methods are read from the code."""

import re
from functools import cache
from typing import Any

from django.conf import settings
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from giftcard_provider import described
from giftcard_provider.models import Endpoint

_PARAMETER = re.compile(r"\{(\w+)\}")


class ProtocolSchema(AutoSchema):
    """Describes an operation as `giftcard_provider.described` does; one that is not is an error."""

    def get_operation(self, path: str, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """The operation of a path and method; nothing for what is answered 404 anyway."""
        method: str = args[2] if len(args) > 2 else kwargs["method"]  # noqa: PLR2004
        endpoint: Endpoint = self.view.endpoint  # type: ignore[attr-defined]  # of ours
        if endpoint == Endpoint.ELSEWHERE:
            return None
        operation = described.OPERATIONS[endpoint, method.upper()]
        named = [described.parameter(name) for name in _PARAMETER.findall(path)]
        return {**operation, "parameters": [*named, *operation.get("parameters", [])]}


@cache
def document() -> dict[str, Any]:
    """The whole document, the same for as long as the process lives."""
    patterns = [path("", include("giftcard_provider.urls"))]
    generator = SchemaGenerator(patterns=patterns)  # type: ignore[no-untyped-call]
    generated: dict[str, Any] = generator.get_schema(public=True)  # type: ignore[no-untyped-call]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gift Card Provider",
            "version": "1",
            "description": "What VTEX's Gift Card Hub calls. Amounts are exact; a repeated request"
            " moves nothing twice. Any media type, slashes and query strings are served.",
        },
        "servers": [{"url": f"/{settings.GIFTCARD_PROVIDER_MOUNT}"}],
        "paths": generated["paths"],
        "components": {
            "schemas": dict(described.SCHEMAS),
            "securitySchemes": dict(described.SECURITY_SCHEMES),
        },
    }
