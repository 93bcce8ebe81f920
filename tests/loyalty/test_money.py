from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.exceptions import InvalidAmount, UnknownCurrency
from loyalty.money import EXPONENTS, MAX_UNITS, checked, exponent_of, shown, to_decimal, to_units


@pytest.mark.parametrize(
    ("currency", "exponent"),
    [("BRL", 2), ("USD", 2), ("CLP", 0), ("PYG", 0), ("JPY", 0), ("KWD", 3), ("CLF", 4)],
)
def test_knows_the_digits_of_a_currency(currency: str, exponent: int) -> None:
    assert exponent_of(currency) == exponent


@pytest.mark.parametrize("currency", ["", "brl", "XXX", "XAU", "BR", "R$"])
def test_does_not_know_what_is_no_currency(currency: str) -> None:
    with pytest.raises(UnknownCurrency):
        exponent_of(currency)


def test_names_each_currency_by_three_capitals() -> None:
    assert all(len(name) == 3 and name.isascii() and name.isupper() for name in EXPONENTS)


@pytest.mark.parametrize(
    ("value", "currency", "exponent", "units"),
    [
        pytest.param("28.4", "BRL", 2, 2840, id="one digit"),
        pytest.param("28.40", "BRL", 2, 2840, id="two digits"),
        pytest.param("0.01", "BRL", 2, 1, id="the smallest"),
        pytest.param("1E+2", "BRL", 2, 10_000, id="scientific"),
        pytest.param("1.5000000", "BRL", 2, 150, id="zeros that say nothing"),
        pytest.param("28.4", "BRL", 4, 284_000, id="finer units"),
        pytest.param("28", "CLP", 0, 28, id="no digits"),
        pytest.param("1.234", "KWD", 3, 1234, id="three digits"),
        pytest.param("90071992547409.91", "BRL", 2, 9_007_199_254_740_991, id="as far as floats"),
        pytest.param("92233720368547758.07", "BRL", 2, MAX_UNITS, id="the largest"),
    ],
)
def test_reads_an_amount(value: str, currency: str, exponent: int, units: int) -> None:
    assert to_units(Decimal(value), currency=currency, exponent=exponent) == units


@pytest.mark.parametrize("noisy", ["14.990000000000002", "14.989999999999998", "14.98999999"])
def test_rounds_away_what_a_float_leaves_behind(noisy: str) -> None:
    assert to_units(Decimal(noisy), currency="BRL", exponent=2) == 1499


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        pytest.param("0", "BRL", id="zero"),
        pytest.param("-0.0", "BRL", id="negative zero"),
        pytest.param("-1", "BRL", id="negative"),
        pytest.param("NaN", "BRL", id="not a number"),
        pytest.param("sNaN", "BRL", id="signaling not a number"),
        pytest.param("Infinity", "BRL", id="infinite"),
        pytest.param("-Infinity", "BRL", id="minus infinite"),
        pytest.param("0.001", "BRL", id="finer than a centavo"),
        pytest.param("1.005", "BRL", id="half a centavo"),
        pytest.param("0.0000000001", "BRL", id="noise around zero"),
        pytest.param("0.5", "CLP", id="half a peso"),
        pytest.param("92233720368547758.08", "BRL", id="one too many"),
        pytest.param("1E+25", "BRL", id="huge"),
        pytest.param("1E+999999", "BRL", id="huge in few letters"),
        pytest.param("1E-999999", "BRL", id="tiny in few letters"),
    ],
)
def test_refuses_what_is_no_amount(value: str, currency: str) -> None:
    with pytest.raises(InvalidAmount):
        to_units(Decimal(value), currency=currency, exponent=exponent_of(currency))


def test_refuses_an_amount_that_is_too_large_in_finer_units_only() -> None:
    value = Decimal("92233720368547758.07")

    assert to_units(value, currency="BRL", exponent=2) == MAX_UNITS
    with pytest.raises(InvalidAmount):
        to_units(value, currency="BRL", exponent=4)


@pytest.mark.parametrize("units", [0, -1, MAX_UNITS + 1])
def test_moves_no(units: int) -> None:
    with pytest.raises(InvalidAmount):
        checked(units)


@pytest.mark.parametrize("units", [1, 9_007_199_254_740_991, MAX_UNITS])
def test_moves(units: int) -> None:
    assert checked(units) == units


@pytest.mark.parametrize(
    ("units", "currency", "exponent", "text"),
    [
        pytest.param(2840, "BRL", 2, "28.40", id="both digits"),
        pytest.param(0, "BRL", 2, "0.00", id="nothing"),
        pytest.param(28, "CLP", 0, "28", id="no digits"),
        pytest.param(19_999, "BRL", 4, "1.99", id="rounded down"),
        pytest.param(99, "BRL", 4, "0.00", id="less than a centavo"),
        pytest.param(9_999, "CLP", 4, "0", id="less than a peso"),
        pytest.param(MAX_UNITS, "BRL", 2, "92233720368547758.07", id="the largest"),
    ],
)
def test_shows_the_digits_of_the_currency(
    units: int, currency: str, exponent: int, text: str
) -> None:
    assert str(shown(units, currency=currency, exponent=exponent)) == text


def test_says_exactly_what_units_are_worth() -> None:
    assert str(to_decimal(25, exponent=4)) == "0.0025"
    assert str(to_decimal(MAX_UNITS, exponent=4)) == "922337203685477.5807"


@given(
    units=st.integers(1, MAX_UNITS),
    currency=st.sampled_from(["BRL", "CLP", "KWD", "CLF"]),
)
def test_comes_back_as_it_went_out(units: int, currency: str) -> None:
    exponent = exponent_of(currency)

    value = to_decimal(units, exponent=exponent)

    assert to_units(value, currency=currency, exponent=exponent) == units
    assert shown(units, currency=currency, exponent=exponent) == value


# A double keeps 15 digits: beyond them the client has lost the amount before it writes it.
@given(units=st.integers(1, 10**15 - 1))
def test_comes_back_from_the_float_that_a_client_may_have_written(units: int) -> None:
    written = repr(units / 100)

    assert to_units(Decimal(written), currency="BRL", exponent=2) == units


@given(units=st.integers(0, MAX_UNITS), finer=st.integers(0, 4))
def test_never_shows_more_than_there_is(units: int, finer: int) -> None:
    value = to_decimal(units, exponent=2 + finer)

    difference = value - shown(units, currency="BRL", exponent=2 + finer)

    assert Decimal(0) <= difference < Decimal("0.01")
