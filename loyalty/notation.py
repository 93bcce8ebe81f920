"""How people write money and numbers in the language they read: nothing else writes them.

Symbol, sign and their places are those of Unicode's CLDR: staff read those of the plain language
(`pt_BR`, `es`, `en`), where no two currencies share a symbol, a shopper those of the currency's
country. All digits are shown: nothing is rounded. The sign is a real minus, because a line may
break after a hyphen; at the spaces none breaks either.
"""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import get_currency_symbol
from django.utils.formats import get_format
from django.utils.translation import get_language, to_locale

from loyalty.money import EXPONENTS, to_decimal

MINUS = "\N{MINUS SIGN}"
_NO_BREAK = "\N{NO-BREAK SPACE}"


def shown_money(units: int, currency: str, exponent: int) -> str:
    """Units as exact money: `R$ 1.234,56`, `1.234,56 BRL`, `R$1,234.56`; the sign comes first."""
    return _money(to_decimal(units, exponent=exponent), currency, exponent)


def shoppers_money(units: int, currency: str, exponent: int) -> str:
    """The same for a shopper, as the currency's own country writes it in their language: `$9.990`.

    A shopper reads of one store, and of its money only.
    """
    return _money(to_decimal(units, exponent=exponent), currency, exponent, country=currency[:2])


def written_money(amount: Decimal, currency: str) -> str:
    """The same of an amount in major units: the currency's digits, or as many more as it has."""
    return _money(amount, currency, max(_digits_of(amount), EXPONENTS.get(currency, 0)))


def shown_number(number: Decimal | int, digits: int = 0) -> str:
    """A number with this many digits after the decimal sign, its thousands grouped: `1.234,56`."""
    # A Decimal, for Python would write an integer's digits through a float.
    return _written(Decimal(number), digits, get_language())


def shown_decimal(number: Decimal) -> str:
    """A number with no more digits than it needs: `1,5`, `2`."""
    return shown_number(number, _digits_of(number.normalize()))


def shown_count(number: int) -> str:
    """A whole number, as people write it."""
    return shown_number(number)


def shown_percent(number: Decimal | int, digits: int | None = None) -> str:
    """A number of percent, `12,5%` or in Spanish `12,5 %`; with no more digits than it needs."""
    text = shown_decimal(Decimal(number)) if digits is None else shown_number(number, digits)
    return f"{text}{_percent_sign(get_language())}"


def symbol_of(currency: str) -> str:
    """What stands for a currency in the active language: `R$`, `US$`, or its code."""
    return get_currency_symbol(currency, _locale(get_language()))


def _money(amount: Decimal, currency: str, digits: int, *, country: str = "") -> str:
    language = get_language()
    before, after = _around(language, currency, country)[amount < 0]
    return f"{before}{_written(amount.copy_abs(), digits, language)}{after}"


def _digits_of(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _written(number: Decimal, digits: int, language: str | None) -> str:
    return f"{number:,.{digits}f}".translate(_signs(language))


@lru_cache
def _signs(language: str | None) -> Mapping[int, str]:
    """From Python's notation to the language's."""
    group, point = (
        get_format(name, lang=language) for name in ("THOUSAND_SEPARATOR", "DECIMAL_SEPARATOR")
    )
    return str.maketrans({",": group, ".": point, "-": MINUS})


@lru_cache
def _percent_sign(language: str | None) -> str:
    """With the space before it, if there is one."""
    return str(_locale(language).percent_formats[None].suffix[0])


@lru_cache
def _around(
    language: str | None, currency: str, country: str
) -> tuple[tuple[str, str], tuple[str, str]]:
    """What stands before and after an amount, and what does when it is below zero."""
    locale = _locale(language, country)
    pattern = locale.currency_formats["standard"]
    symbol = get_currency_symbol(currency, locale)
    # CLDR keeps letters off the digits (ARS 10.00), a sign not (R$10.00); Babel leaves that out.
    before = f"{symbol}{_NO_BREAK}" if symbol[-1:].isalpha() else symbol
    above, below = (
        (
            prefix.replace("¤", before if prefix.endswith("¤") else symbol).replace("-", MINUS),
            suffix.replace("¤", symbol),
        )
        for prefix, suffix in zip(pattern.prefix, pattern.suffix, strict=True)
    )
    return above, below


def _locale(language: str | None, country: str = "") -> Locale:
    """The language as a country writes it, where that is known; else the plain one."""
    plain = Locale.parse(to_locale(language or "en"))
    with suppress(UnknownLocaleError):
        return Locale(plain.language, country) if country else plain
    return plain
