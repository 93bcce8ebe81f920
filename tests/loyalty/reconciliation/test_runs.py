"""Runs that are repeated, at once, killed, refused; and what differences become by them."""

import dataclasses
import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User

from loyalty import jobs, reconciliation
from loyalty.jobs import Handler
from loyalty.models import (
    Discrepancy,
    GiftCard,
    Job,
    JobKind,
    OpenHold,
    ReconciliationFile,
    ReconciliationRun,
    Store,
)
from loyalty.order_sources import (
    OrderSource,
    SourceRefused,
    SourceUnavailable,
    SourceUnreadable,
    WindowKind,
)
from loyalty.reconciliation import workflow
from loyalty.reconciliation.engine import advance
from tests.builders import make_cancellation, make_settlement
from tests.loyalty.reconciliation.records import (
    LATER,
    NOON,
    WEEK,
    Records,
    make_debit,
    make_purchase,
    payment_of,
)

HANDLERS: Mapping[str, Handler] = {JobKind.RECONCILE: reconciliation.reconcile_chunk}


@pytest.fixture
def source(records: Records, monkeypatch: pytest.MonkeyPatch) -> Records:
    """The records as the store's own source."""

    def source_of(_store: Store) -> OrderSource:
        return records

    monkeypatch.setattr(workflow, "source_of", source_of)
    monkeypatch.setattr(workflow, "source_class", lambda: Records)
    return records


def rows() -> list[dict[str, Any]]:
    return [dict(row) for row in Discrepancy.objects.order_by("pk").values()]


def move(days: float) -> datetime.datetime:
    return LATER + datetime.timedelta(days=days)


def test_a_second_run_over_the_same_period_writes_nothing_new(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card, settled=0)
    records.add(make_purchase(payment_of(debit)))
    make_debit(card, settled=0, group="v2str")
    reconciliation.run(store, WEEK, records)
    first = rows()

    with time_machine.travel(move(1), tick=False):
        reconciliation.run(store, WEEK, records)

    assert len(first) == 2
    assert rows() == [row | {"last_seen": move(1)} for row in first]
    counts = store.reconciliation_runs.first().counts  # type: ignore[union-attr]
    assert (counts.get("new", 0), counts["known"]) == (0, 2)


def test_a_difference_that_is_gone_closes_itself_and_opens_again_when_it_is_back(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card)
    short = make_purchase(payment_of(debit, returned=Decimal("3.00")))
    records.add(short)
    reconciliation.run(store, WEEK, records)
    seen = []
    for days, purchase in ((1, make_purchase(payment_of(debit))), (2, short)):
        records.add(purchase)
        with time_machine.travel(move(days), tick=False):
            reconciliation.run(store, WEEK, records)
        difference = Discrepancy.objects.get()
        seen.append((difference.status, difference.closed_at, difference.reopened))

    assert seen == [("closed", move(1), 0), ("open", None, 1)]
    assert Discrepancy.objects.get().first_seen == LATER


def test_what_is_ignored_stays_so_until_the_figures_change(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card)
    records.add(make_purchase(payment_of(debit, returned=Decimal("3.00"))))
    reconciliation.run(store, WEEK, records)
    assert reconciliation.ignore(Discrepancy.objects.get(), because="Paid back in cash.")

    reconciliation.run(store, WEEK, records)
    same = Discrepancy.objects.get()
    records.add(make_purchase(payment_of(debit, returned=Decimal("5.00"))))
    reconciliation.run(store, WEEK, records)
    other = Discrepancy.objects.get()

    assert (same.status, same.ignored_because) == ("ignored", "Paid back in cash.")
    assert (other.status, other.ignored_because, other.amount) == ("open", "", 500)


def test_people_ignore_with_a_reason_take_up_assign_and_note(
    store: Store, card: GiftCard, records: Records, admin_user: User
) -> None:
    make_debit(card, settled=0)
    reconciliation.run(store, WEEK, records)
    difference = Discrepancy.objects.get()

    with pytest.raises(ValueError, match="reason"):
        reconciliation.ignore(difference, because="  ")
    assert reconciliation.ignore(difference, because="Known.")
    assert not reconciliation.ignore(difference, because="Again.")
    assert reconciliation.take_up(difference)
    assert not reconciliation.take_up(difference)
    reconciliation.annotate(difference, "Asked VTEX.")
    reconciliation.assign(difference, admin_user)
    difference.refresh_from_db()

    assert difference.assigned_to == admin_user
    assert (difference.status, difference.ignored_because) == ("open", "")
    assert difference.note == "Asked VTEX."


def test_open_differences_outside_of_the_window_are_looked_up(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card, settled=0)
    records.add(make_purchase(payment_of(debit)))
    reconciliation.run(store, WEEK, records)
    with time_machine.travel(LATER + datetime.timedelta(minutes=1), tick=False):
        make_settlement(debit, 1000)

    with time_machine.travel(move(1), tick=False):
        later = dataclasses.replace(WEEK, since=LATER, until=move(0.5))
        reconciliation.run(store, later, records)

    assert Discrepancy.objects.get().status == "closed"


def test_old_holds_outside_of_the_window_are_looked_up(
    store: Store, card: GiftCard, records: Records
) -> None:
    debit = make_debit(card, settled=0)
    OpenHold.objects.create(
        transaction=debit, store=store, currency="BRL", exponent=2, opened_at=NOON, amount=1000
    )

    with time_machine.travel(move(40), tick=False):
        window = dataclasses.replace(WEEK, since=move(38), until=move(39))
        reconciliation.run(store, window, records)

    assert Discrepancy.objects.get().kind == "debit_without_order"


