"""Texts as CLDR has them: a no-break space is written as ~ here, and the minus as a hyphen."""

from decimal import Decimal
from itertools import product

import pytest
from babel import Locale
from babel.numbers import format_currency, get_decimal_symbol, get_group_symbol
from django.conf import settings
from django.utils.formats import get_format
from django.utils.translation import override, to_locale

from loyalty.money import EXPONENTS, to_decimal
from loyalty.notation import (
    shoppers_money,
    shown_count,
    shown_decimal,
    shown_money,
    shown_number,
    shown_percent,
    symbol_of,
    written_money,
)

LANGUAGES = [language for language, _name in settings.LANGUAGES]


def seen(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", "~").replace("\N{MINUS SIGN}", "-")


@pytest.mark.parametrize(
    ("language", "currency", "units", "exponent", "text"),
    [
        ("pt-br", "BRL", 123_456, 2, "R$~1.234,56"),
        ("pt-br", "BRL", 0, 2, "R$~0,00"),
        ("pt-br", "BRL", -1_000, 2, "-R$~10,00"),
        ("pt-br", "USD", 1_000, 2, "US$~10,00"),
        ("pt-br", "ARS", 1_000, 2, "ARS~10,00"),
        ("es", "BRL", 123_456, 2, "1.234,56~BRL"),
        ("es", "ARS", -1_000, 2, "-10,00~ARS"),
        ("es", "USD", 1_000, 2, "10,00~US$"),
        ("es", "CLP", 1_234_567, 0, "1.234.567~CLP"),
        ("en", "BRL", 123_456, 2, "R$1,234.56"),
        ("en", "BRL", -1, 2, "-R$0.01"),
        ("en", "USD", 1_000, 2, "$10.00"),
        ("en", "MXN", 1_000, 2, "MX$10.00"),
        ("en", "CLP", -9_990, 0, "-CLP~9,990"),
        ("en", "KWD", 1_234, 3, "KWD~1.234"),
    ],
)
def test_money_as_the_language_writes_it(
    language: str, currency: str, units: int, exponent: int, text: str
) -> None:
    with override(language):
        assert seen(shown_money(units, currency, exponent)) == text


@pytest.mark.parametrize(
    ("language", "currency", "units", "exponent", "text"),
    [
        ("pt-br", "BRL", 123_456, 2, "R$~1.234,56"),
        ("es", "ARS", 123_450, 2, "$1.234,50"),
        ("es", "CLP", 9_990, 0, "$9.990"),
        ("es", "CLP", -9_990, 0, "$-9.990"),
        ("es", "MXN", 1_000, 2, "$10,00"),
        ("es", "PEN", 1_000, 2, "S/~10,00"),
        ("es", "EUR", 1_000, 2, "10,00~€"),
        ("es", "BRL", 1_000, 2, "R$10,00"),
        ("en", "CLP", 9_990, 0, "CLP~9,990"),
        ("pt-br", "USD", 1_000, 2, "US$~10,00"),
    ],
)
def test_a_shopper_reads_money_as_the_country_writes_it(
    language: str, currency: str, units: int, exponent: int, text: str
) -> None:
    with override(language):
        assert seen(shoppers_money(units, currency, exponent)) == text


@pytest.mark.parametrize(
    ("units", "exponent", "text"),
    [
        (25, 4, "R$0.0025"),
        (30_850, 4, "R$3.0850"),
        (19_999, 4, "R$1.9999"),
        (-1, 6, "-R$0.000001"),
        (2**63 - 1, 6, "R$9,223,372,036,854.775807"),
        (2**63 - 1, 2, "R$92,233,720,368,547,758.07"),
    ],
)
def test_every_digit_of_the_ledger_is_shown(units: int, exponent: int, text: str) -> None:
    with override("en"):
        assert seen(shown_money(units, "BRL", exponent)) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("5", "BRL", "R$5.00"),
        ("5.1", "BRL", "R$5.10"),
        ("5.125", "BRL", "R$5.125"),
        ("-5.1250", "BRL", "-R$5.1250"),
        ("1E+3", "CLP", "CLP~1,000"),
        ("7.5", "XQX", "XQX~7.5"),
    ],
)
def test_an_amount_keeps_the_digits_that_it_came_with(
    amount: str, currency: str, text: str
) -> None:
    with override("en"):
        assert seen(written_money(Decimal(amount), currency)) == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_cldr_but_for_the_minus_and_letters_beside_digits(language: str) -> None:
    for currency, units in product(EXPONENTS, (0, 7, -1_234_567)):
        digits = EXPONENTS[currency]

        with override(language):
            text = shown_money(units, currency, digits)

        fraction = f".{'0' * digits}" if digits else ""
        pattern = Locale.parse(to_locale(language)).currency_formats["standard"].pattern
        expected = format_currency(
            to_decimal(units, exponent=digits),
            currency,
            pattern.replace(".00", fraction),
            locale=to_locale(language),
            currency_digits=False,
        )
        assert seen(text).replace("~", "") == seen(expected).replace("~", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_currencies_share_a_symbol(language: str) -> None:
    with override(language):
        symbols = [symbol_of(currency) for currency in EXPONENTS]

    assert len(set(symbols)) == len(symbols)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_typed_and_what_is_shown_have_the_same_signs(language: str) -> None:
    group = get_format("THOUSAND_SEPARATOR", lang=language)
    point = get_format("DECIMAL_SEPARATOR", lang=language)

    locale = to_locale(language)
    assert (group, point) == (get_group_symbol(locale), get_decimal_symbol(locale))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_breaks_nowhere_in_an_amount(language: str) -> None:
    with override(language):
        texts = [shown_money(-123_456_789, currency, 2) for currency in EXPONENTS]

    # A line may break at a space and after a hyphen.
    assert not [text for text in texts if " " in text or "-" in text]


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("pt-br", ["1.234.567", "-5", "9.007.199.254.740.993"]),
        ("es", ["1.234.567", "-5", "9.007.199.254.740.993"]),
        ("en", ["1,234,567", "-5", "9,007,199,254,740,993"]),
    ],
)
def test_numbers_of_things(language: str, texts: list[str]) -> None:
    with override(language):
        shown = [seen(shown_count(number)) for number in (1_234_567, -5, 2**53 + 1)]

    assert shown == texts


def test_numbers_with_digits() -> None:
    with override("pt-br"):
        assert seen(shown_number(Decimal("-1234.5"), 2)) == "-1.234,50"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1.50", "1,5"),
        ("2.000", "2"),
        ("10", "10"),
        ("0.125", "0,125"),
        ("0", "0"),
        ("-5.50", "-5,5"),
    ],
)
def test_no_more_digits_than_it_needs(number: str, text: str) -> None:
    with override("pt-br"):
        assert seen(shown_decimal(Decimal(number))) == text


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("pt-br", ["12,5%", "100%", "12,50%", "-3%"]),
        ("es", ["12,5~%", "100~%", "12,50~%", "-3~%"]),
        ("en", ["12.5%", "100%", "12.50%", "-3%"]),
    ],
)
def test_percent(language: str, texts: list[str]) -> None:
    with override(language):
        half, whole = shown_percent(Decimal("12.50")), shown_percent(100)
        two_digits, below = shown_percent(Decimal("12.5"), 2), shown_percent(-3)

    assert [seen(text) for text in (half, whole, two_digits, below)] == texts
