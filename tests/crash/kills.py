"""Ways to die. Every process that is killed was started by this run, and is found from its guard.

Linux only: the family of a process is read from /proc.
"""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from config.embedded import Postgres
from config.guard import Guarded
from tests.bench.stack import Server
from tests.config.processes import eventually

ZOMBIE = "Z"


def children_of(parent: int) -> list[int]:
    """The living children of a process."""
    return _living()[parent]


def descendants_of(root: int) -> list[int]:
    """The living children of a process, their children, and so on."""
    living = _living()
    found: list[int] = []
    waiting = [root]
    while waiting:
        mine = living[waiting.pop()]
        found += mine
        waiting += mine
    return found


def kill_a_worker(server: Server) -> bool:
    """SIGKILL of one of gunicorn's workers, which gunicorn replaces; False when none is alive."""
    (arbiter,) = children_of(_guard_of(server.process))
    workers = children_of(arbiter)
    if workers:
        _kill(workers[time.monotonic_ns() % len(workers)])
    return bool(workers)


def kill_gunicorn(server: Server) -> None:
    """SIGKILL of the arbiter and all workers; gunicorn is started again on the same port."""
    _kill_family(_guard_of(server.process))
    server.stop()
    server.start()


def crash_postgres(postgres: Postgres) -> None:
    """Immediate shutdown (SIGQUIT), then recovery on the same data and socket."""
    postgres.crash()
    postgres.start()


def kill_postgres(postgres: Postgres) -> None:
    """SIGKILL of the postmaster and everything it started, then recovery."""
    stop_postgres_dead(postgres)
    postgres.start()


def stop_postgres_dead(postgres: Postgres) -> None:
    """SIGKILL of the postmaster and everything it started."""
    _kill_family(_guard_of(postgres.process))
    postgres.stop()


@contextmanager
def frozen(postgres: Postgres) -> Iterator[None]:
    """SIGSTOP of a server and all its processes, and SIGCONT afterwards."""
    family = descendants_of(_guard_of(postgres.process))
    try:
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in family:
            os.kill(pid, signal.SIGCONT)


def _kill_family(guard: int) -> None:
    family = descendants_of(guard)  # the parent first, so that it replaces nobody
    for pid in family:
        _kill(pid)
    # A backend that is still there holds the shared memory, and the next postmaster would refuse.
    if not eventually(lambda: not set(family) & _all_living()):
        raise RuntimeError(f"of {family} some survived SIGKILL")


def _guard_of(process: Guarded | None) -> int:
    if process is None:
        raise RuntimeError("not running")
    return process.pid


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _all_living() -> set[int]:
    return {pid for family in _living().values() for pid in family}


def _living() -> dict[int, list[int]]:
    """The children of every process, without zombies."""
    found: dict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone meanwhile
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != ZOMBIE:
                found[int(parent)].append(int(folder.name))
    return found
