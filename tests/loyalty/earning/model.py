"""Earning in plain Python, without a database, a lock or a line of the code that it judges.

Written from the rules (docs/loyalty.md), the short way round: all of a customer's orders are judged
again at every change, a tier is added up day by day. Wallets are those of the ledger's own model.
"""

import datetime
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from zoneinfo import ZoneInfo

from tests.loyalty.earning.houses import DAY, POINT, House, Rule, Step
from tests.loyalty.ledger.cards import Call, Card, Lot
from tests.loyalty.ledger.model import Model as Ledger

ZONE = ZoneInfo("America/Sao_Paulo")
FOREVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)
STATES = {"placed": 0, "paid": 0, "invoiced": 1, "canceled": 2}


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


@dataclass(eq=False)
class Earning:
    """What a rule, or the campaign on top of it, gives for an order; in units."""

    due: int = 0
    credited: int = 0
    taken: int = 0
    forgiven: int = 0
    usable: datetime.datetime | None = None
    validity: int | None = None
    problem: bool = False
    lots: list[Lot] = field(default_factory=list)

    @property
    def net(self) -> int:
        return self.credited - self.taken - self.forgiven


@dataclass
class Fact:
    """An order as tiers count it."""

    day: datetime.date
    spend: int
    points: int


@dataclass
class Run:
    """What a customer's earlier orders leave for later ones."""

    first: Sight | None
    room: int | None  # of the campaign's budget
    used: Counter[tuple[int, str]] = field(default_factory=Counter)  # of the caps


Key = tuple[int, int, bool]  # the order, the rule, and whether it is the campaign's part


