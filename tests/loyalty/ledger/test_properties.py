"""Any sequence of calls: the ledger answers as the model does, holds the same, and keeps its books.

Cards with several grants of different dates and funding, request ids from a small pool, repeated
calls (the same, or with another amount) and a clock that goes forward. After each call all
invariants are checked. A run that never got to one of the `REACHED` outcomes fails: a generator
that is too narrow proves nothing.
"""

import datetime
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

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

from loyalty import ledger
from loyalty.exceptions import Decline, LedgerError
from loyalty.ledger.invariants import violations
from loyalty.models import Operation, Transaction
from tests.loyalty.ledger.books import ACTOR, Books
from tests.loyalty.ledger.cards import LIMIT, Call, Card
from tests.loyalty.ledger.lives import ADJUSTMENTS, CREDITS, PURCHASES, TWO_WHO_ARE_ONE, Steps
from tests.loyalty.ledger.model import Model

START = datetime.datetime(2026, 3, 10, 15, tzinfo=datetime.UTC)
HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)

POINT_VALUES = {"worth less": (25, 10), "worth more": (2, 3)}
REACHED = {
    "points worth more",
    "points worth less",
    "ok",
    "declined",
    "refused",
    "replay",
    "replayed decline",
    "conflict",
    "lot-spanning debit",
    "exceeds_hold",
    "exceeds_transaction",
    "split cancel",
    "full-after-partial cancel",
    "expired-grant restore",
    "credit taken back from another grant",
    "credit_spent",
    "expiry booked",
    "invalid_dates",
    "renewal",
    "extension",
    "revival",
    "another owner",
    "unknown_customer",
    "reversal up",
    "reversal down",
    "reversal from another grant",
    "reversal too late",
    "late reversal",
    "already_reversed",
    "not_reversible",
    "below_zero",
    "money_held",
    *("merged", "merged again", "same_customer", "already_merged", "unknown_customer"),
    *("credit went to another wallet", "a wallet beside the other", "an ended wallet goes on"),
    *("wallet_blocked", "wallet_exists", "credit comes home to be taken back"),
    *("parted", "credit came back from another wallet", "merge_touched", "not_merged"),
    *("parted again", "merged on and parted"),
}
DECLINED = {decline.code for decline in Decline.__subclasses__()} - {"wrong_currency"}
RECALLED = {"authorize", "credit", "settle", "cancel"}
POOL = [f"request {number}" for number in range(6)]
NEW_ID = len(POOL)

who = st.sampled_from(["owner", "friend", "guest"])
card_number = st.sampled_from([0, 0, 0, 1, 2, 3])  # the wallet is where most happens
share = st.sampled_from(["all", "all", "half", "one", "whole", "too much"])
next_verb = st.sampled_from(["settle", "cancel", "authorize", "expire", "wait", "close"])
any_steps = st.lists(st.tuples(next_verb, share), min_size=1, max_size=4)
validity = st.sampled_from([None, 1, 1, 3, 40])


