import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from loyalty.models import Program, Store
from loyalty.redemption import RedemptionRule
from tests.builders import make_store


def make_unsaved(currency: str = "BRL", **fields: Any) -> Program:
    store = Store(currency=currency, time_zone="America/Sao_Paulo")
    return Program(store=store, **fields)


@pytest.mark.parametrize(
    ("currency", "finer_digits", "exponent"),
    [("BRL", 0, 2), ("BRL", 2, 4), ("BRL", 4, 6), ("CLP", 0, 0), ("CLP", 4, 4), ("KWD", 1, 4)],
)
def test_counts_in_units_of_the_currency_or_finer(
    currency: str, finer_digits: int, exponent: int
) -> None:
    program = make_unsaved(currency=currency, finer_digits=finer_digits)

    assert program.exponent == exponent


@pytest.mark.parametrize(
    ("point_units", "finer_digits", "value"),
    [(None, 0, None), (25, 2, Decimal("0.0025")), (5, 0, Decimal("0.05"))],
)
def test_says_what_a_point_is_worth(
    point_units: int | None, finer_digits: int, value: Decimal | None
) -> None:
    program = make_unsaved(point_units=point_units, finer_digits=finer_digits)

    assert program.point_value == value


def test_never_ends_the_credit_of_a_program_without_validity() -> None:
    instant = datetime.datetime(2026, 3, 10, tzinfo=datetime.UTC)

    assert make_unsaved(validity_days=None).expiry_after(instant) is None


@pytest.mark.parametrize(
    ("given_at", "days", "end"),
    [
        pytest.param("2026-03-10T12:00Z", 1, "2026-03-11", id="tomorrow"),
        pytest.param("2026-03-10T12:00Z", 0, "2026-03-10", id="today"),
        pytest.param("2026-03-11T02:59Z", 1, "2026-03-11", id="still the day before there"),
        pytest.param("2026-03-11T03:00Z", 1, "2026-03-12", id="midnight there"),
        pytest.param("2028-02-28T12:00Z", 1, "2028-02-29", id="leap day"),
        pytest.param("2026-12-31T12:00Z", 365, "2027-12-31", id="a year"),
    ],
)
def test_ends_the_credit_at_the_end_of_a_day_of_the_store(
    given_at: str, days: int, end: str
) -> None:
    program = make_unsaved(validity_days=days)

    expires_at = program.expiry_after(datetime.datetime.fromisoformat(given_at))

    assert expires_at is not None
    assert expires_at.isoformat() == f"{end}T23:59:59.999999-03:00"


def test_counts_in_at_most_four_digits_more_than_the_currency() -> None:
    program = Program(finer_digits=5)

    with pytest.raises(ValidationError) as refused:
        program.full_clean(exclude={"store"}, validate_constraints=False)

    assert "finer_digits" in refused.value.message_dict


def test_is_called_by_its_name() -> None:
    assert str(Program(name="Vale-troca")) == "Vale-troca"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["minimum_cart", "minimum", "maximum"])
def test_an_amount_of_its_rule_is_no_finer_than_the_currency(name: str) -> None:
    program = Program(store=make_store(currency="CLP"), kind="gift_card", name="Vale")
    setattr(program, f"redemption_{name}", Decimal("10.5"))

    with pytest.raises(ValidationError) as refused:
        program.full_clean()

    with translation.override("en"):
        assert refused.value.message_dict == {
            f"redemption_{name}": ["CLP has no more than 0 decimal places."]
        }


@pytest.mark.django_db
def test_the_smallest_payment_is_not_above_the_largest() -> None:
    program = Program(
        store=make_store(),
        kind="gift_card",
        name="Vale",
        redemption_minimum=Decimal("10.01"),
        redemption_maximum=Decimal(10),
    )

    with pytest.raises(ValidationError) as refused:
        program.full_clean()

    with translation.override("en"):
        assert refused.value.message_dict == {
            "redemption_minimum": ["The smallest payment is larger than the largest."]
        }


def test_a_program_has_no_rule_until_somebody_fills_one_in() -> None:
    program = Program(kind="gift_card", name="Vale")

    assert not program.redemption
    program.redemption_percent = Decimal(30)
    assert program.redemption == RedemptionRule(percent=Decimal(30))
