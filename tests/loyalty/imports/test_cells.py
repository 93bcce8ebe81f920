import datetime
from decimal import Decimal

import pytest

from loyalty.imports.cells import amount_of, day_of, is_rounded, showable
from loyalty.models import Store

STORE = Store(time_zone="America/Sao_Paulo")


@pytest.mark.parametrize(
    ("text", "sign", "amount"),
    [
        ("10", ",", "10"),
        ("10,5", ",", "10.5"),
        ("1.234,50", ",", "1234.50"),
        ("1,234,567.89", ".", "1234567.89"),
        ("R$ 1.234,50", ",", "1234.50"),
        ("R$\u00a010,00", ",", "10.00"),
        ("BRL 10.00", ".", "10.00"),
        ("US$10.00", ".", "10.00"),
        ("-10,00", ",", "-10.00"),
        ("-R$ 10,00", ",", "-10.00"),
        ("R$ -10,00", ",", "-10.00"),
        ("0", ",", "0"),
    ],
)
def test_reads_amounts_as_they_are_written(text: str, sign: str, amount: str) -> None:
    assert amount_of(text, sign) == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("10.50", ","),
        ("1.23.456", ","),
        ("1234.567,0", ","),
        ("10,50,60", ","),
        ("1E5", "."),
        ("ten", "."),
        ("--1", "."),
        ("10 00", "."),
        ("٣", "."),
        ("NaN", "."),
        ("$", "."),
        ("1.", "."),
    ],
)
def test_takes_nothing_else_for_an_amount(text: str, sign: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        amount_of(text, sign)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-12-31", (2026, 12, 31)),
        ("31/12/2026", (2026, 12, 31)),
        ("1/2/2026", (2026, 2, 1)),
        ("31.12.2026", (2026, 12, 31)),
        # The last second of the year in São Paulo, as VTEX writes it.
        ("2027-01-01T02:59:59Z", (2026, 12, 31)),
        ("2026-12-31T23:59:59-03:00", (2026, 12, 31)),
        ("2026-12-31 00:00:00", (2026, 12, 31)),
    ],
)
def test_reads_days_of_the_store(text: str, day: tuple[int, int, int]) -> None:
    assert day_of(text, STORE) == datetime.date(*day)


@pytest.mark.parametrize(
    "text",
    ["12/31/2026", "31/02/2026", "2026-02-30", "31/12/26", "20261231", "soon", "31/12/20266",
     "2206-12-31", "0026-12-31", "0001-01-01T00:00:00+14:00", "2026-13-01T00:00:00Z"],
)  # fmt: skip
def test_takes_nothing_else_for_a_day(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        day_of(text, STORE)


def test_knows_a_code_that_a_spreadsheet_rounded() -> None:
    assert is_rounded("1.23457E+15")
    assert is_rounded("1,23457E+15")
    assert not is_rounded("1E15")
    assert not is_rounded("ABC-1.2")


@pytest.mark.parametrize("text", ["1.234,5678", "31/02/2026", "R$ 10.5", "-5", "USD", "2026-13-01"])
def test_shows_again_what_is_an_amount_or_a_day(text: str) -> None:
    assert showable(text) == text


@pytest.mark.parametrize(
    "text", ["12345678909", "123.456.789-09", "ana@example.com", "Ana Souza", "A-1", "1234567", ""]
)
def test_never_shows_what_may_be_a_person_or_a_code(text: str) -> None:
    assert showable(text) == ""
