"""Two customers side by side before they are merged: who they are, and what goes where."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from loyalty.admin.columns import linked
from loyalty.admin.formats import NOTHING, shown_amount, shown_document, shown_moment
from loyalty.admin.states import card_badge
from loyalty.ledger.merging import contradictions, is_same_money, successors
from loyalty.models import Customer, Earning, GiftCard, ShopOrder, TierStanding

_MOST_CARDS = 50

LABELS: Mapping[str, StrOrPromise] = {
    "name": gettext_lazy("name"),
    "email": gettext_lazy("e-mail"),
    "document": gettext_lazy("personal document"),
    "corporate_document": gettext_lazy("company document"),
    "profile_id": gettext_lazy("VTEX profile id"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is known of both, and what is known after it."""

    label: StrOrPromise
    away: object
    into: object
    after: object
    differs: bool = False


@dataclass(frozen=True, slots=True)
class CardPart:
    """A card of one of the two, and what becomes of it."""

    link: str
    program: str
    badge: SafeString
    owner: str
    available: str
    held: str
    fate: str


def compared(away: Customer, into: Customer) -> dict[str, Any]:
    """What the page shows: of a merge that the ledger would refuse, too."""
    cards = list(
        GiftCard.objects.filter(owner__in=[away, into])
        .select_related("store", "program", "balance", "owner")
        .order_by("pk")
    )
    return {
        "away": linked(away),
        "into": linked(into),
        "parts": [*_known(away, into), *_of_orders(away, into)],
        "cards": _cards(cards, away, into)[:_MOST_CARDS],
        "more_cards": max(len(cards) - _MOST_CARDS, 0),
    }


def _known(away: Customer, into: Customer) -> Iterator[Part]:
    different = contradictions(away, into)
    for name, label in LABELS.items():
        mine, theirs = getattr(away, name), getattr(into, name)
        if not mine and not theirs:
            continue
        shown = shown_document if name.endswith("document") else str
        yield Part(
            label,
            shown(mine) if mine else NOTHING,
            shown(theirs) if theirs else NOTHING,
            shown(theirs or mine),
            name in different,
        )
    yield Part(
        gettext_lazy("known since"),
        shown_moment(away.created_at, away.store),
        shown_moment(into.created_at, into.store),
        shown_moment(into.created_at, into.store),
    )


def _of_orders(away: Customer, into: Customer) -> Iterator[Part]:
    orders, others = (ShopOrder.objects.filter(customer=each).count() for each in (away, into))
    yield Part(gettext_lazy("orders"), orders, others, orders + others)
    pending, waiting = _pending(away), _pending(into)
    if pending or waiting:
        label = gettext_lazy("earnings that are pending")
        yield Part(label, pending, waiting, pending + waiting)
    tiers, held = _tiers(away), _tiers(into)
    if tiers or held:
        after = _("by the orders of both")
        yield Part(gettext_lazy("tier"), tiers or NOTHING, held or NOTHING, after)


def _pending(customer: Customer) -> int:
    net = F("credited") - F("taken") - F("forgiven")
    return Earning.objects.filter(order__customer=customer, due__gt=net).count()


def _tiers(customer: Customer) -> str:
    held = TierStanding.objects.filter(customer=customer).exclude(tier="").order_by("program")
    return ", ".join(f"{each.tier} ({each.program})" for each in held.select_related("program"))


def _cards(cards: Sequence[GiftCard], away: Customer, into: Customer) -> list[CardPart]:
    takes_place = successors(cards, away.pk, into.pk)
    return [
        CardPart(
            link=linked(card),
            program=str(card.program),
            badge=card_badge(card),
            owner=str(card.owner),
            available=shown_amount(card.balance.available, card),
            held=shown_amount(card.balance.held, card),
            fate=_fate(card, into, takes_place),
        )
        for card in cards
    ]


def _fate(card: GiftCard, into: Customer, takes_place: Mapping[int, GiftCard | None]) -> str:
    if card.owner_id == into.pk:
        return _("stays as it is")
    wallet = takes_place[card.pk]
    words = {"customer": into, "wallet": wallet}
    if wallet is None:
        return _("becomes a card of %(customer)s with all that is on it") % words
    if not is_same_money(card, wallet):
        return _("stays beside %(wallet)s, being of another program; all that is on it stays") % (
            words
        )
    if not card.balance.held:
        return _("what is available goes to %(wallet)s; refunds still come back here") % words
    return (
        _(
            "what is available goes to %(wallet)s; what is held stays here until it is settled or"
            " canceled, and comes back here"
        )
        % words
    )
