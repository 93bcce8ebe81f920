"""What VTEX tells of its own accord: that an order changed.

Apart from the protocol's mount, which the Hub's credentials open: a hook has a token of its own. It
is only told *which* order changed; the order is then read with the store's keys. So whoever has the
token can make us read an order again, and nothing else.
"""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from giftcard_provider.models import OrderHook
from loyalty import earning

TOKEN_HEADER = "X-Order-Hook-Token"  # noqa: S105 - the name of a header
MOST_BYTES = 64 * 1024


@csrf_exempt  # the token is what lets VTEX in
@require_POST
def order_hook(request: HttpRequest, account: str) -> HttpResponse:
    """200 once it is kept; 401 without the token, 400 for what is no notice, 413 for too much."""
    hook = OrderHook.objects.select_related("store").filter(store__account=account).first()
    if hook is None or not hook.takes(request.headers.get(TOKEN_HEADER, "")):
        return HttpResponse(status=401)
    if int(request.headers.get("Content-Length") or 0) > MOST_BYTES:
        return HttpResponse(status=413)
    notice = _notice(request)
    if notice is None:
        return HttpResponse(status=400)
    if notice.get("hookConfig") != "ping":
        order_id = notice.get("OrderId") or notice.get("orderId")
        if not isinstance(order_id, str) or not earning.announce(hook.store, [order_id]):
            return HttpResponse(status=400)
    OrderHook.objects.filter(pk=hook.pk).update(heard_at=timezone.now())
    return HttpResponse(status=200)


def _notice(request: HttpRequest) -> dict[str, Any] | None:
    try:
        found = json.loads(request.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
