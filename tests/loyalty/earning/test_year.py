"""A year of orders, told twice: as it happened, and late, doubled and in no order at all.

Both end the same: what every order earned and why, what every customer has, owes and is. What the
ledger was asked on the way there differs: an order that came back before it was heard of is
credited as it was kept, and not first as it was bought.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from resource import RUSAGE_SELF, getrusage
from typing import Any

import pytest
import time_machine
from django.db import connection, connections
from django.db.models import F, Sum
from django.utils import timezone

from loyalty import earning, ledger
from loyalty.demo.clock import Dice
from loyalty.ledger.invariants import violations
from loyalty.models import (
    Balance,
    Earning,
    GiftCard,
    Job,
    Program,
    ShopOrder,
    Store,
    TierStanding,
)
from tests.builders import make_store
from tests.loyalty.earning import year
from tests.loyalty.earning.builders import (
    make_campaign,
    make_earning_program,
    make_rule,
    make_scheme,
)
from tests.loyalty.earning.year import DAY, ENDS, FIRST, LAST, Batch, spends

State = dict[str, Any]
IN_TURN, OUT_OF_TURN = "as-it-happened", "out-of-turn"


def make_house(store: Store) -> Program:
    """Rules that make a customer's orders depend on one another in every way there is."""
    program = make_earning_program(store, take_back="owe", validity_days=150)
    rules: list[dict[str, Any]] = [
        {"percent": "5", "channels": ["2"], "first_order_only": True},
        {"points": 1, "per_amount": 5_00, "tiers": ["Gold"], "cap_per_order": 50 * 25},
        {"points": 1, "per_amount": 1_00, "cap_per_period": 500 * 25, "period": "month"},
    ]
    for priority, fields in enumerate(rules):
        make_rule(program, starts_at=FIRST - DAY, priority=priority, **fields)
    make_campaign(program, "1.5", starts_at=FIRST + 60 * DAY, ends_at=FIRST + 90 * DAY)
    tiers = [
        {"name": "Silver", "threshold": 500_00, "multiplier": "1.25", "validity_days": None},
        {"name": "Gold", "threshold": 2000_00, "multiplier": "1.50", "validity_days": None},
    ]
    make_scheme(program, starts_at=FIRST - DAY, days=90, grace_days=15, tiers=tiers)
    return program


def live(store: Store, quarters: Iterable[Sequence[Batch]], *, customers: int) -> State:
    """Let a store of its own hear of these orders; what there is in the end."""
    program = make_house(store)
    with time_machine.travel(FIRST, tick=False) as clock:
        for end, batches in zip(ENDS, quarters, strict=True):
            for at, sights in batches:
                clock.move_to(at)
                earning.announce(store, [sight.order_id for sight in sights])
                for sight in sights:
                    earning.record(store, sight)
                settle_all()
            clock.move_to(end)
            settle_all()
            if end != LAST:
                spend(store, customers, f"{end:%Y-%m-%d}")
            for card in GiftCard.objects.filter(store=store):
                ledger.expire(card.pk, actor="test")
            while earning.review_chunk(Job()):
                pass
    return state_of(program)


def settle_all() -> None:
    """What the worker does by the minute, until nothing is left."""
    while earning.settle_due():
        pass


def spend(store: Store, customers: int, name: str) -> None:
    """Some customers pay with half of what they may use."""
    now = timezone.now()
    for card in GiftCard.objects.filter(store=store).select_related("owner").order_by("pk"):
        assert card.owner
        number = int(card.owner.email.removeprefix("buyer").partition("@")[0])
        usable = card.grants.filter(valid_from__lte=now, expires_at__gt=now)
        units = (usable.aggregate(units=Sum("remaining"))["units"] or 0) // 2
        if units and spends(number, customers):
            debit = ledger.authorize(card.pk, amount=units, request_id=name, actor="test")
            ledger.settle(debit, amount=units, request_id=name, actor="test")


