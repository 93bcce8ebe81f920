"""The protocol's own tests, once more behind PgBouncer in transaction mode."""

import os
import re
import subprocess
import sys

import psycopg2
import pytest

from config.embedded import NAME, Postgres
from tests.config.processes import ROOT
from tests.deployment.pgbouncer import PROGRAM, ROLE, PgBouncer

RACES = "tests/loyalty/ledger/test_concurrency.py"
IMPATIENT = "test_who_waits_too_long_for_the_lock_is_told_to_repeat_and_nothing_is_recorded"
TESTS = (
    *("tests/giftcard_provider", RACES),
    # These cut or set their connection by hand; a pooler gives the next statement another one.
    "--ignore=tests/giftcard_provider/test_errors.py",
    *("--deselect", f"{RACES}::{IMPATIENT}"),
)


@pytest.mark.long
@pytest.mark.skipif(not PROGRAM, reason="no pgbouncer on this machine: apt-get install pgbouncer")
def test_the_protocol_and_the_races_pass_through_a_transaction_pooler() -> None:
    short = {name: value for name, value in os.environ.items() if name != "LONG"}
    with Postgres(fsync=False) as postgres, PgBouncer(postgres) as pooler:
        connection = psycopg2.connect(postgres.url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            for name, value in ROLE.items():
                cursor.execute(f"ALTER ROLE {NAME} SET {name} = '{value}'")
        connection.close()

        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "0", "--reuse-db", *TESTS],
            cwd=ROOT,
            env=short | {"TEST_DATABASE_URL": pooler.url, "DATABASE_POOLED": "true"},
            capture_output=True,
            text=True,
            check=False,
        )

    end = run.stdout[-4000:]
    assert run.returncode == 0, end
    assert int(re.search(r"(\d+) passed", end)[1]) > 1000  # type: ignore[index]
