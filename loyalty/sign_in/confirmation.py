"""The password again, before what a thief of an open session would do first."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode, urlsplit

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

CONFIRMED_AT = "password_confirmed_at"
VALID_SECONDS = 5 * 60

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def password_confirmed(view: View[P]) -> View[P]:
    """Let a view run only within 5 minutes after the password was typed; ask for it otherwise.

    Of a method: `@method_decorator(password_confirmed)`. What a form held is lost when the time
    runs out between its page and its sending, and nothing is done.
    """

    @wraps(view)
    def confirmed(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if is_fresh(request.session):
            return view(request, *args, **kwargs)
        return ask(request)

    return confirmed


def is_fresh(session: SessionBase) -> bool:
    """Whether the password was typed within the last 5 minutes."""
    age: float = timezone.now().timestamp() - session.get(CONFIRMED_AT, 0)
    return 0 <= age < VALID_SECONDS


def note_password(session: SessionBase) -> None:
    """The password has just been typed."""
    session[CONFIRMED_AT] = timezone.now().timestamp()


def ask(request: HttpRequest) -> HttpResponse:
    """To the page that asks for the password, and back to where one was going.

    A form that was sent cannot be repeated: the way back is to the page that it was on.
    """
    target = request.get_full_path()
    if request.method not in ("GET", "HEAD"):
        target = _referrer(request) or request.path
    return HttpResponseRedirect(
        f"{reverse('admin:confirm_password')}?{urlencode({'next': target})}"
    )


def safe_next(request: HttpRequest, given: Any) -> str:
    """Where to go on: an address on this site, else the overview."""
    target = str(given or "")
    if url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return target
    return reverse("admin:index")


def _referrer(request: HttpRequest) -> str:
    page = urlsplit(request.headers.get("referer", ""))
    if page.netloc != request.get_host():
        return ""
    return f"{page.path}?{page.query}" if page.query else page.path
