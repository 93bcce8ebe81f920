"""Real Celery workers on the test's own database."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from config.celery import app
from tests.config.processes import ROOT

CELERY = [sys.executable, "-m", "celery", "--app", "config.celery", "worker"]

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Start]:
    """Starts a worker, with more in its environment if need be; none outlives the test."""
    database = urlsplit(os.environ["DATABASE_URL"])
    path = f"/{connection.settings_dict['NAME']}"
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database._replace(path=path).geturl(),
    }
    app.control.purge()
    started: list[subprocess.Popen[bytes]] = []

    def start(**more: str) -> "subprocess.Popen[bytes]":
        with (tmp_path / f"worker-{len(started)}").open("wb") as log:
            worker = subprocess.Popen(
                [*CELERY, "--concurrency", "2", "--without-mingle", "--without-gossip"],
                cwd=ROOT,
                env=environment | more,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(worker)
        return worker

    yield start

    for worker in started:
        kill(worker)
    app.control.purge()


def kill(worker: "subprocess.Popen[bytes]") -> None:
    """SIGKILL to the worker and all its children."""
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
