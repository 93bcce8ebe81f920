"""Real races on PostgreSQL: one card, many connections, all at once.

First that these races happen at all: without the lock they break something. Then that with it each
ends as if the calls had come one after the other, in the order in which they are recorded.
"""

import datetime
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.db.transaction import atomic
from django.test.utils import CaptureQueriesContext

from loyalty import ledger
from loyalty.exceptions import (
    AlreadyReversed,
    BatchNumberTaken,
    BelowZero,
    CardBlocked,
    CardClosed,
    CardExpired,
    CreditSpent,
    ExceedsHold,
    ExceedsTransaction,
    InsufficientBalance,
    LedgerBusy,
    MoneyHeld,
    RequestConflict,
    WrongOwner,
)
from loyalty.ledger import position, posting
from loyalty.ledger.invariants import violations
from loyalty.models import (
    Balance,
    Batch,
    Customer,
    GiftCard,
    Operation,
    Outcome,
    Reason,
    Transaction,
)
from tests import builders
from tests.builders import ACTOR
from tests.loyalty.ledger.cards import Answer, Call, Card
from tests.loyalty.ledger.model import Model
from tests.loyalty.ledger.race import PATIENCE, done, errors, race

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("concurrency"),  # they load the machine; one worker is enough
]

LOCK = "FOR NO KEY UPDATE"
STATEMENTS = ("_BY_REQUEST", "_BY_DEBIT", "_BY_CREDIT")
DAY = datetime.timedelta(days=1)


@pytest.fixture(autouse=True)
def books_are_right_afterwards() -> Iterator[None]:
    """Whatever happened, in whatever order: every invariant holds."""
    yield
    assert violations() == []


