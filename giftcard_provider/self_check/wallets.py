"""The wallet that VTEX opens for a customer's first reward."""

from django.utils.translation import gettext_lazy as _

from giftcard_provider.self_check.check import Area, Failed, Skipped
from giftcard_provider.self_check.checkout import Checkout, filled
from giftcard_provider.self_check.sources import PROTOCOL

area = Area("wallet")


@area.check("once", _("The wallet of a customer, asked for twice, is one wallet."), PROTOCOL)
def once(checkout: Checkout) -> None:
    """Only for a profile that was named: a wallet stays."""
    profile_id = checkout.target.profile_id
    if not profile_id:
        raise Skipped("no_profile")
    body = {
        "relationName": "loyalty-program",
        "caption": "Loyalty Program",
        "restrictedToOwner": True,
        "multipleRedemptions": True,
        "multipleCredits": True,
        "profileId": profile_id,
        "currencyCode": checkout.card.currency or None,
    }
    answers = [checkout.wire.call("POST", "giftcards", body) for _number in range(2)]
    first, again = (filled(answer, answer.object(), "id") for answer in answers)
    if first != again:
        raise Failed("not_same", call=answers[1].call, found=again, expected=first)
