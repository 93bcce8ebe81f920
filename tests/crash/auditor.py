"""Compares what the clients know with what the database has. Knows no database and no HTTP.

Four things must never be found:

| LOST    | a request was answered, and there is no operation for it                |
| DIFF    | an operation says something else than its request or one of its answers |
| GHOST   | an operation that nobody asked for                                      |
| DOUBLED | more than one operation for a request                                   |

A request without an answer may have happened or not. An answer that is neither an acceptance nor a
recorded refusal is UNFORESEEN (a 5xx is no answer: the request is repeated).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.crash.journal import Ack, BrokenJournal, Invoke, Request

ACCEPTED, REFUSED = 200, 422
PURCHASES = ("authorize", "credit")  # these open a transaction, and are answered with its id


@dataclass(frozen=True, slots=True)
class Row:
    """One operation of the database, with the public ids of its card and transaction."""

    oid: str
    kind: str
    request_id: str
    card: str
    transaction: str | None
    amount: int
    applied: int
    outcome: str
    decline_code: str
    created_at: float


@dataclass(slots=True)
class _Case:
    """Everything that is known of one request."""

    request: Request
    sent: list[float] = field(default_factory=list)
    doubts: int = 0  # attempts that had no definite answer before the first one came
    acks: list[Ack] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, a line each, and how much was looked at."""

    lost: list[str]
    different: list[str]
    ghosts: list[str]
    doubled: list[str]
    unforeseen: list[str]
    requests: int
    accepted: int
    refused: int
    doubtful: int  # requests that were repeated because no definite answer had come
    learned: int  # of these, done already: the answer had been cut off
    unanswered: int
    unanswered_but_done: int
    violations: list[str] = field(default_factory=list)  # of the ledger's own invariants

    @property
    def answered(self) -> int:
        """Requests with a definite answer."""
        return self.requests - self.unanswered

    @property
    def faults(self) -> list[str]:
        """Every line that breaks the promise; empty when it was kept."""
        named = {
            "LOST": self.lost,
            "DIFF": self.different,
            "GHOST": self.ghosts,
            "DOUBLED": self.doubled,
            "UNFORESEEN": self.unforeseen,
            "VIOLATION": self.violations,
        }
        return [f"{name} {line}" for name, lines in named.items() for line in lines]

    def __str__(self) -> str:
        return (
            f"{self.requests} requests, {self.answered} answered ({self.accepted} accepted,"
            f" {self.refused} refused), {self.doubtful} in doubt and repeated,"
            f" {self.learned} of them done already; unanswered {self.unanswered}, of them done"
            f" {self.unanswered_but_done};"
            f" LOST {len(self.lost)}, DIFF {len(self.different)}, GHOST {len(self.ghosts)},"
            f" DOUBLED {len(self.doubled)}, UNFORESEEN {len(self.unforeseen)},"
            f" violations {len(self.violations)}"
        )


def audit(
    events: Iterable[Invoke | Ack], rows: Iterable[Row], violations: Iterable[str] = ()
) -> Verdict:
    """The verdict on a journal and all operations of the database it was written against.

    Raises `BrokenJournal` for an answer without a request, or a request id of two meanings.
    """
    cases = _cases(events)
    ghosts = []
    for row in rows:
        if row.request_id in cases:
            cases[row.request_id].rows.append(row)
        else:
            ghosts.append(str(row))
    all_cases = cases.values()
    statuses = [{ack.status for ack in case.acks} for case in all_cases]
    unanswered = [case for case in all_cases if not case.acks]
    return Verdict(
        lost=[_shown(case) for case in all_cases if _is_lost(case)],
        different=[
            f"{difference}: {_shown(case)}" for case in all_cases for difference in _compare(case)
        ],
        ghosts=ghosts,
        doubled=[_shown(case) for case in all_cases if len(case.rows) > 1],
        unforeseen=[
            _shown(case)
            for case, found in zip(all_cases, statuses, strict=True)
            if found - {ACCEPTED, REFUSED}
        ],
        requests=len(cases),
        accepted=sum(ACCEPTED in found for found in statuses),
        refused=sum(REFUSED in found for found in statuses),
        doubtful=sum(case.doubts > 0 for case in all_cases),
        learned=sum(_was_learned(case) for case in all_cases),
        unanswered=len(unanswered),
        unanswered_but_done=sum(bool(case.rows) for case in unanswered),
        violations=list(violations),
    )


def _cases(events: Iterable[Invoke | Ack]) -> dict[str, _Case]:
    cases: dict[str, _Case] = {}
    ids: dict[tuple[str, int], str] = {}
    for event in events:
        if isinstance(event, Invoke):
            request = event.request
            case = cases.setdefault(request.request_id, _Case(request))
            if case.request != request:
                raise BrokenJournal(f"{request} was something else before: {case.request}")
            case.sent.append(event.at)
            if not case.acks:
                case.doubts = len(case.sent) - 1
            ids[request.client, request.number] = request.request_id
        elif (event.client, event.number) in ids:
            cases[ids[event.client, event.number]].acks.append(event)
        else:
            raise BrokenJournal(f"{event} answers nothing")
    return cases


def _is_lost(case: _Case) -> bool:
    """An accepted request, or one whose refusal is final, has no row."""
    return not case.rows and any(ack.status in {ACCEPTED, REFUSED} for ack in case.acks)


def _compare(case: _Case) -> Iterator[str]:
    request = case.request
    for row in case.rows:
        if (row.kind, row.card, row.amount) != (request.kind, request.card, request.value):
            yield "another meaning than was asked for"
        if request.transaction and row.transaction != request.transaction:
            yield "on another transaction"
        for ack in case.acks:
            yield from _compare_answer(ack, row)


def _compare_answer(ack: Ack, row: Row) -> Iterator[str]:
    if ack.status == ACCEPTED:
        if row.outcome != "ok":
            yield "accepted, but recorded as refused"
        if ack.id != _answer_id(row):
            yield "answered with another id"
        if ack.value is not None and ack.value != row.applied:
            yield "answered with another value"
    elif ack.status == REFUSED and (row.outcome, row.decline_code) != ("declined", ack.id):
        yield "refused, but not recorded as that refusal"


def _answer_id(row: Row) -> str | None:
    if row.kind in PURCHASES:
        return row.transaction
    return row.card if row.kind == "issue" else row.oid


def _was_learned(case: _Case) -> bool:
    """The row is older than the attempt that was answered: the first answer had been cut off."""
    return bool(
        case.acks
        and case.doubts
        and case.rows
        and min(row.created_at for row in case.rows) < case.sent[case.doubts]
    )


def _shown(case: _Case) -> str:
    facts = defaultdict(list)
    for ack in case.acks:
        facts["answered"].append(f"{ack.status} {ack.id} {ack.value}")
    for row in case.rows:
        facts["found"].append(str(row))
    return f"{case.request} sent {len(case.sent)} times, {dict(facts)}"
