"""What orders earn when a point becomes worth something else: before, meanwhile and after."""

import datetime
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from django.core import mail
from time_machine import Traveller

from loyalty import earning, jobs, ledger, notifications, point_values
from loyalty.exceptions import LedgerBusy
from loyalty.ledger.invariants import violations
from loyalty.models import (
    Customer,
    Earning,
    EarningMovement,
    GiftCard,
    Job,
    PointValueChange,
    Program,
    Reason,
)
from loyalty.reports.amounts import finest
from loyalty.reports.pending import pending
from loyalty.shop_orders import Order
from loyalty.tasks import HANDLERS
from tests.builders import (
    buckets,
    fresh,
    make_customer,
    make_merge,
    make_purchase,
    make_wallet,
    new_id,
)
from tests.loyalty.earning.builders import (
    DAY,
    HOUR,
    START,
    an_order,
    canceled,
    invoiced,
    make_earning_program,
    make_rule,
    replaced,
    returned,
    take,
)
from tests.loyalty.notifications.builders import make_telling_program

pytestmark = pytest.mark.django_db

KEEP_MONEY, KEEP_POINTS = PointValueChange.Policy
CHANGE = START + 5 * DAY


@pytest.fixture(autouse=True)
def books_stay_right() -> Iterator[None]:
    yield
    assert violations() == []


@pytest.fixture
def clock() -> Iterator[Traveller]:
    with time_machine.travel(START + 2 * DAY, tick=False) as travel:
        yield travel


@pytest.fixture
def program() -> Program:
    """A point for each real, of R$ 0.0025, usable at once."""
    program = make_earning_program(usable_after_days=0)
    make_rule(program)
    return program


def change(program: Program, after: int, policy: str = KEEP_POINTS) -> PointValueChange:
    return point_values.change(
        program,
        before=fresh(program).point_units or 0,
        after=after,
        policy=policy,
        requested_by=None,
        reason=Reason.CAMPAIGN,
        request_id=new_id("change"),
    )


def run() -> None:
    while jobs.run_next(HANDLERS):
        pass


def points_on_the_wallet(program: Program) -> int:
    wallet = GiftCard.objects.select_related("balance").get(program=program)
    return wallet.balance.available // (fresh(program).point_units or 1)


def counted(order: Order) -> dict[str, int]:
    """The earning of an order, without what is zero."""
    row = Earning.objects.get(order__order_id=order.order_id)
    names = ("due", "credited", "taken", "forgiven", "pending", "owed")
    return {name: getattr(row, name) for name in names if getattr(row, name)}


@pytest.mark.parametrize("after", [10, 50])
@pytest.mark.parametrize("policy", [KEEP_MONEY, KEEP_POINTS])
def test_gives_points_of_the_value_on_the_day_of_the_order(
    after: int, policy: str, program: Program, clock: Traveller
) -> None:
    early, late = an_order(100_00), an_order(100_00, paid=CHANGE + HOUR)
    clock.move_to(CHANGE)
    change(program, after, policy)
    run()
    clock.move_to(CHANGE + 3 * DAY)

    take(program.store, invoiced(late), invoiced(early))

    assert counted(late) == {"due": 100 * after, "credited": 100 * after}
    kept = 100 * after if policy == KEEP_POINTS else 2500
    assert counted(early) == {"due": 2500, "credited": 2500}
    assert points_on_the_wallet(program) == (kept + 100 * after) // after


@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
@pytest.mark.parametrize("after", [10, 50])
def test_comes_to_the_same_whenever_an_order_arrives(
    late: bool, after: int, program: Program, clock: Traveller
) -> None:
    order = an_order(100_00)
    if not late:
        take(program.store, invoiced(order))
    clock.move_to(CHANGE)
    change(program, after)
    run()
    if late:
        take(program.store, invoiced(order))

    assert points_on_the_wallet(program) == 100
    take(program.store, returned(order, 40_00))
    assert points_on_the_wallet(program) == 60
    take(program.store, canceled(returned(order, 40_00)))
    assert points_on_the_wallet(program) == 0
    assert counted(order) == {"credited": 2500, "taken": 2500}


