"""Whether the books are right: every promise asked, on some cards, in a store or everywhere.

The database's constraints and the one writer keep the promises; this module does not trust them. It
runs after every step of the property test, every night in production and by
`manage.py verify_ledger`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection
from django.db.transaction import atomic

from loyalty.ledger.links import Invariant
from loyalty.ledger.promises import INVARIANTS

MAX_ROWS = 20


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks an invariant, with the figures that contradict each other."""

    invariant: Invariant
    row: Mapping[str, object]

    def __str__(self) -> str:
        return f"{self.invariant.name}: {self.figures}"

    @property
    def figures(self) -> str:
        """The row in one line: `card_id 7, available 100, remaining 90`."""
        return ", ".join(f"{name} {value}" for name, value in self.row.items())


def violations(
    card_ids: Sequence[int] | None = None,
    *,
    store_id: int | None = None,
    max_rows: int = MAX_ROWS,
) -> list[Violation]:
    """Whatever breaks an invariant on these cards, in this store or anywhere; empty if all is well.

    At most `max_rows` of each invariant. Inside a transaction it sees what the transaction sees;
    outside, everything is read from one snapshot, so that money in flight is never half seen.
    """
    found: list[Violation] = []
    with one_snapshot(), connection.cursor() as cursor:
        for invariant in INVARIANTS:
            cursor.execute(
                # Materialized: planned for all rows. With a LIMIT in sight the planner walks whole
                # indexes for the first of many rows, and there is none.
                f"{_scope(card_ids, store_id)}, violation AS MATERIALIZED ({invariant.sql})"
                " SELECT * FROM violation LIMIT %(max_rows)s",
                {"cards": list(card_ids or ()), "store": store_id, "max_rows": max_rows},
            )
            columns = [column.name for column in cursor.description]
            found += (Violation(invariant, dict(zip(columns, row, strict=True))) for row in cursor)
    return found


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Whatever is read inside is of one instant; inside a transaction, as that one sees it."""
    if connection.in_atomic_block:
        yield
        return
    with atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                " SET LOCAL statement_timeout = 0"
            )
        yield


def _scope(card_ids: Sequence[int] | None, store_id: int | None) -> str:
    """The tables as the queries name them, cut down to the cards in question."""
    conditions = []
    if card_ids is not None:
        conditions.append("{card} = ANY(%(cards)s)")
    if store_id is not None:
        conditions.append("{card} IN (SELECT id FROM loyalty_giftcard WHERE store_id = %(store)s)")
    where = " AND ".join(conditions) or "true"
    tables = ", ".join(
        f"{name} AS NOT MATERIALIZED (SELECT * FROM {table} WHERE {where.format(card=column)})"
        for name, table, column in (
            ("card", "loyalty_giftcard", "id"),
            ("balance", "loyalty_balance", "card_id"),
            ("lot", "loyalty_grant", "card_id"),
            ("txn", "loyalty_transaction", "card_id"),
            ("operation", "loyalty_operation", "card_id"),
            ("entry", "loyalty_entry", "card_id"),
        )
    )
    return f"WITH {tables}"
