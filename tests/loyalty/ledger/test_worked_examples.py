"""The hard cases of a purchase as stories. In the margin: available / held / spent, in centavos."""

import datetime
from decimal import Decimal

import pytest
import time_machine

from loyalty import ledger
from loyalty.exceptions import (
    BelowZero,
    CardBlocked,
    CardClosed,
    CardExpired,
    CreditSpent,
    ExceedsHold,
    ExceedsTransaction,
    InvalidAmount,
)
from loyalty.money import to_units
from tests.builders import (
    buckets,
    fresh,
    make_adjustment,
    make_blocked_card,
    make_cancellation,
    make_card,
    make_closed_card,
    make_credit,
    make_expired_card,
    make_hold,
    make_program,
    make_settlement,
    make_store,
    make_wallet,
    moves,
    new_id,
    refuses,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def test_an_order_is_invoiced_in_three_parcels() -> None:
    card = make_card(balance=50_000)  # 50 000 /      0 /      0

    debit = make_hold(card, 30_000)  #  20 000 / 30 000 /      0
    make_settlement(debit, 10_000)  #   20 000 / 20 000 / 10 000
    make_settlement(debit, 10_000)  #   20 000 / 10 000 / 20 000
    make_settlement(debit, 10_000)  #   20 000 /      0 / 30 000

    assert buckets(card) == {"credited": 50_000, "available": 20_000, "spent": 30_000}
    assert fresh(debit).state == "settled"


def test_the_full_invoice_is_sent_again() -> None:
    card = make_card(balance=50_000)  # 50 000 /      0 /      0

    debit = make_hold(card, 30_000)  #  20 000 / 30 000 /      0
    make_settlement(debit, 12_000)  #   20 000 / 18 000 / 12 000
    with refuses(card, ExceedsHold):
        make_settlement(debit, 30_000)  # nothing moves

    assert buckets(card) == {
        "credited": 50_000,
        "available": 20_000,
        "held": 18_000,
        "spent": 12_000,
    }


def test_a_part_is_canceled_after_a_part_was_invoiced() -> None:
    card = make_card(balance=10_000)  # 10 000 /     0 /     0

    debit = make_hold(card, 10_000)  #       0 / 10 000 /    0
    make_settlement(debit, 4_000)  #         0 / 6 000 / 4 000
    first = make_cancellation(debit, 7_500)  # 7 500 / 0 / 2 500
    with refuses(card, ExceedsTransaction):
        make_cancellation(debit, 2_501)  # nothing moves
    second = make_cancellation(debit, 2_500)  # 10 000 / 0 / 0

    assert moves(first) == [("held", "available", 6_000), ("spent", "available", 1_500)]
    assert moves(second) == [("spent", "available", 2_500)]
    assert buckets(card) == {"credited": 10_000, "available": 10_000}


def test_more_is_canceled_than_is_left() -> None:
    card = make_card(balance=10_000)  #   10 000 /     0 / 0

    debit = make_hold(card, 6_000)  #      4 000 / 6 000 / 0
    make_cancellation(debit, 2_000)  #     6 000 / 4 000 / 0
    with refuses(card, ExceedsTransaction):
        make_cancellation(debit, 5_000)  # nothing moves

    assert buckets(card) == {"credited": 10_000, "available": 6_000, "held": 4_000}


def test_the_whole_order_is_canceled_after_a_part_was() -> None:
    card = make_card(balance=10_000)  # 10 000 /     0 / 0

    debit = make_hold(card, 6_000)  #    4 000 / 6 000 / 0
    make_cancellation(debit, 2_000)  #   6 000 / 4 000 / 0
    whole = make_cancellation(debit, 6_000)  # 10 000 / 0 / 0

    assert (whole.amount, whole.applied) == (6_000, 4_000)
    assert buckets(card) == {"credited": 10_000, "available": 10_000}
    with refuses(card, ExceedsTransaction):
        make_cancellation(debit, 6_000)


def test_an_order_is_invoiced_and_then_returned() -> None:
    card = make_card(balance=100)  #            100 /   0 /   0

    debit = make_hold(card, 100)  #               0 / 100 /   0
    settlement = make_settlement(debit, 100)  #   0 /   0 / 100
    refund = make_cancellation(debit, 100)  #   100 /   0 /   0

    assert moves(settlement) == [("held", "spent", 100)]
    assert moves(refund) == [("spent", "available", 100)]
    stored = fresh(debit)
    assert (stored.settled, stored.refunded, stored.state) == (100, 100, "canceled")
    kinds = debit.operations.order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["authorize", "settle", "cancel"]


def test_the_invoice_comes_after_the_order_was_canceled() -> None:
    card = make_card(balance=100)  #          100 /   0 / 0

    debit = make_hold(card, 100)  #             0 / 100 / 0
    make_cancellation(debit, 100)  #          100 /   0 / 0
    with refuses(card, ExceedsHold):
        make_settlement(debit, 100)  # nothing moves

    assert buckets(card) == {"credited": 100, "available": 100}


def test_the_card_expires_and_is_blocked_before_the_invoice() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=10_000, expires_at=NOON + DAY)  # 10 000 / 0 / 0
        debit = make_hold(card, 6_000)  # 4 000 / 6 000 / 0

    with time_machine.travel(NOON + 2 * DAY, tick=False):
        ledger.block(card.pk, request_id=new_id(), actor="test")
        ledger.expire(card.pk, actor="clock")  # 0 / 6 000 / 0, 4 000 expired
        make_settlement(debit, 6_000)  # 0 / 0 / 6 000

    assert buckets(card) == {"credited": 10_000, "spent": 6_000, "expired": 4_000}


