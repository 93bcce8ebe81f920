"""The indexes of a program's figures, made while purchases go on."""

import django.db.models.deletion
import django.db.models.expressions
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("loyalty", "0023_program_figures")]

    operations = [
        AddIndexConcurrently(
            model_name='earning',
            index=models.Index(condition=models.Q(('due__gt', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('credited'), '-', models.F('taken')), '-', models.F('forgiven')))), fields=['rule'], name='earning_pending'),
        ),
        AddIndexConcurrently(
            model_name='giftcard',
            index=models.Index(fields=['program', 'created_at'], include=('status',), name='card_joined'),
        ),
        AddIndexConcurrently(
            model_name='grant',
            index=models.Index(condition=models.Q(('origin', 'earning')), fields=['valid_from'], name='grant_earned_start'),
        ),
        migrations.AlterField(
            model_name='giftcard',
            name='program',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='cards', to='loyalty.program', verbose_name='program'),
        ),
    ]
