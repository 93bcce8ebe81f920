import os
import subprocess
import sys
from pathlib import Path

from tests.config.processes import ROOT


def read(name: str, data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `config.env` makes of a variable, in a process of its own."""
    script = f"from config.env import env; print(env.str({name!r}))"
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(data), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_reads_what_make_run_left_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("GREETING='from the file, with = and spaces'\n")

    assert read("GREETING", tmp_path).stdout == "from the file, with = and spaces\n"


def test_the_shell_wins_over_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("GREETING='from the file'\n")

    assert read("GREETING", tmp_path, GREETING="from the shell").stdout == "from the shell\n"


def test_a_secret_may_be_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a mounted file")

    assert read("GREETING", tmp_path, GREETING_FILE=str(secret)).stdout == "from a mounted file\n"


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    done = read("GREETING", tmp_path)

    assert done.returncode == 1
    assert done.stderr.endswith("ImproperlyConfigured: Set the GREETING environment variable\n")
