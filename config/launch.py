"""`make run`: everything this project needs, on this machine, until Ctrl-C.

Starts PostgreSQL and Valkey (unless DATABASE_URL and REDIS_URL name others), migrates, collects the
static files, fills in the demo, and runs gunicorn and Celery on 127.0.0.1. Whatever goes wrong is
one clear line and an exit code, with nothing left running.
"""

import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self

import psycopg2
import redis
from django.core.exceptions import ImproperlyConfigured
from environ import Env

from config import workstation
from config.embedded import EmbeddedError, Postgres, Server, Valkey
from config.first_steps import first_steps
from config.guard import Guarded

BASE_DIR = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
READY_TIMEOUT = 60  # seconds
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LaunchError(Exception):
    """Why nothing runs, in words for the person who typed `make run`."""


class Launch:
    """One run of the whole project; leaving the block stops all of it."""

    def __init__(self, *, port: int, data: Path) -> None:
        self.port = port
        self.data = data
        self._logs = data / "logs"
        self._environment: dict[str, str] = {}
        self._services: list[Guarded] = []
        self._applications: list[Guarded] = []
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        """Take the port and the data folder, or raise `LaunchError`."""
        _check_port_is_free(self.port)
        try:
            self._cleanup.enter_context(workstation.locked(self.data))
            self._logs.mkdir(exist_ok=True)
        except workstation.AlreadyRunning:
            message = f"Another run uses {self.data}: stop it, or choose another DATA_DIR."
            raise LaunchError(message) from None
        except OSError as problem:
            raise LaunchError(f"DATA_DIR cannot be used: {problem}.") from None
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything: first those that serve, then what they stand on."""
        for ending in ENDINGS:  # a second, impatient Ctrl-C must not interrupt this
            signal.signal(ending, signal.SIG_IGN)
        for process in self._applications:
            process.request_stop()
        for process in self._applications:
            process.stop()
        self._cleanup.close()

    def start_services(self) -> None:
        """Have a database and a queue, and leave their addresses where manage.py finds them."""
        database, queue = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
        # What was given is tried before anything is started for its sake.
        if database:
            _check_database(database)
        if queue:
            _check_queue(queue)
        values = {
            "DEVELOPMENT": "true",
            # A newcomer looks around first; whoever sets up an authenticator is asked for it.
            "STAFF_TOTP_REQUIRED": os.environ.get("STAFF_TOTP_REQUIRED") or "false",
            "ALLOWED_HOSTS": f"{HOST},localhost",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "STATIC_ROOT": str(self.data / "static"),
            "DATABASE_URL": database or self._embedded_database(),
            # The demo's messages are written to the worker's log.
            "EMAIL_URL": os.environ.get("EMAIL_URL") or "consolemail://",
            "EMAIL_FROM": os.environ.get("EMAIL_FROM") or "demo@localhost.localdomain",
            "PUBLIC_URL": os.environ.get("PUBLIC_URL") or f"http://{HOST}:{self.port}",
            "REDIS_URL": queue or self._embedded_queue(),
        }
        for name, value in workstation.keys(self.data).items():
            values[name] = os.environ.get(name) or value
        workstation.write_environment(self.data / "env", values)
        self._environment = {**os.environ, **values, "DATA_DIR": str(self.data)}

    def prepare(self) -> None:
        """Bring the database, the static files and the demo up to date."""
        site = f"http://{HOST}:{self.port}"
        mount = os.environ.get("GIFTCARD_PROVIDER_MOUNT") or "vtex"
        demo = [
            *("--output", str(self.demo)),
            *("--service-url", f"{site}/{mount.strip('/')}"),
            *("--admin-url", f"{site}/admin/"),
        ]
        step = self._start("prepare", [sys.executable, "-m", "config.prepare", *demo])
        code = step.wait()
        step.stop()
        self._applications.remove(step)
        if code:
            raise LaunchError(_obituary(step, code))

    @property
    def demo(self) -> Path:
        """Where the demo's credential, logins and cards are written down."""
        return self.data / "demo.json"

    def serve(self) -> None:
        """Start gunicorn, the worker, beat and what plays VTEX; return when all of them answer."""
        started = time.time()
        schedule = self.data / "beat-schedule"
        celery = [sys.executable, "-m", "celery", "--app", "config.celery"]
        address = f"{HOST}:{self.port}"
        gunicorn = [sys.executable, "-m", "gunicorn", "--config", "python:config.gunicorn"]
        self._start("gunicorn", [*gunicorn, "--bind", address])
        self._start("worker", [*celery, "worker", "--concurrency", "2"])
        self._start("beat", [*celery, "beat", "--schedule", str(schedule)])
        played = self.data / "vtex.json"
        play = [sys.executable, "manage.py", "play_vtex", "--output", str(played)]
        self._start("vtex", play)
        # From here on this process has Django settings too, to ask the worker through the queue.
        os.environ.update(self._environment)
        from config.celery import app  # noqa: PLC0415 - it needs the environment above

        def worker_answers() -> bool:
            return bool(app.control.ping(timeout=0.5, limit=1))

        def was_written(path: Path) -> bool:
            files = self.data.glob(f"{path.name}*")
            return any(path.stat().st_mtime >= started for path in files)

        self._wait_for("gunicorn", lambda: _is_ready(self.port))
        self._wait_for("worker", worker_answers)
        self._wait_for("beat", lambda: was_written(schedule))
        self._wait_for("vtex", lambda: was_written(played))

    def check(self) -> None:
        """Raise `LaunchError` when something that should run has stopped."""
        for process in [*self._applications, *self._services]:
            code = process.poll()
            if code is not None:
                raise LaunchError(_obituary(process, code))

    def _wait_for(self, name: str, answers: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while not answers():
            self.check()
            if time.monotonic() > deadline:
                raise LaunchError(f"{name} does not answer; see {self._logs / name}.log.")
            time.sleep(0.1)

    def _embedded_database(self) -> str:
        server = Postgres(self.data / "postgres", log=self._logs / "postgres.log")
        self._keep(server)
        return server.url

    def _embedded_queue(self) -> str:
        server = Valkey(log=self._logs / "valkey.log")
        self._keep(server)
        return server.url

    def _keep(self, server: Server) -> None:
        try:
            self._cleanup.enter_context(server)
        except EmbeddedError as problem:
            raise LaunchError(str(problem)) from None
        if server.process:
            self._services.append(server.process)

    def _start(self, name: str, command: list[str]) -> Guarded:
        log = self._logs / f"{name}.log"
        process = Guarded(name, command, log=log, cwd=BASE_DIR, env=self._environment)
        self._applications.append(process)
        return process


def _check_port_is_free(port: int) -> None:
    deadline = time.monotonic() + 2  # a run that was killed a moment ago is still letting go
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as problem:
                if time.monotonic() > deadline:
                    message = (
                        f"Port {port} cannot be used: {problem.strerror}. Choose another PORT."
                    )
                    raise LaunchError(message) from None
            else:
                return
        time.sleep(0.1)


def _check_database(url: str) -> None:
    try:
        with warnings.catch_warnings(action="ignore"):  # our own line below says it better
            address = Env.db_url_config(url)
    except (ImproperlyConfigured, ValueError):
        address = {}
    if address.get("ENGINE") != "django.db.backends.postgresql":
        message = "DATABASE_URL is not postgres://user:password@host:port/name."
        raise LaunchError(message)
    wanted = {
        "dbname": address["NAME"],
        "user": address["USER"],
        "password": address["PASSWORD"],
        "host": address["HOST"],
        "port": address["PORT"],
    }
    given = {name: value for name, value in wanted.items() if value}
    options = {"connect_timeout": 5, **address.get("OPTIONS", {})}
    try:
        psycopg2.connect(**given, **options).close()
    except psycopg2.Error as problem:
        reason = str(problem).strip().splitlines()[0]
        raise LaunchError(f"The database of DATABASE_URL does not answer: {reason}") from None


def _check_queue(url: str) -> None:
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except ValueError:
        raise LaunchError("REDIS_URL is not redis://:password@host:port/number.") from None
    except redis.RedisError as problem:
        raise LaunchError(f"The server of REDIS_URL does not answer: {problem}") from None


def _is_ready(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _obituary(process: Guarded, code: int) -> str:
    words = process.last_words()
    return f"{process.name} stopped with exit code {code}; the end of {process.log}:\n{words}"


def _say(line: str) -> None:
    print(line, flush=True)


def run(*, port: int, data: Path, is_orphan: Callable[[], bool]) -> None:
    """Run everything until a signal, or until `is_orphan`; raise `LaunchError` if it cannot go on.

    A signal arrives as KeyboardInterrupt.
    """
    os.umask(0o077)  # the demo's keys, logins and logs are its owner's business
    for ending in ENDINGS:
        if ending != signal.SIGHUP or signal.getsignal(ending) != signal.SIG_IGN:  # nohup
            signal.signal(ending, signal.default_int_handler)
    with Launch(port=port, data=data) as launch:
        _say("Starting the database and the queue ...")
        launch.start_services()
        _say("Migrating, collecting static files, filling in the demo ...")
        launch.prepare()
        _say("Starting gunicorn, the Celery worker and beat ...")
        launch.serve()
        _say(first_steps(launch.demo))
        while not is_orphan():
            launch.check()
            time.sleep(0.5)


def main(arguments: list[str]) -> int:
    """Read PORT and DATA_DIR, run, and turn every ending into an exit code.

    With `--with-parent` the end of the parent (`make`, killed) ends this process too.
    """
    parent = os.getppid()
    given = os.environ.get("PORT") or "8000"
    if not (given.isdecimal() and 0 < int(given) < 2**16):
        return _refuse(f"PORT is not a port number: {given}")
    data = Path(os.environ.get("DATA_DIR") or BASE_DIR / ".local").absolute()
    try:
        run(
            port=int(given),
            data=data,
            is_orphan=lambda: "--with-parent" in arguments and os.getppid() != parent,
        )
    except LaunchError as problem:
        return _refuse(str(problem))
    except KeyboardInterrupt:
        _say("\nStopped.")
    return 0


def _refuse(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
