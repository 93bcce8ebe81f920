"""The index by which customers are found by their profile, made while purchases go on."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("loyalty", "0031_merging_guards")]

    operations = [
        AddIndexConcurrently(
            model_name='customer',
            index=models.Index(fields=['store', 'profile_id'], name='customer_profile'),
        ),
    ]
