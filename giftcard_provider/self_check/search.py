"""What checkout finds. An error here is an error of the whole payment step."""

import re
import secrets
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from giftcard_provider.self_check.check import Area, Failed, Skipped
from giftcard_provider.self_check.checkout import Checkout, equals, filled, number
from giftcard_provider.self_check.sources import GUIDE, PROTOCOL, SYSTEM, issue
from giftcard_provider.self_check.wire import Answer

area = Area("search")

_CONTENT_RANGE = re.compile(r"resources (\d+)-(\d+)/(\d+)")


@area.check("by_code", _("The typed code finds its card, and no other."), SYSTEM)
def by_code(checkout: Checkout) -> None:
    """With its balance as GET tells it, and a relative link."""
    answer = checkout.search(_code(checkout))
    row = _only(answer, answer.rows())
    equals(answer, row, "id", checkout.card.id)
    equals(answer, row, "balance", checkout.balance())
    number(answer, row, "balance")
    filled(answer, row, "provider")
    link = filled(answer, row, "_self")
    href = str(link.get("href") or "") if isinstance(link, dict) else ""
    if not href or "://" in href:
        raise Failed("link", call=answer.call, name="_self", found=href or "-")


@area.check("secrets", _("An answer shows neither the code nor the token of a card."), PROTOCOL)
def secret(checkout: Checkout) -> None:
    """Read as bytes, wherever they may be in it."""
    code = _code(checkout)
    answer = checkout.search(code).accepted()
    for name, value in (("redemptionCode", code), ("redemptionToken", checkout.card.token)):
        if value and value != checkout.card.id and value.encode() in answer.body:
            raise Failed("secret", call=answer.call, name=name)


@area.check("unknown_code", _("An unknown code is answered with 200 and []."), GUIDE)
def unknown_code(checkout: Checkout) -> None:
    """Long, short, and no codes at all; no shopper is stopped for typing them."""
    for code in (secrets.token_hex(8).upper(), "x", "' OR 1=1 --", "çã€" * 80):
        _nothing(checkout.search(code, client=None, note="unknown code"))


@area.check("null_fields", _("null and empty texts are read as nothing, in every field."), PROTOCOL)
def null_fields(checkout: Checkout) -> None:
    """Shoppers are often anonymous or known by half."""
    empty: dict[str, Any] = dict.fromkeys(("id", "email", "document"), "")
    for client in (None, dict.fromkeys(empty), empty):
        _nothing(checkout.search(None, client=client, note="client without identity"))
    for cart in (dict.fromkeys(checkout.cart(None)), {"redemptionCode": ""}):
        _nothing(checkout.search(None, client=None, cart=cart, note="cart without anything"))
    _nothing(checkout.wire.call("POST", "giftcards/_search", {}, note="{}"))


@area.check("strangers", _("Without a code nobody sees a card that is not theirs."), PROTOCOL)
def strangers(checkout: Checkout) -> None:
    """A shopper whom no provider can know."""
    someone = {
        "id": None,
        "email": f"nobody-{secrets.token_hex(8)}@example.com",
        "document": None,
    }
    _nothing(checkout.search(None, client=someone, note="an unknown shopper"))


@area.check("owner", _("Without a code the owner of the card sees it."), PROTOCOL)
def owner(checkout: Checkout) -> None:
    """By e-mail and document, by each alone."""
    known = {name: value for name, value in checkout.client().items() if value}
    if not known:
        raise Skipped("no_identity")
    for client in (known, *({name: value} for name, value in known.items())):
        answer = checkout.search(None, client=client, note=" and ".join(client))
        if checkout.card.id not in [row.get("id") for row in answer.rows()]:
            raise Failed("count", call=answer.call, found=0, expected=1)


@area.check("ranges", _("REST-Range is honored, and one that makes no sense does no harm."), SYSTEM)
def ranges(checkout: Checkout) -> None:
    """At most as many as asked for, and the answer says which."""
    code = checkout.target.code or None
    for given in ("resources=0-49", "resources=0-0", "giftcard=0-9", "0-49", "nonsense", None):
        answer = checkout.search(code, headers={"REST-Range": given}, note=f"REST-Range {given}")
        _right_range(answer, len(answer.rows()))
    answer = checkout.search(code, headers={"REST-Range": "resources=0-0"})
    if len(answer.rows()) > 1:
        raise Failed("count", call=answer.call, found=len(answer.rows()), expected=1)


@area.check("zero_balance", _("A card with nothing left is not found."), issue(1356257))
def zero_balance(checkout: Checkout) -> None:
    """While all of it is held for a moment; GET then says 0."""
    code = _code(checkout)
    with checkout.debit(checkout.balance()):
        _nothing(checkout.search(code, note="a balance of 0"))
        checkout.expect_balance(Decimal(0), "POST giftcards/{id}/transactions")


def _code(checkout: Checkout) -> str:
    if not checkout.target.code:
        raise Skipped("no_code")
    return checkout.target.code


def _only(answer: Answer, rows: list[dict[str, Any]]) -> dict[str, Any]:
    if len(rows) != 1:
        raise Failed("count", call=answer.call, found=len(rows), expected=1)
    return rows[0]


def _nothing(answer: Answer) -> None:
    if rows := answer.rows():
        raise Failed("count", call=answer.call, found=len(rows), expected=0)


def _right_range(answer: Answer, count: int) -> None:
    found = answer.headers.get("REST-Content-Range", "")
    match = _CONTENT_RANGE.fullmatch(found)
    expected = f"resources 0-{max(count - 1, 0)}/{count}"
    if not match:
        raise Failed("range", call=answer.call, found=found or "-", expected=expected)
    start, end, total = map(int, match.groups())
    if count and (end - start + 1 != count or total < count):
        raise Failed("range", call=answer.call, found=found, expected=expected)
