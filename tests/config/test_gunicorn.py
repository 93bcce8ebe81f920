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
