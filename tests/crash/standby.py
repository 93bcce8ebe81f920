"""A synchronous standby: every answer waits until a second server has the money on its disk too."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import psycopg2

from config.embedded import NAME, PORT, EmbeddedError, Postgres
from tests.bench.stack import Stack
from tests.crash import kills

PATIENCE = 30  # seconds for a standby to catch up


class Standby(Postgres):
    """A copy of a running server that follows it, until it is promoted and takes its place."""

    def __init__(self, primary: Postgres) -> None:
        super().__init__(fsync=True)
        self._primary = primary

    def _create_data(self) -> None:
        """As docs/operations.md has it: a base backup that knows whom to follow."""
        user, group = self.user or (None, None)
        primary = self._primary.folder
        whom = f"host={primary} port={PORT} user={NAME} application_name={_name(self)}"
        done = subprocess.run(
            [
                self._programs / "pg_basebackup",
                f"--pgdata={self.data}",
                f"--dbname={whom}",
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--wal-method=stream",
            ],
            cwd=self.folder,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise EmbeddedError(f"pg_basebackup failed:\n{done.stderr}")

    def promote(self) -> None:
        """Follow nobody any more, take writes, and wait for no other standby."""
        _tell(self, "SELECT pg_promote(wait => true)")
        _follow_only(self, None)


class Pair(Stack):
    """A primary and its standby; the application finds out which of the two takes writes."""

    standby: Standby | None = None

    @property
    def database_url(self) -> str:
        """Both servers in one address, as libpq reads it."""
        servers = [self.postgres, *([self.standby] if self.standby else [])]
        hosts = quote(",".join(str(each.folder) for each in servers), safe="")
        ports = quote(",".join(str(PORT) for _ in servers), safe="")
        return (
            f"postgres://{NAME}@/{NAME}?host={hosts}&port={ports}&target_session_attrs=read-write"
        )

    def environment(self, database: str = NAME) -> dict[str, str]:
        """The stack's, with the address of both."""
        return super().environment(database) | {"DATABASE_URL": self.database_url}

    def join(self, *, synchronous: bool) -> Standby:
        """Have a new standby follow the primary, and have every commit wait for it, or none."""
        standby = self.standby = self._cleanup.enter_context(Standby(self.postgres))
        _follow_only(self.postgres, standby if synchronous else None)
        wanted = "sync" if synchronous else "async"
        deadline = time.monotonic() + PATIENCE
        while _asked(self.postgres, "SELECT sync_state FROM pg_stat_replication") != wanted:
            if time.monotonic() > deadline:
                raise EmbeddedError(f"the standby did not become {wanted}")
            time.sleep(0.05)
        return standby

    def kill_primary(self) -> None:
        """SIGKILL of the primary and all its processes; it does not come back."""
        kills.stop_postgres_dead(self.postgres)

    def promote_standby(self) -> None:
        """The standby takes the primary's place."""
        assert self.standby is not None
        self.standby.promote()
        self.postgres, self.standby = self.standby, None

    @contextmanager
    def stopped_standby(self) -> Iterator[None]:
        """A standby that hears nothing for a while (SIGSTOP), as behind a broken network."""
        assert self.standby is not None
        with kills.frozen(self.standby):
            yield


def _name(standby: Standby) -> str:
    return standby.folder.name.replace("-", "_")


def _follow_only(primary: Postgres, standby: Standby | None) -> None:
    names = f'"{_name(standby)}"' if standby else ""
    _tell(primary, f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
    _tell(primary, "SELECT pg_reload_conf()")


def _tell(server: Postgres, statement: str) -> None:
    connection = psycopg2.connect(server.url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def _asked(server: Postgres, question: str) -> object:
    connection = psycopg2.connect(server.url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            row = cursor.fetchone()
            return row[0] if row else None
    finally:
        connection.close()
