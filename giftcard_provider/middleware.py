"""What VTEX makes of our URL, brought back to the path that was meant, and served there."""

import re
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import resolve
from django.utils import translation
from rest_framework.response import Response

from giftcard_provider import failed_calls
from giftcard_provider.failed_calls import Call, outcome_of
from giftcard_provider.models import Outcome
from loyalty import metrics

# A balance is for now and for the caller alone; what looks at an answer as a page shows nothing.
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_SLASHES = re.compile("/{2,}")


class ProtocolMiddleware:
    """Below the mount: any number of slashes, an optional `/api` segment, a trailing slash or none.

    The Hub glues its paths to the service URL without looking (known issue 669575), and a redirect
    would lose the body of a POST: such paths are served as they are meant, never redirected. They
    are served from here, before all that is for people: sessions, languages, forms, redirects.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._mount = f"/{settings.GIFTCARD_PROVIDER_MOUNT}/"
        self._headers = dict(_HEADERS)
        if settings.SECURE_HSTS_SECONDS:
            self._headers["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}"

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve a request for the protocol; pass any other on."""
        path = f"{_SLASHES.sub('/', request.path_info).rstrip('/')}/"
        if not path.startswith(self._mount):
            return self._get_response(request)
        began = time.perf_counter()
        meant = path.removeprefix(self._mount).removeprefix("api/").rstrip("/")
        request.path = request.path_info = f"{self._mount}{meant}"
        request.resolver_match = match = resolve(request.path_info)
        with translation.override("en"):
            response: Response = match.func(request, *match.args, **match.kwargs)
            response.render()
        response["Content-Length"] = str(len(response.content))
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)
        self._note(request, response, meant, time.perf_counter() - began)
        return response

    def _note(self, request: HttpRequest, response: Response, path: str, seconds: float) -> None:
        outcome = outcome_of(request, response)
        match = request.resolver_match
        metrics.answered(match.url_name if match and match.url_name else "", outcome, seconds)
        if outcome is not Outcome.OK:
            failed_calls.remember(Call(request, response, outcome, path, seconds))
