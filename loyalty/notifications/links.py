"""Addresses in messages: signed, so that they need no sign in and cannot be made up."""

import datetime
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.urls import reverse

from loyalty.models import Customer, GiftCard

CARD_LINK_LASTS = datetime.timedelta(days=90)
_UNSUBSCRIBE, _CARD = "loyalty.notifications.unsubscribe", "loyalty.notifications.card"


@dataclass(frozen=True, slots=True)
class CardLink:
    """The card that a link leads to; None when its time is over or it is nobody's link any more."""

    card: GiftCard | None
    language: str


def unsubscribe_link(customer: Customer) -> str:
    """Where a person says that they want no more reminders. Works for good."""
    token = signing.Signer(salt=_UNSUBSCRIBE).sign(str(customer.pk))
    return _absolute("unsubscribe", token)


def customer_of(token: str) -> Customer | None:
    """Whose the link is; None for a link that is not ours, and for a person who was erased."""
    try:
        key = signing.Signer(salt=_UNSUBSCRIBE).unsign(token)
    except signing.BadSignature:
        return None
    people = Customer.objects.select_related("store")
    return people.filter(pk=int(key), erased_at=None).first()


def card_link(card: GiftCard) -> str:
    """Where the owner of a card sees its code, for `CARD_LINK_LASTS`, while it is theirs."""
    token = signing.TimestampSigner(salt=_CARD).sign(f"{card.pk}.{card.owner_id}")
    return _absolute("card_link", token)


def card_of(token: str) -> CardLink | None:
    """What the link leads to; None for a link that is not ours."""
    signer = signing.TimestampSigner(salt=_CARD)
    try:
        key, _, owner = signer.unsign(token).partition(".")
    except signing.BadSignature:
        return None
    cards = GiftCard.objects.select_related("store", "program", "owner__store", "balance")
    card = cards.filter(pk=int(key)).first()
    if card is None:
        return None
    language = card.owner.spoken_language if card.owner else card.store.language
    return CardLink(card if _is_open(card, owner, token) else None, language)


def _is_open(card: GiftCard, owner: str, token: str) -> bool:
    try:
        signing.TimestampSigner(salt=_CARD).unsign(token, max_age=CARD_LINK_LASTS)
    except signing.SignatureExpired:
        return False
    return (
        card.status != GiftCard.Status.CLOSED
        and str(card.owner_id) == owner
        and card.owner is not None
        and card.owner.erased_at is None
    )


def _absolute(name: str, token: str) -> str:
    return f"{settings.PUBLIC_URL.rstrip('/')}{reverse(name, args=[token])}"