def test_the_order_is_returned_after_the_card_expired() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=10_000, expires_at=NOON + DAY)  # 10 000 / 0 / 0
        debit = make_hold(card, 6_000)  # 4 000 / 6 000 / 0
        make_settlement(debit, 6_000)  # 4 000 / 0 / 6 000

    with time_machine.travel(NOON + 2 * DAY, tick=False):
        ledger.expire(card.pk, actor="clock")  # 0 / 0 / 6 000, 4 000 expired
        make_cancellation(debit, 6_000)  # 6 000 / 0 / 0

    with time_machine.travel(NOON + 30 * DAY, tick=False):
        make_hold(card, 6_000)  # 0 / 6 000 / 0: within the grace

    assert buckets(card) == {"credited": 10_000, "held": 6_000, "expired": 4_000}


def test_the_order_is_returned_after_the_card_expired_to_a_store_without_grace() -> None:
    program = make_program(make_store(refund_grace_days=0))
    with time_machine.travel(NOON, tick=False):
        card = make_card(program, balance=10_000, expires_at=NOON + DAY)  # 10 000 / 0 / 0
        debit = make_hold(card, 6_000)  # 4 000 / 6 000 / 0

    with time_machine.travel(NOON + 2 * DAY, tick=False):
        ledger.expire(card.pk, actor="clock")  # 0 / 6 000 / 0, 4 000 expired
        make_cancellation(debit, 6_000)  # 6 000 / 0 / 0, not usable
        with refuses(card, CardExpired):
            make_hold(card, 1)
        ledger.expire(card.pk, actor="clock")  # 0 / 0 / 0, 10 000 expired

    assert buckets(card) == {"credited": 10_000, "expired": 10_000}


def test_the_order_is_canceled_after_the_card_was_blocked() -> None:
    card = make_card(balance=10_000)  #  10 000 /     0 / 0
    debit = make_hold(card, 6_000)  #     4 000 / 6 000 / 0
    ledger.block(card.pk, request_id=new_id(), actor="test")

    make_cancellation(debit, 6_000)  #   10 000 /     0 / 0

    assert buckets(card) == {"credited": 10_000, "available": 10_000}
    with refuses(card, CardBlocked):
        make_hold(card, 1)


def test_nobody_can_pay_with_a_card_that_is_blocked_or_expired() -> None:
    blocked, expired = make_blocked_card(balance=100), make_expired_card(balance=100)

    with refuses(blocked, CardBlocked):  # declined and recorded
        make_hold(blocked, 100)
    with refuses(expired, CardExpired):  # whether the job has booked it or not
        make_hold(expired, 100)
    ledger.expire(expired.pk, actor="clock")
    with refuses(expired, CardExpired):
        make_hold(expired, 100)

    assert buckets(blocked) == {"credited": 100, "available": 100}
    assert buckets(expired) == {"credited": 100, "expired": 100}


def test_nobody_gets_credit_on_a_card_that_is_blocked_or_expired_or_closed() -> None:
    blocked = make_blocked_card(balance=100, is_reloadable=True)
    expired = make_expired_card(balance=100, is_reloadable=True)
    closed = make_closed_card(balance=100, is_reloadable=True)

    for card, error in ((blocked, CardBlocked), (expired, CardExpired), (closed, CardClosed)):
        with refuses(card, error):
            make_credit(card, 100)


def test_a_credit_is_taken_back_after_it_was_spent() -> None:
    card = make_wallet()
    credit = make_credit(card, 10_000)  #          10 000 / 0 / 0

    debit = make_hold(card, 8_000)  #               2 000 / 8 000 / 0
    make_settlement(debit, 8_000)  #                2 000 / 0 / 8 000
    with refuses(card, CreditSpent):
        make_cancellation(credit, 10_000)  # nothing moves
    make_cancellation(credit, 2_000)  #                 0 / 0 / 8 000, 2 000 removed
    with refuses(card, BelowZero):
        make_adjustment(card, -1)  # never below zero, by staff either

    assert buckets(card) == {"credited": 10_000, "spent": 8_000, "removed": 2_000}


def test_the_clock_books_what_has_expired_and_leaves_what_is_held() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_card(balance=10_000, expires_at=NOON + DAY)  # 10 000 / 0 / 0
        make_hold(card, 3_000)  # 7 000 / 3 000 / 0

    with time_machine.travel(NOON + DAY, tick=False):
        booked = ledger.expire(card.pk, actor="clock")  # 0 / 3 000 / 0, 7 000 expired
        again = ledger.expire(card.pk, actor="clock")  # nothing moves

    assert booked is not None
    assert (booked.applied, again) == (7_000, None)
    assert buckets(card) == {"credited": 10_000, "held": 3_000, "expired": 7_000}


@pytest.mark.parametrize(
    "amount", ["0", "-0.01", "NaN", "Infinity", "0.001", "92233720368547758.08"]
)
def test_what_is_no_amount_never_comes_near_the_card(amount: str) -> None:
    card = make_card(balance=10_000)

    with refuses(card, InvalidAmount):
        make_hold(card, to_units(Decimal(amount), currency="BRL", exponent=2))
