"""What the ledger does when orders are paid, invoiced, returned and canceled."""

from unittest.mock import patch

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone

from loyalty import earning, ledger
from loyalty.earning import intake, settling
from loyalty.exceptions import BalanceLimitExceeded, LedgerBusy
from loyalty.identity import Identity
from loyalty.models import (
    Customer,
    Earning,
    EarningMovement,
    GiftCard,
    Grant,
    Origin,
    Program,
    ShopOrder,
)
from loyalty.shop_orders import Order
from tests.builders import (
    buckets,
    make_credit,
    make_customer,
    make_purchase,
    make_wallet,
    remaining,
)
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

pytestmark = pytest.mark.django_db


def wallet() -> GiftCard:
    return GiftCard.objects.get()


def test_points_are_pending_from_payment_and_nothing_moves() -> None:
    program = make_earning_program()
    make_rule(program)

    take(program.store, an_order(100_99))

    assert points(program) == {"due": 100, "pending": 100}
    assert not GiftCard.objects.exists()


def test_the_invoice_credits_them_usable_some_days_later() -> None:
    program = make_earning_program(usable_after_days=7)
    make_rule(program)
    order = an_order(100_00)

    take(program.store, order, invoiced(order))

    grant = Grant.objects.get()
    assert points(program) == {"due": 100, "credited": 100}
    assert (grant.amount, grant.origin, grant.funding) == (2500, Origin.EARNING, "promotional")
    assert grant.valid_from == START + 8 * DAY
    assert grant.expires_at == program.expiry_after(grant.valid_from)
    assert grant.transaction is not None
    assert grant.transaction.order_id == order.order_id
    assert wallet().owner == Customer.objects.get(email="ana@example.com")


def test_what_arrives_twice_or_late_changes_nothing() -> None:
    program = make_earning_program()
    make_rule(program)
    order = an_order(100_00)
    last = returned(order, 40_00)
    take(program.store, last)
    before = (points(program), buckets(wallet()), EarningMovement.objects.count())

    take(program.store, order, invoiced(order), last, order)

    assert (points(program), buckets(wallet()), EarningMovement.objects.count()) == before
    assert before[0] == {"due": 60, "credited": 60}


def test_a_return_takes_back_pro_rata_and_pending_first() -> None:
    program = make_earning_program()
    make_rule(program)
    order = an_order(100_00)
    take(program.store, order, invoiced(order))

    take(program.store, returned(order, 33_34))

    # 66.66 % of 100 points are 66 whole ones.
    assert points(program) == {"due": 66, "credited": 100, "taken": 34}
    assert buckets(wallet()) == {"credited": 2500, "available": 1650, "removed": 850}


def test_a_cancellation_takes_everything_back() -> None:
    program = make_earning_program()
    make_rule(program)
    order = an_order(100_00)

    take(program.store, invoiced(order), canceled(invoiced(order)))

    assert points(program) == {"credited": 100, "taken": 100}
    assert buckets(wallet()) == {"credited": 2500, "removed": 2500}


def test_a_canceled_order_that_was_never_invoiced_moves_nothing() -> None:
    program = make_earning_program()
    make_rule(program)
    order = an_order(100_00)

    take(program.store, order, canceled(order))

    assert points(program) == {}
    assert Earning.objects.get().state == Earning.State.TAKEN_BACK
    assert not GiftCard.objects.exists()


def spent(program_take_back: str) -> tuple[Program, Order]:
    """100 points earned, usable, and 80 of them spent; then the order is canceled."""
    program = make_earning_program(take_back=program_take_back, usable_after_days=0)
    make_rule(program)
    order = invoiced(an_order(100_00))
    take(program.store, order)
    make_purchase(wallet(), 2000)
    take(program.store, canceled(order))
    return program, order


def test_what_was_spent_is_waived_by_policy() -> None:
    program, _order = spent("waive")

    assert points(program) == {"credited": 100, "taken": 20, "forgiven": 80}
    assert buckets(wallet()) == {"credited": 2500, "spent": 2000, "removed": 500}


