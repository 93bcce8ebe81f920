"""Real races on PostgreSQL: orders of one customer, of one budget, and purchases, all at once."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.db.transaction import atomic

from loyalty import earning, ledger
from loyalty.earning import settling
from loyalty.exceptions import InsufficientBalance, LedgerBusy
from loyalty.identity import Identity
from loyalty.ledger.invariants import violations
from loyalty.models import (
    Campaign,
    Customer,
    Earning,
    EarningMovement,
    GiftCard,
    Operation,
    Program,
    ShopOrder,
)
from loyalty.shop_orders import Order
from tests.builders import ACTOR, buckets, make_credit, make_purchase, remaining
from tests.loyalty.earning.builders import (
    DAY,
    HOUR,
    START,
    an_order,
    canceled,
    invoiced,
    make_campaign,
    make_earning_program,
    make_rule,
    points,
    returned,
    take,
)
from tests.loyalty.ledger.race import errors, race

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("concurrency"),  # they load the machine; one worker is enough
]

BUYERS = [Identity.of(email=f"buyer{number}@example.com") for number in range(6)]


@pytest.fixture(autouse=True)
def books_are_right_afterwards() -> Iterator[None]:
    yield
    assert violations() == []
    assert not EarningMovement.objects.filter(status="planned").exists()
    for each in Earning.objects.all():
        done = each.movements.filter(status="done")
        credited, taken = (
            sum(one.units for one in done if one.kind == kind) for kind in ("credit", "take_back")
        )
        assert (each.credited, each.taken) == (credited, taken)


def arrives(program: Program, order: Order) -> Callable[[], None]:
    """The order is taken, and tried again for as long as something is in the way."""

    def settle() -> None:
        row = earning.record(program.store, order)
        for _ in range(20):
            try:
                return earning.settle(row)
            except LedgerBusy:
                continue
        raise AssertionError("never settled")

    return settle


def wallet() -> GiftCard:
    return GiftCard.objects.get()


def test_orders_at_once_share_what_is_left_of_a_cap() -> None:
    program = make_earning_program()
    make_rule(program, cap_per_period=250 * 25, period="month")
    take(program.store, an_order(10_00, paid=START - 40 * DAY))  # there is a customer
    orders = [invoiced(an_order(100_00, paid=START + number * HOUR)) for number in range(5)]

    assert errors(race([arrives(program, order) for order in orders])) == []

    # By the turn of payment: what came first and was paid later is taken back.
    due = Earning.objects.filter(order__paid_at__gte=START, due__gt=0).order_by("order__paid_at")
    assert list(due.values_list("due", flat=True)) == [2500, 2500, 1250]
    assert buckets(wallet())["available"] == 250 * 25


def test_the_first_orders_of_a_buyer_at_once_make_one_customer() -> None:
    program = make_earning_program()
    make_rule(program, first_order_only=True)
    orders = [invoiced(an_order(100_00, paid=START + number * HOUR)) for number in range(6)]

    assert errors(race([arrives(program, order) for order in orders])) == []

    assert Customer.objects.count() == 1
    assert points(program) == {"due": 100, "credited": 100}


def test_customers_at_once_share_what_is_left_of_a_budget() -> None:
    program = make_earning_program()
    make_rule(program)
    make_campaign(program, "2", budget=250 * 25)
    orders = [invoiced(an_order(100_00, buyer=buyer)) for buyer in BUYERS]

    assert errors(race([arrives(program, order) for order in orders])) == []

    extra = Earning.objects.filter(campaign__isnull=False)
    assert sorted(extra.values_list("due", flat=True)) == [1250, 2500, 2500]
    assert Campaign.objects.get().used == 250 * 25
    assert points(program)["credited"] == 600 + 250


def test_what_is_returned_is_in_the_budget_again_for_one_alone() -> None:
    program = make_earning_program()
    make_rule(program)
    make_campaign(program, "2", budget=100 * 25)
    first = invoiced(an_order(100_00, buyer=BUYERS[0]))
    take(program.store, first)
    others = [invoiced(an_order(100_00, buyer=buyer)) for buyer in BUYERS[1:]]

    race([arrives(program, each) for each in (canceled(first), *others)])
    for order in others:
        take(program.store, order)

    used = Campaign.objects.get().used
    assert used == sum(Earning.objects.filter(campaign__isnull=False).values_list("due", flat=True))
    assert used == 100 * 25


def test_one_change_settled_many_times_at_once_moves_once() -> None:
    program = make_earning_program()
    make_rule(program)
    order = invoiced(an_order(100_00))

    assert errors(race([arrives(program, order)] * 6)) == []
    assert points(program) == {"due": 100, "credited": 100}

    assert errors(race([arrives(program, returned(order, 40_00))] * 6)) == []
    assert points(program) == {"due": 60, "credited": 100, "taken": 40}
    kinds = EarningMovement.objects.order_by("pk").values_list("kind", "units", "status")
    assert list(kinds) == [("credit", 2500, "done"), ("take_back", 1000, "done")]
    moves = Operation.objects.filter(kind__in=["credit", "cancel"])
    assert list(moves.order_by("id").values_list("kind", "applied")) == [
        ("credit", 2500),
        ("cancel", 1000),
    ]


def test_sights_of_one_order_at_once_end_with_the_newest() -> None:
    program = make_earning_program()
    make_rule(program)
    order = an_order(100_00)
    sold = invoiced(order)
    sights = [order, sold, returned(sold, 30_00), returned(sold, 50_00, after=12 * DAY)]

    assert errors(race([arrives(program, sight) for sight in sights])) == []
    take(program.store)

    row = ShopOrder.objects.get()
    earned = Earning.objects.get()
    assert (row.kept, earned.due, earned.net) == (50_00, 1250, 1250)
    assert buckets(wallet())["available"] == 1250


def spend(card: GiftCard, units: int, number: int) -> Callable[[], Any]:
    return partial(
        ledger.authorize, card.pk, amount=units, request_id=f"payment-{number}", actor=ACTOR
    )


@pytest.mark.parametrize("policy", ["owe", "waive"])
def test_a_take_back_against_purchases_takes_what_they_leave(policy: str) -> None:
    program = make_earning_program(take_back=policy, usable_after_days=0)
    make_rule(program)
    order = invoiced(an_order(100_00))
    take(program.store, order)
    card = wallet()

    results = race(
        [arrives(program, canceled(order)), *(spend(card, 500, number) for number in range(6))]
    )

    assert set(errors(results)) <= {InsufficientBalance}
    found = buckets(card)
    assert found.get("available", 0) < 500
    earned = Earning.objects.get()
    assert earned.taken == found.get("removed", 0)
    left = 2500 - earned.taken
    # What a purchase holds is owed, or waived; not a unit more, and none is lost.
    assert (earned.owed, earned.forgiven) == ((left, 0) if policy == "owe" else (0, left))
    assert found.get("held", 0) == left


def test_a_take_back_that_a_purchase_overtook_leaves_other_credit_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = make_earning_program(take_back="owe", usable_after_days=0)
    make_rule(program)
    order = invoiced(an_order(100_00))
    take(program.store, order)
    courtesy = make_credit(wallet(), 5000)
    ask = settling._ask
    overtaken: list[str] = []

    def after_a_purchase(movement: EarningMovement) -> Any:
        if not overtaken:
            overtaken.append(movement.request_id)
            make_purchase(wallet(), 2000)
        return ask(movement)

    monkeypatch.setattr(settling, "_ask", after_a_purchase)
    take(program.store, canceled(order))

    # The purchase took 20 of the 25 reais that were planned to be taken back.
    assert points(program) == {"credited": 100, "taken": 20, "owed": 80}
    assert remaining(wallet()) == [0, 5000]
    assert courtesy.grants.get().remaining == 5000
    statuses = EarningMovement.objects.filter(kind="take_back").order_by("pk")
    assert list(statuses.values_list("units", "status", "refusal")) == [
        (2500, "refused", "credit_spent"),
        (500, "done", ""),
    ]


def test_a_lock_that_is_not_to_be_had_is_for_later() -> None:
    program = make_earning_program()
    make_rule(program)
    take(program.store, an_order(100_00))
    order = invoiced(an_order(50_00))
    row = earning.record(program.store, order)

    def while_locked() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        return earning.settle_due()

    with atomic():
        Customer.objects.select_for_update().get()
        [result] = race([while_locked])
    assert result == 0
    row.refresh_from_db()
    assert (row.version, row.settled_version) == (1, 0)

    assert earning.settle_due() == 1
    assert points(program) == {"due": 150, "pending": 100, "credited": 50}
