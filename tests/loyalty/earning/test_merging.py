"""What two customers earned when they turn out to be one: take-backs, tiers, what is pending."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
import time_machine

from loyalty import earning, ledger
from loyalty.exceptions import LedgerBusy, MergeTouched
from loyalty.ledger.invariants import violations
from loyalty.models import Customer, Earning, Job, Program, ShopOrder, TierStanding
from tests.builders import buckets, fresh, make_customer, make_merge, make_unmerge, make_wallet
from tests.loyalty.earning.builders import (
    DAY,
    START,
    an_order,
    canceled,
    invoiced,
    make_earning_program,
    make_rule,
    make_scheme,
    points,
    returned,
    take,
)

pytestmark = pytest.mark.django_db

POINT = 25


@pytest.fixture(autouse=True)
def books_are_right_afterwards(db: None) -> Iterator[None]:
    yield
    assert violations() == []


@pytest.fixture
def program() -> Program:
    program = make_earning_program()
    make_rule(program)
    return program


@pytest.fixture
def ana(program: Program) -> Customer:
    """Who bought as whoever has this e-mail."""
    return make_customer(program.store, document="", email="ana@example.com")


@pytest.fixture
def twin(program: Program) -> Customer:
    return make_customer(program.store, profile_id="")


def settle_due(program: Program) -> None:
    """What the worker does next."""
    for order in ShopOrder.objects.filter(store=program.store, due_at__isnull=False):
        earning.settle(order)


@time_machine.travel(START + 20 * DAY, tick=False)
def test_what_is_returned_is_taken_from_where_its_points_went(
    program: Program, ana: Customer, twin: Customer
) -> None:
    order = invoiced(an_order(100_00))
    take(program.store, order)
    source = ana.cards.get()
    target = make_wallet(program, owner=twin, balance=7)
    make_merge(ana, twin)
    assert buckets(target)["available"] == 100 * POINT + 7

    take(program.store, returned(order, 40_00))

    assert points(program, twin) == {"due": 60, "credited": 100, "taken": 40}
    assert buckets(target)["available"] == 60 * POINT + 7
    assert buckets(source) == {"credited": 40 * POINT, "removed": 40 * POINT}


@time_machine.travel(START + 20 * DAY, tick=False)
def test_points_of_an_order_canceled_after_two_merges_are_found(
    program: Program, ana: Customer, twin: Customer
) -> None:
    order = invoiced(an_order(100_00))
    take(program.store, order)
    third = make_customer(program.store, profile_id="", document="")
    wallets = [make_wallet(program, owner=owner) for owner in (twin, third)]
    make_merge(ana, twin)
    make_merge(twin, third)

    take(program.store, canceled(order, after=30 * DAY))

    assert points(program) == {"credited": 100, "taken": 100}
    assert [buckets(card) for card in wallets] == [{}, {}]


@time_machine.travel(START + 20 * DAY, tick=False)
def test_what_is_pending_is_credited_to_who_stays(
    program: Program, ana: Customer, twin: Customer
) -> None:
    order = an_order(100_00)
    take(program.store, order)
    target = make_wallet(program, owner=twin)
    make_merge(ana, twin)

    take(program.store, invoiced(order))

    assert Earning.objects.get().state == "credited"
    assert buckets(target) == {"credited": 100 * POINT, "available": 100 * POINT}
    assert not ana.cards.exists()


@pytest.mark.parametrize("has_wallet", ["ana", "twin"])
def test_a_merge_is_not_undone_while_points_earned_since_would_be_another_ones(
    program: Program, ana: Customer, twin: Customer, has_wallet: str
) -> None:
    wallet = make_wallet(program, owner=ana if has_wallet == "ana" else twin)
    buyer = twin if has_wallet == "ana" else ana
    order = an_order(100_00, buyer=buyer.identity)
    with time_machine.travel(START + DAY, tick=False):
        take(program.store, order)
        made = make_merge(ana, twin)
    with time_machine.travel(START + 20 * DAY, tick=False):
        take(program.store, invoiced(order))
    assert buckets(wallet) == {"credited": 100 * POINT, "available": 100 * POINT}

    with pytest.raises(MergeTouched):
        make_unmerge(made)

    assert (fresh(made).undone_at, fresh(wallet).owner) == (None, twin)
    with time_machine.travel(START + 40 * DAY, tick=False):
        take(program.store, canceled(invoiced(order), after=30 * DAY))
        make_unmerge(made)
    assert ShopOrder.objects.get().customer == buyer


@time_machine.travel(START + DAY, tick=False)
def test_a_merge_is_not_undone_while_somebody_credits_what_an_order_earned(
    program: Program, ana: Customer, twin: Customer
) -> None:
    order = invoiced(an_order(100_00))
    make_wallet(program, owner=twin)
    made = make_merge(ana, twin)
    with patch.object(ledger, "credit", side_effect=LedgerBusy), pytest.raises(LedgerBusy):
        take(program.store, order)

    with pytest.raises(LedgerBusy):
        make_unmerge(made)

    assert fresh(made).undone_at is None


@time_machine.travel(START + DAY, tick=False)
def test_tiers_follow_from_the_orders_of_both_and_from_each_again_when_undone(
    program: Program, ana: Customer, twin: Customer
) -> None:
    make_scheme(program)
    take(program.store, an_order(60_00, buyer=ana.identity))
    take(program.store, an_order(60_00, buyer=twin.identity))
    made = make_merge(ana, twin)

    settle_due(program)

    standing = TierStanding.objects.get(customer=twin)
    assert (standing.tier, standing.counted) == ("Silver", 120_00)
    make_unmerge(made)
    settle_due(program)
    counted = TierStanding.objects.order_by("customer").values_list("tier", "counted")
    assert list(counted) == [("", 60_00), ("", 60_00)]


@time_machine.travel(START + 60 * DAY, tick=False)
def test_a_cap_is_each_ones_own_again_when_undone_also_that_of_a_month_long_ago(
    ana: Customer, twin: Customer, program: Program
) -> None:
    program.earning_rules.update(ends_at=START - DAY)
    make_rule(program, cap_per_period=130 * POINT, period="month")
    take(program.store, an_order(100_00, buyer=ana.identity))
    take(program.store, an_order(100_00, paid=START + DAY, buyer=twin.identity))
    take(program.store, an_order(1_00, paid=START + 40 * DAY, buyer=twin.identity))
    made = make_merge(ana, twin)
    settle_due(program)
    assert points(program) == {"due": 131, "pending": 131}

    make_unmerge(made)
    settle_due(program)

    assert points(program, ana) == {"due": 100, "pending": 100}
    assert points(program, twin) == {"due": 101, "pending": 101}


@time_machine.travel(START + DAY, tick=False)
def test_who_is_left_without_orders_is_left_without_their_tier(
    program: Program, ana: Customer, twin: Customer
) -> None:
    make_scheme(program)
    take(program.store, an_order(120_00, buyer=ana.identity))
    made = make_merge(ana, twin)
    settle_due(program)
    assert TierStanding.objects.get(customer=twin).tier == "Silver"

    make_unmerge(made)
    settle_due(program)
    while earning.review_chunk(Job()):
        pass

    standing = TierStanding.objects.order_by("customer").values_list("customer", "tier")
    assert list(standing) == [(ana.pk, "Silver"), (twin.pk, "")]


@time_machine.travel(START + DAY, tick=False)
def test_an_order_found_after_the_merge_is_of_who_stays(
    program: Program, ana: Customer, twin: Customer
) -> None:
    make_merge(ana, twin)

    take(program.store, an_order(100_00))

    assert ShopOrder.objects.get().customer == twin
