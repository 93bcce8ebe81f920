"""A merge stays as written but for its undoing, and nothing new is given to whoever was merged."""

from importlib import import_module

from django.db import migrations

guards = import_module("loyalty.migrations.0002_refuse_rewriting_history")
too = import_module("loyalty.migrations.0004_back_office_guards")

MERGE = "loyalty_customermerge"

# Waits for a merge under way, and then sees it: the row is locked for its key.
NOBODY_MERGED = """
CREATE FUNCTION loyalty_refuse_merged_owner() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    person bigint;
BEGIN
    SELECT merged_into_id INTO person FROM loyalty_customer WHERE id = NEW.owner_id FOR KEY SHARE;
    IF person IS NOT NULL THEN
        RAISE EXCEPTION 'card_owner_not_merged: customer % is customer %', NEW.owner_id, person
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""
ON_CARDS = """
CREATE TRIGGER loyalty_giftcard_owner_not_merged BEFORE INSERT OR UPDATE OF owner_id
ON loyalty_giftcard FOR EACH ROW WHEN (NEW.owner_id IS NOT NULL)
EXECUTE FUNCTION loyalty_refuse_merged_owner();
"""

STATEMENTS = [
    guards.triggers(MERGE, "DELETE", name=f"{MERGE}_no_delete"),
    guards.no_truncate(MERGE),
    guards.fixed(
        MERGE,
        "customer_id, into_id, request_id, known, completed, cards, orders, actor, reason, note,"
        " merged_at",
    ),
    too.fixed("loyalty_grant", "came_from_id"),
    (NOBODY_MERGED, "DROP FUNCTION loyalty_refuse_merged_owner();"),
    (ON_CARDS, "DROP TRIGGER loyalty_giftcard_owner_not_merged ON loyalty_giftcard;"),
]


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0030_merging")]

    operations = [migrations.RunSQL(sql, reverse_sql=undo) for sql, undo in STATEMENTS]
