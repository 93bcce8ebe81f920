"""How the back office writes amounts, moments and documents: exact, and in the store's own time."""

import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext

from loyalty.identity import is_cnpj
from loyalty.models import GiftCard, Program, Store, point_units_of
from loyalty.notation import (
    shown_count,
    shown_decimal,
    shown_money,
    shown_number,
    shown_percent,
    written_money,
)

__all__ = [
    "NOTHING",
    "amount_and_worth",
    "shown_amount",
    "shown_count",
    "shown_day",
    "shown_decimal",
    "shown_document",
    "shown_moment",
    "shown_money",
    "shown_number",
    "shown_percent",
    "shown_points",
    "with_points",
    "written_money",
]

NOTHING = "-"  # as Django shows an empty value
_CPF_DIGITS = 11


def shown_amount(units: int, card: GiftCard) -> str:
    """Units of a card, which comes with its program: exact money, beside points if it has them."""
    money = shown_money(units, card.currency, card.exponent)
    return with_points(units, card.program, money, point_units=point_units_of(card))


def with_points(units: int, program: Program, money: str, *, point_units: int | None = None) -> str:
    """`1,234 points (R$3.0850)`: whole points with the money beside, or money alone.

    A point is worth what the program says, or other `point_units`.
    """
    points = shown_points(units, program, point_units=point_units)
    return f"{points} ({money})" if points else money


def amount_and_worth(units: int, card: GiftCard) -> tuple[str, str]:
    """What `shown_amount` says as two texts, one to stand below the other; it may be empty."""
    money = shown_money(units, card.currency, card.exponent)
    points = shown_points(units, card.program, point_units=point_units_of(card))
    return (points, money) if points else (money, "")


def shown_points(units: int, program: Program, *, point_units: int | None = None) -> str:
    """`1,234 points`: the whole points that units are; empty for a program in money."""
    worth = point_units or program.point_units
    if not worth:
        return ""
    points = abs(units) // worth * (-1 if units < 0 else 1)
    return f"{shown_count(points)}\u00a0{program.unit_name or gettext('points')}"


def shown_moment(instant: datetime.datetime | None, store: Store) -> str:
    """An instant by the clock of the store: a card's last day is the day that the shopper knows.

    It is read as one word, which no line of a narrow column breaks.
    """
    if instant is None:
        return NOTHING
    local = timezone.localtime(instant, store.zone)
    return date_format(local, "SHORT_DATETIME_FORMAT", use_l10n=True).replace(" ", "\u00a0")


def shown_day(instant: datetime.datetime | None, store: Store) -> str:
    """The day of an instant in the store's time zone."""
    if instant is None:
        return NOTHING
    local = timezone.localtime(instant, store.zone)
    return date_format(local, "SHORT_DATE_FORMAT", use_l10n=True)


def shown_document(document: str) -> str:
    """A document as people write it: `123.456.789-09`, `12.345.678/0001-95`; others as they are."""
    if is_cnpj(document):
        root, branch, check = document[:8], document[8:12], document[12:]
        return f"{root[:2]}.{root[2:5]}.{root[5:]}/{branch}-{check}"
    if len(document) == _CPF_DIGITS and document.isdigit():
        return f"{document[:3]}.{document[3:6]}.{document[6:9]}-{document[9:]}"
    return document or NOTHING