@pytest.fixture
def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger without its lock."""
    for name in STATEMENTS:
        _lock, read = getattr(position, name).split(";")
        monkeypatch.setattr(position, name, read)


def authorize(card: GiftCard, amount: int, request_id: str) -> Callable[[], Transaction]:
    return partial(ledger.authorize, card.pk, amount=amount, request_id=request_id, actor=ACTOR)


def settle(debit: Transaction, amount: int, request_id: str) -> Callable[[], Operation]:
    return partial(ledger.settle, debit, amount=amount, request_id=request_id, actor=ACTOR)


def cancel(transaction: Transaction, amount: int, request_id: str) -> Callable[[], Operation]:
    return partial(ledger.cancel, transaction, amount=amount, request_id=request_id, actor=ACTOR)


def follows_the_model(card: GiftCard) -> bool:
    """The recorded operations, called one by one in their order, are answered as they were.

    The model starts with the card as it was issued; grants have the dates that they were given.
    """
    issued, *operations = card.operations.order_by("id")
    first = card.grants.order_by("id").first()
    model = Model(grace_days=card.store.refund_grace_days)
    model.issue(
        Card(card.valid_from, first.expires_at if first else None, reloadable=True), issued.applied
    )
    numbers: dict[int | None, int] = {}
    steps: dict[int | None, int] = {}
    for operation in operations:
        grant = operation.grants.first()
        is_down = operation.kind == "adjust" and not grant
        call = Call(
            operation.kind,
            0,
            -operation.amount if is_down else operation.amount,
            operation.request_id,
            transaction=numbers.get(operation.transaction_id, -1),
            funding=grant.funding if grant else "paid",
            expires_at=grant.expires_at if grant else None,
            operation=steps.get(operation.reverses_id, -1),
        )
        if operation.kind == "reverse":
            call = replace(call, amount=0)
        answer = model.call(call, operation.created_at)
        if operation.kind in {"authorize", "credit"} and operation.outcome == Outcome.OK:
            numbers[operation.transaction_id] = answer.number
        elif operation.outcome == Outcome.OK:
            steps[operation.pk] = answer.number
        recorded = Answer(
            operation.outcome, operation.decline_code, answer.number, operation.applied
        )
        assert answer == recorded, operation.kind
    buckets = model.state(0, card.created_at)["buckets"]
    assert buckets == builders.buckets(card)
    return True


def test_the_races_below_happen_for_without_the_lock_they_break_something(no_lock: None) -> None:
    """Whether the constraints refuse it or money is lost: one of a few attempts goes wrong."""
    for attempt in range(20):
        card = builders.make_card(balance=1000)
        debits = [authorize(card, 100, f"{attempt}-{number}") for number in range(20)]

        results = race(debits)

        unexpected = set(errors(results)) - {InsufficientBalance}
        if unexpected or len(done(results)) != 10 or violations([card.pk]):
            break
    else:
        pytest.fail("Without the lock nothing went wrong: these tests would prove nothing.")
    # And the database's own constraints are the second line: the books are right even so.
    assert unexpected


def test_without_the_lock_the_database_still_refuses_a_request_that_happened(
    no_lock: None,
) -> None:
    for attempt in range(20):
        card = builders.make_card(balance=1000)

        results = race([authorize(card, 100, f"same {attempt}")] * 8)

        assert len({transaction.pk for transaction in done(results)}) == 1
        assert builders.buckets(card)["held"] == 100
        if errors(results):
            break
    else:
        pytest.fail("Without the lock nothing went wrong: these tests would prove nothing.")


def test_debits_that_race_for_a_balance_get_what_it_covers_and_no_more() -> None:
    card = builders.make_card(balance=1000)

    results = race([authorize(card, 100, f"payment {number}") for number in range(50)])

    assert len(done(results)) == 10
    assert Counter(errors(results)) == {InsufficientBalance: 40}
    assert builders.buckets(card) == {"credited": 1000, "held": 1000}
    assert follows_the_model(card)


def test_one_request_sent_eight_times_at_once_happens_once() -> None:
    card = builders.make_card(balance=1000)

    results = race([authorize(card, 100, "payment")] * 8)

    assert errors(results) == []
    assert len({(debit.pk, debit.public_id) for debit in done(results)}) == 1
    assert card.operations.filter(kind="authorize").count() == 1
    assert builders.buckets(card) == {"credited": 1000, "available": 900, "held": 100}


@pytest.mark.parametrize("verb", [settle, cancel])
def test_one_step_sent_eight_times_at_once_happens_once(
    verb: Callable[[Transaction, int, str], Callable[[], Operation]],
) -> None:
    card = builders.make_card(balance=1000)
    debit = builders.make_hold(card, 500)

    results = race([verb(debit, 100, "step")] * 8)

    assert errors(results) == []
    assert len({operation.oid for operation in done(results)}) == 1
    assert builders.buckets(card)["held"] == 400


def test_one_request_id_with_two_amounts_means_what_came_first() -> None:
    card = builders.make_card(balance=1000)

    results = race([authorize(card, amount, "payment") for amount in (100, 200) * 4])

    [debit] = card.transactions.all()
    assert len(done(results)) == 4
    assert {found.pk for found in done(results)} == {debit.pk}
    assert Counter(errors(results)) == {RequestConflict: 4}
    assert builders.buckets(card)["held"] == debit.amount


def test_one_request_id_of_a_debit_and_a_credit_means_what_came_first() -> None:
    card = builders.make_wallet(balance=1000)
    credit = partial(builders.make_credit, card, 100, request_id="same")

    results = race([authorize(card, 100, "same"), credit] * 4)

    [transaction] = card.transactions.all()
    assert {found.pk for found in done(results)} == {transaction.pk}
    assert Counter(errors(results)) == {RequestConflict: 4}


def test_settled_and_canceled_twice_at_once_a_debit_stays_within_its_amount() -> None:
    """Which of them comes first is open; that each debit comes back once and whole is not."""
    card = builders.make_card(balance=2000)
    debits = [builders.make_hold(card, 100) for _ in range(20)]
    calls = chain.from_iterable(
        (settle(debit, 100, name), cancel(debit, 100, name))
        for debit in debits
        for name in ("one", "two")
    )

    results = race(list(calls))

    cancels = list(chain(results[1::4], results[3::4]))
    assert len(done(cancels)) == 20
    assert Counter(errors(cancels)) == {ExceedsTransaction: 20}
    assert set(errors(results)) <= {ExceedsHold, ExceedsTransaction}
    assert builders.buckets(card) == {"credited": 2000, "available": 2000}
    assert follows_the_model(card)


def test_expiry_debits_and_cancellations_at_once_lose_nothing() -> None:
    now = datetime.datetime(2026, 3, 10, 15, tzinfo=datetime.UTC)
    with time_machine.travel(now, tick=False) as clock:
        card = builders.make_wallet(balance=500)
        builders.make_credit(card, 300, expires_at=now + DAY)
        debits = [builders.make_hold(card, 50) for _ in range(4)]
        clock.shift(2 * DAY)
        expiries = [partial(ledger.expire, card.pk, actor="clock")] * 4

        results = race(
            [
                *expiries,
                *(cancel(debit, 50, "cancel") for debit in debits),
                *(authorize(card, 100, f"payment {number}") for number in range(8)),
            ]
        )

        bookings = [booking for booking in done(results[:4]) if booking]
        assert [booking.applied for booking in bookings] == [100]
        assert errors(results[4:8]) == []
        assert set(errors(results[8:])) <= {InsufficientBalance}
        amounts = builders.buckets(card)
        assert amounts["expired"] == 100
        assert amounts["held"] == 100 * len(done(results[8:]))
        assert follows_the_model(card)


def test_credit_is_taken_back_or_spent_but_not_both() -> None:
    for _ in range(8):
        card = builders.make_wallet()
        credit = builders.make_credit(card, 100)

        taken_back, spent = race([cancel(credit, 100, "cancel"), authorize(card, 100, "payment")])

        assert (type(taken_back), type(spent)) in {
            (Operation, InsufficientBalance),
            (CreditSpent, Transaction),
        }
        assert follows_the_model(card)


def test_no_debit_is_accepted_after_the_card_was_blocked() -> None:
    card = builders.make_card(balance=2000)
    block = partial(ledger.block, card.pk, request_id="block", actor=ACTOR)

    blocked, *debits = race(
        [block, *(authorize(card, 100, f"payment {number}") for number in range(16))]
    )

    assert isinstance(blocked, Operation)
    before = {operation.pk < blocked.pk for operation in accepted(card)}
    assert before <= {True}
    assert set(errors(debits)) <= {CardBlocked}
    assert follows_the_model(card)


def test_a_card_is_closed_or_a_purchase_holds_its_money() -> None:
    for _ in range(8):
        card = builders.make_card(balance=100)
        close = partial(ledger.close, card.pk, request_id="x", actor=ACTOR, reason=Reason.LOST)

        closed, held = race([close, authorize(card, 100, "payment")])

        assert (type(closed), type(held)) in {(Operation, CardClosed), (MoneyHeld, Transaction)}
        assert follows_the_model(card)


@pytest.mark.parametrize("change", [100, -100])
def test_an_adjustment_is_reversed_once_however_many_ask(change: int) -> None:
    for _ in range(4):
        card = builders.make_card(balance=500)
        adjustment = builders.make_adjustment(card, change)

        results = race([partial(builders.make_reversal, adjustment)] * 6)

        assert len(done(results)) == 1
        assert Counter(errors(results)) == {AlreadyReversed: 5}
        assert builders.buckets(card)["available"] == 500
        assert follows_the_model(card)


def test_one_request_of_staff_sent_eight_times_at_once_happens_once() -> None:
    now = datetime.datetime(2026, 3, 10, 15, tzinfo=datetime.UTC)
    with time_machine.travel(now, tick=False) as clock:
        card = builders.make_card(balance=500, expires_at=now + DAY)
        adjustment = builders.make_adjustment(card, -100)
        clock.shift(2 * DAY)
        ledger.expire(card.pk, actor="clock")
        calls: list[Callable[[], Operation]] = [
            partial(builders.make_extension, card, request_id="extend"),
            partial(builders.make_change_of_owner, card, None, request_id="owner"),
            partial(builders.make_reversal, adjustment, request_id="reverse"),
        ]

        results = race(calls * 8)

    assert errors(results) == []
    assert len({operation.oid for operation in done(results)}) == 3
    assert builders.buckets(card) == {"credited": 500, "available": 500}


def test_an_adjustment_is_reversed_or_spent_but_not_both() -> None:
    for _ in range(8):
        card = builders.make_wallet()
        adjustment = builders.make_adjustment(card, 100)

        undone, spent = race(
            [partial(builders.make_reversal, adjustment), authorize(card, 100, "payment")]
        )

        assert (type(undone), type(spent)) in {
            (Operation, InsufficientBalance),
            (CreditSpent, Transaction),
        }
        assert follows_the_model(card)


def test_staff_adjust_while_checkout_debits() -> None:
    card = builders.make_card(balance=1000)
    ups = [partial(builders.make_adjustment, card, 50) for _ in range(6)]
    downs = [partial(builders.make_adjustment, card, -70) for _ in range(6)]

    results = race(
        [*ups, *downs, *(authorize(card, 90, f"payment {number}") for number in range(12))]
    )

    assert errors(results[:6]) == []
    assert set(errors(results[6:12])) <= {BelowZero}
    assert set(errors(results[12:])) <= {InsufficientBalance}
    amounts = Counter(builders.buckets(card))
    assert amounts["credited"] == 1300
    assert amounts["removed"] == 70 * len(done(results[6:12]))
    assert amounts["held"] == 90 * len(done(results[12:]))
    assert follows_the_model(card)


def test_credit_is_extended_and_booked_as_expired_in_either_order_and_none_is_lost() -> None:
    now = datetime.datetime(2026, 3, 10, 15, tzinfo=datetime.UTC)
    for _ in range(6):
        with time_machine.travel(now, tick=False) as clock:
            card = builders.make_card(balance=500, expires_at=now + DAY)
            clock.shift(2 * DAY)
            expire = partial(ledger.expire, card.pk, actor="clock")

            extended, *expiries, debit = race(
                [
                    partial(builders.make_extension, card),
                    *[expire] * 3,
                    authorize(card, 500, "payment"),
                ]
            )

            booked = [operation.applied for operation in expiries if operation]
            assert booked in ([], [500])
            # Booked first, it came back; booked never, it simply lives on.
            assert extended.applied == sum(booked)
            if isinstance(debit, Transaction):
                assert builders.buckets(card) == {"credited": 500, "held": 500}
            else:
                assert isinstance(debit, CardExpired)
                assert builders.buckets(card) == {"credited": 500, "available": 500}


def test_a_restricted_card_pays_for_whom_it_belongs_to_at_that_moment() -> None:
    for _ in range(6):
        old = builders.make_customer()
        new = builders.make_customer(old.store)
        card = builders.make_card(
            builders.make_program(old.store), balance=1000, owner=old, is_restricted=True
        )

        def pay(buyer: Customer, request_id: str, card: GiftCard = card) -> Transaction:
            return builders.make_hold(card, 100, request_id=request_id, buyer=buyer.identity)

        changed, *debits = race(
            [
                partial(builders.make_change_of_owner, card, new),
                *(partial(pay, old, f"old {number}") for number in range(4)),
                *(partial(pay, new, f"new {number}") for number in range(4)),
            ]
        )

        assert set(errors(debits)) <= {WrongOwner}
        for operation in card.operations.filter(kind="authorize"):
            before = operation.pk < changed.pk
            is_old = operation.request_id.startswith("old")
            assert (operation.outcome == Outcome.OK) == (before == is_old)


def test_a_number_of_a_batch_is_issued_once_by_however_many_workers() -> None:
    program = builders.make_program()
    batch = Batch.objects.create(
        program=program,
        name="Natal",
        amount=100,
        count=50,
        total=5000,
        created_by=User.objects.create(username="maker"),
    )
    cards = [ledger.NewCard(100, batch=batch, batch_number=number) for number in range(50)]

    results = race([partial(builders.make_cards, program, *cards)] * 6)

    assert len(done(results)) == 1
    assert Counter(errors(results)) == {BatchNumberTaken: 5}
    assert batch.cards.count() == 50


def test_a_card_with_an_id_is_issued_once_by_however_many_clicks() -> None:
    program = builders.make_program()

    results = race([partial(builders.make_card, program, balance=100, public_id="f" * 32)] * 8)

    assert errors(results) == []
    assert len({card.pk for card in results}) == 1
    assert builders.buckets(results[0]) == {"credited": 100, "available": 100}


def test_everything_at_once_on_a_few_cards_neither_deadlocks_nor_waits_in_vain() -> None:
    program = builders.make_program(is_reloadable=True)
    cards = [builders.make_card(program, balance=1000) for _ in range(3)]
    debits = [builders.make_hold(card, 100) for card in cards for _ in range(2)]
    calls: list[Callable[[], object]] = []
    for number in range(4):
        for card in cards:
            calls += [
                authorize(card, 100, f"payment {number}"),
                partial(builders.make_credit, card, 50, request_id=f"credit {number}"),
                partial(builders.make_adjustment, card, -10, request_id=f"adjust {number}"),
                partial(ledger.expire, card.pk, actor="clock"),
            ]
        calls += [partial(builders.make_card, program, balance=10)]
        calls += [settle(debit, 10, f"settle {number}") for debit in debits[:4]]
        calls += [cancel(debit, 10, f"cancel {number}") for debit in debits[2:]]

    results = race(calls)

    assert errors(results) == []
    assert len(results) == 84
    for card in cards:
        assert follows_the_model(card)


def test_who_waits_too_long_for_the_lock_is_told_to_repeat_and_nothing_is_recorded() -> None:
    card = builders.make_card(balance=1000)

    def impatient() -> Transaction:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        return authorize(card, 100, "payment")()

    with atomic():
        Balance.objects.select_for_update(no_key=True).get(card=card)
        [answer] = race([impatient])

    assert isinstance(answer, LedgerBusy)
    assert not card.operations.filter(kind="authorize").exists()
    assert authorize(card, 100, "payment")().amount == 100


@pytest.mark.parametrize("request_id", ["the same", "another"])
def test_who_waited_for_the_lock_sees_what_was_done_meanwhile(
    request_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock and the reading are two statements: one would read what was before the wait."""
    card = builders.make_card(balance=100)
    locked = threading.Event()
    post = posting.post_transaction

    def post_when_another_waits(*arguments: Any) -> Transaction:
        locked.set()
        wait_for_somebody_waiting()
        return post(*arguments)

    def come_second() -> Transaction:
        assert locked.wait(PATIENCE)
        return authorize(card, 100, request_id)()

    monkeypatch.setattr("loyalty.ledger.purchases.post_transaction", post_when_another_waits)
    first, second = race([authorize(card, 100, "the same"), come_second])

    assert isinstance(first, Transaction)
    if request_id == "the same":
        assert isinstance(second, Transaction)
        assert second.public_id == first.public_id
    else:
        assert isinstance(second, InsufficientBalance)


