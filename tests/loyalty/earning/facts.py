"""What is known of a program's orders, customers and point values, for the model of earning."""

import datetime
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from zoneinfo import ZoneInfo

from tests.loyalty.earning.houses import POINT, House
from tests.loyalty.ledger.model import Model as Ledger

ZONE = ZoneInfo("America/Sao_Paulo")


@dataclass(frozen=True, kw_only=True)
class Sight:
    """An order as the store told of it once; money in centavos."""

    number: int
    customer: str
    changed: datetime.datetime
    placed: datetime.datetime
    state: str = "placed"
    paid: datetime.datetime | None = None
    invoiced: datetime.datetime | None = None
    delivered: datetime.datetime | None = None
    values: tuple[int, int] = (0, 0)  # of two kinds of goods
    returned: tuple[int, int] = (0, 0)
    shipping: int = 0
    by_credit: int = 0  # the part paid with a gift card
    channel: str = "1"
    currency: str = "BRL"
    reward: int = 0  # of the store's own promotions

    @property
    def order_id(self) -> str:
        return f"order-{self.number:03}"

    @property
    def total(self) -> int:
        return sum(self.values) + self.shipping

    @property
    def kept(self) -> tuple[int, int]:
        """What the customer keeps of each kind."""
        if self.state == "canceled":
            return 0, 0
        first, second = (
            max(value - back, 0) for value, back in zip(self.values, self.returned, strict=True)
        )
        return first, second

    @property
    def turn(self) -> tuple[datetime.datetime, str]:
        return self.paid or self.placed, self.order_id


@dataclass(frozen=True)
class Change:
    """A point is worth something else from an instant on; what stays is the money or the points."""

    at: datetime.datetime
    before: int
    after: int
    keeps_points: bool


@dataclass(eq=False)
class Earning:
    """What a rule, or the campaign on top of it, gives for an order.

    In units as a point was worth when the order was paid.
    """

    due: int = 0
    credited: int = 0
    taken: int = 0
    forgiven: int = 0
    usable: datetime.datetime | None = None
    validity: int | None = None
    problem: bool = False

    @property
    def net(self) -> int:
        return self.credited - self.taken - self.forgiven


Key = tuple[int, int, bool]  # the order, the rule, and whether it is the campaign's part
Gift = tuple[datetime.datetime, str, datetime.datetime | None]


class Facts:
    """All that was told, and what follows from it alone."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ledger = Ledger(grace_days=30)
        self.orders: dict[int, Sight] = {}
        self.whose: dict[int, str] = {}
        self.rewarded: set[int] = set()
        self.gifts: list[tuple[str, Gift]] = []
        self.changes: list[Change] = []
        self.earnings: dict[Key, Earning] = {}
        self.verdicts: dict[int, list[str]] = {}
        self.standing: dict[str, tuple[str, int]] = {}
        self.seen: Counter[str] = Counter()

    def orders_of(self, who: str) -> list[Sight]:
        return [each for each in self.orders.values() if self.whose[each.number] == who]

    def gifts_of(self, who: str) -> list[Gift]:
        """Those to whoever was merged into them too, as they were given."""
        return [gift for name, gift in self.gifts if self.ledger.person(name) == who]

    def worth(self, instant: datetime.datetime) -> int:
        """Units of a point at an instant."""
        return next(
            (change.after for change in reversed(self.changes) if change.at <= instant), POINT
        )

    def scale(self, since: datetime.datetime, until: datetime.datetime | None = None) -> Fraction:
        """How many units a unit of then comes to now, or came to at a later instant."""
        scale = Fraction(1)
        for change in self.changes:
            if change.keeps_points and change.at > since and (until is None or change.at <= until):
                scale *= Fraction(change.after, change.before)
        return scale

    @staticmethod
    def day(instant: datetime.datetime) -> datetime.date:
        return instant.astimezone(ZONE).date()

    def period(self, instant: datetime.datetime, period: str) -> str:
        return str(self.day(instant))[: {"day": 10, "month": 7, "year": 4, "": 0}[period]]
