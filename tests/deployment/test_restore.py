"""A backup and the log since then bring the books back as they were at any moment, and proven."""

import json
import subprocess
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from config.embedded import NAME, PORT, Postgres
from tests.bench.stack import Stack
from tests.config.processes import eventually

SUMS = "SELECT sum(credited), sum(available), sum(held), sum(spent), count(*) FROM loyalty_balance"
OPERATIONS = "SELECT count(*) FROM loyalty_operation"


class Restored(Postgres):
    """A server on a base backup that replays the archived log up to a moment."""

    def __init__(self, backup: Path, archive: Path, until: str) -> None:
        super().__init__(fsync=True)
        self._backup, self._archive, self._until = backup, archive, until

    def _create_data(self) -> None:
        _run(self, "cp", "-R", str(self._backup), str(self.data))
        settings = self.data / "postgresql.auto.conf"
        settings.write_text(
            f"restore_command = 'cp {self._archive}/%f %p'\n"
            f"recovery_target_time = '{self._until}'\n"
            "recovery_target_action = 'promote'\n"
        )
        (self.data / "recovery.signal").touch()


def _run(server: Postgres, *command: str) -> None:
    user, group = server.user or (None, None)
    subprocess.run(
        command,
        cwd=server.folder,
        user=user,
        group=group,
        extra_groups=None if user is None else [],
        check=True,
        capture_output=True,
    )


def tell(server: Postgres, *statements: str) -> Any:
    connection = psycopg2.connect(server.url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None
    finally:
        connection.close()


@pytest.mark.long
def test_the_books_come_back_as_they_were_at_a_moment_between_two_purchases() -> None:
    with Stack() as stack:
        primary = stack.postgres
        archive, backup = primary.folder / "archive", primary.folder / "backup"
        _run(primary, "mkdir", str(archive))
        tell(
            primary,
            "ALTER SYSTEM SET archive_mode = on",
            f"ALTER SYSTEM SET archive_command = 'cp %p {archive}/%f'",
        )
        primary.stop()
        primary.start()
        stack.run("tests.crash.books", "open", "--cards", "5")
        _run(
            primary,
            str(primary._programs / "pg_basebackup"),
            f"--pgdata={backup}",
            f"--dbname=host={primary.folder} port={PORT} user={NAME}",
            "--checkpoint=fast",
        )
        stack.run("tests.deployment.purchases", "3")
        before = (tell(primary, SUMS), tell(primary, OPERATIONS))
        (moment,) = tell(primary, "SELECT clock_timestamp()::text")
        stack.run("tests.deployment.purchases", "4")
        after = tell(primary, OPERATIONS)
        tell(primary, "SELECT pg_switch_wal()")
        assert eventually(
            lambda: tell(primary, "SELECT archived_count > 0 FROM pg_stat_archiver") == (True,)
        )
        primary.stop()

        with Restored(backup, archive, moment) as restored:
            assert eventually(lambda: tell(restored, "SELECT pg_is_in_recovery()") == (False,))
            found = (tell(restored, SUMS), tell(restored, OPERATIONS))
            stack.postgres = restored
            broken = json.loads(stack.run("tests.crash.books", "verify"))
            stack.postgres = primary

    assert found == before
    assert after[0] > before[1][0]
    assert broken == []
