"""What is asked of few cards reads the rows of few cards, however many others there are."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.ledger import invariants, promises
from tests.bench.prepare import add_cards, credential

CARDS, ASKED = 5_000, 100


@pytest.mark.django_db(transaction=True)
def test_no_promise_of_few_cards_reads_the_rows_of_the_others() -> None:
    credential()
    add_cards(1, CARDS, searchable=[])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    with CaptureQueriesContext(connection) as captured:
        assert invariants.violations(range(1, ASKED + 1)) == []

    asked = [query["sql"] for query in captured.captured_queries if "WITH" in query["sql"]]
    assert len(asked) == len(promises.INVARIANTS)
    assert max(_thrown_away(sql) for sql in asked) < CARDS


def _thrown_away(sql: str) -> int:
    """How many rows PostgreSQL read of tables and did not want."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        [[plan]] = cursor.fetchall()
    [tree] = json.loads(plan) if isinstance(plan, str) else plan
    return sum(
        node["Rows Removed by Filter"] for node in _nodes(tree["Plan"]) if "Relation Name" in node
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"Rows Removed by Filter": 0} | node
    for part in node.get("Plans", ()):
        yield from _nodes(part)
