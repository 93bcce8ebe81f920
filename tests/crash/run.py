"""One run: cards, load, kills, and the audit; and the control run, which has to show a loss."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from tests.bench.stack import Server, Stack
from tests.crash import auditor, kills
from tests.crash.auditor import ACCEPTED, Row, Verdict
from tests.crash.books import BALANCE
from tests.crash.clients import Books, Load, random
from tests.crash.journal import Journal, Request, read

JOURNAL = "journal"
RECOVERY = 60  # seconds within which acknowledgements come again after a kill

_ROWS = """
    SELECT operation.oid, operation.kind, operation.request_id, card.public_id, txn.public_id,
           operation.amount, operation.applied, operation.outcome, operation.decline_code,
           extract(epoch FROM operation.created_at)::float
    FROM loyalty_operation operation
    JOIN loyalty_giftcard card ON card.id = operation.card_id
    LEFT JOIN loyalty_transaction txn ON txn.id = operation.transaction_id
    ORDER BY operation.id
"""


class NoRecovery(Exception):
    """The clients were not answered any more."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    deaths: tuple[str, ...]  # keys of `DEATHS`, in this order
    acks_between: int  # at least so many answers between one death and the next
    clients: int = 8
    cards: int = 12


ROUND = ("worker", "crash", "worker", "kill", "worker", "crash", "worker", "kill", "gunicorn")
SHORT = Plan(deaths=ROUND + ROUND[:4], acks_between=60)
LONG = Plan(deaths=ROUND * 10, acks_between=250, cards=20)

DEATHS: dict[str, Callable[[Stack, Server], object]] = {
    "worker": lambda _, server: kills.kill_a_worker(server),
    "gunicorn": lambda _, server: kills.kill_gunicorn(server),
    "crash": lambda stack, _: kills.crash_postgres(stack.postgres),
    "kill": lambda stack, _: kills.kill_postgres(stack.postgres),
}


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found."""

    verdict: Verdict
    deaths: Counter[str]
    seconds: float  # under load

    def __str__(self) -> str:
        died = ", ".join(f"{count} {name}" for name, count in sorted(self.deaths.items()))
        return f"{self.seconds:.0f} s under load; deaths: {died}; {self.verdict}"


def crash_run(plan: Plan, path: Path | None = None) -> Result:
    """The verdict on a ledger whose servers died under load as planned.

    The journal stays at `path` if one is given; nothing else is left, nor running. Raises
    `NoRecovery` when a death was not overcome.
    """
    deaths: Counter[str] = Counter()
    with Stack() as stack, Journal(path or stack.folder / JOURNAL) as journal:
        books, server = opened(stack, plan.cards, journal)
        begun = time.monotonic()
        with Load(books, journal, clients=plan.clients, word="buyer") as load:
            for death in plan.deaths:
                wait_for_acks(load, journal, plan.acks_between)
                time.sleep(random.uniform(0, 0.2))  # anywhere in the life of a request
                DEATHS[death](stack, server)
                deaths[death] += 1
            wait_for_acks(load, journal, plan.acks_between)
        seconds = time.monotonic() - begun
        server.stop()  # gracefully: what is still at work there ends before the books are read
        return Result(audited(stack, journal), deaths, seconds)


def control_run(path: Path | None = None, *, tries: int = 5, acks: int = 300) -> list[Verdict]:
    """The same without `synchronous_commit`: the verdicts on each try, until one shows a loss.

    PostgreSQL then answers before a commit is on disk and writes it at most some 0.6 s later; a
    crash in the midst of many commits has to lose some, or this harness could not see a loss.
    """
    verdicts: list[Verdict] = []
    with (
        Stack(synchronous_commit=False) as stack,
        Journal(path or stack.folder / JOURNAL) as journal,
    ):
        books, server = opened(stack, 12, journal)
        stack.postgres.stop()  # a clean start: what was prepared is on disk
        stack.postgres.start()
        while len(verdicts) < tries and not (verdicts and verdicts[-1].lost):
            load = Load(books, journal, clients=6, word=f"control{len(verdicts)}")
            load.start()
            try:
                wait_for_acks(load, journal, acks)
                stack.postgres.crash()
            finally:
                load.stop(abandon=True)
            stack.postgres.start()
            verdicts.append(audited(stack, journal))
        server.stop()
    return verdicts


def opened(stack: Stack, cards: int, journal: Journal) -> tuple[Books, Server]:
    """Migrated, with cards, and served. The cards are in the journal as requests of `issue`."""
    made: dict[str, Any] = json.loads(stack.run("tests.crash.books", "open", "--cards", str(cards)))
    for number, card in enumerate(made["cards"], start=1):
        request = Request("issuer", number, "issue", f"issue:{card}", card, None, BALANCE)
        journal.invoke(request)
        journal.ack(request, ACCEPTED, card, BALANCE)
    server = stack.serve("gunicorn")
    return Books(server.port, made["app_key"], made["app_token"], tuple(made["cards"])), server


def audited(stack: Stack, journal: Journal) -> Verdict:
    """The verdict on the journal and the database as they are."""
    broken = json.loads(stack.run("tests.crash.books", "verify"))
    return auditor.audit(read(journal.path), rows(stack), broken)


def rows(stack: Stack) -> list[Row]:
    """Every operation of the database, read past Django."""
    connection = psycopg2.connect(stack.postgres.url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(_ROWS)
            return [Row(*row) for row in cursor.fetchall()]
    finally:
        connection.close()


def wait_for_acks(load: Load, journal: Journal, wanted: int) -> None:
    """Return after so many more answers. Raises `NoRecovery`, and what went wrong in a client."""
    target = journal.acks + wanted
    deadline = time.monotonic() + RECOVERY
    while journal.acks < target:
        load.check()
        if time.monotonic() > deadline:
            raise NoRecovery(f"{target - journal.acks} of {wanted} answers are missing")
        time.sleep(0.01)
