"""Earning in plain Python, without a database, a lock or a line of the code that it judges.

Written from the rules (docs/loyalty.md), the short way round: all of a customer's orders are judged
again at every change (`due`), a tier is added up day by day (`tiers`), the wallet is asked what is
missing until nothing is (`following`). Wallets are those of the ledger's own model.
"""

import datetime
from dataclasses import replace

from tests.loyalty.earning.facts import Change, Sight
from tests.loyalty.earning.following import Following
from tests.loyalty.earning.houses import DAY, START, House
from tests.loyalty.ledger.cards import Answer
from tests.loyalty.ledger.people import Merge

STATES = {"placed": 0, "paid": 0, "invoiced": 1, "canceled": 2}


class Model(Following):
    """All customers of one program, and what happens to them."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self.looked: dict[int, datetime.datetime | None] = {}
        self.unsure: set[str] = set()  # whose tier is looked at by the next review only
        self.orders_gone: dict[int, set[int]] = {}  # with each merge
        self.now = START
        self.ledger.stands_in_the_way = self._is_left_behind

    def take(self, sight: Sight, now: datetime.datetime) -> None:
        """A sight arrives: the newest counts, and all that follows from it is done."""
        known = self.orders.get(sight.number)
        self.whose.setdefault(sight.number, self.ledger.person(sight.customer))
        if known is None or self._age(known) < self._age(sight):
            self.seen["newer sight"] += 1
            self.orders[sight.number] = self._on_its_day(known, sight)
        else:
            self.seen["same sight again" if known == sight else "older sight"] += 1
        self.settle(sight.number, now)

    def _on_its_day(self, known: Sight | None, sight: Sight) -> Sight:
        """What earned was paid, on one side of each change that kept the points."""
        if known is None or known.paid is None or known.paid == sight.paid:
            return sight
        if not any(number == sight.number for number, _, _ in self.earnings):
            return sight
        kept = sight.paid is None or any(
            each.keeps_points and (known.paid < each.at) != (sight.paid < each.at)
            for each in self.changes
        )
        self.seen["the day of the payment stays"] += kept
        return replace(sight, paid=known.paid) if kept else sight

    def settle(self, number: int, now: datetime.datetime) -> None:
        """Judge the customer's orders as they are now, and have the wallet follow."""
        who = self.whose[number]
        self.judge(who, now)
        self._review(who, now)
        self.follow(who, now)
        for order in self.orders_of(who):
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
        self.gifts.append((who, (now, name, until)))
        for order in self.orders_of(who):
            if order.paid and order.paid >= now:
                self.looked[order.number] = now
        self._review(who, now)

    def review(self, now: datetime.datetime) -> None:
        """The nightly look at what time, or a merge, does to tiers."""
        buyers = {self.whose[order.number] for order in self.orders.values() if order.paid}
        for who in buyers | set(self.standing):
            self._review(who, now, only_changes=who not in self.unsure)

    def _review(self, who: str, now: datetime.datetime, *, only_changes: bool = False) -> None:
        self.review_one(who, now, only_changes=only_changes)
        self.unsure.discard(who)

    def change_points(self, after: int, *, keeps_points: bool, now: datetime.datetime) -> None:
        """A point is worth something else; with the points kept cards wait to be adjusted."""
        change = Change(now, self.worth(now), after, keeps_points)
        self.changes.append(change)
        self.ledger.under_way = keeps_points
        self.seen["the points stay" if keeps_points else "the money stays"] += 1

    def adjust_all(self, now: datetime.datetime) -> None:
        """Every card has its turn."""
        if self.ledger.under_way:
            for number in range(len(self.ledger.cards)):
                self.adjust(number, now)
            self.ledger.under_way = False

    def merge(self, who: str, into: str, request_id: str, now: datetime.datetime) -> Answer:
        """Two customers are one: their orders are, too."""
        answer = self.ledger.merge(who, into, request_id, now)
        if answer.outcome == "ok":
            gone = {order.number for order in self.orders_of(who)}
            self.orders_gone[answer.number] = gone
            self._give_orders(gone, who, into, now)
        return answer

    def unmerge(self, made: Merge, request_id: str, now: datetime.datetime) -> Answer:
        """Two again, unless what an order earned since would be of one, and the order of two."""
        self.now = now
        answer = self.ledger.unmerge(made, request_id)
        if answer.outcome == "ok":
            self._give_orders(self._going(made), made.into, made.who, now)
        return answer

    def _going(self, made: Merge) -> set[int]:
        gone = self.orders_gone[made.number]
        return {number for number in gone if self.whose[number] == made.into}

    def _is_left_behind(self, made: Merge) -> bool:
        """Whether an order would be of another one than a card with what it earned since."""
        back = {arrived for _, arrived in made.moved}
        going = self._going(made)
        for lot in self.ledger.lots:
            order = self.order_of(lot)
            if order is None or not lot.remaining or lot.is_expired(self.now) or lot in back:
                continue
            is_theirs = self.ledger.cards[lot.card].owner == made.into
            if is_theirs and (lot.card in made.cards) != (order in going):
                self.seen["points of since stand in the way"] += 1
                return True
        return False

    def _give_orders(
        self, numbers: set[int], giver: str, receiver: str, now: datetime.datetime
    ) -> None:
        """They are looked at again, with all that shared a limit with them, or comes to."""
        for number in numbers:
            self.whose[number] = receiver
            self.looked[number] = now
        kept = [order for order in self.orders_of(giver) if order.paid]
        joined = [order for order in self.orders_of(receiver) if order.paid]
        for order in [*kept, *sorted(joined, key=lambda order: order.turn)[-1:]]:
            self.looked[order.number] = now
        if self.house.tiers:
            self.unsure |= {giver, receiver} & set(self.standing)

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
