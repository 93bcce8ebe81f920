"""Each credit keeps its own dates, funding and remainder, through debits, refunds and expiry."""

import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db.models import F, Q, Sum

from loyalty import ledger
from loyalty.exceptions import CardExpired, InsufficientBalance
from loyalty.models import GiftCard, Grant, Operation, Store
from loyalty.money import shown
from tests.builders import (
    buckets,
    fresh,
    make_adjustment,
    make_cancellation,
    make_credit,
    make_hold,
    make_points_program,
    make_program,
    make_purchase,
    make_settlement,
    make_store,
    make_wallet,
    moves,
    refuses,
    remaining,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
INSTANT = datetime.timedelta(microseconds=1)


def at(days: float) -> time_machine.travel:
    """Some days after the beginning of the story."""
    return time_machine.travel(NOON + days * DAY, tick=False)


def grants(card: GiftCard) -> list[Grant]:
    return list(card.grants.order_by("id"))


def taken(operation: Operation) -> list[tuple[int, int]]:
    """Which grant (0 is the card's oldest) each entry names, and its amount."""
    order = [grant.pk for grant in grants(operation.card)]
    entries = operation.entries.order_by("seq").values_list("grant", "amount")
    return [(order.index(grant), amount) for grant, amount in entries]


def make_mixed_wallet(*given: dict[str, Any], store: Store | None = None) -> GiftCard:
    """A wallet with 100 of each kind of credit; `days` is when it expires."""
    card = make_wallet(make_program(store))
    for number, options in enumerate(given):
        dates = {"expires_at": NOON + options.pop("days") * DAY} if "days" in options else {}
        make_credit(card, 100, request_id=f"CREDIT-{number}", **options, **dates)
    return card


# --- The order of spending


def test_spends_what_expires_soonest_first() -> None:
    with at(0):
        card = make_mixed_wallet({"days": 30}, {}, {"days": 10}, {"days": 20})

        debit = make_hold(card, 350)

    assert taken(debit.operations.get()) == [(2, 100), (3, 100), (0, 100), (1, 50)]
    assert remaining(card) == [0, 50, 0, 0]


def test_spends_promotional_before_paid_when_they_expire_together() -> None:
    with at(0):
        card = make_mixed_wallet(
            {"days": 10, "funding": "paid"},
            {"days": 10, "funding": "promotional"},
            {"days": 11, "funding": "promotional"},
        )

        debit = make_hold(card, 250)

    assert taken(debit.operations.get()) == [(1, 100), (0, 100), (2, 50)]


def test_spends_promotional_before_paid_when_neither_expires() -> None:
    card = make_mixed_wallet({"funding": "paid"}, {"funding": "promotional"})

    debit = make_hold(card, 150)

    assert taken(debit.operations.get()) == [(1, 100), (0, 50)]


def test_spends_paid_before_promotional_that_expires_later() -> None:
    with at(0):
        card = make_mixed_wallet({"days": 11, "funding": "promotional"}, {"days": 10})

        debit = make_hold(card, 150)

    assert taken(debit.operations.get()) == [(1, 100), (0, 50)]


def test_spends_the_oldest_first_when_all_else_is_equal() -> None:
    with at(0):
        card = make_mixed_wallet({"days": 10}, {"days": 10}, {"days": 10})

        debit = make_hold(card, 250)

    assert taken(debit.operations.get()) == [(0, 100), (1, 100), (2, 50)]


def test_goes_on_where_the_last_purchase_ended() -> None:
    card = make_mixed_wallet({}, {})

    first, second = make_hold(card, 130), make_hold(card, 70)

    assert taken(first.operations.get()) == [(0, 100), (1, 30)]
    assert taken(second.operations.get()) == [(1, 70)]


# --- Which grants are usable


def test_does_not_spend_a_grant_before_it_is_valid() -> None:
    with at(0):
        card = make_wallet(balance=100)
        make_credit(card, 100, valid_from=NOON + DAY)
        with refuses(card, InsufficientBalance):
            make_hold(card, 101)

    with at(1):
        make_hold(card, 200)

    assert buckets(card) == {"credited": 200, "held": 200}


def test_spends_a_grant_until_its_last_instant() -> None:
    with at(0):
        card = make_mixed_wallet({"days": 1}, {})

    with time_machine.travel(NOON + DAY - INSTANT, tick=False):
        debit = make_hold(card, 50)
    with at(1), refuses(card, InsufficientBalance):
        make_hold(card, 101)

    assert taken(debit.operations.get()) == [(0, 50)]
    assert remaining(card) == [50, 100]


# --- Coming back


def test_comes_back_to_the_same_grants_last_taken_first() -> None:
    with at(0):
        card = make_mixed_wallet({"days": 30}, {"days": 10}, {"days": 20})
        debit = make_hold(card, 250)

        first = make_cancellation(debit, 80)
        second = make_cancellation(debit, 170)

    assert taken(debit.operations.get(kind="authorize")) == [(1, 100), (2, 100), (0, 50)]
    assert taken(first) == [(0, 50), (2, 30)]
    assert taken(second) == [(2, 70), (1, 100)]
    assert remaining(card) == [100, 100, 100]


def test_is_refunded_to_the_same_grants_last_taken_first() -> None:
    with at(0):
        card = make_mixed_wallet({"days": 10}, {"days": 20})
        debit = make_purchase(card, 150)

        operation = make_cancellation(debit, 120)

    assert moves(operation) == [("spent", "available", 50), ("spent", "available", 70)]
    assert taken(operation) == [(1, 50), (0, 70)]
    assert remaining(card) == [70, 100]


def test_comes_back_held_first_although_the_spent_was_taken_later() -> None:
    card = make_mixed_wallet({}, {})
    debit = make_hold(card, 200)
    make_settlement(debit, 120)

    operation = make_cancellation(debit, 150)

    assert moves(operation) == [
        ("held", "available", 80),
        ("spent", "available", 20),
        ("spent", "available", 50),
    ]
    assert taken(operation) == [(1, 80), (1, 20), (0, 50)]
    assert remaining(card) == [50, 100]


# --- Coming back late


@pytest.mark.parametrize(
    ("time_zone", "last_day"),
    [
        pytest.param("America/Sao_Paulo", (2026, 4, 10), id="where it is still the day before"),
        pytest.param("UTC", (2026, 4, 11), id="at Greenwich"),
        pytest.param("Asia/Tokyo", (2026, 4, 11), id="where the day is half over"),
    ],
)
def test_lands_on_a_new_grant_for_the_grace_days_of_the_store(
    time_zone: str, last_day: tuple[int, int, int]
) -> None:
    store = make_store(time_zone=time_zone, refund_grace_days=30)
    with at(0):
        card = make_mixed_wallet({"days": 1, "funding": "promotional"}, store=store)
        debit = make_purchase(card, 60)

    moment = datetime.datetime(2026, 3, 12, 1, 30, tzinfo=datetime.UTC)
    with time_machine.travel(moment, tick=False):
        operation = make_cancellation(debit, 60)

    old, new = grants(card)
    assert (old.remaining, new.remaining, new.amount) == (40, 60, 60)
    assert (new.origin, new.funding, new.valid_from) == ("refund", "promotional", moment)
    assert (new.transaction, new.operation) == (debit, operation)
    assert new.expires_at == datetime.datetime(
        *last_day, 23, 59, 59, 999999, tzinfo=ZoneInfo(time_zone)
    )
    entry = operation.entries.get()
    assert (entry.grant, entry.landing_grant) == (old, new)


def test_does_not_land_anew_at_the_last_instant_of_the_grant() -> None:
    with at(0):
        card = make_mixed_wallet({"days": 1})
        debit = make_hold(card, 60)

    with time_machine.travel(NOON + DAY - INSTANT, tick=False):
        make_cancellation(debit, 60)

    assert remaining(card) == [100]


def test_lands_anew_from_the_very_instant_of_expiry() -> None:
    with at(0):
        card = make_mixed_wallet({"days": 1})
        debit = make_hold(card, 60)

    with at(1):
        make_cancellation(debit, 60)

    assert remaining(card) == [40, 60]


def test_lands_anew_only_what_came_from_an_expired_grant() -> None:
    with at(0):
        card = make_mixed_wallet({"days": 1}, {"days": 90})
        debit = make_hold(card, 150)

    with at(2):
        operation = make_cancellation(debit, 150)

    assert taken(operation) == [(1, 50), (0, 100)]
    landings = operation.entries.order_by("seq").values_list("landing_grant", flat=True)
    assert list(landings) == [None, grants(card)[2].pk]
    assert remaining(card) == [0, 100, 100]


def test_lands_on_one_new_grant_for_each_funding() -> None:
    with at(0):
        card = make_mixed_wallet(
            {"days": 1}, {"days": 2, "funding": "promotional"}, {"days": 3}, {"days": 90}
        )
        debit = make_hold(card, 350)
        make_settlement(debit, 120)

    with at(4):
        operation = make_cancellation(debit, 350)

    assert [(grant.funding, grant.amount) for grant in grants(card)[4:]] == [
        ("paid", 200),
        ("promotional", 100),
    ]
    assert taken(operation) == [(3, 50), (2, 100), (1, 80), (1, 20), (0, 100)]
    assert remaining(card) == [0, 0, 0, 100, 200, 100]


def test_lands_on_a_grant_of_its_own_each_time() -> None:
    with at(0):
        card = make_mixed_wallet({"days": 1})
        debit = make_hold(card, 100)

    with at(2):
        make_cancellation(debit, 30)
    with at(5):
        make_cancellation(debit, 70)

    assert remaining(card) == [0, 30, 70]
    first, second = grants(card)[1:]
    assert first.expires_at is not None
    assert second.expires_at == first.expires_at + 3 * DAY


def test_extends_a_card_that_would_end_before_the_grace_does() -> None:
    with at(0):
        card = make_wallet(balance=100, expires_at=NOON + DAY)
        debit = make_hold(card, 60)

    with at(2):
        make_cancellation(debit, 60)

    assert fresh(card).expires_at == grants(card)[1].expires_at
    with at(31):
        make_hold(card, 60)
    assert buckets(card) == {"credited": 100, "available": 40, "held": 60}


def test_extends_a_card_that_has_not_ended_yet() -> None:
    with at(0):
        card = make_wallet(balance=100, expires_at=NOON + 5 * DAY)
        make_credit(card, 100, expires_at=NOON + DAY)
        debit = make_hold(card, 100)

    with at(2):
        make_cancellation(debit, 100)

    assert fresh(card).expires_at == grants(card)[2].expires_at
    assert remaining(card) == [100, 0, 100]


@pytest.mark.parametrize("days", [None, 365])
def test_leaves_the_end_of_a_card_that_outlives_the_grace(days: int | None) -> None:
    end = NOON + days * DAY if days else None
    with at(0):
        card = make_wallet(expires_at=end)
        make_credit(card, 100, expires_at=NOON + DAY)
        debit = make_hold(card, 100)

    with at(2):
        make_cancellation(debit, 100)

    assert fresh(card).expires_at == end
    assert remaining(card) == [0, 100]


def test_extends_no_validity_but_the_refund_s() -> None:
    with at(0):
        card = make_wallet(balance=100, expires_at=NOON + DAY)
        debit = make_hold(card, 60)

    with at(2):
        make_cancellation(debit, 60)
        with refuses(card, InsufficientBalance):
            make_hold(card, 61)
        ledger.expire(card.pk, actor="clock")

    assert buckets(card) == {"credited": 100, "available": 60, "expired": 40}


def test_lands_anew_when_the_card_was_cut_short_before_its_grants() -> None:
    with at(0):
        card = make_wallet(balance=100)
        debit = make_hold(card, 60)
    GiftCard.objects.filter(pk=card.pk).update(expires_at=NOON + DAY)

    with at(2):
        make_cancellation(debit, 60)

    assert remaining(card) == [40, 60]
    assert fresh(card).expires_at == grants(card)[1].expires_at


def test_is_spent_and_refunded_like_any_other() -> None:
    with at(0):
        card = make_mixed_wallet({"days": 1}, {"days": 90})
        debit = make_hold(card, 100)

    with at(2):
        make_cancellation(debit, 100)
        later = make_purchase(card, 130)
        assert remaining(card) == [0, 70, 0]
        make_cancellation(later, 130)

    assert remaining(card) == [0, 100, 100]


def test_expires_in_its_turn() -> None:
    with at(0):
        card = make_wallet(balance=100, expires_at=NOON + DAY)
        debit = make_hold(card, 60)
    with at(2):
        make_cancellation(debit, 60)

    with at(40):
        with refuses(card, CardExpired):
            make_hold(card, 1)
        ledger.expire(card.pk, actor="clock")

    assert buckets(card) == {"credited": 100, "expired": 100}
    assert remaining(card) == [0, 0]


def test_goes_back_to_the_expired_grant_of_a_store_without_grace() -> None:
    with at(0):
        card = make_mixed_wallet({"days": 1}, {"days": 90}, store=make_store(refund_grace_days=0))
        debit = make_hold(card, 150)

    with at(2):
        operation = make_cancellation(debit, 150)
        assert remaining(card) == [100, 100]
        with refuses(card, InsufficientBalance):
            make_hold(card, 101)
        ledger.expire(card.pk, actor="clock")

    assert not operation.entries.exclude(landing_grant=None).exists()
    assert buckets(card) == {"credited": 200, "available": 100, "expired": 100}


def test_lets_a_credit_be_taken_back_although_its_own_grant_is_empty() -> None:
    with at(0):
        card = make_wallet()
        credit = make_credit(card, 100, expires_at=NOON + DAY)
        debit = make_hold(card, 100)
    with at(2):
        make_cancellation(debit, 100)

        make_cancellation(credit, 100)

    assert buckets(card) == {"credited": 100, "removed": 100}
    assert remaining(card) == [0, 0]


# --- Points


def test_counts_points_in_units_finer_than_the_currency() -> None:
    card = make_wallet(make_points_program())
    make_credit(card, 25 * 1001)  # 1001 points of R$ 0.0025

    make_hold(card, 25 * 400)  # R$ 1.00
    left = card.balance.available

    assert left == 25 * 601
    assert shown(left, currency=card.currency, exponent=card.exponent) == Decimal("1.50")


def test_never_shows_more_than_the_points_are_worth() -> None:
    card = make_wallet(make_points_program())
    make_credit(card, 25 * 7)  # R$ 0.0175

    with refuses(card, InsufficientBalance):
        make_hold(card, 200)  # R$ 0.02

    make_hold(card, 100)  # R$ 0.01
    assert buckets(card) == {"credited": 175, "available": 75, "held": 100}


# --- The entries say where every unit of every grant is


def available_by_entries(grant: Grant) -> int:
    """What is available of a grant, from the entries alone."""
    entries = grant.card.entries
    came = entries.filter(
        Q(landing_grant=grant) | Q(landing_grant=None, grant=grant), target="available"
    )
    went = entries.filter(grant=grant, source="available")
    return sum(
        sign * (moved.aggregate(total=Sum("amount"))["total"] or 0)
        for sign, moved in ((1, came), (-1, went))
    )


def test_can_be_added_up_from_the_entries() -> None:
    with at(0):
        card = make_mixed_wallet(
            {"days": 1, "funding": "promotional"}, {"days": 5}, {"days": 90}, {}
        )
        first = make_hold(card, 250)
        second = make_purchase(card, 120)
        make_settlement(first, 130)
    with at(2):
        make_cancellation(first, 200)
        ledger.expire(card.pk, actor="clock")
    with at(6):
        make_cancellation(second, 120)
        make_adjustment(card, -60)
        make_purchase(card, 90)
        ledger.expire(card.pk, actor="clock")

    assert [available_by_entries(grant) for grant in grants(card)] == remaining(card)
    assert sum(remaining(card)) == buckets(card)["available"]
    assert not card.grants.filter(remaining__gt=F("amount")).exists()
