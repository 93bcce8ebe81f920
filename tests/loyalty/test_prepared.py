"""Statements planned once for each connection."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from loyalty import prepared

SQL = "SELECT %(one)s::int, %(two)s::text, %(one)s::int + 1"
PARAMETERS = {"one": 41, "two": "it's 100 %"}
ANSWER = [(41, "it's 100 %", 42)]


def sent_by(call: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        call()
    return [query["sql"].split()[0] for query in queries]


@pytest.mark.django_db(transaction=True)
def test_is_planned_once_for_each_connection() -> None:
    connection.close()

    first = sent_by(lambda: prepared.rows(SQL, PARAMETERS))
    again = sent_by(lambda: prepared.rows(SQL, PARAMETERS))
    connection.close()
    elsewhere = sent_by(lambda: prepared.rows(SQL, PARAMETERS))

    assert (first, again, elsewhere) == (
        ["PREPARE", "EXECUTE"],
        ["EXECUTE"],
        ["PREPARE", "EXECUTE"],
    )


@pytest.mark.django_db
@pytest.mark.parametrize("pooled", [False, True])
def test_answers_the_same_prepared_or_in_full(settings: Settings, pooled: bool) -> None:
    settings.DATABASE_POOLED = pooled

    assert prepared.rows(SQL, PARAMETERS) == ANSWER
    assert prepared.rows("SELECT %s::int, %s::text, 42", [41, "it's 100 %"]) == ANSWER


@pytest.mark.django_db
def test_a_pooled_connection_is_sent_the_whole_statement(settings: Settings) -> None:
    settings.DATABASE_POOLED = True

    assert sent_by(lambda: prepared.rows(SQL, PARAMETERS)) == ["SELECT"]


@pytest.mark.django_db
def test_a_statement_before_it_travels_with_it() -> None:
    prepared.rows(f"SELECT 1 WHERE %(one)s = 0;{SQL}", PARAMETERS)

    with CaptureQueriesContext(connection) as queries:
        found = prepared.rows(f"SELECT 1 WHERE %(one)s = 0;{SQL}", PARAMETERS)

    assert found == ANSWER
    assert [query["sql"].split(";")[0] for query in queries] == ["SELECT 1 WHERE 41 = 0"]