def test_the_lock_lets_foreign_keys_through() -> None:
    """`FOR UPDATE` would not: a row that refers to the locked one would wait, or deadlock."""
    card = builders.make_card(balance=1000)
    balance = f"SELECT 1 FROM loyalty_balance WHERE card_id = {card.pk}"  # noqa: S608

    def try_to_lock(strength: str) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(f"{balance} FOR {strength} NOWAIT")
        return True

    with atomic():
        position.lock_card(card.pk, kind=Operation.Kind.AUTHORIZE, request_id="x")
        refers, changes = race([partial(try_to_lock, "KEY SHARE"), partial(try_to_lock, "SHARE")])

    assert refers is True
    assert isinstance(changes, DatabaseError)


@pytest.mark.parametrize("verb", ["authorize", "credit", "settle", "cancel", "take back", "close"])
def test_the_card_is_locked_before_anything_is_read_or_written(verb: str) -> None:
    card = builders.make_wallet(balance=1000)
    debit, credit = builders.make_hold(card, 100), builders.make_credit(card, 100)
    calls: dict[str, Callable[[], object]] = {
        "authorize": authorize(card, 100, "a"),
        "credit": partial(builders.make_credit, card, 100),
        "settle": settle(debit, 10, "a"),
        "cancel": cancel(debit, 10, "a"),
        "take back": cancel(credit, 10, "a"),
        "close": partial(ledger.close, card.pk, request_id="a", actor=ACTOR, reason=Reason.LOST),
    }

    with CaptureQueriesContext(connection) as queries:
        if verb == "close":
            with pytest.raises(MoneyHeld):
                calls[verb]()
        else:
            calls[verb]()

    planned = ("PREPARE", "DEALLOCATE")
    statements = [query["sql"].strip() for query in queries]
    begin, locked, *rest = [sql for sql in statements if not sql.startswith(planned)]
    assert begin == "BEGIN"
    lock, read = locked.split(";", 1)
    assert lock.endswith(f" FROM loyalty_balance WHERE card_id = {card.pk} {LOCK}")
    assert read.strip().startswith(("SELECT", "EXECUTE"))
    assert not any(LOCK in sql for sql in rest)


def test_money_never_depends_on_the_end_of_somebody_elses_transaction() -> None:
    card = builders.make_card(balance=1000)

    with atomic(), pytest.raises(RuntimeError, match="durable"):
        authorize(card, 100, "payment")()

    assert builders.buckets(card) == {"credited": 1000, "available": 1000}


def wait_for_somebody_waiting() -> None:
    """Return when a connection waits for a lock."""
    deadline = time.monotonic() + PATIENCE
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return
    raise AssertionError("Nobody waits.")


def accepted(card: GiftCard) -> list[Operation]:
    """The debits of a card that were accepted."""
    return list(card.operations.filter(kind="authorize", outcome=Outcome.OK))
