"""The primary dies under load and its standby takes over; and the control, which has to lose."""

import time
from dataclasses import dataclass
from pathlib import Path

from tests.crash.auditor import Verdict
from tests.crash.clients import Load, random
from tests.crash.journal import Journal
from tests.crash.run import JOURNAL, audited, opened, wait_for_acks
from tests.crash.standby import Pair

CARDS = 12


@dataclass(frozen=True, slots=True)
class Failover:
    """What a run found, and how many were answered while the standby heard nothing."""

    verdict: Verdict
    answered_meanwhile: int


def failover_run(
    path: Path | None = None, *, clients: int = 8, acks: int = 250, deaf_seconds: float = 0.5
) -> Failover:
    """What the standby has when every commit had waited for it.

    Before the primary dies the standby hears nothing for a while: nobody may be told meanwhile that
    something is done. Raises `NoRecovery` when the clients are not answered by the new primary.
    """
    with Pair() as pair, Journal(path or pair.folder / JOURNAL) as journal:
        pair.join(synchronous=True)
        books, server = opened(pair, CARDS, journal)
        with Load(books, journal, clients=clients, word="buyer") as load:
            wait_for_acks(load, journal, acks)
            with pair.stopped_standby():
                time.sleep(0.3)  # what it had confirmed already is still being answered
                before = journal.acks
                time.sleep(random.uniform(deaf_seconds, deaf_seconds + 0.3))
                answered_meanwhile = journal.acks - before
                pair.kill_primary()
            pair.promote_standby()
            wait_for_acks(load, journal, acks)
        server.stop()
        return Failover(audited(pair, journal), answered_meanwhile)


def failover_control(path: Path | None = None, *, clients: int = 6, acks: int = 800) -> Verdict:
    """The same with a standby that nobody waits for: it misses what was answered meanwhile."""
    with Pair() as pair, Journal(path or pair.folder / JOURNAL) as journal:
        pair.join(synchronous=False)
        books, server = opened(pair, CARDS, journal)
        load = Load(books, journal, clients=clients, word="control")
        load.start()
        try:
            with pair.stopped_standby():
                wait_for_acks(load, journal, acks)
                pair.kill_primary()
        finally:
            load.stop(abandon=True)
        pair.promote_standby()
        verdict = audited(pair, journal)
        server.stop()
        return verdict
