"""What the clients know: every request before it is sent, every answer after it has come.

One line for each, flushed at once:

    INVOKE client number at kind request-id card transaction value
    ACK client number status id value

`number` counts a client's requests; a repeated request is another INVOKE line with the same number.
An ACK is a definite answer. Its id is that of the new transaction, or of the settlement or
cancellation, or the error code of a refusal. Values are units; `-` stands for what there is not.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

NOTHING = "-"


class BrokenJournal(Exception):
    """A line that says nothing: the harness is wrong, not the ledger."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks; repeated, it stays the same. `kind` is a verb of the ledger."""

    client: str
    number: int
    kind: str
    request_id: str
    card: str
    transaction: str | None
    value: int


@dataclass(frozen=True, slots=True)
class Invoke:
    """A request is about to be sent; `at` is the wall clock, in seconds."""

    request: Request
    at: float


@dataclass(frozen=True, slots=True)
class Ack:
    """A definite answer to a client's request of that number."""

    client: str
    number: int
    status: int
    id: str
    value: int | None


class Journal:
    """Written by any number of threads; a line is in the file when the call returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.acks = 0  # so far
        self._file = path.open("a", encoding="ascii")
        self._lock = threading.Lock()

    def invoke(self, request: Request) -> None:
        """To be called before the request is sent."""
        self._write(
            "INVOKE",
            request.client,
            request.number,
            f"{time.time():.6f}",
            request.kind,
            request.request_id,
            request.card,
            request.transaction or NOTHING,
            request.value,
        )

    def ack(self, request: Request, status: int, answer_id: str, value: int | None) -> None:
        """To be called when the answer is known, before anything is made of it."""
        shown = NOTHING if value is None else value
        self._write("ACK", request.client, request.number, status, answer_id, shown)
        with self._lock:
            self.acks += 1

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()

    def __enter__(self) -> Self:
        """Itself, open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _write(self, *words: object) -> None:
        line = " ".join(str(word) for word in words)
        with self._lock:
            self._file.write(f"{line}\n")
            self._file.flush()


def read(path: Path) -> Iterator[Invoke | Ack]:
    """Every line, in the order in which it was written. Raises `BrokenJournal`."""
    with path.open(encoding="ascii") as lines:
        for line in lines:
            try:
                yield _event(line.split())
            except (ValueError, IndexError) as error:
                raise BrokenJournal(line) from error


def _event(words: list[str]) -> Invoke | Ack:
    match words:
        case ["INVOKE", client, number, at, kind, request_id, card, transaction, value]:
            wanted = None if transaction == NOTHING else transaction
            request = Request(client, int(number), kind, request_id, card, wanted, int(value))
            return Invoke(request, float(at))
        case ["ACK", client, number, status, answer_id, value]:
            applied = None if value == NOTHING else int(value)
            return Ack(client, int(number), int(status), answer_id, applied)
        case _:
            raise ValueError(words)
