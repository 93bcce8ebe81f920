"""Changing what a program's point is worth: the change, and the job that adjusts the cards."""

import datetime
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.db.transaction import atomic
from django.utils import timezone

from loyalty import jobs, ledger, point_values
from loyalty.exceptions import ImportWaits, LedgerBusy, PointValueOutdated, PointValueUnderWay
from loyalty.ledger.invariants import violations
from loyalty.models import Batch, GiftCard, Job, PointValueChange, Program, Reason, point_units_of
from loyalty.notifications import figures
from loyalty.point_values import Effect
from loyalty.tasks import HANDLERS
from tests.builders import (
    buckets,
    fresh,
    history,
    make_blocked_card,
    make_closed_card,
    make_credit,
    make_expired_card,
    make_hold,
    make_points_program,
    make_purchase,
    make_wallet,
    new_id,
    remaining,
)
from tests.loyalty.ledger.race import errors, race

pytestmark = pytest.mark.django_db

KEEP_MONEY, KEEP_POINTS = PointValueChange.Policy
DAY = datetime.timedelta(days=1)


def make_change(
    program: Program, after: int, policy: str = KEEP_POINTS, **options: Any
) -> PointValueChange:
    defaults: dict[str, Any] = {
        "before": fresh(program).point_units,
        "requested_by": None,
        "reason": Reason.CAMPAIGN,
        "request_id": new_id("change"),
    }
    return point_values.change(program, after=after, policy=policy, **defaults | options)


def run() -> None:
    while jobs.run_next(HANDLERS):
        pass


def points_of(card: GiftCard) -> str:
    seen = GiftCard.objects.select_related("program__store", "balance").get(pk=card.pk)
    return figures.amount_on(seen, seen.balance.available).partition(" (")[0]


def make_members(program: Program) -> dict[str, GiftCard]:
    """One card for each thing that may be on it; together 8,825 units on what is not over."""
    later = timezone.now() + 5 * DAY
    cards = {
        "plain": make_wallet(program, balance=2500),
        "pending": make_wallet(program),
        "odd": make_wallet(program, balance=30),
        "held": make_wallet(program, balance=5000),
        "blocked": make_blocked_card(program, balance=2500),
        "empty": make_wallet(program),
        "closed": make_closed_card(program, balance=100),
        "expired": make_expired_card(program, balance=100),
    }
    make_credit(cards["pending"], 250, valid_from=later, origin="earning")
    make_credit(cards["odd"], 45)
    make_hold(cards["held"], 1000)
    make_purchase(cards["held"], 500)
    return cards


def test_says_what_either_policy_would_do_and_changes_nothing() -> None:
    program = make_points_program()
    cards = make_members(program)
    before = [history(card) for card in cards.values()]

    down = point_values.effect(program.pk, before=25, after=10)

    assert down == Effect(
        cards=5, held=1000, units=8825, points=353, points_if_money_stays=882,
        units_if_points_stay=3530,
    )  # fmt: skip
    assert (down.after(KEEP_MONEY), down.after(KEEP_POINTS)) == ((882, 8825), (353, 3530))
    assert [history(card) for card in cards.values()] == before


def test_keeps_the_money_without_a_single_entry() -> None:
    program = make_points_program()
    cards = make_members(program)
    before = [history(card) for card in cards.values()]

    made = make_change(program, 10, KEEP_MONEY)

    assert [history(card) for card in cards.values()] == before
    assert (made.finished_at, made.job, made.cards, made.available) == (
        made.changed_at, None, 5, 8825,
    )  # fmt: skip
    program = fresh(program)
    assert (program.point_units, program.point_units_before) == (10, None)
    assert points_of(cards["plain"]) == "250 ponto"


@pytest.mark.parametrize("after", [10, 50])
def test_keeps_the_points_by_an_entry_for_each_credit(after: int) -> None:
    program = make_points_program()
    cards = make_members(program)
    shown = {name: points_of(card) for name, card in cards.items() if name != "expired"}
    expected = point_values.effect(program.pk, before=25, after=after)

    made = make_change(program, after)
    run()

    found = point_values.effect(program.pk, before=after, after=1)
    assert (found.units, found.points) == (expected.units_if_points_stay, 353)
    assert {name: points_of(cards[name]) for name in shown} == shown
    assert buckets(cards["plain"])["available"] == 100 * after
    assert buckets(cards["held"]) | {"credited": 0, "removed": 0} == {
        "credited": 0, "available": 140 * after, "held": 1000, "spent": 500, "removed": 0,
    }  # fmt: skip
    assert buckets(cards["expired"]) == {"credited": 100, "available": 100}
    made = PointValueChange.objects.select_related("job", "program").get(pk=made.pk)
    assert made.job is not None
    assert made.finished_at is not None
    assert made.program.point_units_before is None
    assert (made.job.status, made.job.done, made.job.total, made.job.failed) == ("done", 6, 6, 0)
    assert made.job.counts == {"adjusted": 5, "units": abs(expected.units_if_points_stay - 8825)}
    assert violations() == []


