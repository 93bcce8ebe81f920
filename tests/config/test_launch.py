import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import pytest

from config.workstation import locked
from tests.config.processes import ROOT, command_of, eventually, free_port, processes_with

COUNT_CARDS = ["shell", "-c", "from loyalty.models import GiftCard as C; print(C.objects.count())"]
COUNT_KINDS = [
    "shell",
    "-c",
    "from loyalty.models import Discrepancy as D; print(D.objects.count())",
]
LAUNCH = [sys.executable, "-m", "config.launch"]


@contextmanager
def marked_folder() -> Iterator[Path]:
    """A data folder of its own name, by which every process of a run can be found."""
    folder = Path(tempfile.mkdtemp(prefix="launch-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data() -> Iterator[Path]:
    with marked_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def demo_data() -> Iterator[Path]:
    """Shared, since a second start is so much faster than the first."""
    with marked_folder() as folder:
        yield folder


def environment(data: Path, **variables: str) -> dict[str, str]:
    """As in a shell where nothing of this project was set."""
    ours = {"PORT": str(free_port()), "DATA_DIR": str(data)}
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **ours, **variables}


def refusal(data: Path, **variables: str) -> str:
    """The one line that a launch which cannot succeed says, having left nothing behind."""
    done = subprocess.run(
        LAUNCH,
        cwd=ROOT,
        env=environment(data, **variables),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert processes_with(str(data)) == []
    return done.stderr.strip()


def test_a_port_in_use(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        said = refusal(data, PORT=str(port))

    assert said == f"Port {port} cannot be used: Address already in use. Choose another PORT."


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_a_port_that_is_none(data: Path, port: str) -> None:
    assert refusal(data, PORT=port) == f"PORT is not a port number: {port}"


def test_a_data_folder_that_is_a_file(data: Path) -> None:
    (data / "file").touch()

    assert refusal(data, DATA_DIR=str(data / "file")).startswith("DATA_DIR cannot be used: ")


def test_a_data_folder_in_use(data: Path) -> None:
    with locked(data):
        assert refusal(data) == f"Another run uses {data}: stop it, or choose another DATA_DIR."


@pytest.mark.parametrize("url", ["nonsense", "mysql://root@localhost/x", "postgres://host:port/x"])
def test_a_database_address_that_is_none(data: Path, url: str) -> None:
    said = refusal(data, DATABASE_URL=url)

    assert said == "DATABASE_URL is not postgres://user:password@host:port/name."


def test_a_database_that_does_not_answer(data: Path) -> None:
    said = refusal(data, DATABASE_URL=f"postgres://me:hush@127.0.0.1:{free_port()}/x")

    assert said.startswith("The database of DATABASE_URL does not answer: ")
    assert "Connection refused" in said
    assert "hush" not in said


def test_a_queue_address_that_is_none(data: Path) -> None:
    said = refusal(data, REDIS_URL="nonsense")

    assert said == "REDIS_URL is not redis://:password@host:port/number."


def test_a_queue_that_does_not_answer(data: Path) -> None:
    said = refusal(data, REDIS_URL=f"redis://:hush@127.0.0.1:{free_port()}/0")

    assert said.startswith("The server of REDIS_URL does not answer: ")
    assert "Connection refused" in said
    assert "hush" not in said


class Run:
    """`make run` without make, up to the text that it ends its start with."""

    def __init__(self, data: Path) -> None:
        self.environment = environment(data)
        self.port = int(self.environment["PORT"])
        self.process = subprocess.Popen(
            LAUNCH,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if line.startswith("Ctrl-C"):
                return
        pytest.fail(self.said)

    def get(self, path: str) -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind when the test failed half way."""
        if self.process.poll() is None:
            self.end(signal.SIGTERM)
        if self.process.stdout:
            self.process.stdout.close()

    def end(self, ending: signal.Signals) -> int:
        self.process.send_signal(ending)
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.said += self.process.stdout.read()
        return code


def manage(run: Run, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment(Path(run.environment["DATA_DIR"])),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def guard_of(name: str, data: Path) -> int:
    """The process that stands between a run and one of its parts."""
    (found,) = [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if (words := command_of(process))
        and "guard.py" in words
        and str(data) in words
        and f'"{name}"' in words
    ]
    return found


@pytest.mark.xdist_group("launch")
def test_runs_everything_ends_on_demand_and_keeps_its_data(demo_data: Path) -> None:
    with Run(demo_data) as first:
        first.wait_until_ready()
        demo = json.loads((demo_data / "demo.json").read_text())
        command = first.said[first.said.index("curl") : first.said.index("Ctrl-C")].strip()
        answer = subprocess.run(
            shlex.split(command.replace("\\\n", " ")), capture_output=True, text=True, check=True
        )

        assert first.get("/health/ready") == 200
        assert first.get("/admin/login/") == 200
        assert [card["id"] for card in json.loads(answer.stdout)] == [demo["cards"][0]["id"]]
        assert demo["app_token"] in first.said
        for private in ("keys", "env", "demo.json"):
            assert (demo_data / private).stat().st_mode & 0o077 == 0, private
        cards = manage(first, *COUNT_CARDS)
        # Both stores are compared with what plays VTEX: eight kinds of difference each.
        assert eventually(lambda: manage(first, *COUNT_KINDS).endswith("16\n"))

        assert first.end(signal.SIGTERM) == 0
        assert processes_with(str(demo_data)) == []

    with Run(demo_data) as second:
        second.wait_until_ready()

        assert manage(second, *COUNT_CARDS) == cards
        # What is killed cannot clean up; the guards do.
        assert second.end(signal.SIGKILL) == -signal.SIGKILL
        assert eventually(lambda: processes_with(str(demo_data)) == [])


@pytest.mark.xdist_group("launch")
def test_stops_with_a_clear_line_when_a_part_dies(demo_data: Path) -> None:
    with Run(demo_data) as run:
        run.wait_until_ready()

        os.kill(guard_of("beat", demo_data), signal.SIGKILL)

        assert run.process.wait(30) == 1
        assert run.process.stdout is not None
        assert "beat stopped with exit code" in run.process.stdout.read()
    assert processes_with(str(demo_data)) == []
