"""What a customer of a batch is to get stays as it was drafted."""

from importlib import import_module

from django.db import migrations

guards = import_module("loyalty.migrations.0004_back_office_guards")

sql, undo = guards.fixed("loyalty_batchowner", "batch_id, number, amount")


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0025_credit_batches")]

    operations = [migrations.RunSQL(sql, reverse_sql=undo)]
