import datetime

import pytest
import time_machine
from django.utils import timezone

from loyalty import ledger
from loyalty.exceptions import (
    BalanceLimitExceeded,
    InsufficientBalance,
    InvalidAmount,
    InvalidRequestId,
    LedgerError,
    ReasonRequired,
    UnknownCard,
)
from loyalty.models import GiftCard, Grant, Operation, Reason
from loyalty.money import MAX_UNITS
from tests.builders import (
    ACTOR,
    buckets,
    fresh,
    make_blocked_card,
    make_cancellation,
    make_closed_card,
    make_credit,
    make_expired_card,
    make_hold,
    make_points_program,
    make_purchase,
    make_settlement,
    make_wallet,
    moves,
    new_id,
    refuses,
    remaining,
    unchanged,
)
from tests.loyalty.ledger.race import errors, race

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("balanced_books")]

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
UP, DOWN = {"before": 25, "after": 50}, {"before": 25, "after": 10}


def make_revaluation(
    card: GiftCard, before: int = 25, after: int = 50, **options: object
) -> Operation | None:
    defaults = {
        "given_until": timezone.now() + DAY,
        "request_id": new_id("points"),
        "actor": ACTOR,
        "reason": Reason.CAMPAIGN,
    }
    return ledger.revalue(card.pk, before=before, after=after, **defaults | options)  # type: ignore[arg-type]


def moved(operation: Operation | None) -> list[tuple[str, str, int]]:
    assert operation is not None
    return moves(operation)


def like(grant: Grant) -> tuple[object, ...]:
    return (grant.origin, grant.funding, grant.valid_from, grant.expires_at, grant.reference)


def test_takes_down_what_is_left_of_each_grant() -> None:
    card = make_wallet(make_points_program(), balance=2500)
    make_credit(card, 500)
    make_purchase(card, 1000)

    operation = make_revaluation(card, **DOWN)

    assert moved(operation) == [("available", "removed", 900), ("available", "removed", 300)]
    assert remaining(card) == [600, 200]
    assert buckets(card) == {"credited": 3000, "available": 800, "spent": 1000, "removed": 1200}


def test_adds_to_each_grant_one_of_the_same_kind_and_dates() -> None:
    with time_machine.travel(NOON, tick=False):
        card = make_wallet(make_points_program(), balance=100)
        dates = {"valid_from": NOON + 5 * DAY, "expires_at": NOON + 9 * DAY}
        make_credit(card, 75, origin="earning", reference="v1", funding="paid", **dates)

        operation = make_revaluation(card, **UP)

    assert moved(operation) == [("outside", "available", 75), ("outside", "available", 100)]
    old, earned, *new = card.grants.order_by("id")
    assert [like(grant) for grant in new] == [like(earned), like(old)]
    assert [(grant.amount, grant.remaining, grant.transaction) for grant in new] == [
        (75, 75, None),
        (100, 100, None),
    ]
    assert [earned.remaining, old.remaining] == [75, 100]


def test_lets_what_was_added_to_a_refund_be_an_adjustment() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        card = make_wallet(make_points_program(validity_days=10), balance=100)
        hold = make_hold(card, 100)
        clock.shift(20 * DAY)
        make_cancellation(hold, 100)

        make_revaluation(card, **UP)

    assert list(card.grants.order_by("id").values_list("origin", "amount", "remaining")) == [
        ("issue", 100, 0),
        ("refund", 100, 100),
        ("adjustment", 100, 100),
    ]


@pytest.mark.parametrize(("before", "after"), [(25, 7), (7, 25), (3, 2), (10**9, 1), (1, 3)])
def test_keeps_the_points_of_a_card_exactly_however_its_grants_divide(
    before: int, after: int
) -> None:
    for units in ([before, 1, 1], [before - 1, 1], [1, before - 1, before + 1], [2, 3, 5]):
        card = make_wallet(make_points_program())
        for amount in filter(None, units):
            make_credit(card, amount)
        points = sum(units) // before

        make_revaluation(card, before, after)

        available = buckets(card).get("available", 0)
        assert available // after == points
        assert available == sum(units) * after // before