def test_keeps_a_rules_caps_in_points(program: Program, clock: Traveller) -> None:
    program.earning_rules.update(ends_at=START)
    make_rule(program, cap_per_order=25 * 30)
    clock.move_to(CHANGE)
    change(program, 10)
    run()
    early, late = an_order(100_00), an_order(100_00, paid=CHANGE + HOUR)

    take(program.store, early, late)

    assert (counted(early)["due"], counted(late)["due"]) == (25 * 30, 10 * 30)


@pytest.mark.parametrize("after", [10, 50])
@pytest.mark.parametrize("policy", [KEEP_MONEY, KEEP_POINTS])
def test_fills_the_cap_of_a_period_in_points_whatever_they_were_worth(
    after: int, policy: str, program: Program, clock: Traveller
) -> None:
    program.earning_rules.update(ends_at=START)
    make_rule(program, cap_per_period=25 * 130, period="month")
    clock.move_to(CHANGE)
    change(program, after, policy)
    run()
    early, late = an_order(100_00), an_order(100_00, paid=CHANGE + HOUR)

    take(program.store, early, late)

    assert (counted(early)["due"], counted(late)["due"]) == (25 * 100, after * 30)


def test_rounds_a_percentage_down_to_whole_points_of_the_day(
    program: Program, clock: Traveller
) -> None:
    program.earning_rules.update(ends_at=START)
    make_rule(program, percent="1")
    clock.move_to(CHANGE)
    change(program, 7, KEEP_MONEY)
    late = an_order(100_10, paid=CHANGE + HOUR)

    take(program.store, late)

    assert counted(late)["due"] == 10010 // 7 * 7


@pytest.mark.parametrize("take_back", ["waive", "owe"])
@pytest.mark.parametrize("after", [10, 50])
def test_takes_back_no_more_points_than_were_earned(
    after: int, take_back: str, clock: Traveller
) -> None:
    program = make_earning_program(usable_after_days=0, take_back=take_back)
    make_rule(program)
    spent, other = an_order(100_00), an_order(100_00, paid=START + HOUR)
    take(program.store, invoiced(spent), invoiced(other))
    clock.move_to(CHANGE)
    change(program, after)
    run()
    wallet = GiftCard.objects.get(program=program)
    assert points_on_the_wallet(program) == 200
    make_purchase(wallet, 150 * after)

    take(program.store, canceled(invoiced(spent)))

    assert points_on_the_wallet(program) == 0
    row = Earning.objects.get(order__order_id=spent.order_id)
    waived = 1250 if take_back == "waive" else 0
    assert (row.taken, row.forgiven, row.owed) == (1250, waived, 1250 - waived)


@pytest.mark.parametrize("policy", [KEEP_MONEY, KEEP_POINTS])
@pytest.mark.parametrize(("first", "then"), [(START, CHANGE + HOUR), (CHANGE + HOUR, START)])
def test_an_order_whose_payment_is_dated_anew_across_the_change_earns_once(
    first: datetime.datetime, then: datetime.datetime, policy: str, clock: Traveller
) -> None:
    program = make_earning_program(usable_after_days=0)
    make_rule(program)
    order = invoiced(an_order(100_00, paid=first))
    if first < CHANGE:
        take(program.store, order)
    clock.move_to(CHANGE)
    change(program, 50, policy)
    run()
    clock.move_to(CHANGE + 5 * DAY)
    take(program.store, order)
    dated_anew = replaced(order, paid_at=then, changed_at=order.changed_at + DAY)

    take(program.store, dated_anew)

    kept = policy == KEEP_MONEY and then < CHANGE
    assert points_on_the_wallet(program) == (50 if kept else 100)
    take(program.store, canceled(dated_anew))
    assert points_on_the_wallet(program) == 0
    assert Earning.objects.get().owed == 0


def test_takes_what_is_owed_from_the_next_earning_in_points_of_now(
    clock: Traveller,
) -> None:
    program = make_earning_program(usable_after_days=0, take_back="owe")
    make_rule(program)
    order = an_order(100_00)
    take(program.store, invoiced(order))
    make_purchase(GiftCard.objects.get(program=program), 2500)
    clock.move_to(CHANGE)
    change(program, 10)
    run()
    take(program.store, canceled(invoiced(order)))
    assert counted(order)["owed"] == 2500
    clock.move_to(CHANGE + 2 * DAY)

    take(program.store, invoiced(an_order(150_00, paid=CHANGE + HOUR)))
    earning.carry_out(fresh(program), Customer.objects.get())

    assert points_on_the_wallet(program) == 50
    assert counted(order) == {"credited": 2500, "taken": 2500}


