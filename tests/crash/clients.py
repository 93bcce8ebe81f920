"""The load: clients that buy, settle, cancel and credit, and repeat what they are in doubt about.

Each client is a thread with a connection of its own and works on transactions of its own; the cards
are everybody's, and two of them are hot. A client in doubt (no answer, an answer cut off, a 5xx)
sends the same request until the answer is definite, within `PATIENCE` seconds.
"""

import json
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from secrets import SystemRandom
from types import TracebackType
from typing import Any, Self

from tests.crash.journal import NOTHING, Journal, Request

PATIENCE = 60  # seconds in which a request becomes definite, with everything restarted meanwhile
TIMEOUT = 8  # seconds for one attempt; the lock is waited for 3 s
HOT_CARDS = 2
OPEN_AT_MOST = 40  # transactions that a client keeps working on

random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Books:
    """What the clients work on."""

    port: int
    app_key: str
    app_token: str
    cards: tuple[str, ...]  # the first ones are hot


@dataclass(slots=True)
class Open:
    """A transaction of a client's, and what it believes is left of it."""

    card: str
    id: str
    kind: str  # of the operation that opened it
    held: int
    left: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A definite answer."""

    status: int
    id: str
    value: int | None

    @property
    def accepted(self) -> bool:
        """It was done."""
        return self.status == HTTPStatus.OK


class Client(threading.Thread):
    """One customer of the protocol. An exception ends it and is raised again by `Load.stop`."""

    def __init__(self, name: str, books: Books, journal: Journal) -> None:
        super().__init__(name=name, daemon=True)
        self.finished: Future[None] = Future()
        self._books = books
        self._journal = journal
        self._number = 0
        self._open: list[Open] = []
        self._stop = threading.Event()
        self._abandon = threading.Event()
        self._connection = HTTPConnection("127.0.0.1", books.port, timeout=TIMEOUT)
        self._headers = {
            "X-PROVIDER-API-AppKey": books.app_key,
            "X-PROVIDER-API-AppToken": books.app_token,
            "Content-Type": "application/json",
        }

    def stop(self, *, abandon: bool) -> None:
        """Begin nothing new; with `abandon`, leave the last request in doubt too."""
        self._stop.set()
        if abandon:
            self._abandon.set()

    def run(self) -> None:
        """One request after the other, until it is stopped."""
        try:
            while not self._stop.is_set():
                self._act()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self.finished.set_exception(error)
        else:
            self.finished.set_result(None)
        finally:
            self._connection.close()

    def _act(self) -> None:
        dice = random.random()
        if not self._open or (dice < 0.4 and len(self._open) < OPEN_AT_MOST):
            self._begin()
            return
        transaction = random.choice(self._open)
        if transaction.kind == "authorize" and dice < (0.75 if transaction.held else 0.45):
            self._settle(transaction)
        else:
            self._cancel(transaction)
        if transaction.left <= 0:
            self._open.remove(transaction)

    def _begin(self) -> None:
        """A purchase, now and then one that nobody can pay; or a credit."""
        cards = self._books.cards
        card = random.choice(cards[:HOT_CARDS] if random.random() < 0.4 else cards)
        kind = "credit" if random.random() < 0.2 else "authorize"
        value = random.randint(1, 20_00)
        if kind == "authorize" and random.random() < 0.02:
            value += 100_000_000_00
        answer = self._ask(kind, card, None, value)
        if answer and answer.accepted:
            held = value if kind == "authorize" else 0
            self._open.append(Open(card, answer.id, kind, held, value))

    def _settle(self, debit: Open) -> None:
        """Some of the hold, all of it, or now and then more than is held."""
        value = random.choice([random.randint(1, max(debit.held, 1)), max(debit.held, 1)])
        answer = self._ask("settle", debit.card, debit.id, value)
        if answer and answer.accepted:
            debit.held -= value

    def _cancel(self, transaction: Open) -> None:
        """Some of what is left, all of it, or now and then more than that."""
        value = random.choice([random.randint(1, transaction.left), transaction.left])
        if random.random() < 0.05:
            value = transaction.left + 1
        answer = self._ask("cancel", transaction.card, transaction.id, value)
        if answer and answer.accepted and answer.value is not None:
            transaction.left -= answer.value
            transaction.held -= min(answer.value, transaction.held)
        elif answer and transaction.kind == "credit":
            transaction.left = 0  # spent meanwhile: enough of it

    def _ask(self, kind: str, card: str, transaction: str | None, value: int) -> Answer | None:
        """The definite answer, or None when it was not to be had."""
        self._number += 1
        request_id = f"{self.name}-{self._number}"
        request = Request(self.name, self._number, kind, request_id, card, transaction, value)
        answer = self._repeat(request)
        if answer and random.random() < 0.03:  # as VTEX does: once more, though all is well
            self._repeat(request)
        return answer

    def _repeat(self, request: Request) -> Answer | None:
        deadline = time.monotonic() + PATIENCE
        pause = 0.02
        while not self._abandon.is_set() and time.monotonic() < deadline:
            self._journal.invoke(request)
            answer = self._send(request)
            if answer:
                self._journal.ack(request, answer.status, answer.id, answer.value)
                return answer
            time.sleep(pause)
            pause = min(pause * 2, 0.5)
        return None

    def _send(self, request: Request) -> Answer | None:
        try:
            self._connection.request("POST", _path(request), _body(request), self._headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, HTTPException):
            self._connection.close()
            return None
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return None
        return _answer(response.status, content)


class Load:
    """Any number of clients, all at work between `start` and `stop`; abandoned on an error."""

    def __init__(self, books: Books, journal: Journal, *, clients: int, word: str) -> None:
        self._clients = [Client(f"{word}-{n}", books, journal) for n in range(clients)]

    def start(self) -> None:
        """Return at once."""
        for client in self._clients:
            client.start()

    def stop(self, *, abandon: bool = False) -> None:
        """Return when every client has finished; raises what went wrong in one of them."""
        for client in self._clients:
            client.stop(abandon=abandon)
        for client in self._clients:
            client.finished.result(PATIENCE + 2 * TIMEOUT)

    def check(self) -> None:
        """Raise what went wrong in a client so far."""
        for client in self._clients:
            if client.finished.done():
                client.finished.result()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop; at once, when something else went wrong."""
        self.stop(abandon=error is not None)


def _path(request: Request) -> str:
    path = f"/vtex/giftcards/{request.card}/transactions"
    step = {"settle": "settlements", "cancel": "cancellations"}.get(request.kind)
    return f"{path}/{request.transaction}/{step}" if step else path


def _body(request: Request) -> bytes:
    words: dict[str, Any] = {"requestId": request.request_id}
    if request.transaction is None:
        words["operation"] = "Credit" if request.kind == "credit" else "Debit"
        words["orderInfo"] = {"orderId": request.request_id, "sequence": request.number}
    # By hand: JSON numbers of decimals, which `json` would write as floats.
    value = f"{request.value // 100}.{request.value % 100:02}"
    return f'{json.dumps(words)[:-1]}, "value": {value}}}'.encode()


def _answer(status: int, content: bytes) -> Answer:
    try:
        body = json.loads(content, parse_float=Decimal)
    except ValueError:
        body = {}
    if status != HTTPStatus.OK:
        return Answer(status, body.get("error", {}).get("code") or NOTHING, None)
    if "oid" in body:
        return Answer(status, body["oid"], int(body["value"] * 100))
    # An acceptance without an id is remembered as that, and the auditor will find a difference.
    return Answer(status, body.get("id") or NOTHING, None)
