"""What a message is about stays as written: also the order and the change of tier."""

from importlib import import_module

from django.db import migrations

guards = import_module("loyalty.migrations.0002_refuse_rewriting_history")
messages = import_module("loyalty.migrations.0012_messages_guards")
tiers = import_module("loyalty.migrations.0020_tiers_guards")

sql, undo = tiers.replaced(
    guards.fixed(messages.TABLE, messages.FIXED),
    guards.fixed(messages.TABLE, f"{messages.FIXED}, order_id, tier_change_id"),
)


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0021_news")]

    operations = [migrations.RunSQL(sql, reverse_sql=undo)]
