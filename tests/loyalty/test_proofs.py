import datetime
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection
from django.db.transaction import atomic
from pytest_django import Settings

from loyalty import alerts, jobs, periodic, proofs, schedule
from loyalty.models import (
    Alert,
    ChainLink,
    GiftCard,
    Job,
    JobKind,
    Proof,
    ProofDifference,
)
from loyalty.proofs import work
from tests.builders import make_cancellation, make_card, make_hold, make_settlement, make_wallet

pytestmark = pytest.mark.django_db

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
OLD = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
NEW = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
HANDLERS: dict[str, jobs.Handler] = {
    JobKind.PROVE_ALL: proofs.prove_chunk,
    JobKind.PROVE_CHANGES: proofs.prove_chunk,
}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def prove(kind: JobKind = JobKind.PROVE_ALL) -> Job:
    job = jobs.again(kind)
    while jobs.run_next(HANDLERS):
        pass
    job.refresh_from_db()
    assert job.status == Job.Status.DONE, job.error
    return job


def tamper(sql: str, *values: Any) -> None:
    """What only whoever owns the database can do."""
    with connection.cursor() as cursor, atomic():
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, values)
        assert cursor.rowcount


def make_history() -> GiftCard:
    card = make_wallet(balance=1000)
    debit = make_hold(card, 300)
    make_settlement(debit, 200)
    return card


def links(card: GiftCard) -> list[tuple[int, int]]:
    return list(ChainLink.objects.filter(card=card).order_by("pk").values_list("after", "upto"))


def found() -> list[tuple[str, int | None]]:
    return sorted(proofs.open_differences().values_list("check_name", "card_id"))


def test_books_that_are_right_are_proved_and_chained() -> None:
    card, empty = make_history(), make_card()

    job = prove()

    proof = Proof.objects.get()
    assert job.counts == {"cards": 2, "links": 1, "differences": 0}
    assert (job.done, job.total) == (2, 2)
    assert (proof.scope, proof.cards, proof.differences, proof.links) == ("everything", 2, 0, 1)
    assert (proof.started_at, proof.finished_at) == (NOON, NOON)
    assert links(card) == [(0, 3)]
    assert links(empty) == []
    assert found() == []


def test_the_chain_grows_by_what_is_new() -> None:
    card = make_history()
    prove()
    make_hold(card, 100)
    make_hold(card, 100)

    prove()
    prove()

    assert links(card) == [(0, 3), (3, 5)]
    assert found() == []


CHAINED = {
    "another request id": "UPDATE loyalty_operation SET request_id = 'x' WHERE kind = 'settle'",
    "another actor": "UPDATE loyalty_operation SET actor = 'me' WHERE kind = 'issue'",
    "another instant": "UPDATE loyalty_entry SET created_at = now() WHERE seq = 2",
    "another note": "UPDATE loyalty_operation SET note = 'so what' WHERE kind = 'authorize'",
}


@pytest.mark.parametrize("sql", CHAINED.values(), ids=CHAINED)
def test_what_no_promise_of_the_books_sees_breaks_the_chain(sql: str) -> None:
    card = make_history()
    prove()

    tamper(sql)
    prove()

    assert found() == [("chain", card.pk)]
    [difference] = ProofDifference.objects.all()
    assert difference.figures == "entries up to 3 are not those chained"


def test_a_whole_history_written_anew_breaks_the_chain() -> None:
    """All figures agree with each other: a card that got half as much from the beginning."""
    card = make_card(balance=1000)
    prove()

    tamper("UPDATE loyalty_entry SET amount = 500, available_after = 500")
    tamper("UPDATE loyalty_operation SET amount = 500, applied = 500")
    tamper("UPDATE loyalty_grant SET amount = 500, remaining = 500")
    tamper("UPDATE loyalty_balance SET credited = 500, available = 500")
    prove()

    assert found() == [("chain", card.pk)]


