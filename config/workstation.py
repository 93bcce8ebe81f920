"""What `make run` keeps between two runs: DATA_DIR with its lock, its keys and its addresses."""

import base64
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunning(Exception):
    """Another process holds this DATA_DIR."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder ours for as long as the block runs, or raise `AlreadyRunning`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning from None
        yield


def keys(folder: Path) -> dict[str, str]:
    """The secrets of this installation, made on first use: without them its cards are lost."""
    path = folder / "keys"
    if not path.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "LOYALTY_CODE_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
        }
        write_environment(path, made)
    lines = path.read_text().splitlines()
    return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}


def write_environment(path: Path, values: Mapping[str, str]) -> None:
    """Write `NAME='value'` lines that only the owner can read, all of them or none."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}='{value}'\n" for name, value in values.items())
    new.rename(path)
