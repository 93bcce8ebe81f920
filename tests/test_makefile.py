import shutil
import subprocess
from pathlib import Path

from tests.config.processes import ROOT


def test_a_missing_python_is_one_clear_line(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)

    make = shutil.which("make")
    assert make
    done = subprocess.run(
        [make, "--no-print-directory", "run", "PYTHON=/nowhere/python"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == (
        "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11"
    )
    assert not (tmp_path / ".venv").exists()
