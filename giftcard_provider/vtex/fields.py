"""How VTEX writes ids, amounts and dates, read strictly: what is odd is not guessed."""

import datetime
from decimal import Decimal
from typing import Any

from loyalty.money import MAX_UNITS
from loyalty.order_sources import SourceUnreadable


def text(value: Any) -> str:
    """A text, or nothing for null; numbers as they are written."""
    return "" if value is None else str(value).strip()


def word(value: Any, name: str) -> str:
    """A text that has to be there."""
    found = text(value)
    if not found:
        raise SourceUnreadable(f"VTEX sent no {name}.")
    return found


def mapping(value: Any, name: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise SourceUnreadable(f"VTEX sent no {name}.")
    return value


def rows(value: Any, name: str) -> list[dict[str, Any]]:
    """A JSON array of objects."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise SourceUnreadable(f"VTEX sent no {name}.")
    return value


def amount(value: Any, *, digits: int) -> Decimal:
    """An integer of the smallest digits (399 of 2 digits is 3.99). Raises `SourceUnreadable`."""
    whole = Decimal(value) if isinstance(value, int | Decimal) else Decimal("NaN")
    if isinstance(value, bool) or not whole.is_finite() or whole != whole.to_integral_value():
        raise SourceUnreadable("VTEX sent an amount that is not an integer.")
    if abs(whole) > MAX_UNITS:
        raise SourceUnreadable("VTEX sent an amount beyond what the ledger can count.")
    return whole.scaleb(-digits)


def moment(value: Any) -> datetime.datetime | None:
    """An instant, in UTC when no zone is written; None for null and what is no date."""
    try:
        parsed = datetime.datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)


def stamp(value: datetime.datetime) -> str:
    """An instant as the filters of the list want it."""
    return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.") + (
        f"{value.microsecond // 1000:03}Z"
    )