class Model:
    """All customers of one program."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ledger = Ledger(grace_days=30)
        self.wallets: dict[str, int] = {}
        self.orders: dict[int, Sight] = {}
        self.looked: dict[int, datetime.datetime | None] = {}
        self.rewarded: set[int] = set()
        self.gifts: dict[str, list[tuple[datetime.datetime, str, datetime.datetime | None]]] = {}
        self.earnings: dict[Key, Earning] = {}
        self.verdicts: dict[int, list[str]] = {}
        self.standing: dict[str, tuple[str, int]] = {}
        self.seen: Counter[str] = Counter()
        self.requests = 0

    # --- What happens ---

    def take(self, sight: Sight, now: datetime.datetime) -> None:
        """A sight arrives: the newest counts, and all that follows from it is done."""
        known = self.orders.get(sight.number)
        if known is None or self._age(known) < self._age(sight):
            self.seen["newer sight"] += 1
            self.orders[sight.number] = sight
        else:
            self.seen["same sight again" if known == sight else "older sight"] += 1
        self.settle(sight.number, now)

    def settle(self, number: int, now: datetime.datetime) -> None:
        """Judge the customer's orders as they are now, and have the wallet follow."""
        who = self.orders[number].customer
        self._judge(who, now)
        self._review(who, now)
        self._carry_out(who, now)
        mine = [each for each in self.orders.values() if each.customer == who]
        for order in mine:
            if order.number == number or self.looked.get(order.number) is None:
                self.looked[order.number] = self._look_again(order, now)

    def tick(self, now: datetime.datetime) -> None:
        """What time alone changes."""
        for number, at in list(self.looked.items()):
            if at is not None and at <= now:
                self.settle(number, now)

    def give_tier(
        self, who: str, name: str, until: datetime.datetime | None, now: datetime.datetime
    ) -> None:
        self.gifts.setdefault(who, []).append((now, name, until))
        for order in self.orders.values():
            if order.customer == who and order.paid and order.paid >= now:
                self.looked[order.number] = now
        self._review(who, now)

    def review(self, now: datetime.datetime) -> None:
        """The nightly look at what time does to tiers."""
        for who in {order.customer for order in self.orders.values() if order.paid}:
            self._review(who, now, only_changes=True)

    @property
    def used(self) -> int:
        """What the campaign adds in all."""
        return sum(each.due for (_, _, extra), each in self.earnings.items() if extra)

    @staticmethod
    def _age(sight: Sight) -> tuple[int, datetime.datetime]:
        return STATES[sight.state], sight.changed

    def _look_again(self, order: Sight, now: datetime.datetime) -> datetime.datetime | None:
        instants = []
        for key, earning in self.earnings.items():
            if key[0] != order.number or earning.due <= earning.net:
                continue
            if earning.usable is None and order.invoiced:
                instants.append(order.invoiced + self.house.assumed_after * DAY)
            elif earning.usable is not None and earning.problem:
                instants.append(now + DAY)
        return min(instants, default=None)

    # --- What is due ---

    def _judge(self, who: str, now: datetime.datetime) -> None:
        """By the turn of payment; each is judged by what those before it left."""
        mine = sorted(
            (order for order in self.orders.values() if order.customer == who),
            key=lambda order: order.turn,
        )
        standing = [order for order in mine if order.paid and order.state != "canceled"]
        run = Run(standing[0] if standing else None, self._room(who))
        facts: list[Fact] = []
        awards: dict[Key, int] = {}
        validity: dict[int, int | None] = {}
        for order in mine:
            tier = self._tier(who, order.paid, facts) if order.paid else None
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
                facts.append(Fact(self._day(order.paid), spend, points))
        self._note(mine, awards, validity, now)

    def _room(self, who: str) -> int | None:
        """What others leave of the campaign's budget."""
        if self.house.campaign.budget is None:
            return None
        others = sum(
            each.due
            for (number, _, extra), each in self.earnings.items()
            if extra and self.orders[number].customer != who
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
        points = value / 100 * rule.rate * (tier.factor if tier else 1)
        base, extra = int(points), 0
        campaign = self.house.campaign
        if campaign.since <= order.paid < campaign.until:
            extra = int(points * (campaign.factor - 1))
        if not base + extra:
            return "too_little", None, None
        key = number, self._period(order.paid, rule.period)
        why, base, extra = self._capped(rule, base, extra, run.used[key] // POINT)
        bought = sum(order.values[kind] for kind in rule.kinds)
        share = Fraction(sum(order.kept[kind] for kind in rule.kinds), bought)
        by_rule = int(base * share) * POINT if base else None
        by_campaign = self._from_budget(run, int(extra * share) * POINT if extra else None)
        if by_rule is None and by_campaign is None:
            return "cap_reached", None, None
        run.used[key] += (by_rule or 0) + (by_campaign or 0)
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

    def _from_budget(self, run: Run, due: int | None) -> int | None:
        if run.room is None or not due:
            return due
        given = min(due, run.room)
        self.seen["cut by the budget"] += 0 < given < due
        self.seen["budget used up"] += not given
        run.room -= given
        return given or None

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

    # --- The wallet follows ---

    def _carry_out(self, who: str, now: datetime.datetime) -> None:
        while self._once(who, now):
            pass

    def _once(self, who: str, now: datetime.datetime) -> bool:
        """Credit and take back as far as it goes by what is in the wallet; whether it moved."""
        mine = [
            (key, each)
            for key, each in self.earnings.items()
            if self.orders[key[0]].customer == who and each.due != each.net
        ]
        there = [
            lot
            for each_key, each in self.earnings.items()
            if self.orders[each_key[0]].customer == who
            for lot in each.lots
            if lot.remaining and not lot.is_expired(now)
        ]
        left = {lot.number: lot.remaining for lot in there}
        if any(each.usable and each.due > each.net for _, each in mine):
            self._wallet(who, now)
        credits_due: list[tuple[Earning, int]] = []
        takes: list[tuple[Earning, Lot, int]] = []
        for _, each in mine:
            again = max(min(each.due - each.net, each.forgiven), 0)
            each.forgiven -= again
            self.seen["asked again"] += bool(again)
            if each.due > each.net and each.usable:
                blocked = self.ledger.cards[self.wallets[who]].status == "blocked"
                self.seen["blocked wallet"] += blocked
                self.seen["credited after an obstacle"] += each.problem and not blocked
                each.problem = blocked
                if not each.problem:
                    credits_due.append((each, each.due - each.net))
            elif each.due < each.net:
                takes += self._taken(each, there, left, now)
        for each, units in credits_due:
            self._credit(who, each, units, now)
        for each, lot, units in takes:
            self._take_back(who, each, lot, units, now)
        return bool(credits_due or takes)

    def _wallet(self, who: str, now: datetime.datetime) -> None:
        if who not in self.wallets:
            self.wallets[who] = len(self.ledger.cards)
            self.ledger.issue(Card(now, validity_days=self.house.validity, owner=who), 0)

    def _taken(
        self, earning: Earning, there: list[Lot], left: dict[int, int], now: datetime.datetime
    ) -> list[tuple[Earning, Lot, int]]:
        """From its own credit, then from other earnings: not usable yet first, then by expiry.

        What expired of its own is asked of no other.
        """
        in_turn = sorted(
            there, key=lambda lot: (lot.valid_from <= now, lot.expires_at or FOREVER, lot.number)
        )
        own = [lot for lot in in_turn if lot in earning.lots]
        others = [lot for lot in in_turn if lot not in earning.lots]
        owed = earning.net - earning.due
        takes = self._from(own, owed, earning, left)
        owed -= sum(units for _, _, units in takes)
        gone = sum(
            lot.expired + (lot.remaining if lot.is_expired(now) else 0) for lot in earning.lots
        )
        expired = min(owed, max(gone - earning.forgiven, 0))
        from_others = self._from(others, owed - expired, earning, left)
        owed -= expired + sum(units for _, _, units in from_others)
        waived = owed if self.house.take_back == "waive" else 0
        self.seen["waived"] += bool(waived)
        self.seen["forgiven as expired"] += bool(expired)
        self.seen["owed"] += owed > waived
        earning.forgiven += expired + waived
        return takes + from_others

    @staticmethod
    def _from(
        lots: list[Lot], owed: int, earning: Earning, left: dict[int, int]
    ) -> list[tuple[Earning, Lot, int]]:
        takes = []
        for lot in lots:
            if units := min(owed, left[lot.number]):
                left[lot.number] -= units
                owed -= units
                takes.append((earning, lot, units))
        return takes

    def _credit(self, who: str, earning: Earning, units: int, now: datetime.datetime) -> None:
        assert earning.usable
        end = None
        if earning.validity is not None:
            end = self.ledger._end_of_day(earning.usable, earning.validity)
        self.call(
            Call(
                "credit",
                self.wallets[who],
                units,
                self._request(),
                funding="promotional",
                valid_from=earning.usable,
                expires_at=end,
            ),
            now,
        )
        self.seen["the difference credited"] += bool(earning.credited)
        earning.credited += units
        earning.lots.append(self.ledger.cards[self.wallets[who]].lots[-1])

    def _take_back(
        self, who: str, earning: Earning, lot: Lot, units: int, now: datetime.datetime
    ) -> None:
        credit = next(
            number for number, each in enumerate(self.ledger.transactions) if each.lot is lot
        )
        if lot not in earning.lots:
            self.seen["taken from another earning"] += 1
        else:
            self.seen["taken unspent" if lot.valid_from <= now else "taken before usable"] += 1
        self.call(
            Call("cancel", self.wallets[who], units, self._request(), transaction=credit), now
        )
        earning.taken += units

    def call(self, call: Call, now: datetime.datetime) -> None:
        """The ledger's own model does it; here it is always possible."""
        answer = self.ledger.call(call, now)
        assert answer.outcome == "ok", answer

    def _request(self) -> str:
        self.requests += 1
        return f"earning {self.requests}"

    # --- Tiers ---

    def _tier(self, who: str, at: datetime.datetime, facts: list[Fact]) -> Step | None:
        """The highest of: reached by now, kept in the days of grace, granted."""
        tiers = self.house.tiers
        if tiers is None:
            return None
        day = self._day(at)
        best = -1
        for back in range(tiers.grace + 1):
            counted = self._counted(facts, day - back * DAY)
            reached = max(
                (n for n, step in enumerate(tiers.steps) if step.threshold <= counted), default=-1
            )
            self.seen["kept in grace"] += bool(back) and reached > best
            best = max(best, reached)
        given = [gift for gift in self.gifts.get(who, []) if gift[0] <= at]
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

    def _review(self, who: str, now: datetime.datetime, *, only_changes: bool = False) -> None:
        if self.house.tiers is None:
            return
        facts = [
            Fact(
                self._day(order.paid),
                sum(order.kept) if order.currency == "BRL" else 0,
                sum(
                    each.due
                    for (number, _, extra), each in self.earnings.items()
                    if number == order.number and not extra
                ),
            )
            for order in self.orders.values()
            if order.customer == who and order.paid
        ]
        tier = self._tier(who, now, facts)
        name = tier.name if tier else ""
        names = ["", *(step.name for step in self.house.tiers.steps)]
        before = names.index(self.standing.get(who, ("", 0))[0])
        self.seen["tier up"] += names.index(name) > before
        self.seen["tier down"] += names.index(name) < before
        if names.index(name) != before or not only_changes:
            self.standing[who] = name, self._counted(facts, self._day(now))

    @staticmethod
    def _day(instant: datetime.datetime) -> datetime.date:
        return instant.astimezone(ZONE).date()

    def _period(self, instant: datetime.datetime, period: str) -> str:
        return str(self._day(instant))[: {"day": 10, "month": 7, "year": 4, "": 0}[period]]
