"""One scale for the figures of a currency, so that cards of different units can be summed exactly.

A points program counts in units finer than its currency. The reports count in the finest units that
any card may have: integers, converted without a remainder, and shown with no more digits than they
need.
"""

from collections.abc import Iterable
from decimal import Decimal

from loyalty.money import FINER_DIGITS, exponent_of, to_decimal


def finest(units: int, *, currency: str, exponent: int) -> int:
    """Units of a card as the finest units of its currency."""
    scale: int = 10 ** (exponent_of(currency) + FINER_DIGITS - exponent)
    return units * scale


def as_decimal(amount: int, currency: str) -> Decimal:
    """The exact amount in major units, with the currency's digits or as many more as it needs."""
    exponent, digits = exponent_of(currency) + FINER_DIGITS, digits_of([amount], currency)
    return to_decimal(amount // 10 ** (exponent - digits), exponent=digits)


def digits_of(amounts: Iterable[int], currency: str) -> int:
    """How many digits show all of these exactly: the currency's own, unless one needs more."""
    digits, finer = exponent_of(currency), 0
    for amount in amounts:
        while finer < FINER_DIGITS and amount % 10 ** (FINER_DIGITS - finer):
            finer += 1
    return digits + finer
