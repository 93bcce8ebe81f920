"""What a purchase may cost the database, and what is locked before anything is written.

The tests commit: only so BEGIN and COMMIT are counted, and only so they are what they will be.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty import ledger
from loyalty.exceptions import ExceedsHold, InsufficientBalance
from loyalty.identity import Identity
from loyalty.models import GiftCard, Transaction
from tests.builders import (
    make_adjustment,
    make_cancellation,
    make_card,
    make_cards,
    make_change_of_owner,
    make_credit,
    make_customer,
    make_expired_card,
    make_extension,
    make_hold,
    make_program,
    make_purchase,
    make_settlement,
    make_store,
    make_wallet,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("sent_in_full")]

BUYER = Identity(email="ana@example.com")
LOCK = re.compile(
    r"SELECT 1 FROM loyalty_balance WHERE card_id = \d+ FOR NO KEY UPDATE;\s+SELECT\s"
)
WRITES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM) loyalty_")


@contextmanager
def captured() -> Iterator[list[str]]:
    """What is sent to the database inside, one text for each round trip."""
    sent: list[str] = []
    with CaptureQueriesContext(connection) as queries:
        yield sent
    sent += [query["sql"].strip() for query in queries]


def spelled(sent: list[str]) -> list[str]:
    """Each round trip in a word."""
    return [
        "lock" if LOCK.match(sql) else "write" if WRITES.search(sql) else sql.split()[0].lower()
        for sql in sent
    ]


def authorize(card: GiftCard, amount: int = 250, request_id: str = "PAYMENT") -> None:
    recall = ledger.recall_purchase(card.store_id, card.public_id, request_id=request_id)
    if not recall.first_answer("authorize", amount):
        make_hold(card, amount, request_id=request_id, token=card.token, buyer=BUYER)


def settle(debit: Transaction, amount: int = 250, request_id: str = "STEP") -> None:
    step(debit, "settle", ledger.settle, amount, request_id)


def cancel(debit: Transaction, amount: int = 250, request_id: str = "STEP") -> None:
    step(debit, "cancel", ledger.cancel, amount, request_id)


def step(
    debit: Transaction, kind: str, verb: Callable[..., object], amount: int, request_id: str
) -> None:
    card = debit.card
    recall = ledger.recall_step(
        card.store_id, card.public_id, debit.public_id, kind=kind, request_id=request_id
    )
    if not recall.first_answer(kind, amount):
        verb(recall.transaction, amount=amount, request_id=request_id, actor="test")


def make_owned_wallet() -> GiftCard:
    """A card with everything that could cost a look-up: an owner and three grants."""
    owner = make_customer(email=BUYER.email)
    card = make_wallet(make_program(owner.store), balance=100, owner=owner, is_restricted=True)
    make_credit(card, 100)
    make_credit(card, 100, funding="promotional")
    return card


def test_a_purchase_takes_five_round_trips_for_each_step() -> None:
    card = make_owned_wallet()

    with captured() as authorized:
        authorize(card)
    debit = card.transactions.get(kind="debit")
    with captured() as settled:
        settle(debit)
    with captured() as canceled:
        cancel(debit)

    for sent in (authorized, settled, canceled):
        assert spelled(sent) == ["select", "begin", "lock", "write", "commit"]


def test_a_replay_takes_one() -> None:
    card = make_owned_wallet()
    authorize(card)
    debit = card.transactions.get(kind="debit")
    settle(debit)
    cancel(debit)

    with captured() as sent:
        authorize(card)
        settle(debit)
        cancel(debit)

    assert spelled(sent) == ["select", "select", "select"]


def test_a_decline_takes_as_many_as_a_success_and_its_replay_one() -> None:
    card = make_owned_wallet()

    with captured() as declined, pytest.raises(InsufficientBalance):
        authorize(card, amount=301)
    with captured() as repeated, pytest.raises(InsufficientBalance):
        authorize(card, amount=301)

    assert spelled(declined) == ["select", "begin", "lock", "write", "commit"]
    assert spelled(repeated) == ["select"]


def test_a_declined_step_takes_as_many_as_a_success_and_its_replay_one() -> None:
    card = make_owned_wallet()
    make_hold(card, 250)
    debit = card.transactions.get(kind="debit")

    with captured() as declined, pytest.raises(ExceedsHold):
        settle(debit, amount=251)
    with captured() as repeated, pytest.raises(ExceedsHold):
        settle(debit, amount=251)

    assert spelled(declined) == ["select", "begin", "lock", "write", "commit"]
    assert spelled(repeated) == ["select"]


def test_a_replay_that_nobody_looked_up_first_writes_nothing() -> None:
    debit = make_hold(make_owned_wallet(), 250, request_id="PAYMENT")
    make_settlement(debit, 250, request_id="STEP")

    with captured() as authorized:
        ledger.authorize(debit.card_id, amount=250, request_id="PAYMENT", actor="test")
    with captured() as settled:
        make_settlement(debit, 250, request_id="STEP")

    for sent in (authorized, settled):
        assert spelled(sent) == ["begin", "lock", "select", "commit"]


def credit(card: GiftCard) -> None:
    make_credit(card, 100)


def adjust(card: GiftCard) -> None:
    ledger.adjust(card.pk, change=-1, request_id="ADJUST", actor="test", reason="other")


def expire(card: GiftCard) -> None:
    ledger.expire(card.pk, actor="test")


def block(card: GiftCard) -> None:
    ledger.block(card.pk, request_id="BLOCK", actor="test")


def unblock(card: GiftCard) -> None:
    ledger.unblock(card.pk, request_id="UNBLOCK", actor="test")


def close(card: GiftCard) -> None:
    ledger.close(card.pk, request_id="CLOSE", actor="test", reason="lost")


def extend(card: GiftCard) -> None:
    make_extension(card)


def change_owner(card: GiftCard) -> None:
    make_change_of_owner(card, make_customer(card.store))


def reverse(card: GiftCard) -> None:
    ledger.reverse(
        card.operations.get(kind="adjust"), request_id="REVERSE", actor="test", reason="other"
    )


def test_issuing_takes_as_many_for_a_hundred_cards_as_for_one() -> None:
    program = make_program()

    for count in (1, 100):
        with captured() as sent:
            make_cards(program, *[ledger.NewCard(100)] * count)

        # Known codes are asked for; then cards, and all that follows from them.
        assert spelled(sent) == ["begin", "select", "insert", "write", "commit"]


@pytest.mark.parametrize("verb", [credit, adjust, expire, block, unblock, close])
def test_locks_the_balance_before_it_writes_in_one_statement(
    verb: Callable[[GiftCard], None],
) -> None:
    card = make_expired_card(balance=100) if verb is expire else make_wallet(balance=100)

    with captured() as sent:
        verb(card)

    words = spelled(sent)
    assert words[:2] == ["begin", "lock"]
    assert words[-2:] == ["write", "commit"]
    assert (words.count("lock"), words.count("write")) == (1, 1)


@pytest.mark.parametrize(("verb", "looks_up"), [(extend, 2), (change_owner, 1), (reverse, 3)])
def test_what_staff_ask_for_is_looked_up_under_the_lock(
    verb: Callable[[GiftCard], None], looks_up: int
) -> None:
    card = make_expired_card(balance=100)
    make_adjustment(card, -10)

    with captured() as sent:
        verb(card)

    sent = sent[spelled(sent).index("begin") :]
    assert spelled(sent) == ["begin", "lock", *["select"] * looks_up, "write", "commit"]


def test_locks_without_a_claim_on_the_key() -> None:
    """A plain FOR UPDATE would deadlock with the share locks of the foreign keys."""
    debit = make_purchase(make_card(balance=100), 100)

    with captured() as sent:
        make_cancellation(debit, 100)

    locking = [sql for sql in sent if "FOR UPDATE" in sql or "FOR NO KEY UPDATE" in sql]
    assert len(locking) == 1
    assert LOCK.match(locking[0])
    assert "FOR UPDATE" not in locking[0]


def test_the_commit_of_a_movement_waits_for_a_standby_as_long_as_it_takes() -> None:
    """A time-out at the commit would let the answer leave before a second server has the money."""
    card = make_card(make_program(make_store()), balance=1000)

    with connection.cursor() as cursor, ledger.rehearsal():
        cursor.execute("SHOW statement_timeout")
        before = cursor.fetchone()
        ledger.authorize(card.pk, amount=100, request_id="R-1", actor="test", buyer=BUYER)
        cursor.execute("SHOW statement_timeout")
        at_commit = cursor.fetchone()
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        afterwards = cursor.fetchone()

    assert (before, at_commit, afterwards) == (("30s",), ("0",), ("30s",))