def test_shows_each_owner_the_same_points_until_and_after_the_cards_turn() -> None:
    program = make_points_program()
    first, second = make_wallet(program, balance=2500), make_wallet(program, balance=2500)
    made = make_change(program, 10)
    later = make_wallet(program, balance=1000)

    point_values.adjust(first.pk, made)

    assert {points_of(card) for card in (first, second, later)} == {"100 ponto"}
    seen = [
        point_units_of(GiftCard.objects.select_related("program").get(pk=card.pk))
        for card in (first, second, later)
    ]
    assert seen == [10, 25, 10]
    assert [buckets(card)["available"] for card in (first, second, later)] == [1000, 2500, 1000]


def test_leaves_alone_what_is_given_after_the_change() -> None:
    program = make_points_program()
    card = make_wallet(program, balance=2500)
    make_change(program, 10)
    make_credit(card, 1000)
    new = make_wallet(program, balance=1000)

    run()

    assert remaining(card) == [1000, 1000]
    assert remaining(new) == [1000]


def test_adjusts_what_is_left_of_a_card_whose_owner_bought_meanwhile() -> None:
    program = make_points_program()
    card = make_wallet(program, balance=2500)
    make_change(program, 10)
    hold = make_hold(card, 500)

    run()
    ledger.cancel(hold, amount=500, request_id="back", actor="test")

    assert buckets(card) == {"credited": 2500, "available": 1300, "removed": 1200}


@pytest.mark.parametrize("policy", [KEEP_MONEY, KEEP_POINTS])
def test_changes_once_for_a_request(policy: str) -> None:
    program = make_points_program()
    make_wallet(program, balance=2500)
    first = make_change(program, 10, policy, before=25, request_id="one")

    again = make_change(program, 10, policy, before=25, request_id="one")
    run()

    assert again == first
    assert PointValueChange.objects.count() == 1
    assert Job.objects.count() == (policy == KEEP_POINTS)


@pytest.mark.parametrize(("before", "after"), [(24, 10), (25, 25), (25, 0)])
def test_refuses_a_value_that_the_person_did_not_see(before: int, after: int) -> None:
    program = make_points_program()

    with pytest.raises(PointValueOutdated):
        make_change(program, after, before=before)

    assert (fresh(program).point_units, PointValueChange.objects.count()) == (25, 0)


def test_refuses_a_program_that_counts_in_money() -> None:
    program = make_points_program(point_units=None)

    with pytest.raises(PointValueOutdated):
        make_change(program, 10, before=25)


def test_refuses_another_change_until_all_cards_had_their_turn() -> None:
    program = make_points_program()
    card = make_wallet(program, balance=2500)
    make_change(program, 10)

    with pytest.raises(PointValueUnderWay):
        make_change(program, 50)
    run()
    make_change(program, 50)
    run()

    assert remaining(card) == [1000, 4000]
    assert points_of(card) == "100 ponto"


@pytest.mark.parametrize("status", ["draft", "waiting", "issuing", "issued", "discarded"])
def test_refuses_while_a_file_counted_by_the_value_now_waits(status: str) -> None:
    program = make_points_program()
    Batch.objects.create(
        program=program,
        name="Members",
        source="imported",
        status=status,
        count=1,
        total=2500,
        created_by=User.objects.create(username="caio"),
    )

    if status in {"issued", "discarded"}:
        make_change(program, 10)
    else:
        with pytest.raises(ImportWaits):
            make_change(program, 10)

    assert PointValueChange.objects.count() == (status in {"issued", "discarded"})


def test_goes_there_and_back_without_a_unit_more_or_less() -> None:
    program = make_points_program()
    cards = [make_wallet(program, balance=25 * points) for points in (1, 7, 1000)]

    for value in (10, 50, 3, 25):
        make_change(program, value)
        run()

    assert [buckets(card)["available"] for card in cards] == [25, 175, 25_000]
    assert violations() == []


