"""Customers of the demo earn by buying: rules, a campaign, tiers, orders as the store tells."""

import datetime
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from loyalty import earning
from loyalty.demo.clock import Dice, Story
from loyalty.demo.purchases import order_ids
from loyalty.demo.shop import LOYALTY, Shop
from loyalty.demo.staff import member
from loyalty.models import Campaign, EarningPolicy, EarningRule, Program, TierScheme
from loyalty.roles import Role
from loyalty.shop_orders import Line, Order, OrderState, Tender

# By then every customer who has a wallet from checkout has it.
FIRST_DAY = 38
BUYERS = 24
GRANTED_DAYS = 12
NEWS_DAYS = 4
_DAY = datetime.timedelta(days=1)


def earning_rules(shop: Shop) -> Story:
    """What the program gives, from its first day on; the last rule is a draft to try."""
    program = shop.programs[LOYALTY]
    start = shop.store.first_instant(shop.ago(FIRST_DAY, Dice("rules")).date())
    yield start
    EarningPolicy.objects.get_or_create(
        program=program,
        defaults={"usable_after_days": 7, "take_back": EarningPolicy.TakeBack.OWE},
    )
    texts = shop.plan.earning
    for name, fields, is_on in (
        (texts["usual"], _rate(shop, 1), True),
        (texts["first"], {**_rate(shop, 2), "first_order_only": True, "priority": 50}, True),
        (texts["draft"], {**_rate(shop, 1), "payment_systems": ["125"]}, False),
    ):
        rule, _made = EarningRule.objects.get_or_create(
            program=program, name=name, defaults={"starts_at": start, **fields}
        )
        if is_on:
            earning.switch_on(rule)
    campaign, _made = Campaign.objects.get_or_create(
        program=program,
        name=texts["campaign"],
        defaults={
            "multiplier": Decimal(2),
            "starts_at": start + 20 * _DAY,
            "ends_at": start + 30 * _DAY,
            "budget": 10**6 * (program.point_units or 1),
        },
    )
    earning.switch_on_campaign(campaign)
    scheme, _made = TierScheme.objects.get_or_create(
        program=program,
        starts_at=start + _DAY,
        defaults={"days": 365, "grace_days": 30, "tiers": _tiers(shop)},
    )
    earning.switch_on_scheme(scheme)


def granted_tier(shop: Shop) -> Story:
    """Staff grant the highest tier to a customer who did not buy enough for it."""
    dice = Dice(f"{shop.plan.account} granted tier")
    yield shop.ago(GRANTED_DAYS, dice)
    program = shop.programs[LOYALTY]
    earning.grant(
        program,
        shop.customer(BUYERS + 1),
        tier=earning.tiers_of(program)[-1],
        until=shop.store.last_instant(shop.now.date() + 60 * _DAY),
        reason=shop.plan.earning["granted"],
        by=member(Role.MANAGER),
        request_id=f"tier:{shop.plan.account}",
    )


def news(shop: Shop) -> Story:
    """Since some days what orders earn is told: the latest messages are in the log."""
    yield shop.now - NEWS_DAYS * _DAY
    program = Program.objects.get(pk=shop.programs[LOYALTY].pk)
    switches = ["announces_earned", "announces_usable", "announces_tier"]
    for name in switches:
        setattr(program, name, True)
    program.save(update_fields=switches)


def buyer(shop: Shop, number: int) -> Story:
    """Some orders of a customer: paid, invoiced, now and then returned or canceled."""
    dice = Dice(f"{shop.plan.account} buyer {number}")
    customer = shop.customer(number)
    moment = shop.ago(dice.between(2, FIRST_DAY - 2), dice)
    while moment < shop.now:
        yield moment
        order_id, _sequence = order_ids(dice)
        order = replace(
            _order(shop, dice, order_id, moment), buyer=customer.identity, buyer_name=customer.name
        )
        _take(shop, order)
        for sight in _later_sights(order, dice):
            yield sight.changed_at
            _take(shop, sight)
        moment = shop.later(moment, dice.between(9, 20), dice)


def _take(shop: Shop, order: Order) -> None:
    earning.settle(earning.record(shop.store, order))


def _order(shop: Shop, dice: Dice, order_id: str, moment: datetime.datetime) -> Order:
    prices = [dice.pick(shop.plan.prices) for _ in range(dice.between(1, 3))]
    total = sum(prices)
    credit = total // 4 if dice.below(5) == 0 else 0
    tenders = [Tender(system=dice.pick(["2", "4", "125"]), amount=total - credit)]
    if credit:
        tenders.append(Tender(system="16", amount=credit, is_credit=True))
    return Order(
        order_id=order_id,
        state=OrderState.PAID,
        status="ready-for-handling",
        changed_at=moment,
        placed_at=moment,
        paid_at=moment,
        channel="1",
        currency=shop.store.currency,
        lines=tuple(
            Line(sku=str(100 + number), value=price) for number, price in enumerate(prices)
        ),
        tenders=tuple(tenders),
    )


def _later_sights(order: Order, dice: Dice) -> Sequence[Order]:
    """What becomes of it."""
    fate = dice.below(8)
    shipped = order.changed_at + 2 * _DAY
    if fate == 0:
        return [replace(order, state=OrderState.CANCELED, status="canceled", changed_at=shipped)]
    invoiced = replace(
        order,
        state=OrderState.INVOICED,
        status="invoiced",
        invoiced_at=shipped,
        changed_at=shipped,
    )
    if fate == 1:
        first, *rest = invoiced.lines
        back = (replace(first, returned=first.value), *rest)
        return [invoiced, replace(invoiced, lines=back, changed_at=shipped + 5 * _DAY)]
    return [invoiced]


def _tiers(shop: Shop) -> list[dict[str, object]]:
    """Each tier gives half as much again as the one before, the highest for twice as long."""
    *_others, highest = shop.plan.tiers
    validity = shop.plan.programs[LOYALTY]["validity_days"]
    return [
        {
            "name": name,
            "threshold": threshold,
            "multiplier": f"{1 + Decimal(number) / 2:.2f}",
            "validity_days": 2 * validity if name == highest else None,
        }
        for number, (name, threshold) in enumerate(shop.plan.tiers.items())
    ]


def _rate(shop: Shop, times: int) -> dict[str, object]:
    """Ten points for each unit of the currency, or three percent."""
    if shop.programs[LOYALTY].point_units is None:
        return {"percent": Decimal(3 * times)}
    return {"points": 10 * times, "per_amount": 100}
