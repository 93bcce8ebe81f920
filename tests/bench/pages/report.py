"""What was found of each page, and the table of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import groupby
from statistics import median

MOST_MS, MOST_QUERIES = 300, 15
# Of a large table; the pages' own limit of counting is below it.
MOST_SCANNED = 25_000


@dataclass(frozen=True, slots=True)
class Visit:
    """One page, with what is typed into its form if it is sent."""

    group: str
    path: str
    typed: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As people read it."""
        typed = " ".join(value for value in self.typed.values() if value)
        return f"{self.path} «{typed}»" if typed else self.path


@dataclass(frozen=True, slots=True)
class Answer:
    """How a page was answered. `scanned` is what it read of large tables without an index."""

    visit: Visit
    status: int
    ms: float
    queries: int
    scanned: int
    slowest: str

    @property
    def is_ok(self) -> bool:
        """Whether everything promised holds."""
        return (
            self.status < HTTPStatus.INTERNAL_SERVER_ERROR
            and self.ms <= MOST_MS
            and self.queries <= MOST_QUERIES
            and self.scanned <= MOST_SCANNED
        )


def table(answers: Sequence[Answer]) -> str:
    """A line for each group of pages, then those that exceed something."""
    lines = [f"{'':38} {'pages':>5} {'median ms':>9} {'most ms':>8} {'queries':>7} {'scanned':>7}"]
    for group, found in groupby(answers, key=lambda answer: answer.visit.group):
        of = list(found)
        lines.append(
            f"{group:38} {len(of):>5} {median(each.ms for each in of):>9.0f}"
            f" {max(each.ms for each in of):>8.0f} {max(each.queries for each in of):>7}"
            f" {max(each.scanned for each in of):>7}"
        )
    bad = [answer for answer in answers if not answer.is_ok]
    lines += ["", f"{len(answers)} pages, {len(bad)} beyond what is promised"]
    for each in bad:
        lines.append(
            f"{each.visit.name}: status {each.status}, {each.ms} ms, {each.queries} queries,"
            f" {each.scanned} rows scanned; slowest {each.slowest}"
        )
    return "\n".join(lines)
