"""What a customer's orders earn: one function of orders, rules and campaigns, and nothing else.

No database and no clock, so the same orders always earn the same, in whatever order they became
known, and a rule can be tried on past orders. Orders are looked at by the instant of their payment;
caps of a period, the first order, the customer's tier and what is left of a campaign follow from
that.

The arithmetic is exact and rounds once, down to the rule's `unit`: what an order earns as it was
bought, then, pro rata to what the customer keeps, what of that is due.
"""

import datetime
import zoneinfo
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction

from loyalty.earning.tiers import Climb, Ladder, Tier
from loyalty.shop_orders import Line, Order, OrderState


class Why(StrEnum):
    """Why a rule gave something for an order, or did not."""

    GIVEN = "given"
    CAPPED_BY_ORDER = "capped_by_order"
    CAPPED_BY_PERIOD = "capped_by_period"
    NOT_PAID = "not_paid"
    CANCELED = "canceled"
    STORE_REWARD = "store_reward"
    OTHER_CURRENCY = "other_currency"
    EXCLUDED = "excluded"
    OTHER_DATES = "other_dates"
    OTHER_CHANNEL = "other_channel"
    NOT_FIRST = "not_first"
    OTHER_TIER = "other_tier"
    OTHER_ITEMS = "other_items"
    PAID_WITH_CREDIT = "paid_with_credit"
    OTHER_PAYMENT = "other_payment"
    BELOW_MINIMUM = "below_minimum"
    CAP_REACHED = "cap_reached"
    TOO_LITTLE = "too_little"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What an order earns: `rate` units for each of the currency's smallest digits that counts.

    Of a program in points `unit` is a point. `worths` are the units that it was worth since each
    instant, None for the beginning; the rate follows it when the rule is `in_points`.
    """

    id: int
    rate: Fraction
    unit: int
    starts_at: datetime.datetime
    ends_at: datetime.datetime | None = None
    includes_shipping: bool = False
    channels: Collection[str] = ()
    categories: Collection[str] = ()
    brands: Collection[str] = ()
    skus: Collection[str] = ()
    payment_systems: Collection[str] = ()
    minimum: int = 0
    first_order_only: bool = False
    tiers: Collection[str] = ()
    cap_per_order: int | None = None
    cap_per_period: int | None = None
    period: str = ""
    priority: int = 0
    is_exclusive: bool = False
    in_points: bool = False
    worths: Sequence[tuple[datetime.datetime | None, int]] = ()

    def at(self, instant: datetime.datetime | None) -> "Rule":
        """The rule by what a point was worth then: as many points, and caps of as many."""
        worth = next(
            (
                units
                for since, units in reversed(self.worths)
                if since is None or (instant is not None and since <= instant)
            ),
            self.unit,
        )
        if worth == self.unit:
            return self
        scale = Fraction(worth, self.unit)
        order, period = self.cap_per_order, self.cap_per_period
        return replace(
            self,
            unit=worth,
            rate=self.rate * scale if self.in_points else self.rate,
            cap_per_order=None if order is None else int(order * scale),
            cap_per_period=None if period is None else int(period * scale),
        )

    def takes(self, line: Line) -> bool:
        """Whether the rule is about what the line is of."""
        return (
            (not self.skus or line.sku in self.skus)
            and (not self.brands or line.brand in self.brands)
            and (not self.categories or any(each in self.categories for each in line.categories))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Boost:
    """For some time, `factor` times as much; `room` is how much more it may add, None for ever."""

    id: int
    factor: Fraction
    starts_at: datetime.datetime
    ends_at: datetime.datetime
    room: int | None = None


@dataclass(frozen=True, slots=True)
class Award:
    """Units that an order earns, as bought and as kept; `boost` says which campaign added them.

    `validity_days` is that of the customer's tier; None for the program's own.
    """

    gross: int
    due: int
    boost: int | None = None
    validity_days: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of an order: `eligible` is the value that counted, rounded down.

    `tier` names the tier that the customer had when the order was paid; empty for none.
    """

    order_id: str
    rule: int
    why: Why
    eligible: int = 0
    awards: tuple[Award, ...] = ()
    because_of: int | None = None
    tier: str = ""

    @property
    def due(self) -> int:
        """Units due in all."""
        return sum(award.due for award in self.awards)


@dataclass(slots=True)
class _Run:
    """What earlier orders leave for later ones."""

    zone: zoneinfo.ZoneInfo
    currency: str
    first_order: str | None
    boosts: Sequence[Boost]
    room: dict[int, int | None]
    climb: Climb | None = None
    tier: Tier | None = None
    # Of a rule's cap in a period; in points, since a point may come to be worth something else.
    used: dict[tuple[int, str], int] = field(default_factory=dict)


