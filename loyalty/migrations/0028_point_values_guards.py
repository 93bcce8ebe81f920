"""What a point is worth follows the program's latest change; changes stay as they are."""

from importlib import import_module

from django.db import migrations

guards = import_module("loyalty.migrations.0002_refuse_rewriting_history")
earning = import_module("loyalty.migrations.0009_earning_guards")
tiers = import_module("loyalty.migrations.0020_tiers_guards")

CHANGE, MOVEMENT = "loyalty_pointvaluechange", "loyalty_earningmovement"
FIXED = (
    "program_id, before, after, policy, cards, available, reason, note, request_id, changed_by_id,"
    " changed_at"
)
MOVEMENT_BEFORE = f"{tiers.MOVEMENT_BEFORE}, expires_at"

# After the row's own constraints: they say better what is wrong with a worth of nothing.
FUNCTION = """
CREATE FUNCTION loyalty_point_value_by_its_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM (
            SELECT * FROM loyalty_pointvaluechange WHERE program_id = NEW.id
            ORDER BY id DESC LIMIT 1
        ) latest
        WHERE latest.after = NEW.point_units
          AND OLD.point_units IN (latest.before, latest.after)
          AND NEW.point_units_before IS NOT DISTINCT FROM
              CASE WHEN latest.finished_at IS NULL THEN latest.before END
    ) THEN
        RAISE EXCEPTION 'The point value of % changes only by its change', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
"""
TRIGGER = """
CREATE TRIGGER loyalty_program_point_value
AFTER UPDATE OF point_units, point_units_before ON loyalty_program FOR EACH ROW
WHEN ((OLD.point_units, OLD.point_units_before)
      IS DISTINCT FROM (NEW.point_units, NEW.point_units_before))
EXECUTE FUNCTION loyalty_point_value_by_its_change();
"""

STATEMENTS = [
    (FUNCTION, "DROP FUNCTION loyalty_point_value_by_its_change();"),
    (TRIGGER, "DROP TRIGGER loyalty_program_point_value ON loyalty_program;"),
    guards.triggers(CHANGE, "DELETE", name=f"{CHANGE}_no_delete"),
    guards.no_truncate(CHANGE),
    guards.fixed(CHANGE, FIXED),
    tiers.replaced(
        guards.fixed(MOVEMENT, MOVEMENT_BEFORE),
        guards.fixed(MOVEMENT, f"{MOVEMENT_BEFORE}, worth, point_value_id, grant_id"),
    ),
]


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0027_point_values")]

    operations = [migrations.RunSQL(sql, reverse_sql=undo) for sql, undo in STATEMENTS]