def test_what_was_spent_is_owed_by_policy_and_the_balance_is_never_negative() -> None:
    program, _order = spent("owe")

    assert points(program) == {"credited": 100, "taken": 20, "owed": 80}
    assert buckets(wallet()) == {"credited": 2500, "spent": 2000, "removed": 500}


def test_what_is_owed_is_taken_from_the_next_earnings() -> None:
    program, _order = spent("owe")

    take(program.store, invoiced(an_order(50_00, paid=START + 20 * DAY)))
    assert points(program) == {"due": 50, "credited": 150, "taken": 70, "owed": 30}

    take(program.store, invoiced(an_order(50_00, paid=START + 30 * DAY)))
    assert points(program)["due"] == 100
    assert "owed" not in points(program)
    assert buckets(wallet())["available"] == 20 * 25


def test_what_is_owed_is_not_taken_from_other_credit() -> None:
    program, order = spent("owe")
    make_credit(wallet(), 5000)

    take(program.store, order, canceled(order))

    assert points(program)["owed"] == 80
    assert buckets(wallet())["available"] == 5000


def test_what_expired_unspent_is_not_asked_for_again() -> None:
    program = make_earning_program(take_back="owe", usable_after_days=0, validity_days=30)
    make_rule(program)
    order = invoiced(an_order(100_00, paid=START - 100 * DAY))
    take(program.store, order)
    ledger.expire(wallet().pk, actor="test")

    take(program.store, canceled(order))

    assert points(program) == {"credited": 100, "forgiven": 100}
    assert buckets(wallet()) == {"credited": 2500, "expired": 2500}


def test_an_order_with_a_reward_of_the_store_earns_nothing() -> None:
    program = make_earning_program()
    make_rule(program)
    order = an_order(100_00)
    take(program.store, invoiced(order))
    owner = make_customer(program.store)
    other = make_wallet(program, owner=owner)
    ledger.credit(
        other.pk,
        amount=100,
        request_id=order.order_id,
        actor="vtex",
        origin=Origin.REWARD,
    )

    take(program.store, invoiced(order))

    row = ShopOrder.objects.get()
    assert points(program) == {"credited": 100, "taken": 100}
    assert [verdict["why"] for verdict in row.verdicts] == ["store_reward"]


def test_a_blocked_wallet_keeps_them_pending_until_it_is_unblocked() -> None:
    program = make_earning_program()
    make_rule(program)
    order = an_order(100_00)
    take(program.store, invoiced(an_order(1_00)))
    ledger.block(wallet().pk, request_id="b", actor="test")

    take(program.store, invoiced(order))

    earned = Earning.objects.get(order__order_id=order.order_id)
    assert (earned.pending, earned.problem) == (2500, "card_blocked")
    assert earned.order.due_at is not None

    ledger.unblock(wallet().pk, request_id="u", actor="test")
    earning.settle(ShopOrder.objects.get(order_id=order.order_id))

    earned.refresh_from_db()
    assert (earned.pending, earned.problem, earned.credited) == (0, "", 2500)


def test_a_movement_that_was_carried_out_before_a_crash_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = make_earning_program()
    make_rule(program)
    order = invoiced(an_order(100_00))

    class Crash(Exception):
        pass

    def crash(*_: object, **__: object) -> bool:
        raise Crash

    monkeypatch.setattr(settling, "_note", crash)
    with pytest.raises(Crash):
        take(program.store, order)
    monkeypatch.undo()
    assert buckets(wallet()) == {"credited": 2500, "available": 2500}

    earning.settle(ShopOrder.objects.get())

    assert points(program) == {"due": 100, "credited": 100}
    assert buckets(wallet()) == {"credited": 2500, "available": 2500}


