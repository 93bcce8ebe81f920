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
from tests.loyalty.earning.houses import DAY, HOUSES, START, House
from tests.loyalty.earning.model import Model, Sight
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
}

Steps: TypeAlias = tuple[tuple[str, str], ...]

who_buys = st.sampled_from(["ana", "ana", "ana", "bia"])
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
    (("do", "invoice"), ("do", "return"), ("do", "undo"), ("do", "cancel")),
    (
        ("do", "invoice"),
        ("wait", "usable"),
        ("spend", "half"),
        ("do", "return all"),
        ("do", "undo"),
    ),
    (("do", "invoice"), ("do", "deliver"), ("wait", "usable"), ("do", "return")),
    (("do", "invoice"), ("wait", "usable"), ("wait", "expiry"), ("expire", ""), ("do", "cancel")),
    (("do", "invoice"), ("wait", "usable"), ("wait", "expiry"), ("do", "cancel")),
    (("do", "invoice"), ("wait", "usable"), ("hold", "all"), ("wait", "expiry"), ("free", "all")),
    (
        *(("do", "invoice"), ("do", "deliver"), ("block", ""), ("do", "return"), ("do", "undo")),
        *(("wait", "days"), ("unblock", ""), ("wait", "days")),
    ),
    (("wait", "weeks"), ("do", "change"), ("wait", "weeks"), ("wait", "review")),
    (("mail", "invoice"), ("mail", "return"), ("arrive", "last"), ("arrive", "first")),
    (("do", "dated anew"), ("do", "invoice"), ("do", "undated")),
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

    # --- The clock ---

    @rule(by=st.sampled_from(["hours", "days", "weeks", "usable", "expiry", "review"]))
    def wait(self, by: str) -> None:
        spans = {"hours": 10 * HOUR, "days": 2 * DAY, "weeks": 11 * DAY, "review": DAY}
        lots = [lot for card in self.model.ledger.cards for lot in card.lots]
        instants = [lot.valid_from if by == "usable" else lot.expires_at for lot in lots]
        coming = [each for each in instants if each and each > self.now]
        self.now = self.now + spans[by] if by in spans else max(coming, default=self.now)
        self.coordinates.move_to(self.now)
        self._tick()
        if by == "review":
            self.model.review(self.now)
            self.books.review()

    def _tick(self) -> None:
        """What the worker does by the minute."""
        self.model.tick(self.now)
        self.books.tick()

    @precondition(lambda self: self.house.tiers)
    @rule(who=who_buys, name=st.sampled_from(["Gold", "Silver", ""]), days=st.sampled_from([3, 20]))
    def give_tier(self, who: str, name: str, days: int) -> None:
        until = self.now + days * DAY if name else None
        self.gifts += 1
        self.model.give_tier(who, name, until, self.now)
        self.books.give_tier(who, name, until, self.gifts)
        self._tick()

    # --- The wallet ---

    @precondition(lambda self: self.model.wallets)
    @rule(
        who=who_buys,
        verb=st.sampled_from(["spend", "spend", "hold", "free", "expire", "courtesy", "reward"]),
        part=st.sampled_from(["all", "half"]),
    )
    def wallet(self, who: str, verb: str, part: str) -> None:
        if who in self.model.wallets:
            self._wallet(self.model.wallets[who], verb, part)

    def _wallet(self, card: int, verb: str, part: str) -> None:
        is_active = self.model.ledger.cards[card].status == "active"
        if verb in {"block", "unblock", "expire"}:
            self._call(Call(verb, card))
        elif verb == "free":
            self._free(card)
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

    def _free(self, card: int) -> None:
        """The last purchase is canceled, held or settled."""
        debits = [
            (number, each)
            for number, each in enumerate(self.model.ledger.transactions)
            if each.kind == "debit" and each.card == card and each.left
        ]
        for number, debit in debits[-1:]:
            self._call(Call("cancel", card, debit.left, transaction=number))

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
        for verb, part in steps:
            if verb in {"do", "mail"}:
                self.goes_on(0, part, verb == "do")
            elif verb == "wait":
                self.wait(part)
            elif verb == "arrive":
                self.arrives(0 if part == "last" else 1, again=False)
            elif who in self.model.wallets:
                self._wallet(self.model.wallets[who], verb, part)

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
        assert books.standing() == model.standing
        assert books.wallets() == [
            model.ledger.state(number, self.now) for number in range(len(model.ledger.cards))
        ]


def run(*, examples: int, steps: int, derandomize: bool) -> tuple[set[str], int]:
    """Run the machine in each program: what it never saw, and the steps that it took."""
    seen: Counter[str] = Counter()
    taken = 0
    for house in HOUSES:
        machine: type[EarningMachine] = type(
            "Run", (EarningMachine,), {"house": house, "seen": seen, "steps": 0}
        )
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
