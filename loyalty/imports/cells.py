"""Single cells of an import file: amounts and days as people and programs write them."""

import datetime
import re
from contextlib import suppress
from decimal import Decimal, InvalidOperation

from django.utils.dateparse import parse_datetime

from loyalty.models import Store

_SYMBOL = re.compile(r"^(-?)\s*(?:[A-Z]{0,3}\$|€|£|[A-Z]{3})?\s*(-?)(?=[\d.,])")
_DAY_FIRST = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]")
_SCIENTIFIC = re.compile(r"\d[.,]\d+E\+?\d+", re.IGNORECASE)
_YEARS = range(1990, 2200)

# What may be repeated of a cell in a list of problems: a short amount or day, nothing with letters,
# and no run of digits that could be a document or a code in the wrong column.
_SHOWABLE = re.compile(r"(?!.*\d{7})[-+\d.,/: ]{1,12}|[A-Za-z]{1,3}|[A-Z]{0,3}\$ ?[-\d.,]{1,10}")


def amount_of(text: str, decimal_sign: str) -> Decimal:
    """The amount written with this decimal sign, thousands grouped or not; else `ValueError`.

    A currency's symbol before it is passed over.
    """
    plain = _SYMBOL.sub(r"\1\2", text.replace("\u00a0", " ").strip(), count=1).strip()
    group = "." if decimal_sign == "," else ","
    sign = re.escape(decimal_sign)
    digits = rf"(?:\d+|\d{{1,3}}(?:{re.escape(group)}\d{{3}})+)"
    if not re.fullmatch(rf"-?{digits}(?:{sign}\d+)?", plain, re.ASCII):
        raise ValueError(text)
    try:
        return Decimal(plain.replace(group, "").replace(decimal_sign, "."))
    except InvalidOperation as error:  # pragma: no cover - the pattern allows nothing else
        raise ValueError(text) from error


def points_of(text: str) -> int:
    """Whole points, their thousands grouped by either sign or not; else `ValueError`."""
    for sign in ",.":
        with suppress(ValueError):
            value = amount_of(text, sign)
            if value == int(value):
                return int(value)
    raise ValueError(text)


def day_of(text: str, store: Store) -> datetime.date:
    """The store's day: 2026-12-31, 31/12/2026, or an instant such as 2027-01-01T02:59:59Z.

    Raises `ValueError`, also for years that are a slip of the hand.
    """
    day = _day(text, store)
    if day.year not in _YEARS:
        raise ValueError(text)
    return day


def _day(text: str, store: Store) -> datetime.date:
    if found := _DAY_FIRST.fullmatch(text):
        day, month, year = map(int, found.groups())
        return datetime.date(year, month, day)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return datetime.date.fromisoformat(text)
    instant = parse_datetime(text) if _INSTANT.match(text) else None
    if instant is None:
        raise ValueError(text)
    try:
        return instant.astimezone(store.zone).date() if instant.tzinfo else instant.date()
    except OverflowError as error:
        raise ValueError(text) from error


def is_rounded(code: str) -> bool:
    """Whether a spreadsheet has turned a long code into a power of ten (1.23457E+15)."""
    return bool(_SCIENTIFIC.fullmatch(code))


def showable(text: str) -> str:
    """The cell, when it can hold neither a person nor a code; else nothing."""
    return text if _SHOWABLE.fullmatch(text) else ""
