"""Rewards of the store that come after an order had earned: found by the clock, taken once."""

import pytest
import time_machine

from loyalty import earning, ledger
from loyalty.models import Origin, Program, ShopOrder, Transaction
from loyalty.shop_orders import Order
from tests.builders import make_cancellation, make_customer, make_wallet
from tests.loyalty.earning.builders import (
    DAY,
    HOUR,
    START,
    an_order,
    invoiced,
    make_earning_program,
    make_rule,
    points,
    take,
)

pytestmark = pytest.mark.django_db


def make_earned() -> tuple[Program, Order]:
    program = make_earning_program(usable_after_days=0)
    make_rule(program)
    order = invoiced(an_order(100_00))
    with time_machine.travel(START + 2 * DAY, tick=False):
        take(program.store, order)
    return program, order


def reward(program: Program, order_id: str, *, by_request: bool = False) -> Transaction:
    card = make_wallet(program, owner=make_customer(program.store))
    return ledger.credit(
        card.pk,
        amount=100,
        actor="vtex",
        origin=Origin.REWARD,
        request_id=order_id if by_request else "r",
        order_id="" if by_request else order_id,
    )


def sweep(hours: int) -> int:
    """What a worker does so long after the order, and how many orders it looks at again."""
    with time_machine.travel(START + 2 * DAY + hours * HOUR, tick=False):
        found = earning.look_for_rewards()
        earning.settle_due()
    return found


@pytest.mark.parametrize("by_request", [False, True])
def test_a_late_reward_takes_back_what_the_order_earned(*, by_request: bool) -> None:
    program, order = make_earned()
    before = sweep(1)
    with time_machine.travel(START + 2 * DAY + 2 * HOUR, tick=False):
        reward(program, order.order_id, by_request=by_request)

    found = sweep(3)

    assert (before, found) == (0, 1)
    assert points(program) == {"credited": 100, "taken": 100}
    assert [told["why"] for told in ShopOrder.objects.get().verdicts] == ["store_reward"]


def test_a_reward_that_is_taken_back_lets_the_order_earn_again() -> None:
    program, order = make_earned()
    with time_machine.travel(START + 2 * DAY + HOUR, tick=False):
        given = reward(program, order.order_id)
    sweep(2)
    with time_machine.travel(START + 2 * DAY + 3 * HOUR, tick=False):
        make_cancellation(given, 100)

    found = sweep(4)

    assert found == 1
    assert points(program) == {"due": 100, "credited": 200, "taken": 100}


def test_what_was_looked_at_is_not_looked_at_for_ever() -> None:
    program, order = make_earned()
    with time_machine.travel(START + 2 * DAY + HOUR, tick=False):
        reward(program, order.order_id)
    sweep(2)

    again = [sweep(3), sweep(5), sweep(9)]

    assert again[1:] == [0, 0]
    assert points(program) == {"credited": 100, "taken": 100}


def test_orders_of_another_store_and_other_credit_are_left_alone() -> None:
    program, order = make_earned()
    other = make_earning_program()
    with time_machine.travel(START + 2 * DAY + HOUR, tick=False):
        reward(other, order.order_id)
        card = make_wallet(program, owner=make_customer(program.store))
        ledger.credit(card.pk, amount=100, actor="x", request_id="r", order_id=order.order_id)

    found = sweep(2)

    assert found == 0
    assert points(program) == {"due": 100, "credited": 100}
