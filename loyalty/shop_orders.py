"""A store's order, as plain values: what earning is decided from. No database, no VTEX.

Amounts are integers of the currency's smallest digits (399 is R$ 3.99). An order says of each line
what was bought *and* what came back of it, so that the newest sight of it tells everything.
"""

import datetime
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

from loyalty.identity import Identity


class OrderState(StrEnum):
    """How far an order is. It may skip a state; from `INVOICED` it only goes to `CANCELED`."""

    PLACED = "placed"
    PAID = "paid"
    INVOICED = "invoiced"
    CANCELED = "canceled"


# A state further on is never left for one before it, whatever arrives later.
_FURTHER = {
    OrderState.PLACED: 0,
    OrderState.PAID: 0,
    OrderState.INVOICED: 1,
    OrderState.CANCELED: 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Some pieces of one SKU: what they cost after discounts, and the value of what came back.

    `reward` is the credit that the store's own promotions promise for it.
    """

    sku: str
    value: int
    returned: int = 0
    reward: int = 0
    brand: str = ""
    categories: tuple[str, ...] = ()

    @property
    def kept(self) -> int:
        """The value that the customer keeps."""
        return max(self.value - self.returned, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tender:
    """A part of the payment; credit is any gift card, voucher or points."""

    system: str
    amount: int
    is_credit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as it was seen once. `changed_at` is the store's own instant of its last change."""

    order_id: str
    state: OrderState
    changed_at: datetime.datetime
    placed_at: datetime.datetime
    paid_at: datetime.datetime | None = None
    invoiced_at: datetime.datetime | None = None
    delivered_at: datetime.datetime | None = None
    status: str = ""
    channel: str = ""
    currency: str = ""
    buyer: Identity = field(default_factory=Identity)
    buyer_name: str = ""
    buyer_language: str = ""
    lines: tuple[Line, ...] = ()
    shipping: int = 0
    tenders: tuple[Tender, ...] = ()
    store_reward: int = 0

    @property
    def is_paid(self) -> bool:
        """Whether its payment was approved, whatever came after."""
        return self.paid_at is not None

    @property
    def total(self) -> int:
        """What all lines cost."""
        return sum(line.value for line in self.lines)

    @property
    def kept(self) -> int:
        """What the customer keeps of it; nothing of a canceled order."""
        if self.state == OrderState.CANCELED:
            return 0
        return sum(line.kept for line in self.lines)

    @property
    def reward(self) -> int:
        """The credit that the store itself gives, as promised or as given, whichever is more."""
        return max(self.store_reward, sum(line.reward for line in self.lines))

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept besides the columns, as JSON: no personal data."""
        return {
            "lines": [asdict(line) for line in self.lines],
            "shipping": self.shipping,
            "tenders": [asdict(tender) for tender in self.tenders],
        }

    @property
    def digest(self) -> str:
        """Equal for equal sights of an order."""
        instants = [self.placed_at, self.paid_at, self.invoiced_at, self.delivered_at]
        told = [
            *(self.state, self.status, self.channel, self.currency, self.facts),
            *(each.astimezone(datetime.UTC).isoformat() if each else "" for each in instants),
        ]
        return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    @property
    def rank(self) -> tuple[int, datetime.datetime, str]:
        """How new this sight of the order is."""
        return rank(self.state, self.changed_at, self.digest)


def rank(
    state: str, changed_at: datetime.datetime, digest: str
) -> tuple[int, datetime.datetime, str]:
    """The sight with the highest is the newest, in whatever order and however often they come.

    By state first: what is canceled stays so. Then by the store's own instant. Two different
    sights of one instant are decided by their digests, always in the same way.
    """
    return (_FURTHER[OrderState(state)], changed_at.astimezone(datetime.UTC), digest)


def lines_from(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an `Order` that `Order.facts` keeps."""
    return {
        "lines": tuple(
            Line(**{**line, "categories": tuple(line["categories"])})
            for line in facts.get("lines", ())
        ),
        "shipping": facts.get("shipping", 0),
        "tenders": tuple(Tender(**tender) for tender in facts.get("tenders", ())),
    }
