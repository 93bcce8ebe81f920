"""What VTEX does to paths and headers."""

from django.utils.translation import gettext_lazy as _

from giftcard_provider.self_check.check import Area, Failed
from giftcard_provider.self_check.checkout import Checkout
from giftcard_provider.self_check.sources import GUIDE, PROTOCOL, issue
from giftcard_provider.self_check.wire import MEDIA_TYPE, Answer

area = Area("transport")

_CONTENT_TYPES = (
    MEDIA_TYPE,
    "application/vnd.vtex.giftcardproviders.v1+json",
    "application/json; charset=utf-8",
    "text/plain",
    None,
)
_ACCEPTED = (MEDIA_TYPE, "application/json", "*/*", None)


@area.check(
    "content_type", _("A body is read as JSON whatever its Content-Type, also without."), PROTOCOL
)
def content_type(checkout: Checkout) -> None:
    """All that VTEX has documented or sent."""
    for given in _CONTENT_TYPES:
        note = f"Content-Type {given}"
        checkout.search(None, headers={"Content-Type": given}, note=note).rows()


@area.check("accept", _("An answer is JSON, whatever Accept asks for."), PROTOCOL)
def accept(checkout: Checkout) -> None:
    """All that VTEX has documented or sent."""
    for given in _ACCEPTED:
        answer = _card(checkout, headers={"Accept": given}, note=f"Accept {given}").accepted()
        found = answer.headers.get("Content-Type", "")
        kind = found.partition(";")[0].strip().lower()
        if not (kind == "application/json" or kind.endswith("+json")):
            raise Failed("media_type", call=answer.call, found=found or "-")


@area.check(
    "slashes",
    _("Two slashes before a path are served as one, and not redirected: that loses the body."),
    issue(669575),
)
def slashes(checkout: Checkout) -> None:
    """As the Hub makes them of a service URL that ends in a slash."""
    _same_card(checkout, f"/giftcards/{checkout.card.id}", "//giftcards")
    body = {"client": None, "cart": checkout.cart(None)}
    checkout.wire.call("POST", "/giftcards/_search", body, note="//giftcards").rows()


@area.check("query", _("Query parameters, such as ?ts=, change nothing."), GUIDE)
def query(checkout: Checkout) -> None:
    """With the ticks that checkout sends."""
    _same_card(checkout, f"giftcards/{checkout.card.id}?ts=639091131481342036", "?ts=")


@area.check("headers", _("Unknown and empty headers are ignored."), GUIDE)
def headers(checkout: Checkout) -> None:
    """One that nobody knows, and VTEX's own empty one."""
    sent: dict[str, str | None] = {"x-vtex-debug-id": "", "x-vtex-something-new": "1"}
    _card(checkout, headers=sent, note="unknown headers").accepted()


def _card(
    checkout: Checkout, path: str = "", *, headers: dict[str, str | None], note: str
) -> Answer:
    path = path or f"giftcards/{checkout.card.id}"
    return checkout.wire.call("GET", path, headers=headers, note=note)


def _same_card(checkout: Checkout, path: str, note: str) -> None:
    answer = _card(checkout, path, headers={}, note=note)
    found = answer.object().get("id")
    if found != checkout.card.id:
        raise Failed("value", call=answer.call, name="id", found=found, expected=checkout.card.id)
