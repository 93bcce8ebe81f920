"""No acknowledged amount is lost, doubled or changed by a crash, and the proof could fail.

How it is done, and what it does not show: docs/durability.md.
"""

from collections import Counter
from pathlib import Path

import pytest

from tests.crash.run import LONG, SHORT, Plan, control_run, crash_run

# They load the machine and time matters to them: one after the other.
pytestmark = pytest.mark.xdist_group("crash")


def survives(plan: Plan, path: Path) -> None:
    result = crash_run(plan, path)

    print(result)  # noqa: T201 - the numbers, for `pytest -s` and for a failure
    assert result.verdict.faults == []
    assert result.verdict.unanswered == 0, "somebody stayed in doubt with everything running"
    assert result.deaths == Counter(plan.deaths)
    assert result.verdict.accepted >= plan.acks_between * len(plan.deaths) // 2
    assert result.verdict.refused
    assert result.verdict.doubtful, "no request was hit by any of the deaths"


def test_no_acknowledged_write_is_lost_when_workers_and_postgresql_are_killed(
    tmp_path: Path,
) -> None:
    survives(SHORT, tmp_path / "journal")


@pytest.mark.long
def test_no_acknowledged_write_is_lost_in_minutes_of_kills(tmp_path: Path) -> None:
    survives(LONG, tmp_path / "journal")


def test_without_synchronous_commit_the_same_proof_finds_a_loss(tmp_path: Path) -> None:
    """A proof that cannot fail proves nothing. What is left is consistent all the same."""
    verdicts = control_run(tmp_path / "journal")

    print(*verdicts, sep="\n")  # noqa: T201
    assert verdicts[-1].lost
    assert verdicts[-1].faults == [f"LOST {line}" for line in verdicts[-1].lost]
