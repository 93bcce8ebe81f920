"""The delivery log keeps every message, and what it is about."""

from importlib import import_module

from django.db import migrations

guards = import_module("loyalty.migrations.0002_refuse_rewriting_history")

TABLE = "loyalty_notification"
FIXED = (
    "kind, cause, store_id, program_id, customer_id, card_id, credit_id, ends_at,"
    " resend_of_id, requested_by_id, created_at"
)

STATEMENTS = [
    guards.triggers(TABLE, "DELETE", name=f"{TABLE}_no_delete"),
    guards.no_truncate(TABLE),
    guards.fixed(TABLE, FIXED),
]


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0011_messages")]

    operations = [migrations.RunSQL(sql, reverse_sql=undo) for sql, undo in STATEMENTS]