def test_an_end_cut_off_breaks_the_chain() -> None:
    card = make_card(balance=1000)
    debit = make_hold(card, 300)
    prove()

    tamper("DELETE FROM loyalty_entry WHERE transaction_id = %s", debit.pk)
    tamper("DELETE FROM loyalty_operation WHERE transaction_id = %s", debit.pk)
    tamper("DELETE FROM loyalty_transaction WHERE id = %s", debit.pk)
    tamper("UPDATE loyalty_grant SET remaining = 1000")
    tamper("UPDATE loyalty_balance SET available = 1000, held = 0, version = 1")
    prove()

    assert found() == [("chain", card.pk)]
    [difference] = ProofDifference.objects.all()
    assert difference.figures == "entry 2, which ended a link, is gone"


def test_links_taken_out_with_what_they_covered_are_missed() -> None:
    card, _other = make_history(), make_history()
    prove()

    tamper("DELETE FROM loyalty_chainlink WHERE card_id = %s", card.pk)
    tamper("UPDATE loyalty_operation SET actor = 'me' WHERE card_id = %s", card.pk)
    prove(JobKind.PROVE_CHANGES)

    assert found() == [("links", None)]
    assert ProofDifference.objects.get().figures == "1 links of the chains are gone"


def test_a_number_of_links_without_our_seal_is_not_believed() -> None:
    make_history()
    prove()

    tamper("UPDATE loyalty_proof SET links = 2")
    prove()

    assert found() == [("links", None)]
    assert ProofDifference.objects.get().figures == "the seal of the last proof is not ours"


def test_a_link_cannot_be_made_without_the_key() -> None:
    card = make_card(balance=1000)
    prove()
    link = ChainLink.objects.get()

    tamper("UPDATE loyalty_operation SET actor = 'me'")
    tamper("UPDATE loyalty_chainlink SET digest = %s", b"x" * len(link.digest))
    prove()

    assert found() == [("chain", card.pk)]