def test_delivery_is_assumed_when_nobody_reports_it() -> None:
    program = make_earning_program(usable_from="delivery", usable_after_days=7, undelivered_days=30)
    make_rule(program)
    now = timezone.now()
    order = invoiced(an_order(100_00, paid=now - 2 * DAY))
    take(program.store, order)
    row = ShopOrder.objects.get()
    assert points(program) == {"due": 100, "pending": 100}
    assumed = now + 29 * DAY
    assert row.due_at == assumed

    with time_machine.travel(assumed + HOUR, tick=False):
        earning.settle(row)

    assert points(program) == {"due": 100, "credited": 100}
    assert Grant.objects.get().valid_from == assumed + 7 * DAY
    assert fresh_order().due_at is None


def fresh_order() -> ShopOrder:
    return ShopOrder.objects.get()


def test_the_budget_of_a_campaign_is_never_exceeded() -> None:
    program = make_earning_program()
    make_rule(program)
    campaign = make_campaign(program, "3", budget=250 * 25)

    take(program.store, an_order(100_00), an_order(100_00), an_order(100_00))

    campaign.refresh_from_db()
    assert campaign.used == 250 * 25
    assert points(program)["due"] == 300 + 250


def test_what_comes_back_is_in_the_budget_again() -> None:
    program = make_earning_program()
    make_rule(program)
    campaign = make_campaign(program, "2", budget=100 * 25)
    order = an_order(100_00)

    take(program.store, order, canceled(order), an_order(60_00))

    campaign.refresh_from_db()
    assert campaign.used == 60 * 25


def test_an_order_of_nobody_earns_nothing() -> None:
    program = make_earning_program()
    make_rule(program)
    take(program.store, invoiced(an_order(buyer=Identity())))

    row = ShopOrder.objects.get()
    assert (row.customer, row.version, row.settled_version) == (None, 1, 1)
    assert not Earning.objects.exists()


def test_an_order_cut_by_the_budget_keeps_its_part_however_often_it_is_settled() -> None:
    program = make_earning_program()
    make_rule(program)
    campaign = make_campaign(program, "2", budget=100 * 25)
    order = invoiced(an_order(100_00))
    take(program.store, order, returned(order, 50_00))
    other = an_order(50_00, buyer=Identity.of(email="bia@example.com"))
    take(program.store, other)

    for _ in range(3):
        take(program.store, returned(order, 50_00))

    campaign.refresh_from_db()
    due = dict(Earning.objects.filter(campaign=campaign).values_list("order__order_id", "due"))
    assert due == {order.order_id: 50 * 25, other.order_id: 50 * 25}
    assert campaign.used == 100 * 25


def test_what_a_budget_cuts_off_is_no_return() -> None:
    program = make_earning_program()
    make_rule(program)
    make_campaign(program, "2", budget=30 * 25)
    order = invoiced(an_order(100_00))

    take(program.store, order, returned(order, 50_00))

    earned = Earning.objects.get(campaign__isnull=False)
    # 50 of 100 points came back; of the others the budget has 30.
    assert (earned.gross, earned.due) == (80 * 25, 30 * 25)


def test_expired_credit_pays_no_debt_whether_its_expiry_is_booked_or_not() -> None:
    program = make_earning_program(take_back="owe", usable_after_days=0, validity_days=30)
    make_rule(program)
    with time_machine.travel(START + DAY, tick=False):
        first = invoiced(an_order(100_00))
        take(program.store, first, invoiced(an_order(60_00)))
        make_purchase(wallet(), 100 * 25)

    with time_machine.travel(START + 40 * DAY, tick=False):
        take(program.store, canceled(first, after=39 * DAY))

    assert points(program) == {"due": 60, "credited": 160, "owed": 100}
    assert buckets(wallet()) == {"credited": 4000, "spent": 2500, "available": 1500}


def test_what_expired_is_asked_of_no_other_earning() -> None:
    program = make_earning_program(take_back="owe", usable_after_days=0, validity_days=30)
    make_rule(program)
    with time_machine.travel(START + DAY, tick=False):
        first = invoiced(an_order(100_00))
        take(program.store, first)

    with time_machine.travel(START + 50 * DAY, tick=False):
        take(program.store, invoiced(an_order(60_00, paid=START + 45 * DAY)))
        take(program.store, canceled(first, after=49 * DAY))

    assert points(program) == {"due": 60, "credited": 160, "forgiven": 100}
    assert remaining(wallet()) == [2500, 1500]  # of the first, expired and not booked yet


