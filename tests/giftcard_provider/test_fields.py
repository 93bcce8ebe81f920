"""Values as VTEX writes them, one by one."""

import datetime
from decimal import Decimal

import pytest

from giftcard_provider import fields
from loyalty.exceptions import InvalidAmount

UTC = datetime.UTC
SAO_PAULO = datetime.timezone(datetime.timedelta(hours=-3))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2011-02-04T17:02:19", datetime.datetime(2011, 2, 4, 17, 2, 19, tzinfo=UTC)),
        ("2011-02-04T17:02:19.1", datetime.datetime(2011, 2, 4, 17, 2, 19, 100_000, tzinfo=UTC)),
        ("2011-02-04T17:02:19.17", datetime.datetime(2011, 2, 4, 17, 2, 19, 170_000, tzinfo=UTC)),
        ("2023-08-23T16:20:01.0479856Z", datetime.datetime(2023, 8, 23, 16, 20, 1, 47_985, UTC)),
        ("2023-08-23T16:20:01Z", datetime.datetime(2023, 8, 23, 16, 20, 1, tzinfo=UTC)),
        (" 2023-08-23T16:20:01-03:00 ", datetime.datetime(2023, 8, 23, 16, 20, 1, 0, SAO_PAULO)),
        ("0001-01-01T00:00:00", None),
        ("9999-12-31T23:59:59.9999999", None),
        ("2023-02-30T00:00:00", None),
        ("2023-08-23", datetime.datetime(2023, 8, 23, tzinfo=UTC)),
        ("tomorrow", None),
        ("", None),
        (None, None),
        (20230823, None),
    ],
)
def test_a_moment_is_read_with_any_number_of_digits(
    written: object, meant: datetime.datetime | None
) -> None:
    assert fields.moment(written) == meant


def test_a_cards_date_has_milliseconds_and_no_zone() -> None:
    instant = datetime.datetime(2026, 12, 31, 23, 59, 59, 999_999, SAO_PAULO)

    assert fields.card_date(instant) == "2027-01-01T02:59:59.999"
    assert fields.card_date(None) == "2099-12-31T00:00:00.000"


def test_a_steps_date_has_microseconds_and_its_z() -> None:
    instant = datetime.datetime(2026, 12, 31, 23, 59, 59, 252_855, SAO_PAULO)

    assert fields.step_date(instant) == "2027-01-01T02:59:59.252855Z"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, ""),
        ("", ""),
        (" a b ", "a b"),
        (7, "7"),
        (0, "0"),
        (-(2**63) + 1, "-9223372036854775807"),
        (2**63, None),
        (True, None),
        (1.5, None),
        (Decimal("1.5"), None),
        ([], None),
        ({}, None),
        ("a\x00", None),
        ("a\ud800", None),
        ("a\n", None),
        ("12345678901", None),
    ],
    ids=repr,
)
def test_a_text_is_what_can_be_kept(value: object, kept: str | None) -> None:
    assert fields.text(value, limit=10 if value == "12345678901" else 30) == kept


@pytest.mark.parametrize("value", [True, None, 1.5, "1,00", "\u0663", [], {}], ids=repr)
def test_what_is_no_number_is_no_amount(value: object) -> None:
    with pytest.raises(InvalidAmount):
        fields.amount(value)
