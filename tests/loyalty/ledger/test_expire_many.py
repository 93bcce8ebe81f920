import datetime
import threading
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection
from django.db.transaction import atomic
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty import ledger
from loyalty.exceptions import InsufficientBalance
from loyalty.ledger.invariants import violations
from loyalty.models import Balance, GiftCard, Grant, Operation, Program
from tests.builders import (
    buckets,
    history,
    make_blocked_card,
    make_card,
    make_closed_card,
    make_credit,
    make_expired_card,
    make_hold,
    make_program,
    make_wallet,
    moves,
    remaining,
    unchanged,
)
from tests.loyalty.ledger.race import PATIENCE, done, errors, race

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
INSTANT = datetime.timedelta(microseconds=1)


def expire(*cards: GiftCard) -> ledger.Expiries:
    return ledger.expire_many([card.pk for card in cards], actor="clock")


def booking(card: GiftCard) -> Operation:
    return card.operations.get(kind="expire")


@time_machine.travel(NOON, tick=False)
def test_books_what_is_over_of_each_card_and_says_of_which() -> None:
    program = make_program()
    gone, half = make_expired_card(program, balance=1000), make_wallet(program, balance=100)
    make_credit(half, 200, valid_from=NOON - 2 * DAY, expires_at=NOON - DAY)
    make_credit(half, 400, valid_from=NOON - 2 * DAY, expires_at=NOON)
    make_credit(half, 800, expires_at=NOON + INSTANT)
    alive, empty = make_card(program, balance=500), make_expired_card(program)

    with unchanged(alive), unchanged(empty):
        found = expire(gone, half, alive, empty)

    assert found == ledger.Expiries(frozenset({gone.pk, half.pk}), frozenset())
    assert buckets(gone) == {"credited": 1000, "expired": 1000}
    assert buckets(half) == {"credited": 1500, "available": 900, "expired": 600}
    assert remaining(half) == [100, 0, 0, 800]
    assert moves(booking(half)) == [("available", "expired", 200), ("available", "expired", 400)]


@time_machine.travel(NOON, tick=False)
def test_records_what_was_booked_as_expire_does() -> None:
    one, other = make_expired_card(balance=1000), make_expired_card(balance=1000)
    ledger.expire(one.pk, actor="clock")

    expire(other)

    names = ("kind", "request_id", "amount", "applied", "outcome", "decline_code", "actor")
    more = ("reason", "note", "created_at", "transaction_id", "reverses_id")
    assert Operation.objects.filter(kind="expire").values(*names, *more).distinct().count() == 1
    assert len(booking(other).oid) == 32
    assert booking(other).oid != booking(one).oid


def test_leaves_what_is_held() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=1000, expires_at=NOON + DAY)
        make_hold(card, 300)

    with time_machine.travel(NOON + DAY, tick=False):
        expire(card)

    assert buckets(card) == {"credited": 1000, "held": 300, "expired": 700}
    assert card.entries.get(target="expired").held_after == 300


def test_books_blocked_and_closed_cards_and_grants_that_outlive_their_card() -> None:
    with time_machine.travel(NOON, tick=False):
        blocked = make_blocked_card(balance=100, expires_at=NOON + DAY)
        closed = make_closed_card(balance=100, expires_at=NOON + DAY)
        cut_short = make_wallet(balance=100)
    GiftCard.objects.filter(pk=cut_short.pk).update(valid_from=NOON - DAY, expires_at=NOON)

    with time_machine.travel(NOON + DAY, tick=False):
        found = expire(blocked, closed, cut_short)

    assert found.booked == {blocked.pk, cut_short.pk}
    assert buckets(closed) == {"credited": 100, "removed": 100}


def test_can_be_repeated_at_any_time() -> None:
    card = make_expired_card(balance=1000)
    expire(card)

    with unchanged(card):
        found = expire(card)

    assert found == ledger.Expiries(frozenset(), frozenset())


def test_books_again_what_expires_later() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_wallet(balance=100)
        for days in (1, 2):
            make_credit(card, 200, expires_at=NOON + days * DAY)

    for days in (1, 2, 3):
        with time_machine.travel(NOON + days * DAY, tick=False):
            expire(card)

    assert buckets(card) == {"credited": 500, "available": 100, "expired": 400}
    assert card.operations.filter(kind="expire").count() == 2


def test_of_no_cards_nothing_is_booked() -> None:
    assert expire() == ledger.Expiries(frozenset(), frozenset())