def test_what_expired_is_not_asked_for_before_its_expiry_is_booked_either() -> None:
    program = make_earning_program(take_back="owe", usable_after_days=0, validity_days=30)
    make_rule(program)
    order = invoiced(an_order(100_00, paid=START - 100 * DAY))
    take(program.store, order)

    take(program.store, canceled(order))

    assert points(program) == {"credited": 100, "forgiven": 100}
    assert ledger.expire(wallet().pk, actor="test") is not None
    assert buckets(wallet()) == {"credited": 2500, "expired": 2500}


def test_an_order_that_gets_more_by_anothers_return_is_looked_at_until_it_has_it() -> None:
    program = make_earning_program()
    make_rule(program, cap_per_period=100 * 25, period="month")
    first, second = invoiced(an_order(100_00)), invoiced(an_order(80_00, paid=START + HOUR))
    take(program.store, first, second)
    ledger.block(wallet().pk, request_id="b", actor="test")
    take(program.store, returned(first, 50_00))
    row = ShopOrder.objects.get(order_id=second.order_id)
    assert (Earning.objects.get(order=row).pending, row.due_at is not None) == (50 * 25, True)

    ledger.unblock(wallet().pk, request_id="u", actor="test")
    with time_machine.travel(timezone.now() + DAY + HOUR, tick=False):
        assert earning.settle_due() == 1

    assert points(program) == {"due": 100, "credited": 150, "taken": 50}


def test_what_the_delivery_makes_usable_is_seen_for_orders_that_got_more_later() -> None:
    program = make_earning_program(usable_from="delivery", undelivered_days=30)
    make_rule(program, cap_per_period=100 * 25, period="month")
    now = timezone.now()
    # Both in one month, whatever day it is.
    first = invoiced(an_order(100_00, paid=START), at=now - 2 * DAY)
    second = invoiced(an_order(80_00, paid=START + HOUR), at=now - DAY)
    take(program.store, first, second, canceled(first))
    assert points(program) == {"due": 80, "pending": 80}

    with time_machine.travel(now + 29 * DAY + HOUR, tick=False):
        earning.settle_due()

    assert points(program) == {"due": 80, "credited": 80}


def test_a_buyer_is_written_to_in_the_language_of_the_checkout_unless_another_is_known() -> None:
    program = make_earning_program()
    make_rule(program)
    bia = make_customer(program.store, email="bia@example.com", language="en")

    take(
        program.store,
        an_order(buyer_language="es-CL"),
        an_order(buyer_language="es-CL", buyer=bia.identity),
    )

    languages = Customer.objects.order_by("email").values_list("email", "language")
    assert list(languages) == [("ana@example.com", "es"), ("bia@example.com", "en")]


def test_what_the_ledger_refuses_again_and_again_is_told_and_tried_again_a_day_later() -> None:
    program = make_earning_program(usable_after_days=0)
    make_rule(program)
    order = invoiced(an_order(100_00))

    with (
        time_machine.travel(START + 2 * DAY, tick=False),
        patch.object(ledger, "credit", side_effect=BalanceLimitExceeded),
    ):
        take(program.store, order)

    row = ShopOrder.objects.get()
    assert Earning.objects.get().problem == "balance_limit_exceeded"
    assert (row.settled_version, row.due_at) == (row.version, START + 3 * DAY)
    with time_machine.travel(START + 3 * DAY, tick=False):
        assert earning.settle_due() == 1
    assert points(program) == {"due": 100, "credited": 100}
    assert Earning.objects.get().problem == ""


def test_an_order_whose_lock_is_not_to_be_had_is_for_later() -> None:
    program = make_earning_program()

    with (
        patch.object(intake, "_locked", side_effect=OperationalError("lock timeout")),
        pytest.raises(LedgerBusy),
    ):
        earning.record(program.store, an_order())

    assert not ShopOrder.objects.exists()
