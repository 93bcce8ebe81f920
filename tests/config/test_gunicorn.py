import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from config import gunicorn
from tests.config.processes import ROOT, free_port


@pytest.fixture(autouse=True)
def metrics_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Not this process's environment: its own metrics would go there from now on."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "metrics"))
    return tmp_path / "metrics"


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Mock:
    run = Mock(return_value=SimpleNamespace(returncode=1))
    monkeypatch.setattr(subprocess, "run", run)
    return run


def test_a_workstation_may_be_weak(checks: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVELOPMENT", "true")

    gunicorn.on_starting(Mock())

    checks.assert_not_called()


def test_a_weak_setting_stops_the_start(checks: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEVELOPMENT")

    with pytest.raises(SystemExit):
        gunicorn.on_starting(Mock())


def test_settings_that_pass_may_start(checks: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEVELOPMENT")
    checks.return_value.returncode = 0

    gunicorn.on_starting(Mock())

    checks.assert_called_once()


def test_nothing_serves_when_the_checks_cannot_even_run(tmp_path: Path) -> None:
    environment: dict[str, Any] = {**os.environ, "DATA_DIR": str(tmp_path)}
    del environment["DEVELOPMENT"], environment["SECRET_KEY"], environment["DJANGO_SETTINGS_MODULE"]
    bind = f"127.0.0.1:{free_port()}"

    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "--bind", bind],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode != 0
    assert "Set the SECRET_KEY environment variable" in done.stderr
    assert "nothing was started" in done.stderr


def test_no_control_socket_is_opened() -> None:
    assert gunicorn.control_socket_disable is True


# --- Metrics of several processes -----------------------------------------------------------------


def test_the_folder_of_the_metrics_is_made_and_emptied(
    checks: Mock, metrics_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVELOPMENT", "true")
    metrics_folder.mkdir()
    (metrics_folder / "counter_web7.db").write_bytes(b"of an earlier run")

    gunicorn.on_starting(Mock())

    assert list(metrics_folder.iterdir()) == []


def test_without_a_chosen_folder_one_is_made_and_removed_again(
    checks: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVELOPMENT", "true")
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")

    gunicorn.on_starting(Mock())
    made = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")

    assert made.is_dir()
    assert made.stat().st_mode & 0o077 == 0
    gunicorn.on_exit(Mock())
    assert not made.exists()


def test_a_worker_takes_the_lowest_number_that_none_of_the_living_has() -> None:
    server = SimpleNamespace(WORKERS={})
    workers = [SimpleNamespace() for _ in range(4)]
    for pid, worker in enumerate(workers[:3]):
        gunicorn.pre_fork(server, worker)
        server.WORKERS[pid] = worker

    del server.WORKERS[1]
    gunicorn.pre_fork(server, workers[3])

    assert [worker.number for worker in workers] == [0, 1, 2, 1]


COUNTING = """
import sys
from types import SimpleNamespace
from config import gunicorn

gunicorn.post_fork(None, SimpleNamespace(number=int(sys.argv[1])))
from loyalty import metrics

metrics.moved("settle", "BRL", 1250, 2)
metrics.answered("card", "ok", 0.25)
sys.stdout.write(metrics.exposition([]).decode())
"""


def test_every_process_tells_what_all_of_them_counted_and_a_new_one_goes_on(
    metrics_folder: Path,
) -> None:
    metrics_folder.mkdir()
    for number in ("0", "1", "0"):  # the third has the place of the first
        done = subprocess.run(
            [sys.executable, "-c", COUNTING, number],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )

    assert 'giftcard_money_moved_total{currency="BRL",verb="settle"} 37.5' in done.stdout
    served = 'giftcard_request_seconds_count{endpoint="card",outcome="ok"} 3.0'
    assert served in done.stdout
    assert sorted(path.name for path in metrics_folder.iterdir()) == [
        "counter_web0.db",
        "counter_web1.db",
        "histogram_web0.db",
        "histogram_web1.db",
    ]
