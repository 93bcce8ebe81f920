"""Running a command as a shell does: what it says, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO

import pytest
from django.core.management import CommandError, call_command


@dataclass(frozen=True)
class Ran:
    """Both outputs, the one line of an error, and the exit code."""

    out: str
    err: str
    code: int


@pytest.fixture
def run(db: None) -> Callable[..., Ran]:
    def run(*words: str) -> Ran:
        out, err = StringIO(), StringIO()
        try:
            call_command(*words, stdout=out, stderr=err)
        except CommandError as error:
            return Ran(out.getvalue(), str(error), error.returncode)
        return Ran(out.getvalue(), err.getvalue(), 0)

    return run