def evaluate(
    orders: Iterable[Order],
    rules: Iterable[Rule],
    *,
    zone: zoneinfo.ZoneInfo,
    currency: str,
    boosts: Iterable[Boost] = (),
    first_order: str | None = None,
    ladder: Ladder | None = None,
) -> list[Verdict]:
    """What each rule says of each of a customer's orders.

    The orders must be all of those periods for which a rule has a cap, and with a `ladder` all that
    count for a tier. `first_order` names the customer's first order that stands; None when it is
    among these.
    """
    in_turn = sorted(orders, key=in_order_of_payment)
    strongest_first = sorted(boosts, key=lambda boost: (-boost.factor, boost.id))
    run = _Run(
        zone=zone,
        currency=currency,
        first_order=first_order or first_standing(in_turn),
        boosts=strongest_first,
        room={boost.id: boost.room for boost in strongest_first},
        climb=Climb(ladder) if ladder else None,
    )
    ranked = sorted(rules, key=lambda rule: (rule.priority, rule.id))
    return [verdict for order in in_turn for verdict in _in_turn(order, ranked, run)]


def in_order_of_payment(order: Order) -> tuple[datetime.datetime, str]:
    """The turn of an order; one that is not paid stands where it was placed."""
    return (order.paid_at or order.placed_at, order.order_id)


def first_standing(orders: Iterable[Order]) -> str | None:
    """The first order that was paid and not canceled."""
    standing = (order for order in orders if order.is_paid and order.state != OrderState.CANCELED)
    first = min(standing, key=in_order_of_payment, default=None)
    return first.order_id if first else None


def period_of(instant: datetime.datetime, period: str, zone: zoneinfo.ZoneInfo) -> str:
    """The name of the day, month or year that an instant is in; the same for all within it."""
    day = instant.astimezone(zone).date().isoformat()
    return {"day": day, "month": day[:7], "year": day[:4]}[period]


def first_day_of(name: str) -> datetime.date:
    """The first day of a period by its name."""
    return datetime.date.fromisoformat(name + "-01-01"[len(name) - 4 :])


def _in_turn(order: Order, rules: Sequence[Rule], run: _Run) -> Sequence[Verdict]:
    """An order is judged by the tier of those before it, and then counts for those after it."""
    if run.climb is None or order.paid_at is None:
        return list(_order(order, rules, run))
    run.tier = run.climb.at(order.paid_at).tier
    name, days = (run.tier.name, run.tier.validity_days) if run.tier else ("", None)
    verdicts = [
        replace(
            verdict,
            tier=name,
            awards=tuple(replace(award, validity_days=days) for award in verdict.awards),
        )
        for verdict in _order(order, rules, run)
    ]
    run.climb.add(
        order.paid_at,
        spend=order.kept if order.currency == run.currency else 0,
        points=sum(
            award.due for verdict in verdicts for award in verdict.awards if award.boost is None
        ),
    )
    return verdicts


def _order(order: Order, rules: Sequence[Rule], run: _Run) -> Iterable[Verdict]:
    excluded_by: int | None = None
    for rule in rules:
        if excluded_by is not None:
            yield Verdict(order.order_id, rule.id, Why.EXCLUDED, because_of=excluded_by)
            continue
        verdict = _rule(order, rule, run)
        if rule.is_exclusive and verdict.awards:
            excluded_by = rule.id
        yield verdict


def _rule(order: Order, rule: Rule, run: _Run) -> Verdict:
    refusal = _refusal(order, rule, run)
    if refusal:
        return Verdict(order.order_id, rule.id, refusal)
    rule = rule.at(order.paid_at)
    lines = [line for line in order.lines if rule.takes(line)]
    bought = sum(line.value for line in lines)
    value = Fraction(bought)
    if rule.includes_shipping and order.total:
        value += Fraction(order.shipping * bought, order.total)
    eligible = value * _share(order, rule)
    counted = int(eligible)
    refusal = _nothing_counts(order, rule, bought, eligible)
    if refusal:
        return Verdict(order.order_id, rule.id, refusal, counted)
    kept = 0 if order.state == OrderState.CANCELED else sum(line.kept for line in lines)
    awards, why = _awards(order, rule, run, eligible, Fraction(kept, bought))
    if order.state == OrderState.CANCELED and awards:
        why = Why.CANCELED
    return Verdict(order.order_id, rule.id, why, counted, awards)