def test_asks_for_nothing_that_another_value_took_off(clock: Traveller) -> None:
    program = make_earning_program(usable_after_days=0, take_back="owe")
    make_rule(program)
    order = an_order(100_00)
    take(program.store, invoiced(order))
    clock.move_to(CHANGE)
    change(program, 10)
    run()
    make_purchase(GiftCard.objects.get(program=program), 600)

    take(program.store, canceled(invoiced(order)))

    # 60 points were spent: they are owed, and not thought to have expired.
    assert counted(order) == {"credited": 2500, "taken": 1000, "owed": 1500}


def test_adjusts_a_wallet_before_anything_is_credited_to_it(
    program: Program, clock: Traveller
) -> None:
    take(program.store, invoiced(an_order(100_00)))
    clock.move_to(CHANGE)
    change(program, 10)

    take(program.store, invoiced(an_order(50_00)))

    assert points_on_the_wallet(program) == 150
    run()
    assert points_on_the_wallet(program) == 150


@pytest.mark.parametrize("by", ["the job", "whoever is next"])
def test_keeps_the_points_of_what_was_planned_and_not_done_before(
    by: str, program: Program, clock: Traveller
) -> None:
    order = invoiced(an_order(100_00))
    with patch.object(ledger, "credit", side_effect=LedgerBusy), pytest.raises(LedgerBusy):
        take(program.store, order)
    assert EarningMovement.objects.get().status == "planned"
    clock.move_to(CHANGE)
    change(program, 10)

    if by == "the job":
        run()
    else:
        take(program.store, order)
    assert EarningMovement.objects.get().status == "done"
    assert points_on_the_wallet(program) == 100
    run()
    take(program.store, order)

    assert points_on_the_wallet(program) == 100
    assert counted(order) == {"due": 2500, "credited": 2500}


def test_plans_nothing_by_a_value_that_has_changed_meanwhile(
    program: Program, clock: Traveller
) -> None:
    order = invoiced(an_order(100_00))
    latest = point_values.latest

    def just_before(asked: Program) -> PointValueChange | None:
        found = latest(asked)
        if found is None:
            change(program, 10)
        return found

    with patch.object(point_values, "latest", just_before), pytest.raises(LedgerBusy):
        take(program.store, order)
    assert EarningMovement.objects.count() == 0
    take(program.store, order)
    run()

    assert points_on_the_wallet(program) == 100


def test_forgives_what_expired_as_many_points_as_it_was(clock: Traveller) -> None:
    program = make_earning_program(usable_after_days=0, take_back="owe", validity_days=10)
    make_rule(program)
    order = an_order(100_00)
    take(program.store, invoiced(order))
    wallet = GiftCard.objects.get(program=program)
    make_purchase(wallet, 1000)
    clock.move_to(CHANGE)
    change(program, 50)
    run()
    clock.move_to(START + 20 * DAY)
    ledger.expire(wallet.pk, actor="clock")

    take(program.store, canceled(invoiced(order)))

    # 60 of 100 points expired; the 40 that were spent are owed.
    assert counted(order) == {"credited": 2500, "forgiven": 1500, "owed": 1000}


def test_does_not_take_what_paid_another_orders_debt_for_expired(clock: Traveller) -> None:
    program = make_earning_program(usable_after_days=0, take_back="owe")
    make_rule(program)
    early, late = an_order(100_00), an_order(100_00, paid=CHANGE + HOUR)
    take(program.store, invoiced(early))
    make_purchase(GiftCard.objects.get(program=program), 2500)
    clock.move_to(CHANGE)
    change(program, 50)
    run()
    take(program.store, canceled(invoiced(early)))
    clock.move_to(CHANGE + 3 * DAY)
    take(program.store, invoiced(late))
    earning.carry_out(fresh(program), Customer.objects.get())
    assert counted(early) == {"credited": 2500, "taken": 2500}

    take(program.store, canceled(invoiced(late), after=10 * DAY))

    assert counted(late) == {"credited": 5000, "owed": 5000}


