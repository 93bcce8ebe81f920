"""What of an order a program's credit may pay, without a database."""

from decimal import Decimal

import pytest

from loyalty.redemption import Cart, RedemptionRule

CART = Cart(total=Decimal("182.00"), shipping=Decimal("2.00"))


def usable(rule: RedemptionRule, units: int, cart: Cart | None = CART) -> int:
    return rule.usable(units, cart, currency="BRL", exponent=2)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (RedemptionRule(), 50_000),
        (RedemptionRule(percent=Decimal(50)), 91_00),
        (RedemptionRule(percent=Decimal(50), counts_shipping=False), 90_00),
        (RedemptionRule(percent=Decimal("33.33")), 60_66),
        (RedemptionRule(maximum=Decimal("25.50")), 25_50),
        (RedemptionRule(percent=Decimal(50), maximum=Decimal(100)), 91_00),
        (RedemptionRule(minimum_cart=Decimal(182)), 50_000),
        (RedemptionRule(minimum_cart=Decimal("182.01")), 0),
        (RedemptionRule(percent=Decimal(1), minimum=Decimal("1.82")), 1_82),
        (RedemptionRule(percent=Decimal(1), minimum=Decimal("1.83")), 0),
    ],
    ids=str,
)
def test_a_rule_caps_what_may_pay(rule: RedemptionRule, expected: int) -> None:
    assert usable(rule, 50_000) == expected


def test_less_than_the_cap_may_pay_as_a_whole() -> None:
    assert usable(RedemptionRule(percent=Decimal(50)), 10_00) == 10_00


def test_an_unknown_cart_is_not_held_against_the_shopper() -> None:
    rule = RedemptionRule(minimum_cart=Decimal(500), percent=Decimal(1), maximum=Decimal(30))

    assert usable(rule, 50_00, None) == 30_00


def test_a_cart_of_shipping_only_gives_nothing_when_shipping_does_not_count() -> None:
    rule = RedemptionRule(percent=Decimal(100), counts_shipping=False)

    assert usable(rule, 50_00, Cart(total=Decimal("5.00"), shipping=Decimal("7.00"))) == 0


def test_points_are_capped_in_money_and_counted_in_their_own_units() -> None:
    rule = RedemptionRule(percent=Decimal(50))

    assert rule.usable(10_000_000, CART, currency="BRL", exponent=4) == 91_0000


def test_a_currency_without_cents_rounds_down_to_whole_units() -> None:
    rule = RedemptionRule(percent=Decimal(33))

    assert rule.usable(5000, Cart(Decimal(1001), Decimal(0)), currency="CLP", exponent=0) == 330


@pytest.mark.parametrize(("units", "allowed"), [(91_00, True), (91_01, False), (1, True)])
def test_a_payment_is_within_the_rule_or_not(units: int, allowed: bool) -> None:
    rule = RedemptionRule(percent=Decimal(50))

    assert rule.allows(units, CART, currency="BRL", exponent=2) is allowed


def test_a_rule_that_asks_for_nothing_is_none() -> None:
    assert not RedemptionRule()
    assert not RedemptionRule(counts_shipping=False)
    assert RedemptionRule(minimum=Decimal(0))
