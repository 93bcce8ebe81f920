"""Orders, rules and programs that earn. Amounts of orders are centavos, of earnings units."""

import datetime
from dataclasses import replace
from decimal import Decimal
from typing import Any

from loyalty import earning
from loyalty.identity import Identity
from loyalty.models import (
    Campaign,
    Customer,
    Earning,
    EarningPolicy,
    EarningRule,
    Program,
    Store,
    TierScheme,
)
from loyalty.shop_orders import Line, Order, OrderState, Tender
from tests.builders import make_points_program, new_id

START = datetime.datetime(2026, 3, 2, 12, 0, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
LONG_AGO = START - 400 * DAY


def an_order(
    value: int = 100_00, *, paid: datetime.datetime | None = START, **fields: Any
) -> Order:
    """An order of one line that was paid by card, and is not invoiced yet."""
    defaults: dict[str, Any] = {
        "order_id": "",
        "state": OrderState.PAID if paid else OrderState.PLACED,
        "placed_at": (paid or START) - HOUR,
        "paid_at": paid,
        "changed_at": paid or START,
        "currency": "BRL",
        "channel": "1",
        "lines": (Line(sku="1", value=value),),
        "tenders": (Tender(system="2", amount=value),),
        "buyer": Identity.of(email="ana@example.com"),
    }
    order = Order(**defaults | fields)
    return order if order.order_id else replaced(order, order_id=new_id("order"))


def replaced(order: Order, **changes: Any) -> Order:
    """The same order, changed; with another value of its one line by `value` or `returned`."""
    if "returned" in changes:
        first, *rest = order.lines
        changes["lines"] = (replace(first, returned=changes.pop("returned")), *rest)
    return replace(order, **changes)


def invoiced(order: Order, *, at: datetime.datetime | None = None, **changes: Any) -> Order:
    """The order a day later, with its invoice."""
    when = at or (order.paid_at or START) + DAY
    return replaced(
        order, **{"state": OrderState.INVOICED, "invoiced_at": when, "changed_at": when} | changes
    )


def returned(order: Order, value: int, *, after: datetime.timedelta = 10 * DAY) -> Order:
    """The invoiced order some days later, with goods of that value come back."""
    sight = order if order.invoiced_at else invoiced(order)
    return replaced(sight, returned=value, changed_at=sight.changed_at + after)


def canceled(order: Order, *, after: datetime.timedelta = 2 * DAY) -> Order:
    """The order, canceled."""
    return replaced(order, state=OrderState.CANCELED, changed_at=order.changed_at + after)


def make_earning_program(store: Store | None = None, **fields: Any) -> Program:
    """Points of R$ 0.0025 that are usable 7 days after the invoice, and expire after a year."""
    policy = {
        name: fields.pop(name)
        for name in ("usable_from", "usable_after_days", "undelivered_days", "take_back")
        if name in fields
    }
    defaults = {"relation_name": "loyalty-program", "validity_days": 365, "is_restricted": True}
    program = make_points_program(store, **defaults | fields)
    EarningPolicy.objects.create(program=program, **policy)
    return program


def make_rule(program: Program, *, on: bool = True, **fields: Any) -> EarningRule:
    """A point for each real, since long ago."""
    defaults: dict[str, Any] = {"name": new_id("rule"), "starts_at": LONG_AGO}
    if "percent" not in fields:
        defaults |= {"points": 1, "per_amount": 1_00}
    rule = EarningRule.objects.create(program=program, **defaults | fields)
    return earning.switch_on(rule) if on else rule


def make_campaign(program: Program, multiplier: str = "2", **fields: Any) -> Campaign:
    """Twice as much, around `START`."""
    defaults: dict[str, Any] = {
        "name": new_id("campaign"),
        "starts_at": START - DAY,
        "ends_at": START + 30 * DAY,
    }
    campaign = Campaign.objects.create(
        program=program, multiplier=Decimal(multiplier), **defaults | fields
    )
    earning.switch_on_campaign(campaign)
    return campaign


def take(store: Store, *sights: Order) -> None:
    """Each sight of an order as it arrives, settled at once."""
    for sight in sights:
        earning.settle(earning.record(store, sight))


def points(program: Program, customer: Customer | None = None) -> dict[str, int]:
    """What all earnings of a program come to, in points, without what is zero."""
    rows = Earning.objects.filter(rule__program=program)
    if customer:
        rows = rows.filter(order__customer=customer)
    unit = program.point_units or 1
    sums: dict[str, int] = {}
    for row in rows:
        for name in ("due", "credited", "taken", "forgiven", "pending", "owed"):
            sums[name] = sums.get(name, 0) + getattr(row, name)
    assert all(each % unit == 0 for each in sums.values())
    return {name: each // unit for name, each in sums.items() if each}


def make_scheme(program: Program, *, on: bool = True, **fields: Any) -> TierScheme:
    """Silver from R$ 100 (half as much again) and Gold from R$ 300 (double, for two years).

    In 30 days without grace, since long ago.
    """
    defaults: dict[str, Any] = {
        "starts_at": LONG_AGO,
        "days": 30,
        "grace_days": 0,
        "tiers": [
            {"name": "Silver", "threshold": 100_00, "multiplier": "1.50", "validity_days": None},
            {"name": "Gold", "threshold": 300_00, "multiplier": "2.00", "validity_days": 730},
        ],
    }
    scheme = TierScheme.objects.create(program=program, **defaults | fields)
    if on:
        # As it was switched on before it began.
        scheme.switched_on_at = scheme.starts_at - DAY
        scheme.save(update_fields=["switched_on_at"])
    return scheme
