"""The proof of the books, beside `verify_ledger`'s way of asking the same of all cards at once.

The first proof writes a link of the chain for every card; the second one follows them and writes
none, as every week after.
"""

import resource
import time
from dataclasses import dataclass

from loyalty import jobs, proofs
from loyalty.ledger.invariants import violations
from loyalty.models import GiftCard, JobKind

MEBIBYTE = 1024  # in the unit of ru_maxrss


@dataclass(frozen=True, slots=True)
class Proof:
    """Cards, entries not counted; seconds of each way to look at all of them; MiB at most."""

    cards: int
    at_once: float
    first: float
    again: float
    memory: int

    @property
    def lines(self) -> list[str]:
        """The rows of the table in docs/performance.md."""
        ways = (
            ("verified at once, without the chain", self.at_once),
            ("the first proof, a link for each", self.first),
            ("the proof after it", self.again),
        )
        rows = [
            f"| {self.cards:,} cards, {way} | {seconds:,.0f} s, {self.cards / seconds:,.0f}/s |"
            for way, seconds in ways
        ]
        return [*rows, f"| the most memory | {self.memory} MiB |"]


def measure() -> Proof:
    """All three on the database as it is; the books have to be right."""
    return Proof(
        cards=GiftCard.objects.count(),
        at_once=_seconds_at_once(),
        first=_seconds_of_proof(),
        again=_seconds_of_proof(),
        memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // MEBIBYTE,
    )


def _seconds_at_once() -> float:
    started = time.perf_counter()
    if violations():
        raise SystemExit("The books are wrong.")
    return time.perf_counter() - started


def _seconds_of_proof() -> float:
    jobs.again(JobKind.PROVE_ALL)
    started = time.perf_counter()
    while jobs.run_next({JobKind.PROVE_ALL: proofs.prove_chunk}):
        pass
    if proofs.open_differences().exists():
        raise SystemExit("The proof found a difference.")
    return time.perf_counter() - started
