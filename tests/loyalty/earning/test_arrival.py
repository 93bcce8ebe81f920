"""Whatever arrives late, twice or in another order: the same orders end in the same state."""

import datetime
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.identity import Identity
from loyalty.models import Balance, Earning, Program, ShopOrder, Store
from loyalty.shop_orders import Order, OrderState, rank
from tests.builders import make_store
from tests.loyalty.earning.builders import (
    DAY,
    START,
    an_order,
    canceled,
    invoiced,
    make_campaign,
    make_earning_program,
    make_rule,
    replaced,
    returned,
    take,
)

BUYERS = [Identity.of(email="ana@example.com"), Identity.of(document="12345678909")]


@st.composite
def lives(draw: st.DrawFn) -> list[Order]:
    """Every sight that there was of one order: paid, perhaps invoiced, returned, canceled."""
    first = an_order(
        draw(st.integers(1, 400_00)),
        paid=START + draw(st.integers(0, 70)) * DAY,
        buyer=draw(st.sampled_from(BUYERS)),
        channel=draw(st.sampled_from(["1", "2"])),
    )
    sights = [first]
    if draw(st.booleans()):
        sights.append(invoiced(first))
        back = draw(st.lists(st.integers(1, first.total), max_size=2))
        for number, value in enumerate(sorted(back)):
            sights.append(returned(sights[1], value, after=(5 + number) * DAY))
    if draw(st.integers(0, 3)) == 0:
        sights.append(canceled(sights[-1]))
    return sights


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Order], list[Order]]:
    """The sights in the order in which they happened, and as they arrive: shuffled, some twice."""
    happened = [sight for life in draw(st.lists(lives(), min_size=1, max_size=4)) for sight in life]
    again = draw(st.lists(st.sampled_from(happened), max_size=3))
    return happened, draw(st.permutations([*happened, *again]))


def make_house(store: Store) -> Program:
    """Rules that make orders depend on one another: caps of periods, first orders, exclusion."""
    program = make_earning_program(store, take_back="owe")
    make_rule(program, priority=3, cap_per_order=150 * 25)
    make_rule(program, percent="2.5", priority=2, cap_per_period=200 * 25, period="month")
    make_rule(program, points=50, per_amount=100_00, priority=1, first_order_only=True)
    make_rule(program, percent="7", priority=0, channels=["2"], is_exclusive=True)
    make_campaign(program, "1.5", ends_at=START + 20 * DAY)
    return program


def state_after(sights: list[Order]) -> dict[str, Any]:
    """What a store of its own has when these sights have arrived."""
    store = make_store()
    program = make_house(store)
    order_of_rules = list(program.earning_rules.order_by("pk").values_list("pk", flat=True))
    take(store, *sights)
    earnings = Earning.objects.filter(order__store=store).select_related("order")
    for each in earnings:
        assert each.net == each.due or each.usable_at is None
    return {
        "due": {
            (
                each.order.order_id,
                order_of_rules.index(each.rule_id),
                each.campaign_id is not None,
            ): (each.due, each.usable_at)
            for each in earnings
            if each.due
        },
        "why": {
            row.order_id: [(verdict["why"], verdict["due"]) for verdict in row.verdicts]
            for row in ShopOrder.objects.filter(store=store)
        },
        "balances": sorted(
            available
            for available in Balance.objects.filter(card__store=store).values_list(
                "available", flat=True
            )
            if available
        ),
    }


@pytest.mark.django_db
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deliveries())
def test_ends_the_same_in_whatever_order_it_arrives(
    arrival: tuple[list[Order], list[Order]],
) -> None:
    happened, arrived = arrival

    assert state_after(arrived) == state_after(happened)


@given(st.lists(lives(), min_size=1, max_size=1), st.randoms())
def test_the_newest_sight_is_the_last_that_happened(life: list[list[Order]], random: Any) -> None:
    [sights] = life
    shuffled = sights[:]
    random.shuffle(shuffled)

    assert max(shuffled, key=lambda sight: sight.rank) == sights[-1]


def test_two_sights_of_one_instant_are_told_apart_the_same_way() -> None:
    one = an_order(100_00)
    other = replace(one, channel="2")

    assert one.rank != other.rank
    assert max([one, other], key=lambda each: each.rank) == max(
        [other, one], key=lambda each: each.rank
    )
    assert rank(one.state, one.changed_at, one.digest) == one.rank


def test_nothing_comes_back_from_a_cancellation() -> None:
    gone = canceled(an_order(100_00))
    late = replace(gone, state=OrderState.PAID, changed_at=gone.changed_at + DAY)

    assert gone.rank > late.rank


@pytest.mark.django_db
@pytest.mark.parametrize("paid", [None, START - 60 * DAY])
def test_the_cap_is_free_again_in_the_month_that_an_order_turns_out_not_to_be_of(
    paid: datetime.datetime | None,
) -> None:
    program = make_earning_program()
    make_rule(program, cap_per_period=100 * 25, period="month")
    first, second = invoiced(an_order(80_00)), invoiced(an_order(80_00, paid=START + DAY))
    take(program.store, first, second)
    assert [row.verdicts[0]["due"] for row in ShopOrder.objects.order_by("paid_at")] == [2000, 500]

    # The store names another instant of payment, or none with its cancellation.
    take(program.store, replaced(canceled(first), paid_at=paid))

    assert ShopOrder.objects.get(order_id=second.order_id).verdicts[0]["due"] == 2000
