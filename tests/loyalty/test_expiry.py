import datetime
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.db.transaction import atomic

from loyalty import expiry, jobs, ledger
from loyalty.ledger.invariants import violations
from loyalty.models import Entry, GiftCard, Job, JobKind, Operation
from tests.builders import (
    buckets,
    make_card,
    make_credit,
    make_hold,
    make_program,
    make_store,
    make_wallet,
    unchanged,
)

pytestmark = pytest.mark.django_db

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
INSTANT = datetime.timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def run() -> Job:
    """One run to its end, as the worker does it."""
    job = expiry.begin()
    assert isinstance(job, Job)
    while jobs.run_next({JobKind.EXPIRE: expiry.expire_chunk}):
        pass
    return Job.objects.get(pk=job.pk)


def make_ending(amount: int, *, days: int) -> GiftCard:
    return make_card(balance=amount, expires_at=NOON + days * DAY)


def test_books_what_is_over_and_counts_it(clock: time_machine.Traveller) -> None:
    wallet = make_wallet()
    for amount, days in ((100, 1), (200, 1), (400, 9)):
        make_credit(wallet, amount, expires_at=NOON + days * DAY)
    gone, alive = make_ending(50, days=1), make_ending(70, days=2)
    clock.move_to(NOON + DAY)

    with unchanged(alive):
        job = run()

    assert buckets(wallet) == {"credited": 700, "available": 400, "expired": 300}
    assert buckets(gone) == {"credited": 50, "expired": 50}
    assert (job.status, job.total, job.done, job.failed) == ("done", 3, 3, 0)
    assert job.counts == {"cards": 2, "refused": 0}
    assert set(Operation.objects.filter(kind="expire").values_list("actor", flat=True)) == {"clock"}
    assert violations() == []


def test_what_purchases_hold_stays_held(clock: time_machine.Traveller) -> None:
    card = make_ending(1000, days=1)
    make_hold(card, 300)
    clock.move_to(NOON + DAY)

    run()

    assert buckets(card) == {"credited": 1000, "held": 300, "expired": 700}


@pytest.mark.parametrize(
    ("zone", "is_over"), [("America/Sao_Paulo", False), ("Asia/Tokyo", True), ("UTC", True)]
)
def test_a_day_ends_when_it_ends_in_the_store(
    zone: str, is_over: bool, clock: time_machine.Traveller
) -> None:
    store = make_store(time_zone=zone)
    end = store.last_instant(datetime.date(2026, 3, 11))
    card = make_card(make_program(store), balance=100, expires_at=end)
    clock.move_to(datetime.datetime(2026, 3, 12, 0, 1, tzinfo=datetime.UTC))

    run()

    assert buckets(card).get("expired", 0) == (100 if is_over else 0)


def test_soonest_first_in_chunks_that_are_kept(
    clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "CHUNK", 1)
    cards = [make_ending(100, days=days) for days in (3, 1, 2)]
    clock.move_to(NOON + 3 * DAY)
    seen: list[tuple[int, int]] = []

    def watched(job: Job) -> bool:
        kept = Job.objects.get(pk=job.pk)
        seen.append((kept.done, kept.total))
        return expiry.expire_chunk(job)

    expiry.begin()
    jobs.run_next({JobKind.EXPIRE: watched})

    booked = Entry.objects.filter(target="expired").order_by("pk")
    assert [entry.card_id for entry in booked] == [cards[index].pk for index in (1, 2, 0)]
    assert seen == [(0, 0), (1, 3), (2, 3), (3, 3)]


def test_many_that_end_at_the_same_instant_are_walked_in_order(
    clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "CHUNK", 2)
    monkeypatch.setattr(expiry, "WALK", 3)
    wallet = make_wallet()
    for _ in range(9):
        make_credit(wallet, 10, expires_at=NOON + DAY)
    spent = [make_ending(10, days=1) for _ in range(7)]
    for card in spent:
        make_hold(card, 10)
    last = make_ending(10, days=1)
    clock.move_to(NOON + DAY)

    job = run()

    assert buckets(wallet) == {"credited": 90, "expired": 90}
    assert buckets(last) == {"credited": 10, "expired": 10}
    # The chunks after the first find nothing left on the wallet: it was booked as a whole.
    assert job.counts["cards"] == 2


