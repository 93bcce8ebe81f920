"""What is left of a program after it ended: processes, folders, answers."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def eventually(condition: Callable[[], bool], *, within: float = 15) -> bool:
    """Whether it comes true in time."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def command_of(process: Path) -> str:
    """The command line of a process (a folder of /proc), empty when it is gone."""
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def processes_with(mark: str) -> list[str]:
    """The command lines of all processes that carry the mark in theirs or in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        words = command_of(process)
        try:
            words_of_environment = (process / "environ").read_bytes()
        except OSError:  # another user's, or gone meanwhile
            words_of_environment = b""
        if mark in words or mark.encode() in words_of_environment:
            found.append(words)
    return found


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