def test_a_card_that_breaks_the_rules_takes_the_others_with_it() -> None:
    good, bad = make_expired_card(balance=100), make_expired_card(balance=100)
    with connection.cursor() as cursor, atomic():
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE loyalty_balance SET available = 40, removed = 60 WHERE card_id = %s", [bad.pk]
        )

    with unchanged(good), unchanged(bad), pytest.raises(IntegrityError):
        expire(good, bad)

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE loyalty_balance SET available = 100, removed = 0 WHERE card_id = %s", [bad.pk]
        )


grants = st.lists(st.tuples(st.integers(1, 500), st.integers(-3, 3) | st.none()), max_size=4)


@settings(max_examples=40, deadline=None)
@given(wallets=st.lists(st.tuples(grants, st.integers(0, 900)), min_size=1, max_size=4))
def test_moves_to_the_unit_what_expire_moves_card_by_card(wallets: list[Any]) -> None:
    with ledger.rehearsal(), time_machine.travel(NOON, tick=False) as clock:
        program = make_program()
        pairs = [
            (wallet(program, lots, hold, clock), wallet(program, lots, hold, clock))
            for lots, hold in wallets
        ]
        clock.move_to(NOON)

        expire(*(one for one, _ in pairs))
        for _, other in pairs:
            ledger.expire(other.pk, actor="clock")

        assert [facts(one) for one, _ in pairs] == [facts(other) for _, other in pairs]
        assert violations() == []


def wallet(program: Program, lots: list[Any], hold: int, clock: Any) -> GiftCard:
    """A wallet of grants that end some days before or after noon, of which something is held."""
    clock.move_to(NOON - 9 * DAY)
    card = make_wallet(program)
    for amount, days in lots:
        make_credit(card, amount, expires_at=None if days is None else NOON + days * DAY)
    with suppress(InsufficientBalance):
        make_hold(card, hold or 1)
    return card


def facts(card: GiftCard) -> dict[str, Any]:
    """What is the same of two cards with one history: everything but ids."""
    balance = Balance.objects.values().get(card=card)
    entries = card.entries.order_by("seq").values_list(
        *("seq", "source", "target", "amount", "available_after", "held_after", "created_at")
    )
    operations = card.operations.order_by("pk").values_list("kind", "amount", "applied")
    return {
        "balance": {name: amount for name, amount in balance.items() if name != "card_id"},
        "remaining": remaining(card),
        "entries": list(entries),
        "operations": [row for row in operations if row[0] != "issue"],
    }


@pytest.mark.django_db(transaction=True)
def test_a_locked_card_is_left_alone_and_the_others_are_booked_without_waiting() -> None:
    free, locked = make_expired_card(balance=100), make_expired_card(balance=100)
    held, go = threading.Event(), threading.Event()

    def holds() -> None:
        with atomic():
            Balance.objects.select_for_update(no_key=True).get(card=locked)
            held.set()
            assert go.wait(PATIENCE)

    def books() -> ledger.Expiries:
        assert held.wait(PATIENCE)
        try:
            return expire(free, locked)
        finally:
            go.set()

    [_, found] = race([holds, books])

    assert found == ledger.Expiries(frozenset({free.pk}), frozenset({locked.pk}))
    assert buckets(locked) == {"credited": 100, "available": 100}
    assert expire(free, locked).booked == {locked.pk}


@pytest.mark.django_db(transaction=True)
def test_many_at_once_beside_debits_book_each_unit_once() -> None:
    program = make_program()
    with time_machine.travel(NOON, tick=False) as clock:
        cards = [make_wallet(program, balance=300) for _ in range(8)]
        for card in cards:
            make_credit(card, 100, expires_at=NOON + DAY)
        debits = [make_hold(card, 40) for card in cards]
        clock.move_to(NOON + 2 * DAY)

        results = race(
            [
                *[partial(expire, *cards)] * 3,
                *(partial(ledger.expire, card.pk, actor="clock") for card in cards[:2]),
                *(partial(make_hold, card, 300) for card in cards[:3]),
                *(
                    partial(ledger.cancel, debit, amount=40, request_id="x", actor="test")
                    for debit in debits[:3]
                ),
            ]
        )
        expire(*cards)

    assert errors(results) == []
    assert len(done(results)) == 11
    assert [buckets(card)["expired"] for card in cards] == [60] * 8
    assert Operation.objects.filter(kind="expire").count() == 8
    assert Grant.objects.filter(expires_at__lte=NOON + DAY, remaining__gt=0).count() == 0
    assert history(cards[7])["balance"][0]["version"] == 4
