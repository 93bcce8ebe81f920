"""Child processes that never outlive their parent, however it ends.

Between the parent and a child stands a guard: this file, run as a script. It holds the read end of
a pipe whose write end only the parent has. Ctrl-C, SIGTERM, a crash and SIGKILL of the parent all
close that pipe, and the guard then stops its child. Unlike PR_SET_PDEATHSIG alone this survives a
change of user and does not depend on which thread of the parent started the child.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PR_SET_PDEATHSIG = 1


class Guarded:
    """One running child: in its own session, its output in `log`, gone when this process is gone.

    `user` is a pair of user and group ids to drop to; `remove` is deleted when the parent vanished
    without a word. A child that ignores `stop_signal` for `grace` seconds is killed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        user: tuple[int, int] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace: float = 15,
        remove: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self.grace = grace
        order = {
            "command": [str(word) for word in command],
            "cwd": str(cwd) if cwd else None,
            "user": user,
            "stop_signal": stop_signal,
            "grace": grace,
            "remove": str(remove) if remove else None,
        }
        with log.open("wb") as output:
            self._guard = subprocess.Popen(  # noqa: S603 - this very file
                # -I -S: no site-packages, no PYTHON* variables; the guard starts in milliseconds.
                [sys.executable, "-I", "-S", __file__, json.dumps(order)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=env,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The guard's process id; the child is its child."""
        return self._guard.pid

    def poll(self) -> int | None:
        """The child's exit code, or None while it runs."""
        return self._guard.poll()

    def wait(self, timeout: float | None = None) -> int:
        """The child's exit code, once it has ended by itself."""
        return self._guard.wait(timeout)

    def request_stop(self, stop_signal: signal.Signals | None = None) -> None:
        """Ask the child to end, by another signal than its usual one if given; do not wait."""
        pipe = self._guard.stdin
        if pipe is not None and not pipe.closed:
            # The guard may have ended with its child already.
            with suppress(BrokenPipeError):
                pipe.write(stop_signal.name.encode() if stop_signal else b"stop")
                pipe.flush()
            with suppress(BrokenPipeError):
                pipe.close()

    def stop(self, stop_signal: signal.Signals | None = None) -> None:
        """Ask the child to end, and return when it is gone."""
        self.request_stop(stop_signal)
        try:
            self._guard.wait(self.grace + 5)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()

    def last_words(self, lines: int = 15) -> str:
        """The end of the child's output, to explain why it stopped."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def main(order: dict[str, Any]) -> int:
    """Run the ordered command to its end or to the parent's; return its exit code."""
    stop_signal = signal.Signals(order["stop_signal"])
    user, group = order["user"] or (None, None)
    # Linux only: elsewhere there is no such call, and the pipe alone has to do.
    prctl = getattr(ctypes.CDLL(None), "prctl", None)

    def before_the_command() -> None:
        # A shell's background jobs ignore these, and would pass that on.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        if prctl:  # for the guard's own end by SIGKILL
            prctl(PR_SET_PDEATHSIG, int(stop_signal))

    child = subprocess.Popen(  # noqa: S603 - the command comes from this project
        order["command"],
        stdin=subprocess.DEVNULL,
        cwd=order["cwd"],
        user=user,
        group=group,
        extra_groups=None if user is None else [],
        start_new_session=True,
        preexec_fn=before_the_command,  # noqa: PLW1509 - no thread is running yet
    )

    def stop(signum: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(child.pid, signum)
            time.sleep(order["grace"])
            os.killpg(child.pid, signal.SIGKILL)

    abandoned = threading.Event()

    def listen() -> None:
        word = os.read(sys.stdin.fileno(), 64).decode()
        if not word:
            abandoned.set()
        stop(signal.Signals[word] if word.startswith("SIG") else stop_signal)

    def stop_on_signal(*_: object) -> None:
        threading.Thread(target=stop, args=[stop_signal], daemon=True).start()

    signal.signal(signal.SIGTERM, stop_on_signal)
    signal.signal(signal.SIGINT, stop_on_signal)
    threading.Thread(target=listen, daemon=True).start()
    code = child.wait()
    # What the child left behind in its process group: a worker it could not stop any more.
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    if order["remove"] and abandoned.is_set():
        shutil.rmtree(order["remove"], ignore_errors=True)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
