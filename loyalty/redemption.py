"""How much of an order a program's credit may pay. No database; amounts in major units.

Off unless a program says otherwise. The answer to a search, to a read of the card and to a debit
come from the same rule; a cart that is not known is not held against the shopper.
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from loyalty.money import exponent_of


@dataclass(frozen=True, slots=True)
class Cart:
    """What is being bought; `total` is after discounts, with shipping and taxes."""

    total: Decimal
    shipping: Decimal


@dataclass(frozen=True, slots=True)
class RedemptionRule:
    """A program's rule; None asks for nothing.

    A cart below `minimum_cart` is paid without this credit. At most `percent` of the cart, with or
    without its shipping, and at most `maximum`; less than `minimum` is not worth a payment.
    """

    minimum_cart: Decimal | None = None
    percent: Decimal | None = None
    counts_shipping: bool = True
    minimum: Decimal | None = None
    maximum: Decimal | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to hold a payment to."""
        asked = (self.minimum_cart, self.percent, self.minimum, self.maximum)
        return any(each is not None for each in asked)

    def allows(self, units: int, cart: Cart | None, *, currency: str, exponent: int) -> bool:
        """Whether a payment of so many units of a card is within the rule."""
        return units == self.usable(units, cart, currency=currency, exponent=exponent)

    def usable(self, units: int, cart: Cart | None, *, currency: str, exponent: int) -> int:
        """What of so many units may pay: 0 when less than the smallest payment would be left."""
        most = self._most(cart)
        if most is not None:
            units = min(units, _units(most, currency=currency, exponent=exponent))
        least = _units(self.minimum or Decimal(0), currency=currency, exponent=exponent)
        return units if units >= least else 0

    def _most(self, cart: Cart | None) -> Decimal | None:
        caps = [self.maximum] if self.maximum is not None else []
        if cart is not None:
            if self.minimum_cart is not None and cart.total < self.minimum_cart:
                return Decimal(0)
            if self.percent is not None:
                base = cart.total if self.counts_shipping else cart.total - cart.shipping
                caps.append(max(base, Decimal(0)) * self.percent / 100)
        return min(caps, default=None)


def _units(value: Decimal, *, currency: str, exponent: int) -> int:
    """Rounded down to the currency's smallest digits."""
    digits = exponent_of(currency)
    steps = int(value.scaleb(digits).to_integral_value(ROUND_DOWN))
    finer: int = 10 ** (exponent - digits)
    return steps * finer
