"""No acknowledged amount is lost, doubled or changed by a crash, and the proof could fail.

How it is done, and what it does not show: docs/durability.md.
"""

import os
import re
import secrets
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.config.processes import ROOT, eventually, processes_with
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


@pytest.mark.parametrize(
    "ending", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.long)]
)
def test_an_interrupted_run_leaves_nothing(ending: signal.Signals) -> None:
    mark = f"crash-{secrets.token_hex(8)}"
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.crash"],
        cwd=ROOT,
        env=os.environ | {"MARK": mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert eventually(
            lambda: any("gunicorn" in command for command in processes_with(mark)), within=60
        )
        folders = re.findall(r'"remove": "([^"]+)"', " ".join(processes_with(mark)))
    finally:
        run.send_signal(ending)
        try:
            run.wait(60)
        finally:
            run.kill()

    assert len(folders) == 2
    assert eventually(lambda: processes_with(mark) == [])
    assert eventually(lambda: not any(Path(folder).exists() for folder in folders))
