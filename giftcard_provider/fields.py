"""Values as VTEX writes them: numbers, texts, moments."""

import datetime
import re
from decimal import Decimal

from django.utils.dateparse import parse_datetime
from rest_framework import status
from rest_framework.exceptions import APIException

from loyalty.exceptions import InvalidAmount
from loyalty.money import MAX_UNITS

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")
# The Hub wants a date; this one means that there is none.
_NEVER = "2099-12-31T00:00:00.000"


class InvalidField(APIException):
    """A field is missing or cannot be what it says."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "invalid_field"

    def __init__(self, name: str) -> None:
        super().__init__(f"The field {name} is missing or not valid.")


def amount(value: object) -> Decimal:
    """A decimal amount of major units, sent as a JSON number or as text (3, 3.0, "3.00").

    Raises `InvalidAmount`; whether the currency has that many digits is for the ledger to say.
    """
    match value:
        case bool():
            raise InvalidAmount
        case int() | Decimal():
            return Decimal(value)
        case str() if _NUMBER.fullmatch(value.strip()):
            return Decimal(value.strip())
        case _:
            raise InvalidAmount


def number(value: object) -> Decimal | None:
    """A sum of a cart, which may be negative; None for what is none, or is beyond all money."""
    try:
        found = amount(value)
    except InvalidAmount:
        return None
    return found if found.is_finite() and abs(found) < MAX_UNITS else None


def text(value: object, *, limit: int) -> str | None:
    """A text that can be kept, from text or an integer; "" for null, None for anything else."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) <= MAX_UNITS else None
    if not isinstance(value, str) or len(value) > limit or not value.isprintable():
        return None
    return value.strip()


def moment(value: object) -> datetime.datetime | None:
    """A date-time with 0 to 7 digits of seconds, UTC unless it says otherwise; None for no date.

    "0001-01-01T00:00:00" is how VTEX writes that it does not know; the last year is no date either.
    """
    if not isinstance(value, str):
        return None
    cut = re.sub(r"(\.\d{6})\d+", r"\1", value.strip(), flags=re.ASCII)
    try:
        parsed = parse_datetime(cut)
    except ValueError:
        return None
    if parsed is None or parsed.year in {datetime.MINYEAR, datetime.MAXYEAR}:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)


def card_date(instant: datetime.datetime | None) -> str:
    """A card's date: UTC with milliseconds and no zone, as the Hub reads it."""
    if instant is None:
        return _NEVER
    utc = instant.astimezone(datetime.UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds")


def step_date(instant: datetime.datetime) -> str:
    """When a transaction, settlement or cancellation happened: UTC, with its Z."""
    utc = instant.astimezone(datetime.UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='microseconds')}Z"
