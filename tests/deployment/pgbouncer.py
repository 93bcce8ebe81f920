"""A PgBouncer in transaction mode, as docs/operations.md sets it up."""

import shutil
from pathlib import Path
from typing import Self
from urllib.parse import quote

from config.embedded import NAME, Postgres
from config.guard import Guarded
from tests.config.processes import eventually

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
PORT = 6432
# What the application gives itself as start-up options, which no pooler passes on.
ROLE = {
    "lock_timeout": "3s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "10s",
}


class PgBouncer:
    """In front of a running PostgreSQL, on a socket in its folder."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._process: Guarded | None = None

    @property
    def url(self) -> str:
        """Its address, as DATABASE_URL has it."""
        folder = quote(str(self._postgres.folder), safe="")
        return f"postgres://{NAME}@/{NAME}?host={folder}&port={PORT}"

    def __enter__(self) -> Self:
        """Return when it listens."""
        assert PROGRAM, "there is no pgbouncer: apt-get install pgbouncer"
        folder = self._postgres.folder
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host={folder} port=5432 user={NAME}\n"
            f"[pgbouncer]\nunix_socket_dir={folder}\nlisten_port={PORT}\n"
            "pool_mode=transaction\nauth_type=any\nmax_client_conn=200\ndefault_pool_size=10\n"
        )
        self._process = Guarded(
            "PgBouncer",
            [Path(PROGRAM), settings],
            log=folder / "pgbouncer.log",
            cwd=folder,
            user=self._postgres.user,
        )
        socket = folder / f".s.PGSQL.{PORT}"
        assert eventually(socket.exists), self._process.last_words()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        if self._process:
            self._process.stop()
