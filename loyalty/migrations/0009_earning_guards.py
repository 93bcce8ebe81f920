"""Earnings, their movements and the orders they are for stay; a rule that gives never changes."""

from importlib import import_module

from django.db import migrations

guards = import_module("loyalty.migrations.0002_refuse_rewriting_history")

NEVER_DELETED = (
    "loyalty_shoporder",
    "loyalty_earning",
    "loyalty_earningmovement",
    "loyalty_earningpolicy",
    "loyalty_earningrule",
    "loyalty_campaign",
)
FIXED_COLUMNS = {
    "loyalty_shoporder": "store_id, order_id",
    "loyalty_earning": "order_id, rule_id, campaign_id, created_at",
    "loyalty_earningmovement": (
        "earning_id, number, kind, units, request_id, card_id, valid_from, created_at"
    ),
    "loyalty_earningpolicy": "program_id",
}
# Once it is switched on, what a rule or campaign gives for an order must stay the same.
FIXED_WHEN_ON = {
    "loyalty_earningrule": (
        "program_id, percent, points, per_amount, unit, point_units, includes_shipping, starts_at,"
        " channels, categories, brands, skus, payment_systems, minimum, first_order_only,"
        " cap_per_order, cap_per_period, period, priority, is_exclusive, switched_on_at, created_at"
    ),
    "loyalty_campaign": "program_id, multiplier, starts_at, switched_on_at, created_at",
}


def fixed_when_on(table: str, columns: str) -> tuple[str, str]:
    """SQL that refuses another value once the row is switched on, and the SQL that undoes it."""
    changed = " OR ".join(
        f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns.split(", ")
    )
    return (
        f"CREATE TRIGGER {table}_fixed_when_on BEFORE UPDATE OF {columns} ON {table}"
        f" FOR EACH ROW WHEN (OLD.switched_on_at IS NOT NULL AND ({changed}))"
        " EXECUTE FUNCTION loyalty_refuse();",
        f"DROP TRIGGER {table}_fixed_when_on ON {table};",
    )


STATEMENTS = [
    *(guards.triggers(table, "DELETE", name=f"{table}_no_delete") for table in NEVER_DELETED),
    *(guards.no_truncate(table) for table in NEVER_DELETED),
    *(guards.fixed(table, columns) for table, columns in FIXED_COLUMNS.items()),
    *(fixed_when_on(table, columns) for table, columns in FIXED_WHEN_ON.items()),
]


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0008_earning")]

    operations = [migrations.RunSQL(sql, reverse_sql=undo) for sql, undo in STATEMENTS]
