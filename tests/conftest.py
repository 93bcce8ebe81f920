"""Fixtures of every test: the database between tests, and the long forms."""

import os
from collections.abc import Iterator, Sequence

import pytest
from django.db import connections
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.transaction import atomic
from pytest_django import Settings

from giftcard_provider import failed_calls


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the long forms to `make test-long`."""
    if os.environ.get("LONG"):
        return
    for item in items:
        if "long" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="long form: runs in `make test-long`"))


@pytest.fixture(scope="session", autouse=True)
def flush_past_the_append_only_triggers() -> Iterator[None]:
    """Let transactional tests empty tables that refuse TRUNCATE.

    Entries and operations are append-only by trigger. As a replica (which only a superuser may
    pretend to be) PostgreSQL fires none, for the length of Django's flush and no longer.
    """

    def execute_sql_flush(operations: BaseDatabaseOperations, sql_list: Sequence[str]) -> None:
        using = operations.connection.alias
        with atomic(using=using), connections[using].cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for statement in sql_list:
                cursor.execute(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", execute_sql_flush)
        yield


@pytest.fixture(autouse=True)
def nothing_pending() -> None:
    """A failed call whose answer never left, of a test before, is not written in this one."""
    failed_calls._pending.set(None)


@pytest.fixture
def sent_in_full(settings: Settings) -> None:
    """Every statement with its own text, as behind PgBouncer, for tests that read or count them.

    Otherwise a connection's first use of one is a PREPARE more, and the text an EXECUTE.
    """
    settings.DATABASE_POOLED = True
