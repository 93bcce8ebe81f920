"""What "Use card" reads."""

import re
import secrets
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from giftcard_provider.self_check.check import Area, Failed
from giftcard_provider.self_check.checkout import Checkout, equals, filled, number
from giftcard_provider.self_check.moments import moment
from giftcard_provider.self_check.sources import GUIDE, PROTOCOL, RELEASE_2023_07_30, issue
from giftcard_provider.self_check.wire import Answer

area = Area("card")

# VTEX waits so long for GET giftcards/{id}; then checkout calls the card invalid.
SECONDS = 1.5
_CURRENCY = re.compile("[A-Z]{3}")


@area.check("fields", _("GET of a card tells its id, balance and both links."), PROTOCOL)
def fields(checkout: Checkout) -> None:
    """VTEX's texts name one link or the other; "Use card" fails without the one it looks for."""
    answer = _get(checkout)
    card = answer.object()
    equals(answer, card, "id", checkout.card.id)
    number(answer, card, "balance")
    for name in ("transaction", "transactions"):
        link = filled(answer, card, name)
        href = str(link.get("href") or "") if isinstance(link, dict) else ""
        if not href or "://" in href:
            raise Failed("link", call=answer.call, name=name, found=href or "-")


@area.check("currency", _("The card's currency is told, in three letters."), RELEASE_2023_07_30)
def currency(checkout: Checkout) -> None:
    """Without it VTEX takes the value as it is, whatever the cart is in."""
    answer = _get(checkout)
    found = str(filled(answer, answer.object(), "currencyCode"))
    if not _CURRENCY.fullmatch(found):
        raise Failed("value", call=answer.call, name="currencyCode", found=found, expected="BRL")


@area.check("digits", _("The balance has no more digits than the currency."), PROTOCOL)
def digits(checkout: Checkout) -> None:
    """Also after a purchase of an amount that no binary float holds."""
    with checkout.debit(checkout.step * 7):
        answer = _get(checkout)
        balance = number(answer, answer.object(), "balance")
        if balance != balance.quantize(Decimal(1).scaleb(-checkout.card.digits)):
            raise Failed("digits", call=answer.call, name="balance", found=balance)


@area.check("fast", _("GET of a card is answered within 1.5 seconds."), PROTOCOL)
def fast(checkout: Checkout) -> None:
    """Three times, as checkout calls it."""
    for _number in range(3):
        answer = _get(checkout, "?ts=639091131481342036")
        answer.accepted()
        if answer.seconds > SECONDS:
            found = f"{answer.seconds:.2f}"
            raise Failed("too_slow", call=answer.call, found=found, expected=SECONDS)


@area.check("secrets", _("The code is masked, and the token is not the code."), PROTOCOL)
def secret(checkout: Checkout) -> None:
    """Orders show the masked code; the token goes back and forth."""
    answer = _get(checkout)
    card = answer.object()
    code = checkout.target.code or str(card.get("redemptionCode") or "")
    shown = str(card.get("redemptionCode") or "")
    is_clear = bool(shown) and (shown == code if checkout.target.code else "*" not in shown)
    if is_clear:
        raise Failed("secret", call=answer.call, name="redemptionCode")
    if code and card.get("redemptionToken") == code:
        raise Failed("secret", call=answer.call, name="redemptionToken")


@area.check("id", _("The card's id fits into a URL, and is not its code."), issue(953285))
def identity(checkout: Checkout) -> None:
    """It is shown in orders."""
    answer = _get(checkout)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", checkout.card.id):
        raise Failed("unsafe_id", call=answer.call, found=checkout.card.id)
    if checkout.target.code == checkout.card.id:
        raise Failed("secret", call=answer.call, name="id")


@area.check("dates", _("The card's dates are dates, and it has not expired."), PROTOCOL)
def dates(checkout: Checkout) -> None:
    """Of a card that can be used."""
    answer = _get(checkout)
    card = answer.object()
    moment(answer, card, "emissionDate")
    if moment(answer, card, "expiringDate") < timezone.now():
        found = card["expiringDate"]
        raise Failed("past", call=answer.call, name="expiringDate", found=found)


@area.check("unknown", _("An unknown card is refused, and is no fault of the provider."), GUIDE)
def unknown(checkout: Checkout) -> None:
    """Ids that nobody has given out, also odd ones."""
    for card_id in (secrets.token_hex(16), "0", "%20", "a" * 300, "%C3%A7%F0%9F%8E%81"):
        checkout.wire.call("GET", f"giftcards/{card_id}", note=f"id {card_id:.40}").refused()


def _get(checkout: Checkout, query: str = "") -> Answer:
    return checkout.wire.call("GET", f"giftcards/{checkout.card.id}{query}")
