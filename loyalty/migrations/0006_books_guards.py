"""A closed month stays as it was; a day's entries are found without reading all of them."""

from importlib import import_module

from django.db import migrations

guards = import_module("loyalty.migrations.0002_refuse_rewriting_history")

APPEND_ONLY = ("loyalty_monthclosing", "loyalty_monthclosingline")

STATEMENTS = [
    *(guards.triggers(table, "UPDATE OR DELETE", name=f"{table}_append_only") for table in APPEND_ONLY),
    *(guards.no_truncate(table) for table in APPEND_ONLY),
    # BRIN: a few pages for millions of entries, which come in by time, so that a debit pays nothing.
    (
        "CREATE INDEX entry_created_at ON loyalty_entry"
        " USING brin (created_at) WITH (pages_per_range = 32, autosummarize = on);",
        "DROP INDEX entry_created_at;",
    ),
]


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0005_books")]

    operations = [migrations.RunSQL(sql, reverse_sql=undo) for sql, undo in STATEMENTS]
