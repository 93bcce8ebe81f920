"""Amounts and days as customers read them, in the active language and the store's time zone."""

import datetime

from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from loyalty.models import Customer, GiftCard, Program, Store, point_units_of
from loyalty.money import exponent_of
from loyalty.notation import shoppers_money, shown_count


def amount(units: int, program: Program, *, currency: str, exponent: int) -> str:
    """Exact money; in a program that counts in points those, with what they are worth beside them.

    `1.234 pontos (R$ 3,08)`: rounded down, as checkout does.
    """
    return _written(units, program, program.point_units, currency, exponent)


def _written(units: int, program: Program, point: int | None, currency: str, exponent: int) -> str:
    if not point:
        return shoppers_money(units, currency, exponent)
    digits = exponent_of(currency)
    worth = shoppers_money(units // 10 ** (exponent - digits), currency, digits)
    return f"{shown_count(units // point)} {program.unit_name} ({worth})"


def amount_on(card: GiftCard, units: int) -> str:
    """The same for units of a card, which comes with its program."""
    return _written(units, card.program, point_units_of(card), card.currency, card.exponent)


def usable(card: GiftCard) -> int:
    """What can be spent now, in units."""
    now = timezone.now()
    if not card.is_valid_at(now):
        return 0
    return remaining(card, Q(valid_from__lte=now) & (Q(expires_at=None) | Q(expires_at__gt=now)))


def remaining(card: GiftCard, condition: Q) -> int:
    """What remains of the grants that meet a condition, in units."""
    return card.grants.filter(condition).aggregate(units=Sum("remaining"))["units"] or 0


def names(customer: Customer, store: Store) -> dict[str, str]:
    """Who is written to, and by whom."""
    return {"name": customer.name or _("customer"), "store": store.name}


def title(program: Program, caption: str = "") -> str:
    """What shoppers call the credit."""
    return caption or program.caption or program.name


def validity(end: datetime.datetime | None, store: Store) -> str:
    """As a part of a sentence."""
    if end is None:
        return _("without an end date")
    return _("valid until %(day)s") % {"day": day(end, store)}


def day(instant: datetime.datetime, store: Store, style: str = "DATE_FORMAT") -> str:
    """A day of the store, as the language writes it."""
    written = date_format(timezone.localtime(instant, store.zone), style, use_l10n=True)
    # Only English writes a month with a capital, and Django does in Portuguese too.
    return written if get_language() == "en" else written.lower()
