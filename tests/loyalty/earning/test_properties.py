"""Any sequence of orders: what they earn, the wallets and the tiers are as in the model.

Orders are placed, paid, invoiced, delivered, changed, returned and canceled; their sights arrive at
once, late, out of turn and twice, between purchases, expiries and other credit, on a clock that
goes on. A run that never got to one of the `REACHED` outcomes fails: a generator that is too narrow
proves nothing.
"""

import datetime
from collections import Counter
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
import time_machine
from django.db import connection
from django.db.transaction import Atomic, atomic, set_rollback
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from loyalty.ledger.invariants import violations
from tests.loyalty.earning.books import Books
from tests.loyalty.earning.facts import Sight
from tests.loyalty.earning.houses import DAY, HOUSES, PEOPLE, POINT, START, House
from tests.loyalty.earning.model import Model
from tests.loyalty.ledger.cards import Call

HOUR = datetime.timedelta(hours=1)
SECOND = datetime.timedelta(seconds=1)

REACHED = {
    *(
        f"why: {reason}"
        for reason in (
            *("given", "capped_by_order", "capped_by_period", "cap_reached", "too_little"),
            *("not_paid", "canceled", "excluded", "other_channel", "other_currency"),
            *("other_dates", "other_items", "other_tier", "not_first", "store_reward"),
            *("paid_with_credit", "below_minimum"),
        )
    ),
    *("newer sight", "older sight", "same sight again", "due rises"),
    *("cut by the budget", "budget used up", "delivered", "delivery assumed"),
    *("taken before usable", "taken unspent", "taken from another earning", "waived", "owed"),
    *("forgiven as expired", "asked again", "the difference credited"),
    *("blocked wallet", "credited after an obstacle"),
    *("tier up", "tier down", "kept in grace", "granted tier"),
    *("lot-spanning debit", "split cancel", "expiry booked", "expired-grant restore"),
    *("the points stay", "the money stays", "points worth more", "points worth less"),
    *("points grew", "taken of what grew", "taken by another value", "credited by another value"),
    *("merged", "credit went to another wallet", "taken from where it went"),
    *("parted", "credit came back from another wallet", "merge_touched"),
    *("points of since stand in the way", "already_merged", "wallet_blocked"),
    *("point_value_under_way", "earned of both", "the day of the payment stays"),
}

Steps: TypeAlias = tuple[tuple[str, str], ...]

people = st.sampled_from(PEOPLE)
who_buys = st.sampled_from(["ana", "ana", "ana", *PEOPLE])
point_values = st.sampled_from([10, POINT, 40, 50])
channels = st.sampled_from(["1", "1", "2"])
amounts = st.sampled_from([(100_00, 0), (60_00, 40_50), (0, 80_00), (250_00, 99_99), (40, 10)])
AFTER_PAYMENT = {"change", "cancel", "undated", "dated anew"}
AFTER_INVOICE = {*AFTER_PAYMENT, "return", "return all", "undo"}
POSSIBLE = {
    "placed": {"pay", "cancel"},
    "paid": {*AFTER_PAYMENT, "invoice"},
    "invoiced": {*AFTER_INVOICE, "deliver"},
    "delivered": AFTER_INVOICE,
    "canceled": set(),
}
changes = st.sampled_from(sorted(set().union(*POSSIBLE.values())))

