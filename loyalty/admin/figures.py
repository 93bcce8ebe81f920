"""The figures of an action before and after, as a table for people."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.actions import AMOUNTS, Figures
from loyalty.admin.columns import linked
from loyalty.admin.formats import (
    NOTHING,
    shown_amount,
    shown_count,
    shown_moment,
    shown_money,
    with_points,
)
from loyalty.models import (
    Batch,
    Customer,
    Discrepancy,
    GiftCard,
    PointValueChange,
    Program,
    Store,
)

LABELS: Mapping[str, StrOrPromise] = {
    "point_units": _("value of a point"),
    "policy": _("policy"),
    "cards": _("cards"),
    "points": _("points"),
    "customers": _("customers"),
    "available": _("available"),
    "held": _("held"),
    "spent": _("spent"),
    "expired": _("expired"),
    "removed": _("removed"),
    "total": _("total amount"),
    "status": _("status"),
    "credit_status": _("status"),
    "expires_at": _("expires at"),
    "owner": _("owner"),
}
_COUNTS = ("cards", "points", "customers")
_CARD = "card:"
STATES: dict[str, StrOrPromise] = {
    state.value: state.label
    for choices in (
        *(Discrepancy.Status, GiftCard.Status, Batch.Status),
        PointValueChange.Policy,
    )
    for state in choices
}
# Of a batch of credits, where its words are others.
CREDIT_STATES: dict[str, StrOrPromise] = {
    Batch.Status.ISSUING: _("being given"),
    Batch.Status.ISSUED: _("given"),
    Batch.Status.UNDOING: _("being taken back"),
    Batch.Status.UNDONE: _("taken back"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One figure before and after, in words."""

    label: StrOrPromise
    before: str
    after: str

    @property
    def is_changed(self) -> bool:
        """Whether it differs."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Scale:
    """How the figures of an action are read: store, currency, digits; the program of its card."""

    store: Store
    currency: str
    exponent: int
    program: Program | None = None


def changes(before: Figures, after: Figures, scale: Scale) -> list[Change]:
    """The figures that differ, and the available amount in any case."""
    names = [
        name
        for name in (*LABELS, *(name for name in after if name not in LABELS))
        if name in after and (name == "available" or before.get(name) != after[name])
    ]
    cards = _cards_of(names)
    return [
        Change(
            _label(name, cards),
            _shown_on(cards.get(name), name, before.get(name), scale),
            _shown_on(cards.get(name), name, after[name], scale),
        )
        for name in names
    ]


def _cards_of(names: Iterable[str]) -> dict[str, GiftCard]:
    keys = [int(name.removeprefix(_CARD)) for name in names if name.startswith(_CARD)]
    cards = GiftCard.objects.select_related("store", "program").filter(pk__in=keys)
    return {f"{_CARD}{card.pk}": card for card in cards} if keys else {}


def _label(name: str, cards: Mapping[str, GiftCard]) -> StrOrPromise:
    if card := cards.get(name):
        words = {"card": card, "program": card.program}
        return gettext("available on %(card)s (%(program)s)") % words
    return LABELS.get(name, name)


def is_figure(name: str) -> bool:
    """Whether a figure is read by these rules."""
    return name in LABELS or name in AMOUNTS or name.startswith(_CARD)


def money_of(units: int, scale: Scale) -> str:
    """Units as exact money, beside points if the program of its card has them."""
    money = shown_money(units, scale.currency, scale.exponent)
    return with_points(units, scale.program, money) if scale.program else money


def _shown_on(card: GiftCard | None, name: str, value: int | str | None, scale: Scale) -> str:
    """A figure of a card in the card's own digits; any other by its name."""
    if card is None or value is None:
        return _shown(name, value, scale)
    return shown_amount(int(value), card)


def _shown(name: str, value: int | str | None, scale: Scale) -> str:
    if value is None:
        return gettext("never") if name == "expires_at" else NOTHING
    if name in _COUNTS:
        return shown_count(int(value))
    if name in {*AMOUNTS, "point_units"}:
        return money_of(int(value), scale)
    if name == "expires_at":
        instant: datetime.datetime | None = parse_datetime(str(value))
        return shown_moment(instant, scale.store)
    if name == "owner":
        return linked(Customer.objects.filter(pk=value).first())
    words = STATES | CREDIT_STATES if name == "credit_status" else STATES
    return str(words.get(str(value), value))
