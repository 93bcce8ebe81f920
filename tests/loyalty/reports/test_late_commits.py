"""Entries that are committed late, and jobs that run at once: each is added exactly once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.db import ProgrammingError, connections

from loyalty import reports
from loyalty.ledger import posting
from loyalty.models import BookDay, BookProgress, Entry, GiftCard
from loyalty.reports import parts, sums
from loyalty.reports.outstanding import Position, outstanding
from tests.builders import make_card, make_hold, make_program
from tests.loyalty.ledger.race import done, race

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def written_but_not_committed(card: GiftCard, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A purchase on the card whose entries are written, and committed only after the block."""
    written, commit = threading.Event(), threading.Event()
    post = posting._Statement.execute

    def waits(statement: posting._Statement) -> tuple[int, int | None]:
        answer = post(statement)
        if threading.current_thread() is thread:
            written.set()
            assert commit.wait(20)
        return answer

    def purchase() -> None:
        try:
            make_hold(card, 100)
        finally:
            connections.close_all()

    monkeypatch.setattr(posting._Statement, "execute", waits)
    thread = threading.Thread(target=purchase)
    thread.start()
    assert written.wait(20)
    try:
        yield
    finally:
        commit.set()
        thread.join()


def test_what_may_still_be_committed_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "PATIENCE", 0.1)
    slow, quick = make_card(balance=1_000), make_card(balance=1_000)
    reports.aggregate_due()
    with written_but_not_committed(slow, monkeypatch):
        make_hold(quick, 10)  # a larger id, committed before

        added = reports.aggregate_due()
        meanwhile = Position.total(outstanding(quick.store).values())

    after = reports.aggregate_due()

    assert added == 0
    assert meanwhile.held == 10_0000
    assert after == 2
    assert reports.verify() == []
    ends = set(BookProgress.objects.values_list("last_entry", flat=True))
    assert ends == {Entry.objects.order_by("-id")[0].pk}


def test_a_run_goes_on_as_soon_as_the_writer_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    card = make_card(balance=1_000)
    with written_but_not_committed(card, monkeypatch):
        [running] = [threading.Thread(target=add)]
        running.start()
    running.join()

    assert BookDay.objects.filter(source="available", target="held").get().amount == 100
    assert reports.verify() == []


def add() -> None:
    try:
        reports.aggregate_due()
    finally:
        connections.close_all()


def test_runs_at_once_add_each_entry_once() -> None:
    program = make_program()
    for _ in range(10):
        make_hold(make_card(program, balance=100), 10)

    added = done(race([lambda: reports.aggregate_due(chunk=3)] * 4))

    assert sum(added) == 20
    assert len(added) == 4
    assert reports.verify() == []


def test_a_run_that_fails_midway_is_carried_on(monkeypatch: pytest.MonkeyPatch) -> None:
    program = make_program()
    for _ in range(4):
        make_card(program, balance=100)
    with monkeypatch.context() as patch:
        broken = replace(parts.BOOKS, statements=[parts.BOOKS.statements[0], "nonsense %(upto)s"])
        patch.setattr(sums, "PARTS", (broken,))
        with pytest.raises(ProgrammingError):
            reports.aggregate_due()

    is_kept = BookDay.objects.exists()
    added = reports.aggregate_due()

    assert not is_kept
    assert added == 4
    assert reports.verify() == []


def test_a_page_sees_one_state_of_the_books() -> None:
    """Adding between two statements of a report would count what it moves twice."""
    card = make_card(balance=500)

    with sums.one_snapshot():
        before = sums.progress()
        race([reports.aggregate_due])
        after = sums.progress()

    assert before.last_entry == after.last_entry == 0
    assert sums.progress().last_entry >= card.pk