class LedgerMachine(RuleBasedStateMachine):
    """One example: one database transaction that is rolled back in the end, and a clock."""

    seen: Counter[str] = Counter()  # of all examples
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.clock = time_machine.travel(START, tick=False)
        self.coordinates = self.clock.start()
        # As Django's own TestCase does: the verbs' durable transactions are savepoints in it.
        self.transaction: Atomic = atomic()
        self.transaction._from_testcase = True  # type: ignore[attr-defined]
        self.transaction.__enter__()
        self.model = Model()
        self.history: list[Call] = []
        self.fresh = 0

    def teardown(self) -> None:
        self.seen.update(self.model.seen)
        try:
            connection.check_constraints()
        finally:
            set_rollback(True)
            self.transaction.__exit__(None, None, None)
            self.clock.stop()

    @classmethod
    def play(cls, life: str, *told: object, ends: bool = False, other: str = "like it") -> None:
        """One life in a store of its own, and nothing beside it."""
        machine = cls()
        try:
            machine.a_store_with_wallets(30, ends, other)
            getattr(machine, life)(*told)
            machine.the_books_are_right_and_as_in_the_model()
        finally:
            machine.teardown()

    @classmethod
    def play_all(cls) -> None:
        """Each life once: what chance alone would come to seldom, and not in every run."""
        for steps in PURCHASES:
            cls.play("life_of_a_purchase", 0, "all", steps, ends=True)
        for steps in CREDITS:
            cls.play("life_of_a_credit", 0, steps)
        cls.play("declined_twice", 0)
        for steps in TWO_WHO_ARE_ONE:
            cls.play("life_of_two_who_are_one", ("friend", "owner"), steps)
            cls.play("life_of_two_who_are_one", ("owner", "friend"), steps, ends=True)
        merged = TWO_WHO_ARE_ONE[0]
        pair = ("friend", "owner")
        cls.play("life_of_two_who_are_one", pair, merged, other="of another program")

    @initialize(
        grace=st.sampled_from([30, 30, 1, 0]),
        ends=st.booleans(),
        other=st.sampled_from(["like it", "like it", "of another program", ""]),
    )
    def a_store_with_wallets(self, grace: int, ends: bool, other: str) -> None:
        self.model = Model(grace_days=grace)
        self.books = Books(grace_days=grace)
        terms: dict[str, Any] = {"wallet": True, "validity_days": 90}
        if ends:
            terms |= {"validity_days": 40, "funding": "promotional"}
        self._issue(Card(START, START + 365 * DAY if ends else None, **terms), 500)
        if other:
            end = START + 30 * DAY if ends else None
            program = None if other == "like it" else other
            self._issue(Card(START, end, owner="friend", program=program, **terms), 0)

    @precondition(lambda self: len(self.model.cards) < 4)
    @rule(
        amount=st.sampled_from([0, 300]),
        start=st.sampled_from([0, 0, 0, 2]),
        days=validity,
        flags=st.sampled_from(["reloadable", "single use", "single use", "restricted", ""]),
    )
    def issue(self, amount: int, start: int, days: int | None, flags: str) -> None:
        valid_from = self.now + start * DAY
        card = Card(
            valid_from,
            expires_at=None if days is None else valid_from + days * DAY,
            reloadable=flags == "reloadable",
            reusable=flags != "single use",
            restricted=flags == "restricted",
            owner=self.model.person("owner"),
        )
        self._issue(card, amount)

    @rule(
        card=card_number,
        amount=st.sampled_from([40, 100, 250]),
        request=st.integers(0, 11),
        funding=st.sampled_from(["paid", "promotional"]),
        start=st.sampled_from([None, None, 1]),
        days=validity,
    )
    def credit(
        self,
        card: int,
        amount: int,
        request: int,
        funding: str,
        start: int | None,
        days: int | None,
    ) -> None:
        self._call(
            Call(
                "credit",
                self._card(card),
                amount,
                self._request_id(request),
                funding=funding,
                valid_from=None if start is None else self.now + start * DAY,
                expires_at=None if days is None else self.now + days * DAY,
            )
        )

    @rule(
        card=card_number,
        part=st.sampled_from(["all", "half", "one", "whole", "whole", "too much"]),
        request=st.integers(0, 11),
        token=st.sampled_from(["", "", "right", "right", "wrong"]),
        buyer=st.sampled_from(["", "owner", "friend", "stranger"]),
    )
    def authorize(self, card: int, part: str, request: int, token: str, buyer: str) -> None:
        number = self._card(card)
        lots = [lot.remaining for lot in self.model.cards[number].usable(self.now)]
        amount = self._amount(part, sum(lots), whole=lots[0] + 1 if lots else 10)
        request_id = self._request_id(request)
        self._call(Call("authorize", number, amount, request_id, token=token, buyer=buyer))

    @precondition(lambda self: self.model.transactions)
    @rule(number=st.integers(0, 11), part=share, request=st.integers(0, 11))
    def settle(self, number: int, part: str, request: int) -> None:
        transaction, call = self._step("settle", number, request)
        self._call(replace(call, amount=self._amount(part, transaction.held, transaction.amount)))

    @precondition(lambda self: self.model.transactions)
    @rule(number=st.integers(0, 11), part=share, request=st.integers(0, 11))
    def cancel(self, number: int, part: str, request: int) -> None:
        transaction, call = self._step("cancel", number, request)
        self._call(replace(call, amount=self._amount(part, transaction.left, transaction.amount)))

    @rule(
        card=card_number,
        part=st.sampled_from(["all", "half", "whole", "whole"]),
        steps=st.one_of(st.sampled_from(PURCHASES), any_steps),
    )
    def life_of_a_purchase(self, card: int, part: str, steps: Steps) -> None:
        self.credit(card, 100, NEW_ID, "promotional", None, 2)
        self.authorize(card, part, NEW_ID, "right", "owner")
        if self.model.transactions:
            self._live_on(steps)

    @rule(
        card=card_number,
        steps=st.one_of(st.sampled_from(CREDITS), any_steps),
    )
    def life_of_a_credit(self, card: int, steps: Steps) -> None:
        self.credit(card, 100, NEW_ID, "paid", None, None)
        if self.model.transactions:
            self._live_on(steps)

    @rule(
        card=card_number,
        change=st.sampled_from([60, 60, -60]),
        steps=st.sampled_from(ADJUSTMENTS),
    )
    def life_of_an_adjustment(self, card: int, change: int, steps: Steps) -> None:
        self.credit(card, 100, NEW_ID, "promotional", None, 2)
        self.adjust(card, change, NEW_ID, 3)
        if self.model.adjustments:
            self._live_on(steps)

    def declined_twice(self, card: int) -> None:
        self.authorize(card, "too much", NEW_ID, "", "")
        self.repeat(0, 0)

    def _live_on(self, steps: Steps) -> None:
        for verb, part in steps:
            if verb in {"settle", "cancel"}:
                step = self.settle if verb == "settle" else self.cancel
                step(len(self.model.transactions) - 1, part, NEW_ID)
            elif verb == "wait":
                self.wait("last instant")
            elif verb == "reverse":
                self.reverse(max(self.model.adjustments), NEW_ID)
            else:
                self._go_on(verb, part, self.history[-1].card)

    def _go_on(self, verb: str, part: str, card: int) -> None:
        if verb == "expire":
            self.expire(card)
        elif verb == "extend":
            self.extend(card, part, 5, NEW_ID)
        elif verb == "close":
            self.change_state(card, "close", NEW_ID)
        else:
            self.authorize(card, part, NEW_ID, "", "")

    @rule(by=st.sampled_from([HOUR, 10 * HOUR, DAY, 2 * DAY, 20 * DAY, "last instant"]))
    def wait(self, by: datetime.timedelta | str) -> None:
        if isinstance(by, datetime.timedelta):
            self.now += by
        else:
            ends = [lot.expires_at for card in self.model.cards for lot in card.lots]
            self.now = min((end for end in ends if end and end > self.now), default=self.now)
        self.coordinates.move_to(self.now)

    def _wait_until(self, instant: datetime.datetime | None) -> None:
        self.now = max(self.now, instant or self.now)
        self.coordinates.move_to(self.now)

    @rule(card=card_number)
    def expire(self, card: int) -> None:
        self._call(Call("expire", self._card(card)))

    @rule(
        card=card_number,
        change=st.sampled_from([30, -30, -200, -5000, LIMIT]),
        request=st.integers(0, 11),
        days=validity,
    )
    def adjust(self, card: int, change: int, request: int, days: int | None) -> None:
        expires_at = None if days is None else self.now + days * DAY
        request_id = self._request_id(request)
        self._call(Call("adjust", self._card(card), change, request_id, expires_at=expires_at))

    @rule(
        card=card_number,
        verb=st.sampled_from(["block", "unblock", "unblock", *POINT_VALUES, "close"]),
        request=st.integers(0, 11),
    )
    def change_state(self, card: int, verb: str, request: int) -> None:
        number = self._card(card)
        if verb == "close" and number == 0 and not self.model.cards[0].totals["held"]:
            verb = "block"  # a closed wallet has no future
        request_id = self._request_id(request)
        if values := POINT_VALUES.get(verb):
            self._call(Call("revalue", number, request_id=request_id, values=values))
        else:
            self._call(Call(verb, number, request_id=request_id))

    @rule(
        card=card_number,
        days=st.sampled_from([None, 2, 30, -1]),
        request=st.integers(0, 11),
    )
    def renew(self, card: int, days: int | None, request: int) -> None:
        expires_at = None if days is None else self.now + days * DAY
        request_id = self._request_id(request)
        self._call(Call("renew", self._card(card), 0, request_id, expires_at=expires_at))

    @rule(
        card=card_number,
        which=st.sampled_from(["ended", "ended", "ending", "ending", "all", "unknown", "none"]),
        days=st.sampled_from([None, 5, 60, 60, 0]),
        request=st.integers(0, 11),
    )
    def extend(self, card: int, which: str, days: int | None, request: int) -> None:
        number = self._card(card)
        lots = list(enumerate(self.model.cards[number].lots))
        named = {
            "ended": [n for n, lot in lots if lot.is_expired(self.now)],
            "ending": [n for n, lot in lots if lot.expires_at],
            "all": [n for n, _ in lots],
            "unknown": [n for n, _ in [*lots, *lots]] + [len(lots)],
        }.get(which, [])
        end = None if days is None else self.now + days * DAY
        request_id = self._request_id(request)
        self._call(Call("extend", number, 0, request_id, expires_at=end, lots=tuple(named)))

    @rule(
        card=card_number,
        owner=st.sampled_from(["owner", "friend", "", "stranger"]),
        request=st.integers(0, 11),
    )
    def change_owner(self, card: int, owner: str, request: int) -> None:
        request_id = self._request_id(request)
        self._call(Call("change_owner", self._card(card), 0, request_id, buyer=owner))

    @rule(
        customer=who,
        into=st.sampled_from(["owner", "friend", "guest", "stranger"]),
        again=st.sampled_from([False, False, True]),
    )
    def merge(self, customer: str, into: str, again: bool) -> None:
        """The same two again by the same request; or two by the request of others."""
        if again and self.model.merges:
            last = self.model.merges[-1]
            request_id = last.request_id
            if into == last.into:
                customer = last.who
        else:
            request_id = self._request_id(NEW_ID)
        expected = self.model.merge(customer, into, request_id, self.now)

        assert self.books.merge(customer, into, request_id) == expected

    @precondition(lambda self: self.model.merges)
    @rule(back=st.integers(0, 3), request=st.sampled_from(["own", "own", "new", "of another"]))
    def unmerge(self, back: int, request: str) -> None:
        made = self.model.merges[-1 - back % len(self.model.merges)]
        number = {"own": made.number, "of another": made.number + 1}.get(request)
        request_id = self._request_id(NEW_ID) if number is None else f"part {number}"
        expected = self.model.unmerge(made, request_id)

        assert self.books.unmerge(made.number, request_id) == expected

    @rule(
        pair=st.sampled_from([("friend", "owner"), ("friend", "owner"), ("owner", "friend")]),
        steps=st.sampled_from(TWO_WHO_ARE_ONE),
    )
    def life_of_two_who_are_one(self, pair: tuple[str, str], steps: Steps) -> None:
        ours, theirs = (self.model.wallet_of(name) for name in pair)
        if ours is None or theirs is None:
            if self.model.merges:
                self.unmerge(0, "new")
            return
        self.credit(ours, 100, NEW_ID, "promotional", None, 9)
        credit, merged = len(self.model.transactions) - 1, len(self.model.merges)
        for verb, part in steps:
            if verb == "merge":
                self.merge(*pair, again=part == "again")
            elif verb == "merge on":
                self.merge(pair[1], "guest", again=False)
                self.model.seen["merged on and parted"] += len(self.model.merges) > merged + 1
            elif verb == "unmerge" and len(self.model.merges) > merged:
                self.unmerge(len(self.model.merges) - 1 - merged, part or "new")
            elif verb == "part" and self.model.merges:
                self.unmerge(0, "new")
            else:
                self._pair_goes_on(verb, part, ours, theirs, credit)

    def _pair_goes_on(self, verb: str, part: str, ours: int, theirs: int, credit: int) -> None:
        last, end = len(self.model.transactions) - 1, self.model.cards[theirs].expires_at
        steps: dict[str, Callable[[], None]] = {
            "cancel": lambda: self.cancel(credit, part, NEW_ID),
            "spend": lambda: self.authorize(theirs, part, NEW_ID, "", ""),
            "pay": lambda: self.authorize(ours, "all", NEW_ID, "", ""),
            "give back": lambda: self.cancel(last, "all", NEW_ID),
            "credit": lambda: self.credit(ours, 100, NEW_ID, "paid", None, None),
            "give": lambda: self.change_owner(ours, self.model.cards[theirs].owner, NEW_ID),
            "block": lambda: self.change_state(ours, "block", NEW_ID),
            "unblock": lambda: self.change_state(ours, "unblock", NEW_ID),
            "worth less": lambda: self.change_state(theirs, "worth less", NEW_ID),
            "worth more": lambda: self.change_state(theirs, "worth more", NEW_ID),
            "expire": lambda: self.expire(theirs),
            "end": lambda: self._wait_until(end),
            "wait": lambda: self.wait("last instant"),
        }
        if verb in steps and last >= 0:
            steps[verb]()

    @precondition(lambda self: self.model.operations)
    @rule(number=st.integers(0, 30), request=st.integers(0, 11))
    def reverse(self, number: int, request: int) -> None:
        number %= len(self.model.operations)
        card = self.model.operations[number]
        self._call(Call("reverse", card, 0, self._request_id(request), operation=number))

    @precondition(lambda self: self.history)
    @rule(back=st.integers(0, 30), change=st.sampled_from([0, 0, 0, 1, "other way"]))
    def repeat(self, back: int, change: int | str) -> None:
        """The same request again, or the same id with another meaning."""
        call = self.history[-1 - back % len(self.history)]
        if change == "other way" and call.verb == "adjust":
            call = replace(call, amount=-call.amount)
        elif change == "other way" and call.verb in {"authorize", "credit"}:
            call = replace(call, verb={"authorize": "credit", "credit": "authorize"}[call.verb])
        elif change == 1 and call.verb in {"authorize", "credit", "settle", "cancel"}:
            call = replace(call, amount=call.amount + 1)
        self._call(call)

    @precondition(lambda self: self.model.transactions and len(self.model.cards) > 1)
    @rule(number=st.integers(0, 11))
    def step_through_another_card(self, number: int) -> None:
        transaction = self.books.transactions[number % len(self.books.transactions)]
        other = next(card for card in self.books.cards if card.pk != transaction.card_id)
        stolen = Transaction(
            pk=transaction.pk, card_id=other.pk, kind=transaction.kind, amount=transaction.amount
        )
        verb = "settle" if transaction.kind == "debit" else "cancel"
        step: Callable[..., Operation] = getattr(ledger, verb)

        with pytest.raises(LedgerError, match="There is no such"):
            step(stolen, amount=1, request_id="stolen", actor=ACTOR)
        with pytest.raises(LedgerError, match="There is no such transaction"):
            ledger.recall_step(
                self.books.store.pk,
                other.public_id,
                transaction.public_id,
                kind=verb,
                request_id="stolen",
            )

    @invariant()
    def the_books_are_right_and_as_in_the_model(self) -> None:
        type(self).steps += 1
        assert violations([card.pk for card in self.books.cards]) == []
        for number in range(len(self.model.cards)):
            assert self.books.state(number) == self.model.state(number, self.now)

    def _issue(self, card: Card, amount: int) -> None:
        self.model.issue(card, amount)
        self.books.issue(card, amount)

    def _call(self, call: Call) -> None:
        known = self.model.knows(call)
        expected = self.model.call(call, self.now)

        recalled = self.books.recalled(call)
        answer = self.books.call(call)
        recalled_after = self.books.recalled(call)

        assert answer == expected, call
        if call.verb in RECALLED:
            # What is recorded is known without the lock too: now, and before a repeated call.
            assert recalled == (answer if known else None), call
            assert recalled_after == (answer if self.model.knows(call) else None), call
        self.history.append(call)

    def _card(self, number: int) -> int:
        return number % len(self.model.cards)

    def _request_id(self, number: int) -> str:
        """An id of the pool, or a new one: a pool alone would soon be used up."""
        if number < len(POOL):
            return POOL[number]
        self.fresh += 1
        return f"fresh {self.fresh}"

    def _step(self, verb: str, number: int, request: int) -> tuple[Any, Call]:
        number %= len(self.model.transactions)
        transaction = self.model.transactions[number]
        request_id = self._request_id(request)
        return transaction, Call(verb, transaction.card, 0, request_id, transaction=number)

    @staticmethod
    def _amount(part: str, left: int, whole: int) -> int:
        amounts = {"all": left, "half": left // 2, "one": 1, "whole": whole, "too much": left + 1}
        return max(1, amounts[part])


def run(*, examples: int, length: int, derandomize: bool) -> type[LedgerMachine]:
    """Run the machine; what it saw is in the class that comes back."""
    machine: type[LedgerMachine] = type("Run", (LedgerMachine,), {"seen": Counter(), "steps": 0})
    machine.play_all()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=length,
            derandomize=derandomize,
            database=None,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return machine


@pytest.mark.django_db
def test_a_few_hundred_calls_in_any_order() -> None:
    machine = run(examples=40, length=25, derandomize=True)

    missed = REACHED - set(+machine.seen)
    assert machine.steps > 400
    assert missed == set(), machine.seen


@pytest.mark.long
@pytest.mark.django_db
def test_ten_thousand_calls_in_any_order() -> None:
    machine = run(examples=250, length=50, derandomize=False)

    missed = (REACHED | DECLINED) - set(+machine.seen)
    assert machine.steps > 10_000
    assert missed == set(), machine.seen