def test_goes_on_where_a_killed_worker_left_it(
    clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "CHUNK", 2)
    cards = [make_ending(100, days=1) for _ in range(5)]
    clock.move_to(NOON + DAY)

    def killed(job: Job) -> bool:
        expiry.expire_chunk(job)
        if job.done == 4:
            raise KeyboardInterrupt  # the chunk is committed, its progress is not
        return True

    expiry.begin()
    with pytest.raises(KeyboardInterrupt):
        jobs.run_next({JobKind.EXPIRE: killed})
    clock.shift(jobs.LEASE + INSTANT)
    run()

    assert [buckets(card) for card in cards] == [{"credited": 100, "expired": 100}] * 5
    assert Operation.objects.filter(kind="expire").count() == 5
    assert Job.objects.count() == 1


def test_when_nothing_is_due_there_is_no_job(clock: time_machine.Traveller) -> None:
    run()  # the first looks at everything
    clock.move_to(NOON + DAY)
    make_ending(100, days=5)

    assert expiry.begin() == {"cards": 0}
    assert Job.objects.count() == 1


def test_looks_a_day_further_back_than_the_run_before(clock: time_machine.Traveller) -> None:
    run()
    clock.shift(2 * DAY)
    run_whole = Job.objects.get()
    wallet = make_wallet()
    make_credit(wallet, 100, valid_from=NOON - 3 * DAY, expires_at=NOON - DAY)
    make_credit(wallet, 200, valid_from=NOON - 3 * DAY, expires_at=NOON - DAY - INSTANT)

    job = run()

    assert run_whole.parameters["whole"] is True
    assert job.parameters["whole"] is False
    # A wallet is booked as a whole, so that the second credit comes along.
    assert buckets(wallet) == {"credited": 300, "expired": 300}


def test_looks_at_everything_once_a_week(clock: time_machine.Traveller) -> None:
    run()
    clock.shift(2 * DAY)
    card = make_card(
        balance=100, valid_from=NOON - 9 * DAY, expires_at=NOON - expiry.OVERLAP - INSTANT
    )
    with unchanged(card):
        soon = expiry.begin()
    clock.move_to(NOON + expiry.WHOLE_EVERY)

    job = run()

    assert soon == {"cards": 0}
    assert job.parameters["whole"] is True
    assert buckets(card) == {"credited": 100, "expired": 100}


def test_a_card_that_the_database_refuses_is_left_and_the_others_are_booked(
    clock: time_machine.Traveller, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad, other = (make_ending(100, days=1) for _ in range(3))
    tamper(bad, available=40, removed=60)
    clock.move_to(NOON + DAY)

    with unchanged(bad):
        job = run()

    assert (job.status, job.done, job.failed) == ("done", 3, 1)
    assert job.counts == {"cards": 2, "refused": 1}
    assert [buckets(card)["expired"] for card in (good, other)] == [100, 100]
    assert f"Card {bad.pk} cannot be booked as expired" in caplog.text
    tamper(bad, available=100, removed=0)


def test_a_card_that_somebody_has_locked_is_booked_by_the_next_run(
    clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, locked = make_ending(100, days=1), make_ending(100, days=1)
    clock.move_to(NOON + DAY)

    def without(card_ids: list[int], *, actor: str) -> ledger.Expiries:
        rest = [card_id for card_id in card_ids if card_id != locked.pk]
        found = real(rest, actor=actor)
        return ledger.Expiries(found.booked, frozenset({locked.pk}))

    real = ledger.expire_many
    with monkeypatch.context() as patch, unchanged(locked):
        patch.setattr(ledger, "expire_many", without)
        job = run()
    clock.shift(datetime.timedelta(hours=1))
    run()

    assert job.counts == {"cards": 1, "refused": 0}
    assert buckets(free) == buckets(locked) == {"credited": 100, "expired": 100}


def test_the_claim_goes_by_the_index() -> None:
    with connection.cursor() as cursor, atomic():
        cursor.execute("SET LOCAL enable_seqscan = off")
        values: dict[str, Any] = {"from": NOON, "after": 0, "until": NOON, "walk": 10, "most": 5}
        cursor.execute(f"EXPLAIN {expiry._DUE}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "Index Scan using grant_expiry" in plan
    assert plan.count("Sort") == 0


def tamper(card: GiftCard, *, available: int, removed: int) -> None:
    """What only whoever switches the triggers off can do."""
    with connection.cursor() as cursor, atomic():
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE loyalty_balance SET available = %s, removed = %s WHERE card_id = %s",
            [available, removed, card.pk],
        )
