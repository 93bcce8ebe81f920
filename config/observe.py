"""What orchestrators and Prometheus ask for, answered before anything that is for people.

By the path alone: they call by address, and no host name, session or redirect is in the way.
"""

import hmac
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from config import health
from loyalty import gauges, metrics
from loyalty.sign_in.address import client_address

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class ObserveMiddleware:
    """Serves /health/live, /health/ready and /metrics; passes any other request on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._views: Mapping[str, Callable[[HttpRequest], HttpResponse]] = {
            "/health/live": health.live,
            "/health/ready": health.ready,
            "/metrics": metrics_page,
        }

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer to GET and HEAD; a page that is not for the caller does not exist."""
        view = self._views.get(request.path_info)
        if view is None:
            return self._get_response(request)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponse(status=405, headers={"Allow": "GET, HEAD", **_HEADERS})
        response = view(request)
        for name, value in _HEADERS.items():
            response[name] = value
        return response


def metrics_page(request: HttpRequest) -> HttpResponse:
    """All metrics, for whoever has the token or calls from a network that may; else 404."""
    if not _may_see_metrics(request):
        return HttpResponse(status=404)
    body = metrics.exposition(gauges.read())
    return HttpResponse(body, content_type=metrics.CONTENT_TYPE)


def _may_see_metrics(request: HttpRequest) -> bool:
    token: str = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "").encode("utf-8", "replace")
    if token and hmac.compare_digest(given, f"Bearer {token}".encode()):
        return True
    address = client_address(request)
    return address is not None and any(
        ip_address(address) in ip_network(network) for network in settings.METRICS_NETWORKS
    )
