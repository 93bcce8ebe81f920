"""How gunicorn serves this project; `gunicorn -c python:config.gunicorn`.

Threads: a slow query holds a thread, not a process, and a slow client not even that for long
(`config.worker`). VTEX waits 15 s at most.
"""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import multiprocess, values

from config.env import BASE_DIR, env
from config.logging import logging_config

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

wsgi_app = "config.wsgi:application"
chdir = str(BASE_DIR)
bind = env.str("WEB_BIND", default="127.0.0.1:8000")
worker_class = "config.worker.BoundedThreadWorker"
workers = env.int("WEB_CONCURRENCY", default=2)
threads = env.int("WEB_THREADS", default=4)

# A worker that has not come round for this long is replaced; longer than any statement may take.
timeout = 60
graceful_timeout = 20
# Longer than a load balancer keeps an idle connection (60 s is usual), so that it closes first.
keepalive = 75
# New processes now and then, not all at once: a leak in a library stays small.
max_requests = 20_000
max_requests_jitter = 2_000

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# Nobody manages workers over a socket, and it would be written into the home folder.
control_socket_disable = True
# The heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - gunicorn's advice

_own_folder: list[str] = []

logconfig_dict = logging_config(level=env.str("LOG_LEVEL", default="INFO")) | {
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        # A request line carries ids and search words; the load balancer's log may, ours does not.
        "gunicorn.access": {"level": "ERROR", "handlers": [], "propagate": False},
    }
}


def pre_fork(server: "Arbiter", worker: "Worker") -> None:
    """Give the worker the lowest number that none of the living has."""
    taken = {each.number for each in server.WORKERS.values()}
    worker.number = next(number for number in count() if number not in taken)


def post_fork(server: "Arbiter", worker: "Worker") -> None:
    """Count in files with that number, not with the process id.

    A worker that is replaced leaves its files to the next: their number stays small, and no counter
    ever goes back.
    """
    named = values.MultiProcessValue(lambda: f"web{worker.number}")  # type: ignore[no-untyped-call]
    values.ValueClass = named


def child_exit(server: "Arbiter", worker: "Worker") -> None:
    """What a gauge said of the process that is gone is not true any more."""
    multiprocess.mark_process_dead(f"web{worker.number}")  # type: ignore[no-untyped-call]


def on_exit(server: "Arbiter") -> None:
    """Remove the folder of the metrics, if nobody else chose it."""
    if _own_folder:
        shutil.rmtree(_own_folder.pop(), ignore_errors=True)


def _prepare_metrics() -> None:
    """An empty folder for the counters of all workers, in memory where there is some."""
    chosen = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not chosen:
        chosen = tempfile.mkdtemp(prefix="giftcards-metrics-", dir=worker_tmp_dir)
        _own_folder.append(chosen)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = chosen
    folder = Path(chosen)
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.glob("*.db"):
        left_over.unlink()


def post_worker_init(worker: "Worker") -> None:
    """What was imported lives as long as the worker: the garbage collector need not look at it."""
    gc.collect()
    gc.freeze()


def on_starting(server: "Arbiter") -> None:
    """Refuse to serve with a weak setting, except on a workstation (DEVELOPMENT)."""
    _prepare_metrics()
    if env.bool("DEVELOPMENT", default=False):
        return
    # In a process of its own: the arbiter stays free of Django and of database connections.
    check = ["-m", "django", "check", "--deploy", "--fail-level", "ERROR", "--database", "default"]
    done = subprocess.run(  # noqa: S603 - fixed words
        [sys.executable, *check, "--settings", "config.settings"], check=False
    )
    if done.returncode:
        server.log.error("The system checks above refuse these settings; nothing was started.")
        sys.exit(done.returncode)