def state_of(program: Program) -> State:
    """All that must not depend on what was heard when, by order and by customer."""
    rules = list(program.earning_rules.order_by("pk").values_list("pk", flat=True))
    earnings = Earning.objects.filter(rule__program=program)
    # What was credited in error and expired before that was known is no loss of the customer's.
    forgiven = dict(earnings.values_list("order__customer__email").annotate(units=Sum("forgiven")))
    return {
        "orders": {
            order_id: [(each["why"], each["due"], each.get("tier")) for each in verdicts]
            for order_id, verdicts in ShopOrder.objects.filter(store=program.store).values_list(
                "order_id", "verdicts"
            )
        },
        "earnings": {
            (order_id, rules.index(rule), campaign is not None): figures
            for order_id, rule, campaign, *figures in earnings.annotate(
                kept=F("credited") - F("taken") - F("forgiven")
            )
            .exclude(due=0, kept=0)
            .values_list(
                *("order__order_id", "rule", "campaign", "gross", "due", "kept", "usable_at")
            )
        },
        "wallets": {
            email: (available, held, spent, expired - forgiven.get(email, 0))
            for email, available, held, spent, expired in Balance.objects.filter(
                card__store=program.store
            ).values_list("card__owner__email", "available", "held", "spent", "expired")
        },
        "tiers": dict(
            TierStanding.objects.filter(program=program).values_list("customer__email", "tier")
        ),
    }


def tell(way: str, *, orders: int, customers: int, size: int) -> State:
    """The year in a store of its own, told in one way or the other, so many sights at once."""
    told = year.lives(Dice("a year"), orders=orders, customers=customers)
    if way == IN_TURN:
        quarters = year.as_it_happened(told, size=size)
    else:
        quarters = year.out_of_turn(told, Dice("its telling"), customers=customers, size=size)
    return live(make_store(account=way), quarters, customers=customers)


def holds(state: State) -> Counter[str]:
    """How much of what the year is to show there is in it."""
    found = Counter(why for verdicts in state["orders"].values() for why, _, _ in verdicts)
    found.update(tier for verdicts in state["orders"].values() for _, _, tier in verdicts if tier)
    for available, _, spent, expired in state["wallets"].values():
        found.update(available=available > 0, spent=spent > 0, expired=expired > 0)
    for gross, due, *_ in state["earnings"].values():
        found.update(returned=0 < due < gross)
    return found


SHOWN = {
    *("given", "canceled", "capped_by_period", "capped_by_order", "cap_reached", "not_first"),
    *("other_channel", "other_tier", "Silver", "Gold", "available", "spent", "expired", "returned"),
}


@pytest.mark.django_db
def test_a_year_of_orders_ends_the_same_however_it_was_told() -> None:
    first = tell(IN_TURN, orders=120, customers=5, size=3)
    second = tell(OUT_OF_TURN, orders=120, customers=5, size=50)

    assert SHOWN - set(+holds(first)) == set()
    for part in first:
        assert second[part] == first[part]
    assert violations() == []


def in_a_process(database: str, way: str, figures: dict[str, int]) -> tuple[State, str]:
    """The same in a process and a database of its own, with what it took."""
    connection.settings_dict["NAME"] = database
    begun = time.monotonic()
    state = tell(way, **figures)
    seconds = time.monotonic() - begun
    assert violations() == []
    peak = getrusage(RUSAGE_SELF).ru_maxrss // 1024
    orders = figures["orders"]
    return state, f"{way}: {orders} orders in {seconds:.0f} s, {orders / seconds:.0f}/s, {peak} MB"


@contextmanager
def two_databases() -> Iterator[tuple[str, str]]:
    """The tests' own, and a copy of it; nobody is connected."""
    own = str(connection.settings_dict["NAME"])
    copy = f"{own}_again"
    connections.close_all()
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{own}"')
    try:
        yield own, copy
    finally:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{copy}"')


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_a_year_of_very_many_orders_ends_the_same_however_it_was_told() -> None:
    """With YEAR_ORDERS=100000 it is that of a large store; this takes a machine some hours."""
    orders = int(os.environ.get("YEAR_ORDERS", "10000"))
    figures = {"orders": orders, "customers": orders // 100}
    in_turn, out_of_turn = figures | {"size": orders // 8}, figures | {"size": orders}

    with (
        two_databases() as (own, copy),
        ProcessPoolExecutor(2, mp_context=get_context("fork")) as processes,
    ):
        one = processes.submit(in_a_process, own, IN_TURN, in_turn)
        other = processes.submit(in_a_process, copy, OUT_OF_TURN, out_of_turn)
        (first, took), (second, took_too) = one.result(), other.result()

    sys.stdout.write(f"{took}\n{took_too}\n")
    assert SHOWN - set(+holds(first)) == set()
    for part in first:
        assert second[part] == first[part]
