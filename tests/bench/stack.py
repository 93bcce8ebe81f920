"""The whole stack for a measurement or a crash: real PostgreSQL, Valkey and gunicorn on loopback.

PostgreSQL keeps `fsync` on, gunicorn serves with the shipped `config/gunicorn.py`. Everything lives
in a temporary folder and is gone afterwards, also when this process is killed (`config.guard`).
"""

import base64
import os
import secrets
import subprocess
import sys
import time
from contextlib import ExitStack
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self

from config.embedded import NAME, Postgres, Valkey
from config.guard import Guarded
from tests.config.processes import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
READY_TIMEOUT = 60  # seconds


class StackError(Exception):
    """Something did not start; the message says what, with its last words."""


class Stack:
    """PostgreSQL and Valkey, and any number of gunicorns on them."""

    def __init__(self, *, synchronous_commit: bool = True) -> None:
        self._cleanup = ExitStack()
        self._synchronous_commit = synchronous_commit
        self._keys = {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "LOYALTY_CODE_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
        }
        self.postgres: Postgres
        self.valkey: Valkey

    @property
    def folder(self) -> Path:
        """Where logs and other files go; it disappears with PostgreSQL, whoever is killed."""
        return self.postgres.folder

    def __enter__(self) -> Self:
        """Start the two services; nothing is left of a start that fails."""
        with ExitStack() as undo:
            undo.push(self._cleanup.__exit__)
            self.postgres = self._cleanup.enter_context(
                Postgres(fsync=True, synchronous_commit=self._synchronous_commit)
            )
            self.valkey = self._cleanup.enter_context(Valkey())
            undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop everything; nothing is left."""
        self._cleanup.close()

    def environment(self, database: str = NAME) -> dict[str, str]:
        """The environment of a process that works on one of the databases."""
        return {
            **os.environ,
            **self._keys,
            "DEVELOPMENT": "true",
            "ALLOWED_HOSTS": "127.0.0.1",
            "LOG_LEVEL": "WARNING",
            "CREDENTIAL_CALLS_PER_SECOND": "100000",  # one credential gets all that there is
            "DATABASE_URL": self.postgres.url_of(database),
            "REDIS_URL": self.valkey.url,
            "DATA_DIR": str(self.folder),
            "PYTHONPATH": str(ROOT),
        }

    def run(self, *arguments: str, database: str = NAME, settings: str = "config.settings") -> str:
        """Run a Python module to its end; its output, or `StackError` with what it said."""
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=self.environment(database) | {"DJANGO_SETTINGS_MODULE": settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            message = f"{' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            raise StackError(message)
        return done.stdout

    def serve(
        self, name: str, *, settings: str = "config.settings", database: str = NAME
    ) -> "Server":
        """A gunicorn with the shipped configuration, stopped with the stack."""
        server = Server(self, name, settings=settings, database=database)
        self._cleanup.callback(server.stop)
        server.start()
        return server


class Server:
    """One gunicorn on a port of its own, which it keeps when it is started again."""

    def __init__(self, stack: Stack, name: str, *, settings: str, database: str) -> None:
        self.name = name
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._log = stack.folder / f"{name}.log"
        self._environment = stack.environment(database) | {
            "DJANGO_SETTINGS_MODULE": settings,
            "WEB_BIND": f"127.0.0.1:{self.port}",
        }
        self.process: Guarded | None = None

    def start(self) -> None:
        """Return when it answers HTTP, with whatever status."""
        self.process = Guarded(
            self.name,
            [sys.executable, "-m", "gunicorn", "--config", "python:config.gunicorn"],
            log=self._log,
            cwd=ROOT,
            env=self._environment,
        )
        deadline = time.monotonic() + READY_TIMEOUT
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.stop()
                raise StackError(f"{self.name} did not start:\n{self.process.last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it; harmless when it has stopped."""
        if self.process:
            self.process.stop()
            self.process = None

    def last_words(self) -> str:
        """The end of its log."""
        return self.process.last_words() if self.process else ""

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/health/live")
            return connection.getresponse().status < HTTPStatus.INTERNAL_SERVER_ERROR
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