def test_leaves_alone_what_is_held_or_spent_and_gives_it_back_as_it_was() -> None:
    card = make_wallet(make_points_program(), balance=2500)
    hold = make_hold(card, 1000)
    make_settlement(hold, 400)

    make_revaluation(card, **DOWN)

    assert buckets(card) == {
        "credited": 2500, "available": 600, "held": 600, "spent": 400, "removed": 900,
    }  # fmt: skip
    make_cancellation(fresh(hold), 1000)
    assert buckets(card) == {"credited": 2500, "available": 1600, "removed": 900}


def test_adjusts_only_what_was_given_until_then_or_is_named() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        card = make_wallet(make_points_program(), balance=100)
        clock.shift(DAY)
        make_credit(card, 50)
        planned = make_credit(card, 25).grants.get()

        operation = make_revaluation(card, **DOWN, given_until=NOON + DAY, given_later=[planned.pk])

    assert moved(operation) == [("available", "removed", 60), ("available", "removed", 15)]
    assert remaining(card) == [40, 50, 10]


def test_leaves_what_is_over_to_be_booked_as_expired() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        card = make_wallet(make_points_program(), balance=100)
        make_credit(card, 50, expires_at=NOON + DAY)
        clock.shift(DAY)

        operation = make_revaluation(card, **UP)

    assert moved(operation) == [("outside", "available", 100)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_closed_card(balance=100),
        lambda: make_expired_card(balance=100),
        make_wallet,
    ],
    ids=["closed", "expired", "empty"],
)
@pytest.mark.parametrize("values", [UP, DOWN], ids=["up", "down"])
def test_does_nothing_where_nothing_is_left(make: object, values: dict[str, int]) -> None:
    card = make()  # type: ignore[operator]

    with unchanged(card):
        assert make_revaluation(card, **values) is None


def test_adjusts_a_blocked_card() -> None:
    card = make_blocked_card(balance=100)

    make_revaluation(card, **UP)

    assert (buckets(card), card.status) == ({"credited": 200, "available": 200}, "blocked")


def test_happens_once() -> None:
    card = make_wallet(balance=100)
    first = make_revaluation(card, **UP, request_id="points:1")

    with unchanged(card):
        again = make_revaluation(card, **UP, request_id="points:1")

    assert first is not None
    assert again is not None
    assert (again.pk, first.amount, first.applied) == (first.pk, 100, 100)
    assert make_revaluation(card, 50, 25, request_id="points:2") is not None
    assert buckets(card)["available"] == 100


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("values", [UP, DOWN], ids=["up", "down"])
def test_happens_once_beside_purchases_at_the_same_moment(values: dict[str, int]) -> None:
    card = make_wallet(balance=1000)

    results = race(
        [
            *[lambda: make_revaluation(card, **values, request_id="points:1")] * 3,
            *[lambda: make_hold(card, 100)] * 3,
        ]
    )

    assert set(errors(results)) <= {InsufficientBalance}
    [adjusted] = card.operations.filter(kind="revalue")
    last = adjusted.entries.latest("seq")
    found = last.available_after + adjusted.applied * (1 if values == DOWN else -1)
    assert last.available_after == found * values["after"] // values["before"]
    holds = card.transactions.count()
    assert buckets(card)["held"] == 100 * holds == 100 * (3 - len(errors(results)))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"after": 0}, InvalidAmount),
        ({"before": 0}, InvalidAmount),
        ({"before": -25, "after": -50}, InvalidAmount),
        ({"reason": ""}, ReasonRequired),
        ({"request_id": ""}, InvalidRequestId),
    ],
)
def test_refuses_what_makes_no_sense(options: dict[str, object], error: type[LedgerError]) -> None:
    card = make_wallet(balance=100)

    with refuses(card, error):
        make_revaluation(card, **options)  # type: ignore[arg-type]


def test_refuses_more_than_a_card_can_hold() -> None:
    card = make_wallet(balance=MAX_UNITS)

    for _attempt in range(2):
        with pytest.raises(BalanceLimitExceeded):
            make_revaluation(card, **UP, request_id="points:1")

    assert buckets(card) == {"credited": MAX_UNITS, "available": MAX_UNITS}
    assert card.operations.filter(kind="revalue", outcome="declined").count() == 1


def test_refuses_a_card_that_is_not_there() -> None:
    with pytest.raises(UnknownCard):
        make_revaluation(GiftCard(pk=0))