# Chance alone seldom earns, spends and takes back of one and the same order.
LIVES: tuple[Steps, ...] = (
    (("do", "invoice"), ("wait", "usable"), ("spend", "all"), ("do", "cancel")),
    (
        *(("do", "invoice"), ("wait", "usable"), ("spend", "half")),
        *(("do", "return all"), ("do", "undo")),
    ),
    (("do", "invoice"), ("do", "return"), ("do", "undo"), ("do", "cancel")),
    (("do", "invoice"), ("wait", "usable"), ("wait", "expiry"), ("do", "cancel")),
    (("do", "invoice"), ("wait", "usable"), ("wait", "expiry"), ("expire", ""), ("do", "cancel")),
    (("do", "invoice"), ("do", "deliver"), ("wait", "usable"), ("do", "return")),
    (("do", "invoice"), ("wait", "usable"), ("hold", "all"), ("wait", "expiry"), ("free", "all")),
    (
        *(("do", "invoice"), ("do", "deliver"), ("block", ""), ("do", "return")),
        *(("do", "undo"), ("wait", "days"), ("unblock", ""), ("wait", "days")),
    ),
    (("do", "invoice"), ("wait", "weeks"), ("wait", "weeks"), ("spend", "half"), ("free", "")),
    (("wait", "weeks"), ("do", "change"), ("wait", "weeks"), ("wait", "review")),
    (("mail", "invoice"), ("mail", "return"), ("arrive", "last"), ("arrive", "first")),
    (("do", "dated anew"), ("do", "invoice"), ("do", "undated")),
    (("do", "invoice"), ("wait", "usable"), ("worth", "50"), ("do", "return"), ("do", "cancel")),
    (("worth", "40"), ("do", "invoice"), ("wait", "usable"), ("worth", "10"), ("do", "return")),
    (("do", "invoice"), ("wait", "usable"), ("worth", "10"), ("spend", "half"), ("do", "cancel")),
    (("do", "invoice"), ("wait", "usable"), ("money", "10"), ("worth", "25"), ("do", "return")),
    (("do", "invoice"), ("worth", "50"), ("wait", "expiry"), ("worth", "25"), ("do", "cancel")),
    (
        *(("worth", "50"), ("more", ""), ("do", "invoice"), ("wait", "usable")),
        *(("do", "dated anew"), ("do", "undated")),
    ),
    (
        *(("other", ""), ("do", "invoice"), ("wait", "usable"), ("merge", ""), ("part", "")),
        *(("merge", ""), ("do", "return"), ("part", ""), ("do", "cancel")),
    ),
    (("other", ""), ("do", "invoice"), ("block", ""), ("merge", ""), ("unblock", "")),
    (
        *(("other", ""), ("merge", ""), ("do", "invoice")),
        *(("part", ""), ("do", "cancel"), ("part", "")),
    ),
    (
        *(("other", ""), ("do", "invoice"), ("hold", "half")),
        *(("merge", ""), ("free", ""), ("part", "")),
    ),
    (("other", ""), ("do", "invoice"), ("worth", "50"), ("merge", ""), ("wait", "usable")),
    (("other", ""), ("do", "invoice"), ("merge", ""), ("worth", "50"), ("do", "return all")),
    (("do", "invoice"), ("do", "deliver"), ("wait", "usable"), ("more", ""), ("do", "cancel")),
    (
        *(("do", "invoice"), ("wait", "usable"), ("spend", "all"), ("more", "")),
        *(("wait", "usable"), ("more", ""), ("do", "cancel")),
    ),
)


