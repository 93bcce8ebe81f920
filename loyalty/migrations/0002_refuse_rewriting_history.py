"""The database refuses what the code should never do: rewriting history, deleting, moving a card's unit."""

from django.db import migrations

APPEND_ONLY = ("loyalty_entry", "loyalty_operation")
NEVER_DELETED = (
    "loyalty_store",
    "loyalty_program",
    "loyalty_giftcard",
    "loyalty_balance",
    "loyalty_grant",
    "loyalty_transaction",
)
# What a row is about never changes; only what happened to it since does.
FIXED_COLUMNS = {
    "loyalty_store": "currency",
    "loyalty_program": "store_id, kind",
    "loyalty_giftcard": "public_id, store_id, program_id, currency, exponent, created_at",
    "loyalty_balance": "card_id",
    "loyalty_grant": "card_id, operation_id, transaction_id, origin, funding, amount, created_at",
    "loyalty_transaction": (
        "public_id, card_id, kind, amount, request_id, order_id, order_sequence, created_at"
    ),
}

FUNCTION = """
CREATE FUNCTION loyalty_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is not allowed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""


def triggers(table: str, events: str, *, name: str) -> tuple[str, str]:
    """SQL that makes a trigger refuse row events, and the SQL that undoes it."""
    return (
        f"CREATE TRIGGER {name} BEFORE {events} ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION loyalty_refuse();",
        f"DROP TRIGGER {name} ON {table};",
    )


def fixed(table: str, columns: str) -> tuple[str, str]:
    """SQL that refuses another value in columns that never change, and the SQL that undoes it."""
    changed = " OR ".join(
        f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns.split(", ")
    )
    return (
        f"CREATE TRIGGER {table}_fixed BEFORE UPDATE OF {columns} ON {table}"
        f" FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION loyalty_refuse();",
        f"DROP TRIGGER {table}_fixed ON {table};",
    )


def no_truncate(table: str) -> tuple[str, str]:
    """SQL that refuses TRUNCATE, and the SQL that undoes it."""
    return (
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION loyalty_refuse();",
        f"DROP TRIGGER {table}_no_truncate ON {table};",
    )


STATEMENTS = [
    (FUNCTION, "DROP FUNCTION loyalty_refuse();"),
    *(triggers(table, "UPDATE OR DELETE", name=f"{table}_append_only") for table in APPEND_ONLY),
    *(triggers(table, "DELETE", name=f"{table}_no_delete") for table in NEVER_DELETED),
    *(no_truncate(table) for table in (*APPEND_ONLY, *NEVER_DELETED)),
    *(fixed(table, columns) for table, columns in FIXED_COLUMNS.items()),
    # A debit updates these rows in place: room on the page keeps the indexes out of it (HOT).
    *(
        (f"ALTER TABLE {table} SET (fillfactor = 70);", f"ALTER TABLE {table} RESET (fillfactor);")
        for table in ("loyalty_balance", "loyalty_grant", "loyalty_transaction")
    ),
]


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0001_initial")]

    operations = [migrations.RunSQL(sql, reverse_sql=undo) for sql, undo in STATEMENTS]