def test_a_window_of_changes_looks_up_what_was_moved_here(
    store: Store, card: GiftCard, records: Records
) -> None:
    old = NOON - datetime.timedelta(days=60)
    debit = make_debit(card, at=NOON)
    records.add(make_purchase(payment_of(debit)), at=old)
    with time_machine.travel(LATER + datetime.timedelta(days=10), tick=False):
        make_cancellation(debit, 400)

    with time_machine.travel(move(12), tick=False):
        window = dataclasses.replace(WEEK, kind=WindowKind.CHANGED, since=move(9), until=move(11))
        reconciliation.run(store, window, records)

    assert Discrepancy.objects.values_list("kind", "amount").get() == ("refund", 400)


def test_a_killed_run_goes_on_where_it_was(store: Store, card: GiftCard, source: Records) -> None:
    for day in range(4):
        at = NOON + datetime.timedelta(days=day)
        debit = make_debit(card, group=f"v{day}str", settled=0, at=at)
        source.add(make_purchase(payment_of(debit), group=f"v{day}str"), at=at)
    begun = reconciliation.start(store, WEEK)
    while advance(fresh(begun), source) and fresh(begun).percent < 50:
        pass
    half = Discrepancy.objects.count()
    asked = source.asked

    while jobs.run_next(HANDLERS):
        pass

    ended = fresh(begun)
    assert 0 < half < 4
    assert Discrepancy.objects.count() == 4
    assert (ended.status, ended.percent, ended.calls) == ("done", 100, source.asked)
    assert asked < source.asked
    job = Job.objects.get()
    assert (job.status, job.done, job.total) == ("done", 100, 100)


def fresh(run: ReconciliationRun) -> ReconciliationRun:
    return ReconciliationRun.objects.select_related("store").get(pk=run.pk)


def test_two_workers_at_one_slice_count_it_once(
    store: Store, card: GiftCard, source: Records
) -> None:
    make_debit(card, settled=0)
    begun = reconciliation.start(store, WEEK)
    one, other = fresh(begun), fresh(begun)

    first, second = advance(one, source), advance(other, source)

    assert (first, second) == (True, False)
    assert fresh(begun).compared_until == one.compared_until


@pytest.mark.django_db(transaction=True)
def test_a_store_that_does_not_answer_is_asked_again_later(
    store: Store, card: GiftCard, source: Records
) -> None:
    begun = reconciliation.start(store, WEEK)
    source.problem = SourceUnavailable("VTEX answered 500, 5 times. It will be tried again.")

    assert not jobs.run_next(HANDLERS)
    waiting = fresh(begun)
    assert (waiting.status, waiting.progress["failures"]) == ("running", 1)
    assert "VTEX answered 500" in waiting.error
    while jobs.run_next(HANDLERS):
        pass

    assert (fresh(begun).status, fresh(begun).error) == ("done", "")
    assert "failures" not in fresh(begun).progress


def test_a_store_that_never_answers_fails_in_the_end_and_can_go_on(
    store: Store, source: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "MOST_FAILURES", 1)
    begun = reconciliation.start(store, WEEK)
    source.problem = SourceUnavailable("VTEX did not answer.")

    jobs.run_next(HANDLERS)

    assert (fresh(begun).status, fresh(begun).error) == ("failed", "VTEX did not answer.")
    assert jobs.retry(Job.objects.get())
    while jobs.run_next(HANDLERS):
        pass
    assert fresh(begun).status == "done"


def test_refused_keys_fail_at_once(store: Store, source: Records) -> None:
    begun = reconciliation.start(store, WEEK)
    source.problem = SourceRefused("VTEX refused the keys.")

    jobs.run_next(HANDLERS)

    assert (fresh(begun).status, fresh(begun).error) == ("failed", "VTEX refused the keys.")
    assert Job.objects.get().status == "failed"


def test_what_the_orders_do_not_tell_yet_is_not_compared(
    store: Store, source: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Records, "lag", datetime.timedelta(minutes=10))

    begun = reconciliation.start(store, dataclasses.replace(WEEK, until=LATER))

    assert begun.until == LATER - datetime.timedelta(minutes=10)
    with pytest.raises(SourceUnreadable, match="nothing to compare"):
        reconciliation.start(store, dataclasses.replace(WEEK, since=LATER, until=LATER))
    assert Job.objects.count() == 1


def test_recent_days_are_those_of_the_store(store: Store) -> None:
    window = reconciliation.recent(WindowKind.AUTHORIZED, store, days=3)

    assert window.since.isoformat() == "2026-11-12T00:00:00-03:00"
    assert window.until.isoformat() == "2026-11-15T00:00:00-03:00"


def test_a_file_is_compared_and_emptied(store: Store, card: GiftCard) -> None:
    debit = make_debit(card, settled=0)
    content = (
        "order;tid;amount;authorized_at;status;settled\n"
        f"v1str-01;{debit.public_id};10,00;2026-11-10T09:00:00;finished;10,00\n"
    ).encode()

    begun = reconciliation.start(store, WEEK, content=content, file_name="payments.csv")
    sealed = bytes(ReconciliationFile.objects.get().content)
    while jobs.run_next(HANDLERS):
        pass

    assert debit.public_id.encode() not in sealed
    assert fresh(begun).status == "done"
    assert Discrepancy.objects.values_list("kind", "remedy", "remedy_units").get() == (
        "settlement",
        "settle",
        1000,
    )
    assert bytes(ReconciliationFile.objects.get().content) == b""
