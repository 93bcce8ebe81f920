"""A scheme that is on never changes, grants and changes of tier stay as written."""

from importlib import import_module

from django.db import migrations

guards = import_module("loyalty.migrations.0002_refuse_rewriting_history")
earning = import_module("loyalty.migrations.0009_earning_guards")

APPEND_ONLY = ("loyalty_tiergrant", "loyalty_tierchange")
NEVER_DELETED = ("loyalty_tierscheme", "loyalty_tierstanding")
RULE, MOVEMENT = "loyalty_earningrule", "loyalty_earningmovement"
RULE_BEFORE = earning.FIXED_WHEN_ON[RULE]
MOVEMENT_BEFORE = earning.FIXED_COLUMNS[MOVEMENT]


def replaced(before: tuple[str, str], after: tuple[str, str]) -> tuple[str, str]:
    """SQL that puts one trigger in another's place, and the SQL that undoes it."""
    return f"{before[1]} {after[0]}", f"{after[1]} {before[0]}"


STATEMENTS = [
    *(
        guards.triggers(table, "UPDATE OR DELETE", name=f"{table}_append_only")
        for table in APPEND_ONLY
    ),
    *(guards.triggers(table, "DELETE", name=f"{table}_no_delete") for table in NEVER_DELETED),
    *(guards.no_truncate(table) for table in (*APPEND_ONLY, *NEVER_DELETED)),
    guards.fixed("loyalty_tierstanding", "customer_id, program_id"),
    earning.fixed_when_on(
        "loyalty_tierscheme",
        "program_id, basis, period, days, grace_days, starts_at, tiers, switched_on_at, created_at",
    ),
    replaced(
        earning.fixed_when_on(RULE, RULE_BEFORE),
        earning.fixed_when_on(RULE, f"{RULE_BEFORE}, tiers"),
    ),
    replaced(
        guards.fixed(MOVEMENT, MOVEMENT_BEFORE),
        guards.fixed(MOVEMENT, f"{MOVEMENT_BEFORE}, expires_at"),
    ),
]


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0019_tiers")]

    operations = [migrations.RunSQL(sql, reverse_sql=undo) for sql, undo in STATEMENTS]
