"""How long a session holds: so long without a click, and so long in all."""

from collections.abc import Callable
from enum import StrEnum
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from loyalty import audit
from loyalty.models import AuditAction
from loyalty.sign_in.address import actor_of

STARTED_AT, SEEN_AT = "signed_in_at", "seen_at"
# A session is written at most this often for being used.
_STEP_SECONDS = 60


class Ended(StrEnum):
    """Why a session ended by itself; the sign-in page says it."""

    IDLE = "idle"
    TOO_LONG = "too_long"


class SessionLimits:
    """Ends a session that was idle, or open, for too long. After authentication."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request, or send its sender to the sign-in page."""
        if not request.user.is_authenticated:
            return self._get_response(request)
        ended = _ended(request.session)
        if ended is None:
            _touch(request)
            return self._get_response(request)
        audit.record(AuditAction.SIGNED_OUT, actor_of(request), note=ended.value)
        logout(request)
        wanted = {"ended": ended.value}
        if request.method == "GET":
            wanted["next"] = request.get_full_path()
        return HttpResponseRedirect(f"{reverse('admin:login')}?{urlencode(wanted)}")


def begin(session: SessionBase) -> None:
    """The session has just been opened."""
    session[STARTED_AT] = session[SEEN_AT] = timezone.now().timestamp()


def _ended(session: SessionBase) -> Ended | None:
    now = timezone.now().timestamp()
    if now - session.get(STARTED_AT, now) >= settings.STAFF_SESSION_LIMIT.total_seconds():
        return Ended.TOO_LONG
    if now - session.get(SEEN_AT, now) >= settings.STAFF_IDLE_LIMIT.total_seconds():
        return Ended.IDLE
    return None


def _touch(request: HttpRequest) -> None:
    """Note that somebody is there; a page that asks by itself how far a job is does not count."""
    session, now = request.session, timezone.now().timestamp()
    session.setdefault(STARTED_AT, now)
    is_person = request.headers.get("sec-fetch-mode", "navigate") == "navigate"
    if SEEN_AT not in session or (is_person and now - session[SEEN_AT] >= _STEP_SECONDS):
        session[SEEN_AT] = now
