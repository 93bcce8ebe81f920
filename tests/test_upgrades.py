"""Code of before goes on while the database is migrated: what docs/deploy.md promises of upgrades.

The models of each earlier state, as migrations know them, are held against the newest tables.
"""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState

# Code before these never served anybody; code since then may still serve while newer ones run.
OLDEST = {("loyalty", "0020_tiers_guards"), ("giftcard_provider", "0006_order_hook")}
APPS = {app for app, _ in OLDEST}
Step = tuple[str, str]


@pytest.mark.django_db
def test_code_of_before_finds_its_columns_and_can_leave_out_the_new_ones() -> None:
    problems = [
        f"{app}.{name}: {problem}"
        for (app, name), state in _states()
        for problem in _problems(state)
    ]

    assert problems == []


@pytest.mark.django_db
def test_a_column_that_old_code_does_not_fill_is_a_problem() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE loyalty_store ADD COLUMN motto text NOT NULL DEFAULT ''")
        cursor.execute("ALTER TABLE loyalty_store ALTER COLUMN motto DROP DEFAULT")

    assert _problems(_newest()) == ["loyalty_store.motto has to be given and is not known"]


@pytest.mark.django_db
def test_a_column_or_table_that_is_gone_is_a_problem() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE loyalty_store RENAME COLUMN name TO title")
        cursor.execute("ALTER TABLE loyalty_auditevent RENAME TO loyalty_trail")

    assert _problems(_newest()) == [
        "loyalty_auditevent is gone",
        "loyalty_store.name is gone",
        "loyalty_store.title has to be given and is not known",
    ]


def _states() -> Iterator[tuple[Step, ProjectState]]:
    """Each state since the oldest: the last step that it has, and its models."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)
    state, missing = ProjectState(), set(OLDEST)
    for migration, _ in plan:
        migration.mutate_state(state, preserve=False)
        missing.discard((migration.app_label, migration.name))
        if not missing and migration.app_label in APPS:
            yield (migration.app_label, migration.name), state.clone()


def _newest() -> ProjectState:
    return [state for _, state in _states()][-1]


def _problems(state: ProjectState) -> list[str]:
    columns = _columns()
    found: set[str] = set()
    for model in state.apps.get_models():
        table = model._meta.db_table
        if model._meta.app_label not in APPS or not model._meta.managed:
            continue
        if table not in columns:
            found.add(f"{table} is gone")
            continue
        known = {field.column for field in model._meta.local_concrete_fields}
        found |= {f"{table}.{name} is gone" for name in known - columns[table].keys()}
        found |= {
            f"{table}.{name} has to be given and is not known"
            for name, has_to_be_given in columns[table].items()
            if has_to_be_given and name not in known
        }
    return sorted(found)


def _columns() -> dict[str, dict[str, bool]]:
    """The columns of each table; whether whoever adds a row has to give a value."""
    found: dict[str, dict[str, bool]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT table_name, column_name,
                   is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'
                   AND is_generated = 'NEVER'
            FROM information_schema.columns WHERE table_schema = current_schema()
            """
        )
        for table, column, has_to_be_given in cursor.fetchall():
            found.setdefault(table, {})[column] = has_to_be_given
    return found
