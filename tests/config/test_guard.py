import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.guard import Guarded
from tests.config.processes import ROOT, eventually, processes_with

STUBBORN = """
import pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("ready").touch()
time.sleep(60)
"""


def test_reports_the_exit_code_and_the_last_words(tmp_path: Path) -> None:
    script = "import sys; print('first'); print('last', file=sys.stderr); sys.exit(3)"
    child = Guarded("child", [sys.executable, "-c", script], log=tmp_path / "log")

    assert child.wait(10) == 3
    assert child.poll() == 3
    assert "last" in child.last_words()
    child.stop()


def test_a_program_that_does_not_exist_is_an_exit_code(tmp_path: Path) -> None:
    child = Guarded("child", [tmp_path / "nothing"], log=tmp_path / "log")

    assert child.wait(10) != 0
    assert "No such file" in child.last_words()
    child.stop()


def test_stops_with_the_wanted_signal(tmp_path: Path) -> None:
    child = Guarded("child", ["/bin/sleep", "60"], log=tmp_path / "log")

    child.stop(signal.SIGQUIT)

    assert child.poll() == 128 + signal.SIGQUIT


def test_kills_a_child_that_will_not_end(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STUBBORN]
    child = Guarded("child", command, log=tmp_path / "log", cwd=tmp_path, grace=0.3)
    assert eventually((tmp_path / "ready").exists)

    started = time.monotonic()
    child.stop()

    assert child.poll() is not None
    assert time.monotonic() - started < 5


def test_takes_what_the_child_left_behind_with_it(tmp_path: Path) -> None:
    mark = str(tmp_path / "grandchild")
    child = Guarded("child", ["/bin/sh", "-c", f"sleep 60 {mark} & sleep 0.2"], log=tmp_path / "x")

    child.wait(10)

    assert eventually(lambda: processes_with(mark) == [])
    child.stop()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_child_goes_with_its_parent(tmp_path: Path, ending: signal.Signals) -> None:
    mark = f"3600.{os.getpid()}"
    script = (
        "import pathlib, signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from config.guard import Guarded\n"
        f"child = Guarded('child', ['/bin/sleep', '{mark}'], log=pathlib.Path('{tmp_path}/log'),\n"
        f"    remove=pathlib.Path('{tmp_path}/scratch'))\n"
        "time.sleep(60)\n"
    )
    (tmp_path / "scratch").mkdir()
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.DEVNULL)
    assert eventually(lambda: any(line.startswith("/bin/sleep") for line in processes_with(mark)))

    parent.send_signal(ending)
    parent.wait(10)

    assert eventually(lambda: processes_with(mark) == [])
    assert eventually(lambda: not (tmp_path / "scratch").exists())


def test_the_child_goes_with_its_guard(tmp_path: Path) -> None:
    mark = f"3601.{os.getpid()}"
    child = Guarded("child", ["/bin/sleep", mark], log=tmp_path / "log")
    assert eventually(lambda: len(processes_with(mark)) == 2)

    child._guard.kill()

    assert child.wait(10) == -signal.SIGKILL
    assert eventually(lambda: processes_with(mark) == [])
    child.stop()
