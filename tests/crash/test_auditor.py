"""The auditor finds what it is there to find, on journals and rows that are made up."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.crash.auditor import Row, Verdict, audit
from tests.crash.journal import Ack, BrokenJournal, Invoke, Journal, Request, read

Event = Invoke | Ack

DEBIT = Request("buyer", 1, "authorize", "buyer-1", "card", None, 1000)
DEBIT_ROW = Row("oid-1", "authorize", "buyer-1", "card", "transaction", 1000, 1000, "ok", "", 100.5)
SETTLE = Request("buyer", 2, "settle", "buyer-2", "card", "transaction", 400)
SETTLE_ROW = Row("oid-2", "settle", "buyer-2", "card", "transaction", 400, 400, "ok", "", 200.5)
DECLINED_ROW = replace(SETTLE_ROW, applied=0, outcome="declined", decline_code="exceeds_hold")

SENT: list[Event] = [Invoke(DEBIT, 100), Invoke(SETTLE, 200)]
ANSWERED: list[Event] = [
    Invoke(DEBIT, 100),
    Ack("buyer", 1, 200, "transaction", None),
    Invoke(SETTLE, 200),
    Ack("buyer", 2, 200, "oid-2", 400),
]
REFUSED: list[Event] = [*ANSWERED[:3], Ack("buyer", 2, 422, "exceeds_hold", None)]
ROWS = [DEBIT_ROW, SETTLE_ROW]


def faults(verdict: Verdict) -> list[str]:
    """The names of what was found."""
    return [fault.split()[0] for fault in verdict.faults]


def test_books_that_agree_with_the_journal_have_no_fault() -> None:
    verdict = audit(ANSWERED, ROWS)

    assert verdict.faults == []
    assert (verdict.requests, verdict.answered, verdict.accepted) == (2, 2, 2)


def test_an_answer_without_a_row_is_lost() -> None:
    verdict = audit(ANSWERED, [DEBIT_ROW])

    assert faults(verdict) == ["LOST"]
    assert "buyer-2" in verdict.lost[0]


def test_a_refusal_without_a_row_is_lost_too() -> None:
    assert faults(audit(REFUSED, [DEBIT_ROW])) == ["LOST"]


def test_a_refusal_with_its_row_is_no_fault() -> None:
    verdict = audit(REFUSED, [DEBIT_ROW, DECLINED_ROW])

    assert verdict.faults == []
    assert (verdict.accepted, verdict.refused) == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"oid": "oid-9"},
        {"applied": 399},
        {"outcome": "declined", "decline_code": "exceeds_hold"},
        {"kind": "cancel"},
        {"card": "other"},
        {"transaction": "other"},
        {"amount": 500},
    ],
)
def test_a_row_that_differs_from_its_answer_or_request_is_found(changes: dict[str, Any]) -> None:
    verdict = audit(ANSWERED, [DEBIT_ROW, replace(SETTLE_ROW, **changes)])

    assert set(faults(verdict)) == {"DIFF"}


def test_a_debit_that_was_answered_with_another_transaction_is_found() -> None:
    verdict = audit(ANSWERED, [replace(DEBIT_ROW, transaction="other"), SETTLE_ROW])

    assert faults(verdict) == ["DIFF"]


@pytest.mark.parametrize("row", [SETTLE_ROW, replace(DECLINED_ROW, decline_code="card_blocked")])
def test_a_refusal_that_is_recorded_as_something_else_is_found(row: Row) -> None:
    assert faults(audit(REFUSED, [DEBIT_ROW, row])) == ["DIFF"]


def test_two_different_answers_to_one_request_are_found() -> None:
    """The first write was lost, and the repeated request was taken for a new one."""
    events = [*ANSWERED, Invoke(SETTLE, 300), Ack("buyer", 2, 200, "oid-3", 400)]

    assert faults(audit(events, [DEBIT_ROW, replace(SETTLE_ROW, oid="oid-3")])) == ["DIFF"]


def test_the_same_answer_twice_is_no_fault() -> None:
    verdict = audit([*ANSWERED, Invoke(SETTLE, 300), ANSWERED[-1]], ROWS)

    assert verdict.faults == []
    assert verdict.doubtful == 0


def test_a_row_that_nobody_asked_for_is_a_ghost() -> None:
    verdict = audit(ANSWERED, [*ROWS, replace(SETTLE_ROW, request_id="nobody", oid="oid-3")])

    assert faults(verdict) == ["GHOST"]


@pytest.mark.parametrize("events", [ANSWERED, SENT])
def test_two_rows_of_one_request_are_a_double_answered_or_not(events: list[Event]) -> None:
    verdict = audit(events, [DEBIT_ROW, SETTLE_ROW, replace(SETTLE_ROW, created_at=201)])

    assert faults(verdict) == ["DOUBLED"]


def test_a_request_without_an_answer_may_be_done_or_not() -> None:
    verdict = audit(SENT, [DEBIT_ROW])

    assert verdict.faults == []
    assert (verdict.unanswered, verdict.unanswered_but_done) == (2, 1)


def test_an_unanswered_request_that_was_done_differently_is_found() -> None:
    assert faults(audit(SENT, [replace(DEBIT_ROW, amount=1001)])) == ["DIFF"]


@pytest.mark.parametrize(("done_at", "learned"), [(100.5, 1), (103.5, 0)])
def test_learned_is_what_was_done_before_the_attempt_that_was_answered(
    done_at: float, learned: int
) -> None:
    events = [Invoke(DEBIT, 100), Invoke(DEBIT, 103), ANSWERED[1], Invoke(DEBIT, 110)]

    verdict = audit(events, [replace(DEBIT_ROW, created_at=done_at)])

    assert verdict.faults == []
    assert (verdict.doubtful, verdict.learned) == (1, learned)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_any_other_answer_is_unforeseen(status: int) -> None:
    verdict = audit([Invoke(DEBIT, 100), Ack("buyer", 1, status, "code", None)], [])

    assert faults(verdict) == ["UNFORESEEN"]


def test_a_broken_invariant_is_a_fault() -> None:
    assert faults(audit(ANSWERED, ROWS, ["I2: card_id 7"])) == ["VIOLATION"]


@pytest.mark.parametrize(
    "events",
    [
        [Ack("buyer", 1, 200, "transaction", None)],
        [Invoke(DEBIT, 100), Invoke(replace(DEBIT, value=1001), 101)],
    ],
    ids=["an answer to nothing", "one id with two meanings"],
)
def test_a_journal_that_contradicts_itself_is_refused(events: list[Event]) -> None:
    with pytest.raises(BrokenJournal):
        audit(events, [])


def test_what_is_written_is_read_again_and_is_on_disk_at_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        journal.invoke(DEBIT)
        journal.ack(DEBIT, 200, "transaction", None)
        journal.invoke(SETTLE)
        journal.ack(SETTLE, 200, "oid-2", 400)

        first, *others = read(journal.path)

    assert isinstance(first, Invoke)
    assert first.request == DEBIT
    assert (others[0], others[2]) == (ANSWERED[1], ANSWERED[3])
    assert journal.acks == 2


@pytest.mark.parametrize("line", ["INVOKE buyer 1 100.0 settle", "ACK buyer one 200 oid -", ""])
def test_a_line_cut_short_is_not_passed_over(tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal"
    path.write_text(f"{line}\n")

    with pytest.raises(BrokenJournal):
        list(read(path))