@pytest.mark.parametrize("rules", [1, 2])
def test_takes_back_what_a_higher_value_added_after_a_merge(
    rules: int, program: Program, clock: Traveller
) -> None:
    for _ in range(rules - 1):
        make_rule(program)
    order = an_order(100_00)
    take(program.store, invoiced(order))
    ana = Customer.objects.get()
    twin = make_customer(program.store)
    wallet = make_wallet(program, owner=twin)
    make_merge(ana, twin)
    clock.move_to(CHANGE)
    change(program, 50)
    run()
    assert buckets(wallet)["available"] == rules * 5000

    take(program.store, canceled(invoiced(order)))

    assert buckets(wallet).get("available", 0) == 0
    assert {(row.credited, row.taken, row.forgiven) for row in Earning.objects.all()} == {
        (2500, 2500, 0)
    }


def test_a_take_back_from_where_points_went_holds_up_no_change(
    program: Program, clock: Traveller
) -> None:
    order = an_order(100_00)
    take(program.store, invoiced(order))
    twin = make_customer(program.store)
    wallet = make_wallet(program, owner=twin)
    make_merge(Customer.objects.exclude(pk=twin.pk).get(), twin)
    with patch.object(ledger, "cancel", side_effect=LedgerBusy), pytest.raises(LedgerBusy):
        take(program.store, returned(order, 40_00))
    clock.move_to(CHANGE)
    made = change(program, 50)

    run()

    assert fresh(program).point_units_before is None
    assert made.job
    assert Job.objects.get(pk=made.job.pk).status == "done"
    assert earning.settle_due() == 1
    assert counted(order) == {"due": 1500, "credited": 2500, "taken": 1000}
    assert buckets(wallet)["available"] == 60 * 50


def test_forgives_what_grew_and_expired_after_a_merge(clock: Traveller) -> None:
    program = make_earning_program(usable_after_days=0, take_back="owe", validity_days=10)
    make_rule(program)
    order = an_order(100_00)
    take(program.store, invoiced(order))
    make_wallet(program, owner=(twin := make_customer(program.store)))
    make_merge(Customer.objects.exclude(pk=twin.pk).get(), twin)
    clock.move_to(CHANGE)
    change(program, 50)
    run()
    clock.move_to(START + 20 * DAY)

    take(program.store, canceled(invoiced(order)))

    assert counted(order) == {"credited": 2500, "forgiven": 2500}


def test_touches_no_other_credit_of_the_wallet(program: Program, clock: Traveller) -> None:
    order = an_order(100_00)
    take(program.store, invoiced(order))
    wallet = GiftCard.objects.get(program=program)
    given: Any = {"request_id": "gift", "actor": "test", "amount": 2500}
    ledger.credit(wallet.pk, **given)
    make_wallet(program, balance=2500)
    clock.move_to(CHANGE)
    change(program, 50)
    run()

    take(program.store, canceled(invoiced(order)))

    kept = wallet.grants.exclude(origin="earning").values_list("origin", "remaining")
    assert sorted(kept) == [("credit", 2500), ("credit", 2500)]
    assert set(wallet.grants.filter(origin="earning").values_list("remaining", flat=True)) == {0}


def test_tells_customers_the_points_that_an_order_comes_to_now(
    clock: time_machine.Traveller,
) -> None:
    clock.move_to(START - DAY)
    program = make_telling_program()
    clock.move_to(START)
    order = invoiced(an_order(100_00), at=START)
    take(program.store, order)
    clock.move_to(CHANGE)
    change(program, 50)
    run()

    notifications.send_due()
    clock.move_to(START + 8 * DAY)
    notifications.announce_usable()
    notifications.send_due()

    told = [email.subject.replace("\u00a0", " ") for email in mail.outbox]
    assert [subject for subject in told if "100 pontos (R$0.50)" in subject] == told
    assert len(told) == 2


@pytest.mark.parametrize("policy", [KEEP_MONEY, KEEP_POINTS])
def test_counts_what_waits_by_what_it_comes_to_now(
    policy: str, program: Program, clock: time_machine.Traveller
) -> None:
    take(program.store, an_order(100_00))
    clock.move_to(CHANGE)
    change(program, 10, policy)
    take(program.store, an_order(30_00, paid=CHANGE + HOUR))

    waits = pending(fresh(program)).waits

    early = 1000 if policy == KEEP_POINTS else 2500
    assert waits == finest(early + 300, currency="BRL", exponent=4)
