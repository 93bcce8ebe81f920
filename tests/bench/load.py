"""wrk, run once: how many requests a second, how long they took, whether any was refused."""

import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

SCRIPT = Path(__file__).with_name("requests.lua")


class LoadError(Exception):
    """A run says nothing: requests failed, or wrk did."""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk sends, and where."""

    address: str
    prefix: str
    kind: str
    sample: Path
    app_key: str
    app_token: str
    clients: int = 8


@dataclass(frozen=True, slots=True)
class Slice:
    """The result of a few seconds."""

    requests: int
    rps: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float = 0

    def costing(self, seconds: float) -> "Slice":
        """The same, with the processor time that the servers used for it."""
        return replace(self, cpu_ms=seconds * 1000 / self.requests)


def wrk() -> str | None:
    """Where the program is, if it is installed."""
    return shutil.which("wrk")


def run(load: Load, *, seconds: int, word: str) -> Slice:
    """Send for some seconds; `word` makes this slice's request ids its own."""
    program = wrk()
    if program is None:
        raise LoadError("wrk is not installed.")
    arguments = [load.kind, load.prefix, str(load.sample), load.app_key, load.app_token, word]
    done = subprocess.run(
        [
            program,
            *("--threads", "2", "--connections", str(load.clients), "--timeout", "10s"),
            *("--duration", f"{seconds}s", "--script", str(SCRIPT), load.address, "--"),
            *arguments,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 30,
    )
    _, _, result = done.stdout.partition("\nRESULT ")
    if done.returncode or not result:
        raise LoadError(f"wrk failed:\n{done.stdout}{done.stderr}")
    found = json.loads(result)
    if found["refused"] or found["broken"] or not found["requests"]:
        raise LoadError(f"{load.kind} at {load.prefix}: {result}")
    requests = found["requests"]
    return Slice(requests, requests / found["seconds"], found["p50_ms"], found["p99_ms"])