def _refusal(order: Order, rule: Rule, run: _Run) -> Why | None:
    """Why the order as a whole is none for the rule."""
    paid_at = order.paid_at
    if paid_at is None:
        return Why.CANCELED if order.state == OrderState.CANCELED else Why.NOT_PAID
    checks = (
        (order.currency != run.currency, Why.OTHER_CURRENCY),
        (order.reward > 0, Why.STORE_REWARD),
        (
            paid_at < rule.starts_at or (rule.ends_at is not None and paid_at >= rule.ends_at),
            Why.OTHER_DATES,
        ),
        (bool(rule.channels) and order.channel not in rule.channels, Why.OTHER_CHANNEL),
        (
            rule.first_order_only
            and order.state != OrderState.CANCELED
            and order.order_id != run.first_order,
            Why.NOT_FIRST,
        ),
        (
            rule.first_order_only and order.state == OrderState.CANCELED,
            Why.CANCELED,
        ),
        (
            bool(rule.tiers) and (run.tier.name if run.tier else "") not in rule.tiers,
            Why.OTHER_TIER,
        ),
    )
    return next((why for applies, why in checks if applies), None)


def _nothing_counts(order: Order, rule: Rule, bought: int, eligible: Fraction) -> Why | None:
    if not bought:
        return Why.OTHER_ITEMS
    if not eligible:
        is_credit_only = all(tender.is_credit for tender in order.tenders if tender.amount)
        return Why.PAID_WITH_CREDIT if is_credit_only else Why.OTHER_PAYMENT
    return Why.BELOW_MINIMUM if eligible < rule.minimum else None


def _share(order: Order, rule: Rule) -> Fraction:
    """The part of the payment that counts: never credit, and only the rule's payment systems."""
    total = sum(tender.amount for tender in order.tenders)
    if not total:
        return Fraction(0)
    counted = sum(
        tender.amount
        for tender in order.tenders
        if not tender.is_credit
        and (not rule.payment_systems or tender.system in rule.payment_systems)
    )
    return Fraction(counted, total)


def _awards(
    order: Order, rule: Rule, run: _Run, eligible: Fraction, kept: Fraction
) -> tuple[tuple[Award, ...], Why]:
    paid_at = order.paid_at
    assert paid_at is not None  # noqa: S101  such an order is refused before
    boost = next(
        (each for each in run.boosts if each.starts_at <= paid_at < each.ends_at),
        None,
    )
    rate = rule.rate * (run.tier.factor if run.tier else 1)
    base = _down(eligible * rate, rule.unit)
    bonus = _down(eligible * rate * (boost.factor - 1), rule.unit) if boost else 0
    if not base + bonus:
        return (), Why.TOO_LITTLE
    why = Why.GIVEN
    caps: list[tuple[Why, int]] = []
    if rule.cap_per_order is not None:
        caps.append((Why.CAPPED_BY_ORDER, rule.cap_per_order))
    key = (rule.id, period_of(paid_at, rule.period, run.zone)) if rule.period else None
    if key and rule.cap_per_period is not None:
        used = run.used.get(key, 0) * rule.unit
        caps.append((Why.CAPPED_BY_PERIOD, max(rule.cap_per_period - used, 0)))
    for reason, cap in caps:
        if base + bonus > cap:
            why = reason
            base = min(base, _down(cap, rule.unit))
            bonus = min(bonus, _down(cap - base, rule.unit))
    awards = [Award(base, _down(base * kept, rule.unit))] if base else []
    if boost and bonus:
        awards += _from_budget(bonus, _down(bonus * kept, rule.unit), boost, rule, run)
    if key:
        run.used[key] = run.used.get(key, 0) + sum(award.due for award in awards) // rule.unit
    return tuple(awards), why if awards else Why.CAP_REACHED


def _from_budget(gross: int, due: int, boost: Boost, rule: Rule, run: _Run) -> Iterable[Award]:
    """What the budget has for what is due: so the same again when nothing but others' changed."""
    room = run.room[boost.id]
    if room is not None:
        given = min(due, _down(room, rule.unit))
        if due and not given:
            return
        run.room[boost.id] = room - given
        # What the budget lacks was never earned: the rest between the two is what came back.
        gross, due = gross - (due - given), given
    yield Award(gross, due, boost.id)


def _down(units: Fraction | int, unit: int) -> int:
    """Rounded down to whole points."""
    return int(units // unit) * unit


def by_order(verdicts: Iterable[Verdict]) -> Mapping[str, list[Verdict]]:
    """The same, for each order."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.order_id, []).append(verdict)
    return found
