"""The audit trail is append-only, nothing that names money is deleted, names are found by a part."""

from importlib import import_module

from django.db import migrations

guards = import_module("loyalty.migrations.0002_refuse_rewriting_history")

APPEND_ONLY = ("loyalty_auditevent",)
NEVER_DELETED = ("loyalty_approval", "loyalty_batch", "loyalty_batchowner")
FIXED_COLUMNS = {
    "loyalty_approval": (
        "action, parameters, request_id, store_id, card_id, customer_id, currency, exponent,"
        " amount, before, after, requested_by_id, requested_at"
    ),
    "loyalty_batch": "program_id, source, amount, created_by_id, created_at",
    "loyalty_giftcard": "batch_id, batch_number",
}


def fixed(table: str, columns: str) -> tuple[str, str]:
    """As of the tables before, under a name of its own: a table may have two."""
    create, drop = guards.fixed(table, columns)
    name = f"{table}_fixed_too"
    return create.replace(f"{table}_fixed", name), drop.replace(f"{table}_fixed", name)


STATEMENTS = [
    *(guards.triggers(table, "UPDATE OR DELETE", name=f"{table}_append_only") for table in APPEND_ONLY),
    *(guards.triggers(table, "DELETE", name=f"{table}_no_delete") for table in NEVER_DELETED),
    *(guards.no_truncate(table) for table in (*APPEND_ONLY, *NEVER_DELETED)),
    *(fixed(table, columns) for table, columns in FIXED_COLUMNS.items()),
    # Trusted since PostgreSQL 13: the owner of the database may create it.
    ("CREATE EXTENSION IF NOT EXISTS pg_trgm;", "DROP EXTENSION pg_trgm;"),
    (
        "CREATE INDEX customer_name_part ON loyalty_customer"
        " USING gin (upper(name) gin_trgm_ops);",
        "DROP INDEX customer_name_part;",
    ),
]


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0003_back_office")]

    operations = [migrations.RunSQL(sql, reverse_sql=undo) for sql, undo in STATEMENTS]
