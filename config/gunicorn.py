"""How gunicorn serves this project; `gunicorn -c python:config.gunicorn`.

`gthread`: a slow client or a slow query holds a thread, not a process. VTEX waits 15 s at most.
"""

import gc
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from config.env import BASE_DIR, env
from config.logging import logging_config

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

wsgi_app = "config.wsgi:application"
chdir = str(BASE_DIR)
bind = env.str("WEB_BIND", default="127.0.0.1:8000")
worker_class = "gthread"
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

logconfig_dict = logging_config(level=env.str("LOG_LEVEL", default="INFO")) | {
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        # A request line carries ids and search words; the load balancer's log may, ours does not.
        "gunicorn.access": {"level": "ERROR", "handlers": [], "propagate": False},
    }
}


def post_worker_init(worker: "Worker") -> None:
    """What was imported lives as long as the worker: the garbage collector need not look at it."""
    gc.collect()
    gc.freeze()


def on_starting(server: "Arbiter") -> None:
    """Refuse to serve with a weak setting, except on a workstation (DEVELOPMENT)."""
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
