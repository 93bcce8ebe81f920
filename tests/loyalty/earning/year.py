"""A year of a store's orders, and two ways in which the store may tell of them."""

import datetime
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from loyalty.demo.clock import Dice
from loyalty.identity import Identity
from loyalty.shop_orders import Line, Order, OrderState, Tender

DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
SECOND = datetime.timedelta(seconds=1)
FIRST = datetime.datetime(2025, 1, 1, 12, tzinfo=datetime.UTC)
QUARTERS = tuple(FIRST + quarter * 92 * DAY for quarter in range(1, 5))
LAST = QUARTERS[-1] + 60 * DAY
ENDS = (*QUARTERS, LAST)
SPENDERS, LATE = 0.5, 0.8  # of ten customers five spend, and of two nothing is heard for months

Batch: TypeAlias = tuple[datetime.datetime, Sequence[Order]]


@dataclass(frozen=True)
class Life:
    """An order, from its payment to the last that was heard of it."""

    customer: int
    sights: Sequence[Order]


def lives(dice: Dice, *, orders: int, customers: int) -> list[Life]:
    """That many orders, in the turn of payment; some customers buy more than others."""
    paid = sorted(FIRST + dice.below(365 * 86_400) * SECOND for _ in range(orders))
    return [
        Life(customer, _sights(dice, f"order-{number:06}", customer, instant))
        for number, instant in enumerate(paid)
        for customer in [min(dice.below(customers), dice.below(customers * 2))]
    ]


def _sights(dice: Dice, order_id: str, customer: int, paid: datetime.datetime) -> list[Order]:
    value, other = dice.between(500, 400_00), dice.between(100, 90_00)
    total = value + other + 15_00
    by_credit = total // 3 if dice.below(5) == 0 else 0
    order = Order(
        order_id=order_id,
        state=OrderState.PAID,
        changed_at=paid,
        placed_at=paid - HOUR,
        paid_at=paid,
        currency="BRL",
        channel=dice.pick("1112"),
        buyer=Identity.of(email=f"buyer{customer}@example.com"),
        lines=(Line(sku="1", value=value), Line(sku="2", value=other, brand="own")),
        shipping=15_00,
        tenders=(
            Tender(system="2", amount=total - by_credit),
            Tender(system="16", amount=by_credit, is_credit=True),
        ),
    )
    sights = [order]

    def then(hours: int, **changes: object) -> None:
        at = sights[-1].changed_at + hours * HOUR
        sights.append(replace(sights[-1], changed_at=at, **changes))  # type: ignore[arg-type]

    if dice.below(100) < 3:
        then(20, lines=order.lines[:1])  # the second line was not to be had
    if dice.below(100) < 4:
        then(30, state=OrderState.CANCELED)
        return sights
    hours = dice.between(5, 80)
    then(hours, state=OrderState.INVOICED, invoiced_at=sights[-1].changed_at + hours * HOUR)
    if dice.below(100) < 10:
        then(dice.between(100, 480), lines=_less(dice, sights[-1]))
    if dice.below(100) < 3:
        then(dice.between(30, 200), lines=_less(dice, sights[-1]))
    if dice.below(100) < 2:
        then(dice.between(30, 300), state=OrderState.CANCELED)
    return sights


def _less(dice: Dice, order: Order) -> tuple[Line, ...]:
    """The lines, with more come back of the first."""
    first, *rest = order.lines
    return (replace(first, returned=first.returned + dice.between(0, first.kept)), *rest)


def spends(customer: int, customers: int) -> bool:
    """Whether the customer uses credit; whoever does is told of in the quarter itself."""
    return customer < customers * SPENDERS


def as_it_happened(told: Sequence[Life], *, size: int) -> Iterator[list[Batch]]:
    """Quarter by quarter every sight in its turn, so many at once, at the instant of the last."""
    for quarter in _by_quarter(told):
        in_turn = sorted(quarter, key=lambda sight: sight.changed_at)
        yield [(batch[-1].changed_at, batch) for batch in _batches(in_turn, size)]


def out_of_turn(
    told: Sequence[Life], dice: Dice, *, customers: int, size: int
) -> Iterator[list[Batch]]:
    """Quarter by quarter in no order at all, some twice, old ones again; of some only the newest.

    Of customers who are told of late, the first half of the year comes at the very end.
    """
    mixed: list[Life] = []
    held: list[Order] = []
    for life in told:
        if life.customer >= customers * LATE and life.sights[0].changed_at < QUARTERS[1]:
            held += life.sights
        else:
            mixed.append(life)
    before: list[Order] = []
    for end, quarter in zip(ENDS, _by_quarter(mixed), strict=True):
        newest = {sight.order_id: sight for sight in quarter}
        # Half of what another change has overtaken is never seen.
        sights = [
            sight for sight in quarter if newest[sight.order_id] is sight or dice.below(2) == 0
        ]
        sights += held if end == LAST else []
        few = len(sights) // 20
        sights += [dice.pick(sights) for _ in range(few)]
        sights += [dice.pick(before) for _ in range(few if before else 0)]
        sights.sort(key=lambda _sight: dice.below(2**32))
        before += sights
        yield [(end, batch) for batch in _batches(sights, size)]


def _batches(sights: Sequence[Order], size: int) -> Iterator[Sequence[Order]]:
    for first in range(0, len(sights), size):
        yield sights[first : first + size]


def _by_quarter(told: Sequence[Life]) -> list[list[Order]]:
    """Every sight in the quarter of its change; what came after the year is the last."""
    quarters: dict[int, list[Order]] = defaultdict(list)
    for life in told:
        for sight in life.sights:
            quarters[sum(sight.changed_at >= end for end in QUARTERS)].append(sight)
    return [quarters[number] for number in range(len(ENDS))]
