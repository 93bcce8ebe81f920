"""Where a request comes from, and who sent it."""

from contextlib import suppress
from ipaddress import ip_address
from typing import cast

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest

from loyalty.audit import Actor


def client_address(request: HttpRequest) -> str | None:
    """The client's address: the peer's, or what the outermost trusted proxy saw.

    Each proxy appends whom it was called by to X-Forwarded-For. With `TRUSTED_PROXIES` of ours in
    front, the client is that many from the right; what stands before it anybody can write.
    """
    proxies = settings.TRUSTED_PROXIES
    if proxies:
        seen = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        given = seen[-proxies] if len(seen) >= proxies else ""
    else:
        given = request.META.get("REMOTE_ADDR", "")
    with suppress(ValueError):
        return str(ip_address(given.strip()))
    return None


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person behind a request, for the audit trail and the ledger."""
    return Actor(cast("User", request.user), client_address(request))
