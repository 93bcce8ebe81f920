"""What each order earns: all of a customer's are judged again at every change."""

import datetime
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from tests.loyalty.earning.facts import Earning, Key, Sight
from tests.loyalty.earning.houses import DAY, POINT, Rule, Step
from tests.loyalty.earning.tiers import Fact, Tiers


@dataclass
class Run:
    """What a customer's earlier orders leave for later ones."""

    first: Sight | None
    room: int | None  # of the campaign's budget
    used: Counter[tuple[int, str]] = field(default_factory=Counter)  # of the caps, in points


class Due(Tiers):
    """What is due for orders, and why."""

    def judge(self, who: str, now: datetime.datetime) -> None:
        """By the turn of payment; each is judged by what those before it left."""
        mine = sorted(self.orders_of(who), key=lambda order: order.turn)
        standing = [order for order in mine if order.paid and order.state != "canceled"]
        run = Run(standing[0] if standing else None, self._room(who))
        facts: list[Fact] = []
        awards: dict[Key, int] = {}
        validity: dict[int, int | None] = {}
        for order in mine:
            tier = self.tier(who, order.paid, facts) if order.paid else None
            validity[order.number] = tier.validity if tier else None
            self.verdicts[order.number] = why = []
            for number, rule in enumerate(self.house.rules):
                reason, *units = self._given(run, order, number, tier)
                given = {
                    (order.number, number, extra): each
                    for extra, each in zip((False, True), units, strict=True)
                    if each is not None
                }
                why.append(reason)
                awards |= given
                if rule.exclusive and given:
                    why += ["excluded"] * (len(self.house.rules) - len(why))
                    break
            self.seen.update(f"why: {reason}" for reason in why)
            if order.paid:
                points = sum(
                    units
                    for (each, _, extra), units in awards.items()
                    if each == order.number and not extra
                )
                spend = sum(order.kept) if order.currency == "BRL" else 0
                facts.append(Fact(self.day(order.paid), spend, points))
        self._note(mine, awards, validity, now)

    def _room(self, who: str) -> int | None:
        """What others leave of the campaign's budget."""
        if self.house.campaign.budget is None:
            return None
        others = sum(
            each.due
            for (number, _, extra), each in self.earnings.items()
            if extra and self.whose[number] != who
        )
        return self.house.campaign.budget * POINT - others

    def _given(
        self, run: Run, order: Sight, number: int, tier: Step | None
    ) -> tuple[str, int | None, int | None]:
        """Why, and what is due by the rule and by the campaign; None for what gives nothing."""
        rule = self.house.rules[number]
        value = self._eligible(order, rule)
        why = self._refusal(order, rule, tier, order is run.first) or self._too_low(
            order, rule, value
        )
        if why:
            return why, None, None
        assert order.paid
        worth = self.worth(order.paid)
        points = value / 100 * rule.rate * (tier.factor if tier else 1)
        base, extra = int(points), 0
        campaign = self.house.campaign
        if campaign.since <= order.paid < campaign.until:
            extra = int(points * (campaign.factor - 1))
        if not base + extra:
            return "too_little", None, None
        key = number, self.period(order.paid, rule.period)
        why, base, extra = self._capped(rule, base, extra, run.used[key])
        bought = sum(order.values[kind] for kind in rule.kinds)
        share = Fraction(sum(order.kept[kind] for kind in rule.kinds), bought)
        by_rule = int(base * share) * worth if base else None
        by_campaign = self._from_budget(run, int(extra * share) if extra else None, worth)
        if by_rule is None and by_campaign is None:
            return "cap_reached", None, None
        run.used[key] += ((by_rule or 0) + (by_campaign or 0)) // worth
        return "canceled" if order.state == "canceled" else why, by_rule, by_campaign

    @staticmethod
    def _eligible(order: Sight, rule: Rule) -> Fraction:
        """The rule's goods, with their part of the shipping, as far as money paid for them."""
        bought = sum(order.values[kind] for kind in rule.kinds)
        value = Fraction(bought)
        if rule.shipping and bought:
            value += Fraction(order.shipping * bought, sum(order.values))
        return value * (1 - Fraction(order.by_credit, order.total))

    @staticmethod
    def _too_low(order: Sight, rule: Rule, value: Fraction) -> str:
        if not any(order.values[kind] for kind in rule.kinds):
            return "other_items"
        if not value:
            return "paid_with_credit"
        return "below_minimum" if value < rule.minimum else ""

    @staticmethod
    def _capped(rule: Rule, base: int, extra: int, used: int) -> tuple[str, int, int]:
        """What rule and campaign give together, within the caps; the campaign's is cut first."""
        caps = []
        if rule.order_cap is not None:
            caps.append(("capped_by_order", rule.order_cap))
        if rule.period_cap is not None:
            caps.append(("capped_by_period", max(rule.period_cap - used, 0)))
        why = "given"
        for reason, cap in caps:
            if base + extra > cap:
                why, base = reason, min(base, cap)
                extra = min(extra, cap - base)
        return why, base, extra

    def _from_budget(self, run: Run, points: int | None, worth: int) -> int | None:
        """Whole points of what is left; the budget is money."""
        if run.room is None or not points:
            return None if points is None else points * worth
        given = min(points, run.room // worth)
        self.seen["cut by the budget"] += 0 < given < points
        self.seen["budget used up"] += not given
        run.room -= given * worth
        return given * worth or None

    def _refusal(
        self,
        order: Sight,
        rule: Rule,
        tier: Step | None,
        first: bool,
    ) -> str:
        canceled = order.state == "canceled"
        if order.paid is None:
            return "canceled" if canceled else "not_paid"
        for wrong, why in (
            (order.currency != "BRL", "other_currency"),
            (order.reward or order.number in self.rewarded, "store_reward"),
            (rule.until and order.paid >= rule.until, "other_dates"),
            (rule.channels and order.channel not in rule.channels, "other_channel"),
            (rule.first and canceled, "canceled"),
            (rule.first and not first, "not_first"),
            (rule.tiers and (tier.name if tier else "") not in rule.tiers, "other_tier"),
        ):
            if wrong:
                return why
        return ""

    def _note(
        self,
        mine: list[Sight],
        awards: dict[Key, int],
        validity: dict[int, int | None],
        now: datetime.datetime,
    ) -> None:
        for order in sorted(mine, key=lambda order: list(self.orders).index(order.number)):
            for key, units in awards.items():
                if key[0] == order.number:
                    earning = self.earnings.setdefault(key, Earning())
                    earning.validity = validity[order.number]
                    self.seen["due rises"] += units > earning.due > 0
            for key, earning in self.earnings.items():
                if key[0] == order.number:
                    earning.due = awards.get(key, 0)
                    earning.usable = self._usable(order, now)

    def _usable(self, order: Sight, now: datetime.datetime) -> datetime.datetime | None:
        if order.invoiced is None:
            return None
        start = order.invoiced
        if self.house.usable_from == "delivery":
            assumed = order.invoiced + self.house.assumed_after * DAY
            if order.delivered is None and now < assumed:
                return None
            self.seen["delivered" if order.delivered else "delivery assumed"] += 1
            start = min(order.delivered or assumed, assumed)
        return start + self.house.usable_after * DAY