def test_goes_on_where_it_was_when_it_is_killed_in_the_middle() -> None:
    program = make_points_program()
    cards = [make_wallet(program, balance=2500) for _number in range(5)]
    made = make_change(program, 10)
    adjust, turns = point_values.adjust, iter(range(9))

    def killed(card_id: int, change: PointValueChange) -> object:
        if next(turns) == 3:
            raise KeyboardInterrupt
        return adjust(card_id, change)

    with (
        patch("loyalty.earning.revaluing.CHUNK", 2),
        patch.object(point_values, "adjust", killed),
        pytest.raises(KeyboardInterrupt),
    ):
        run()
    assert [buckets(card)["available"] for card in cards] == [1000, 1000, 1000, 2500, 2500]
    Job.objects.update(leased_until=None)
    with patch("loyalty.earning.revaluing.CHUNK", 2):
        run()

    assert [buckets(card)["available"] for card in cards] == [1000] * 5
    assert {card.operations.filter(kind="revalue").count() for card in cards} == {1}
    made.refresh_from_db()
    assert made.finished_at is not None


@pytest.mark.django_db(transaction=True)
def test_waits_and_goes_on_when_the_database_was_not_to_be_had() -> None:
    program = make_points_program()
    card = make_wallet(program, balance=2500)
    make_change(program, 10)

    with patch.object(point_values, "adjust", side_effect=LedgerBusy):
        assert jobs.run_next(HANDLERS) is False
    run()

    assert remaining(card) == [1000]


@pytest.mark.django_db(transaction=True)
def test_adjusts_each_card_once_whoever_is_at_it_and_whatever_is_bought() -> None:
    program = make_points_program()
    cards = [make_wallet(program, balance=2500) for _number in range(4)]
    made = make_change(program, 10)
    job = made.job
    assert job is not None

    def buy(card: GiftCard) -> None:
        for _purchase in range(3):
            make_purchase(card, 100)

    def work() -> None:
        mine = Job(pk=job.pk, kind=job.kind, parameters={"change": made.pk})
        while HANDLERS[job.kind](mine):
            pass

    results = race([work, work, *(lambda card=card: buy(card) for card in cards)])

    assert errors(results) == []
    for card in cards:
        [adjusted] = card.operations.filter(kind="revalue")
        # Whatever was left in its turn, three fifths of it went.
        last = adjusted.entries.latest("seq").available_after
        assert last * 3 == adjusted.applied * 2
        assert buckets(card)["available"] == 2500 - adjusted.applied - 300
    assert violations() == []


@pytest.mark.django_db(transaction=True)
def test_changes_once_when_two_people_change_it_at_the_same_moment() -> None:
    program = make_points_program()
    make_wallet(program, balance=2500)

    results = race(
        [lambda value=value: make_change(program, value, before=25) for value in (10, 50, 100)]  # type: ignore[misc]
    )

    assert len(errors(results)) == 2
    assert set(errors(results)) <= {PointValueOutdated, PointValueUnderWay}
    assert PointValueChange.objects.get().after == fresh(program).point_units


def test_names_the_card_that_cannot_hold_its_points() -> None:
    program = make_points_program(point_units=1)
    full, plain = make_wallet(program, balance=2**62 + 1), make_wallet(program, balance=5)
    made = make_change(program, 2)

    run()

    assert (buckets(full)["available"], buckets(plain)["available"]) == (2**62 + 1, 10)
    assert made.job is not None
    job = Job.objects.get(pk=made.job.pk)
    assert (job.status, job.failed) == ("done", 1)
    assert job.parameters["refused"] == [[full.pk, "balance_limit_exceeded"]]


def test_names_who_did_it_on_every_card() -> None:
    program, person = make_points_program(), User.objects.create(username="caio")
    card = make_wallet(program, balance=2500)

    make_change(program, 10, requested_by=person, reason=Reason.CORRECTION, note="From July")
    run()

    operation = card.operations.get(kind="revalue")
    assert (operation.actor, operation.reason, operation.note) == (
        f"staff:{person.pk}", "correction", "From July",
    )  # fmt: skip


def test_keeps_to_the_programs_own_cards() -> None:
    program = make_points_program()
    other = make_wallet(make_points_program(program.store), balance=2500)
    make_change(program, 10)

    run()

    assert remaining(other) == [2500]


@pytest.mark.django_db(transaction=True)
def test_waits_for_whoever_plans_by_the_value_before() -> None:
    program = make_points_program()
    with ThreadPoolExecutor(1) as threads:
        with atomic():
            point_values.stand_still(program)
            change = threads.submit(in_thread, lambda: make_change(program, 10, before=25))
            while not is_waited_for():
                assert not change.done()

            assert fresh(program).point_units == 25

        change.result(30)

    assert fresh(program).point_units == 10


def in_thread(call: Callable[[], object]) -> None:
    try:
        call()
    finally:
        connections.close_all()


def is_waited_for() -> bool:
    """Whether somebody waits for an advisory lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone() is not None
