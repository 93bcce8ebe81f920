"""Opening a page: its time in the server, its statements, and what they read."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection
from django.test import Client

from tests.bench.pages.report import Answer, Visit

LARGE = 100_000  # rows of a table that no page reads without an index
VISITS = 3


class Statements:
    """Counts the queries of one visit, not the settings of a transaction; keeps the slowest."""

    def __init__(self) -> None:
        self.count = 0
        self.slowest = (0.0, "")

    def __call__(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: Any, context: Any
    ) -> Any:
        """Run one statement."""
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.count += not str(sql).startswith("SET ")
            taken = 1000 * (time.perf_counter() - began)
            self.slowest = max(self.slowest, (taken, str(sql)))


def open_page(client: Client, visit: Visit) -> Answer:
    """The best of some visits: what the page costs, not what else the machine did meanwhile."""
    times, statements, status = [], Statements(), 0
    before = _scanned()
    for _number in range(VISITS):
        statements = Statements()
        with connection.execute_wrapper(statements):
            began = time.perf_counter()
            answer = client.post(visit.path, visit.typed) if visit.typed else client.get(visit.path)
            if answer.streaming:
                next(iter(answer))
            times.append(1000 * (time.perf_counter() - began))
        status = answer.status_code
    after = _scanned()
    slowest, statement = statements.slowest
    return Answer(
        visit=visit,
        status=status,
        ms=round(min(times), 1),
        queries=statements.count,
        scanned=max(
            ((rows - before.get(name, 0)) // VISITS for name, rows in after.items()), default=0
        ),
        slowest=f"{slowest:.0f} ms … {statement.partition(' FROM ')[2][:160]}",
    )


def _scanned() -> Mapping[str, int]:
    """Of each large table, the rows that were read in sequence since the server began."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT tables.relname, seq_tup_read FROM pg_stat_user_tables tables"
            " JOIN pg_class ON pg_class.oid = relid"
            " WHERE reltuples > %s",
            [LARGE],
        )
        return dict(cursor.fetchall())
