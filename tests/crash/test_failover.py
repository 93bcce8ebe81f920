"""The whole primary is lost under load, and no answer with it, and the proof could fail."""

from pathlib import Path

import pytest

from tests.crash.failover import failover_control, failover_run

# Longer than the time-out of a statement, at which PostgreSQL would stop waiting for the standby.
LONG_DEAFNESS = 33


def survives(path: Path, deaf_seconds: float = 0.5) -> None:
    run = failover_run(path, deaf_seconds=deaf_seconds)

    print(run)  # noqa: T201 - the numbers, for `pytest -s` and for a failure
    assert run.answered_meanwhile == 0
    verdict = run.verdict
    assert verdict.faults == []
    assert verdict.unanswered == 0, "somebody stayed in doubt with the new primary running"
    assert verdict.accepted >= 300
    assert verdict.doubtful, "no request was hit by the death of the primary"


def test_what_was_answered_is_on_the_standby_that_takes_over(tmp_path: Path) -> None:
    survives(tmp_path / "journal")


@pytest.mark.long
@pytest.mark.parametrize("number", range(6))
def test_nothing_is_lost_in_many_failovers(tmp_path: Path, number: int) -> None:
    survives(tmp_path / f"journal-{number}")


@pytest.mark.long
def test_nobody_is_answered_while_the_standby_hears_nothing(tmp_path: Path) -> None:
    survives(tmp_path / "journal", deaf_seconds=LONG_DEAFNESS)


def test_a_standby_that_nobody_waits_for_loses_answers(tmp_path: Path) -> None:
    """A proof that cannot fail proves nothing. What is left is consistent all the same."""
    verdict = failover_control(tmp_path / "journal")

    print(verdict)  # noqa: T201
    assert verdict.lost
    assert verdict.faults == [f"LOST {line}" for line in verdict.lost]