class EarningMachine(RuleBasedStateMachine):
    """One example: one database transaction that is rolled back in the end, and a clock."""

    house: House
    seen: Counter[str]  # of all examples
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.clock = time_machine.travel(START, tick=False)
        self.coordinates = self.clock.start()
        # As Django's own TestCase does: durable transactions are savepoints in it.
        self.transaction: Atomic = atomic()
        self.transaction._from_testcase = True  # type: ignore[attr-defined]
        self.transaction.__enter__()
        self.told: list[list[Sight]] = []  # of each order, whatever the store has told
        self.mail: list[Sight] = []  # what is still under way
        self.requests = 0
        self.gifts = 0

    @classmethod
    def play_all(cls) -> None:
        """Each life in one of the programs: chance alone would come to some of them seldom."""
        for steps in LIVES[HOUSES.index(cls.house) :: len(HOUSES)]:
            machine = cls()
            try:
                machine.a_program()
                machine.life_of_an_order("ana", (100_00, 40_50), "1", steps)
                machine.it_is_as_in_the_model()
            finally:
                machine.teardown()

    def teardown(self) -> None:
        self.seen.update(self.model.seen + self.model.ledger.seen)
        try:
            assert violations() == []
            connection.check_constraints()
        finally:
            set_rollback(True)
            self.transaction.__exit__(None, None, None)
            self.clock.stop()

    @initialize()
    def a_program(self) -> None:
        self.model = Model(self.house)
        self.books = Books(self.house)

    # --- Orders ---

    @rule(
        who=who_buys,
        values=amounts,
        paid=st.sampled_from([0, 0, 0, 0, 3, 20, 35, None]),
        channel=channels,
        by_credit=st.sampled_from([0, 0, 0, 0, 10_00, 1_000_00]),
        odd=st.sampled_from(["", "", "", "", "", "reward", "currency"]),
        state=st.sampled_from(["paid", "paid", "invoiced"]),
    )
    def order(
        self,
        who: str,
        values: tuple[int, int],
        paid: int | None,
        channel: str = "1",
        by_credit: int = 0,
        odd: str = "",
        state: str = "paid",
    ) -> None:
        at = None if paid is None else self.now - paid * DAY
        total = sum(values) + 10_00
        sight = Sight(
            number=len(self.told),
            customer=who,
            changed=self.now,
            placed=(at or self.now) - HOUR,
            state=state if paid is not None else "placed",
            paid=at,
            invoiced=at if at and state == "invoiced" else None,
            values=values,
            shipping=10_00,
            by_credit=min(by_credit, total),
            channel=channel,
            currency="USD" if odd == "currency" else "BRL",
            reward=5_00 if odd == "reward" else 0,
        )
        self.told.append([sight])
        self._arrives(sight)

    @precondition(lambda self: self.told)
    @rule(number=st.integers(0, 9), change=changes, at_once=st.sampled_from([True, True, False]))
    def goes_on(self, number: int, change: str, at_once: bool) -> None:
        sights = self.told[-1 - number % len(self.told)]
        last = sights[-1]
        if change not in POSSIBLE["delivered" if last.delivered else last.state]:
            return
        first, second = last.values
        cheaper = (first * 9 // 10, second)
        news: dict[str, dict[str, Any]] = {
            "pay": {"state": "paid", "paid": self.now},
            "invoice": {"state": "invoiced", "invoiced": self.now},
            "deliver": {"delivered": self.now},
            "return": {"returned": (first // 3, second)},
            "return all": {"returned": last.values},
            "undo": {"returned": (0, 0)},
            "change": {"values": cheaper, "by_credit": min(last.by_credit, sum(cheaper))},
            "cancel": {"state": "canceled"},
            "undated": {"state": "canceled", "paid": None},
            "dated anew": {"paid": last.paid and last.paid - 15 * DAY},
        }
        sight = replace(last, changed=max(self.now, last.changed + SECOND), **news[change])
        sights.append(sight)
        if at_once:
            self._arrives(sight)
        else:
            self.mail.append(sight)

    @precondition(lambda self: self.told)
    @rule(back=st.integers(0, 30), again=st.booleans())
    def arrives(self, back: int, again: bool) -> None:
        """What was under way, out of turn; or what has arrived before, once more."""
        if self.mail and not again:
            self._arrives(self.mail.pop(-1 - back % len(self.mail)))
        else:
            sights = [sight for each in self.told for sight in each if sight not in self.mail]
            self._arrives(sights[-1 - back % len(sights)])

    def _arrives(self, sight: Sight) -> None:
        self.model.take(sight, self.now)
        self.books.take(sight)

    # --- Who they are, and what a point is worth ---

    @rule(who=people, into=people)
    def merge(self, who: str, into: str) -> None:
        if who == into:
            return
        self.requests += 1
        request_id = f"merge {self.requests}"
        self.model.seen["earned of both"] += all(map(self.model.orders_of, (who, into)))
        expected = self.model.merge(who, into, request_id, self.now)

        assert self.books.merge(who, into, request_id) == expected
        self._tick()

    @precondition(lambda self: self.model.ledger.merges)
    @rule(back=st.integers(0, 1))
    def part(self, back: int) -> None:
        """A merge is undone."""
        merges = self.model.ledger.merges
        made = merges[-1 - back % len(merges)]
        self.requests += 1
        request_id = f"part {self.requests}"
        expected = self.model.unmerge(made, request_id, self.now)

        assert self.books.unmerge(made.number, request_id) == expected
        self._tick()

    @rule(after=point_values, keeps_points=st.booleans(), at_once=st.booleans())
    def point_value(self, after: int, keeps_points: bool, at_once: bool) -> None:
        """The cards are adjusted at once or, between other things, by and by."""
        self._work()
        # Nothing else happens at the very instant of the change.
        self._move_to(self.now + SECOND)
        before = self.model.worth(self.now)
        if before == after:
            return
        self.model.change_points(after, keeps_points=keeps_points, now=self.now)
        self.books.change_points(before, after, keeps_points=keeps_points)
        # What went to other wallets cannot be taken back while some are adjusted and others not.
        if at_once or any(lot.came_from for lot in self.model.ledger.lots):
            self._work()

    def _work(self) -> None:
        self.model.adjust_all(self.now)
        self.books.adjust_all()

    # --- The clock ---

    @rule(by=st.sampled_from(["hours", "days", "weeks", "usable", "expiry", "review"]))
    def wait(self, by: str) -> None:
        spans = {"hours": 10 * HOUR, "days": 2 * DAY, "weeks": 11 * DAY, "review": DAY}
        lots = [lot for card in self.model.ledger.cards for lot in card.lots]
        instants = [lot.valid_from if by == "usable" else lot.expires_at for lot in lots]
        coming = [each for each in instants if each and each > self.now]
        self._work()
        self._move_to(self.now + spans[by] if by in spans else max(coming, default=self.now))
        self._tick()
        if by == "review":
            self.model.review(self.now)
            self.books.review()

    def _move_to(self, instant: datetime.datetime) -> None:
        self.now = instant
        self.coordinates.move_to(instant)

    def _tick(self) -> None:
        """What the worker does by the minute."""
        self.model.tick(self.now)
        self.books.tick()

    @precondition(lambda self: self.house.tiers)
    @rule(who=who_buys, name=st.sampled_from(["Gold", "Silver", ""]), days=st.sampled_from([3, 20]))
    def give_tier(self, who: str, name: str, days: int) -> None:
        until = self.now + days * DAY if name else None
        who = self.model.ledger.person(who)
        self.gifts += 1
        self.model.give_tier(who, name, until, self.now)
        self.books.give_tier(who, name, until, self.gifts)
        self._tick()

    # --- The wallet ---

    @precondition(lambda self: self.model.ledger.cards)
    @rule(
        who=who_buys,
        verb=st.sampled_from(["spend", "spend", "hold", "free", "expire", "courtesy", "reward"]),
        part=st.sampled_from(["all", "half"]),
    )
    def wallet(self, who: str, verb: str, part: str) -> None:
        self._of(who, verb, part)

    def _of(self, who: str, verb: str, part: str) -> None:
        who = self.model.ledger.person(who)
        card = self.model.ledger.wallet_of(who)
        if verb == "free":
            self._free(who)
        elif card is not None:
            self._wallet(card, verb, part)

    def _wallet(self, card: int, verb: str, part: str) -> None:
        is_active = self.model.ledger.cards[card].status == "active"
        if verb in {"block", "unblock", "expire"}:
            self._call(Call(verb, card))
        elif is_active and verb in {"spend", "hold"}:
            self._spend(card, part, settled=verb == "spend")
        elif is_active:
            self._credit(card, verb)

    def _spend(self, card: int, part: str, *, settled: bool) -> None:
        usable = sum(lot.remaining for lot in self.model.ledger.cards[card].usable(self.now))
        if units := usable // (2 if part == "half" else 1):
            self._call(Call("authorize", card, units))
            if settled:
                debit = len(self.model.ledger.transactions) - 1
                self._call(Call("settle", card, max(units * 3 // 4, 1), transaction=debit))

    def _free(self, who: str) -> None:
        """The last purchase is canceled, held or settled, on whichever card it was."""
        debits = [
            (number, each)
            for number, each in enumerate(self.model.ledger.transactions)
            if each.kind == "debit" and self.model.ledger.cards[each.card].owner == who
        ]
        for number, debit in debits[-1:]:
            if debit.left:
                self._call(Call("cancel", debit.card, debit.left, transaction=number))

    def _credit(self, card: int, verb: str) -> None:
        """Other credit in the same wallet: a courtesy, or the store's own reward for an order."""
        order = self.told[-1][0]
        if verb == "reward" and order.number not in self.model.rewarded:
            self.model.rewarded.add(order.number)
            self._call(Call("reward", card, 300, order.order_id, funding="promotional"))
            self._arrives(order)  # it counts from the order's next change on
        else:
            self._call(Call("credit", card, 700, funding="promotional"))

    @rule(who=who_buys, values=amounts, channel=channels, steps=st.sampled_from(LIVES))
    def life_of_an_order(
        self, who: str, values: tuple[int, int], channel: str, steps: Steps
    ) -> None:
        self.order(who, values, 0, channel)
        number = len(self.told) - 1
        for verb, part in steps:
            back = len(self.told) - 1 - number
            if verb in {"do", "mail"}:
                self.goes_on(back, part, verb == "do")
            elif verb == "wait":
                self.wait(part)
            elif verb == "arrive":
                self.arrives(0 if part == "last" else 1, again=False)
            else:
                self._lives_on(who, verb, part)

    def _lives_on(self, who: str, verb: str, part: str) -> None:
        other = "bia" if who != "bia" else "ana"
        if verb == "other":
            self.order(other, (100_00, 0), 0, "1", state="invoiced")
        elif verb == "more":
            self.order(who, (100_00, 0), 0, "1", state="invoiced")
        elif verb == "merge":
            self.merge(who, other)
        elif verb == "part" and self.model.ledger.merges:
            self.part(0)
        elif verb in {"worth", "money"}:
            self.point_value(int(part), verb == "worth", at_once=False)
        else:
            self._of(who, verb, part)

    def _call(self, call: Call) -> None:
        if not call.request_id:
            self.requests += 1
            call = replace(call, request_id=f"request {self.requests}")
        verb = "credit" if call.verb == "reward" else call.verb
        expected = self.model.ledger.call(replace(call, verb=verb), self.now)
        answer = self.books.call(call)
        assert (answer.outcome, answer.applied) == (expected.outcome, expected.applied), call

    @invariant()
    def it_is_as_in_the_model(self) -> None:
        type(self).steps += 1
        model, books = self.model, self.books
        assert books.verdicts() == model.verdicts
        assert books.earnings() == {
            key: (each.due, each.credited, each.taken, each.forgiven)
            for key, each in model.earnings.items()
            if each.due or each.credited
        }
        assert books.used == model.used
        assert self._sure(books.standing()) == self._sure(model.standing)
        assert books.wallets() == [
            model.ledger.state(number, self.now) for number in range(len(model.ledger.cards))
        ]

    def _sure(self, standing: dict[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
        return {who: tier for who, tier in standing.items() if who not in self.model.unsure}


def run(*, examples: int, steps: int, derandomize: bool) -> tuple[set[str], int]:
    """Run the machine in each program: what it never saw, and the steps that it took."""
    seen: Counter[str] = Counter()
    taken = 0
    for house in HOUSES:
        machine: type[EarningMachine] = type(
            "Run", (EarningMachine,), {"house": house, "seen": seen, "steps": 0}
        )
        machine.play_all()
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                derandomize=derandomize,
                database=None,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
        taken += machine.steps
    return REACHED - set(+seen), taken


@pytest.mark.django_db
def test_a_few_hundred_changes_in_any_order() -> None:
    missed, steps = run(examples=10, steps=14, derandomize=True)

    assert missed == set()
    assert steps > 300


@pytest.mark.long
@pytest.mark.django_db
def test_ten_thousand_changes_in_any_order() -> None:
    missed, steps = run(examples=80, steps=50, derandomize=False)

    assert missed == set()
    assert steps > 10_000
