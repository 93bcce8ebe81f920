"""Which tier a customer has, added up day by day."""

import datetime
from dataclasses import dataclass

from tests.loyalty.earning.facts import Facts
from tests.loyalty.earning.houses import DAY, Step


@dataclass
class Fact:
    """An order as tiers count it."""

    day: datetime.date
    spend: int
    points: int


class Tiers(Facts):
    """Tiers from orders, grace and what staff gave."""

    def tier(self, who: str, at: datetime.datetime, facts: list[Fact]) -> Step | None:
        """The highest of: reached by now, kept in the days of grace, granted."""
        tiers = self.house.tiers
        if tiers is None:
            return None
        day = self.day(at)
        best = -1
        for back in range(tiers.grace + 1):
            counted = self._counted(facts, day - back * DAY)
            reached = max(
                (n for n, step in enumerate(tiers.steps) if step.threshold <= counted), default=-1
            )
            self.seen["kept in grace"] += bool(back) and reached > best
            best = max(best, reached)
        given = [gift for gift in self.gifts_of(who) if gift[0] <= at]
        if given:
            _, name, until = given[-1]
            granted = [n for n, step in enumerate(tiers.steps) if step.name == name]
            if granted and until and at <= until:
                self.seen["granted tier"] += granted[0] > best
                best = max(best, granted[0])
        return tiers.steps[best] if best >= 0 else None

    def _counted(self, facts: list[Fact], day: datetime.date) -> int:
        tiers = self.house.tiers
        assert tiers
        if tiers.period == "rolling":
            spans = [{day - back * DAY for back in range(tiers.days)}]
            sums = [sum(self._worth(fact) for fact in facts if fact.day in spans[0])]
        else:
            months = [(day.year, day.month), divmod(day.year * 12 + day.month - 2, 12)]
            months[1] = (months[1][0], months[1][1] + 1)
            sums = [
                sum(
                    self._worth(fact)
                    for fact in facts
                    if (fact.day.year, fact.day.month) == month and fact.day <= day
                )
                for month in months
            ]
        return max(sums)

    def _worth(self, fact: Fact) -> int:
        assert self.house.tiers
        return fact.spend if self.house.tiers.basis == "spend" else fact.points

    def review_one(self, who: str, now: datetime.datetime, *, only_changes: bool = False) -> None:
        if self.house.tiers is None:
            return
        facts = [
            Fact(
                self.day(order.paid),
                sum(order.kept) if order.currency == "BRL" else 0,
                sum(
                    each.due
                    for (number, _, extra), each in self.earnings.items()
                    if number == order.number and not extra
                ),
            )
            for order in self.orders_of(who)
            if order.paid
        ]
        tier = self.tier(who, now, facts)
        name = tier.name if tier else ""
        names = ["", *(step.name for step in self.house.tiers.steps)]
        before = names.index(self.standing.get(who, ("", 0))[0])
        self.seen["tier up"] += names.index(name) > before
        self.seen["tier down"] += names.index(name) < before
        if names.index(name) != before or not only_changes:
            self.standing[who] = name, self._counted(facts, self.day(now))
