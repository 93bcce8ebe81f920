"""Who is locked out after too many wrong passwords, for how long, and the way out.

django-axes counts them for each person and address. Its pages and words are not used.
"""

import datetime
from dataclasses import dataclass
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from loyalty import audit
from loyalty.models import AuditAction
from loyalty.sign_in import devices
from loyalty.sign_in.address import client_address

_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Lock:
    """A person who is locked out at an address."""

    user: User
    address: str | None
    until: datetime.datetime


def page(
    request: HttpRequest, _response: HttpResponseBase | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """What somebody sees who is locked out; `AXES_LOCKOUT_CALLABLE`."""
    username = str((credentials or {}).get("username") or "")
    if not was_locked_before(request):
        audit.record(
            AuditAction.LOCKED_OUT,
            None,
            username=known_username(username),
            address=client_address(request),
        )
    last = _recent(username=username, ip_address=client_address(request)).aggregate(
        last=Max("attempt_time")
    )["last"]
    left = (last or timezone.now()) + settings.AXES_COOLOFF_TIME - timezone.now()
    context = {
        **admin.site.each_context(request),
        "title": "",
        "minutes": max(1, -(-int(left.total_seconds()) // _MINUTE)),
    }
    return render(request, "admin/sign_in/locked_out.html", context, status=429)


def was_locked_before(request: HttpRequest) -> bool:
    """Whether this request met a lock, instead of causing it."""
    is_locked = getattr(request, "axes_locked_out", False)
    return is_locked and getattr(request, "axes_failures_since_start", None) is None


def known_username(typed: str) -> str:
    """What was typed, if it is a user: people type passwords there."""
    return typed if User.objects.filter(username=typed).exists() else ""


def locks(user: User | None = None) -> list[Lock]:
    """Who is locked out now, one row for each address; of this person only, when given."""
    attempts = _recent(**({"username": user.username} if user else {}))
    counted = (
        attempts.order_by()
        .values("username", "ip_address")
        .annotate(failures=Sum("failures_since_start"), last=Max("attempt_time"))
        .filter(failures__gte=settings.AXES_FAILURE_LIMIT)
        .order_by("-last")[:200]
    )
    found = list(counted)
    people = User.objects.in_bulk({row["username"] for row in found}, field_name="username")
    return [
        Lock(people[row["username"]], row["ip_address"], row["last"] + settings.AXES_COOLOFF_TIME)
        for row in found
        if row["username"] in people
    ]


def unlock(user: User, *, actor: audit.Actor) -> None:
    """Let this person try again, at every address and with one-time passwords too."""
    AxesProxyHandler.reset_attempts(username=user.username)
    devices.forgive(user)
    audit.record(AuditAction.UNLOCKED, actor, subject=user)


def _recent(**conditions: Any) -> Any:
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    return AccessAttempt.objects.filter(attempt_time__gte=since, **conditions)
