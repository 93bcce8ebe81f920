"""What VTEX makes of our URL, brought back to the path that was meant, and served there."""

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import resolve
from django.utils import translation
from rest_framework.response import Response

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

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve a request for the protocol; pass any other on."""
        path = f"{_SLASHES.sub('/', request.path_info).rstrip('/')}/"
        if not path.startswith(self._mount):
            return self._get_response(request)
        meant = path.removeprefix(self._mount).removeprefix("api/").rstrip("/")
        request.path = request.path_info = f"{self._mount}{meant}"
        request.resolver_match = match = resolve(request.path_info)
        with translation.override("en"):
            response: Response = match.func(request, *match.args, **match.kwargs)
            response.render()
        response["Content-Length"] = str(len(response.content))
        return response