@pytest.mark.parametrize("sql", ["UPDATE {} SET upto = 9", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_database_refuses_to_change_links(sql: str) -> None:
    make_history()
    prove()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with (
        pytest.raises(IntegrityError, match="of loyalty_chainlink is not allowed"),
        atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql.format("loyalty_chainlink"))

    assert ChainLink.objects.get().upto == 3


def test_a_new_key_begins_a_chain_and_the_previous_one_can_go(settings: Settings) -> None:
    card = make_history()
    prove()
    settings.LOYALTY_CODE_KEYS = [NEW, OLD]
    make_hold(card, 50)
    prove()
    settings.LOYALTY_CODE_KEYS = [NEW]
    make_hold(card, 50)

    prove()
    settled = found()
    tamper("UPDATE loyalty_operation SET actor = 'me' WHERE kind = 'issue'")
    prove()

    assert links(card) == [(0, 3), (0, 4), (4, 5)]
    assert settled == []
    assert found() == [("chain", card.pk)]


def test_while_there_are_two_keys_the_previous_one_still_checks(settings: Settings) -> None:
    card = make_history()
    prove()
    settings.LOYALTY_CODE_KEYS = [NEW, OLD]

    tamper("UPDATE loyalty_operation SET actor = 'me' WHERE kind = 'issue'")
    prove()

    assert found() == [("chain", card.pk)]
    assert links(card) == [(0, 3)]


def test_a_key_that_went_too_early_is_named(settings: Settings) -> None:
    card = make_history()
    prove()
    settings.LOYALTY_CODE_KEYS = [NEW]

    prove()

    assert found() == [("chain", card.pk), ("links", None)]
    assert "no key of LOYALTY_CODE_KEYS" in ProofDifference.objects.get(card=card).figures


def test_what_changed_since_everything_was_proved_is_proved(
    clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "OPERATIONS", 2)
    quiet, busy = make_history(), make_history()
    clock.shift(2 * DAY)
    prove()
    clock.shift(DAY)
    for _ in range(5):
        make_hold(busy, 10)
    tamper("UPDATE loyalty_balance SET version = version + 1")

    job = prove(JobKind.PROVE_CHANGES)

    assert job.counts == {"cards": 1, "links": 0 + 1, "differences": 1}
    assert (job.done, job.total) == (5, 5)
    assert found() == [("I3", busy.pk)]
    assert links(busy) == [(0, 3), (3, 8)]
    clock.shift(7 * DAY)
    prove()
    assert found() == [("I3", quiet.pk), ("I3", busy.pk)]


def test_what_was_under_way_when_everything_was_proved_counts_as_changed(
    clock: time_machine.Traveller,
) -> None:
    card = make_history()
    clock.shift(work.LONGEST)
    prove()
    tamper("UPDATE loyalty_balance SET version = version + 1")

    prove(JobKind.PROVE_CHANGES)

    assert found() == [("I3", card.pk)]


def test_a_difference_is_open_until_a_proof_finds_it_gone(clock: time_machine.Traveller) -> None:
    card = make_history()
    tamper("UPDATE loyalty_balance SET version = version + 1")
    prove()
    clock.shift(DAY)
    prove()
    again = ProofDifference.objects.get()
    tamper("UPDATE loyalty_balance SET version = version - 1")
    clock.shift(DAY)
    prove()

    assert (again.first_seen, again.last_seen) == (NOON, NOON + DAY)
    assert again.figures.startswith(f"card_id {card.pk}, version 4, entries 3")
    assert found() == []
    assert ProofDifference.objects.get().gone_at == NOON + 2 * DAY


def test_goes_on_where_a_killed_worker_left_it(
    clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "CARDS", 2)
    cards = [make_history() for _ in range(5)]
    tamper("UPDATE loyalty_balance SET version = version + 1 WHERE card_id = %s", cards[2].pk)

    def killed(job: Job) -> bool:
        proofs.prove_chunk(job)
        if job.done == 4:
            raise KeyboardInterrupt  # what was found is committed, the progress is not
        return True

    jobs.again(JobKind.PROVE_ALL)
    with pytest.raises(KeyboardInterrupt):
        jobs.run_next({JobKind.PROVE_ALL: killed})
    clock.shift(jobs.LEASE + datetime.timedelta(seconds=1))
    job = prove()

    assert Job.objects.count() == Proof.objects.count() == 1
    assert job.counts == {"cards": 5, "links": 5 - 2, "differences": 1}
    assert [links(card) for card in cards] == [[(0, 3)]] * 5
    assert found() == [("I3", cards[2].pk)]


@pytest.mark.django_db(transaction=True)
def test_each_chunk_is_read_from_one_snapshot_and_locks_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def look(cards: list[int]) -> list[object]:
        with connection.cursor() as cursor:
            for name in ("transaction_isolation", "transaction_read_only"):
                cursor.execute(f"SHOW {name}")
                seen.append(cursor.fetchone()[0])
        return []

    monkeypatch.setattr(work, "violations", look)
    make_history()

    prove()

    assert seen == ["repeatable read", "on"]


def test_money_that_moves_between_two_chunks_is_no_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work, "CARDS", 1)
    cards = [make_history() for _ in range(3)]
    debits = [make_hold(card, 10) for card in cards]

    def moving(job: Job) -> bool:
        for card in cards:
            make_hold(card, 1)
        make_cancellation(debits.pop(), 10) if debits else None
        return proofs.prove_chunk(job)

    jobs.again(JobKind.PROVE_ALL)
    jobs.run_next({JobKind.PROVE_ALL: moving})
    prove()

    assert found() == []


def test_a_difference_shouts_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    card = make_history()
    tamper("UPDATE loyalty_balance SET version = version + 1")
    periodic.run(schedule.WATCH, lambda: None)

    prove()
    alerts.watch()
    alerts.watch()

    assert [record.levelname for record in caplog.records if record.name == work.__name__] == [
        "CRITICAL"
    ]
    [alert] = alerts.open_alerts()
    assert alert.kind == Alert.Kind.BOOKS_WRONG
    assert "1" in alerts.words(alert)
    make_hold(card, 10)  # the shop goes on selling


def test_a_broken_promise_on_many_cards_is_one_incident() -> None:
    for _ in range(25):
        make_history()
    tamper("UPDATE loyalty_balance SET version = version + 1")

    prove()
    alerts.watch()

    assert ProofDifference.objects.count() == 20  # as many as one chunk shows of a promise
    assert Alert.objects.filter(kind="books_wrong").count() == 1
