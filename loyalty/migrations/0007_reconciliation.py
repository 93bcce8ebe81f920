"""Runs and differences of the reconciliation: never deleted; what a difference is about stays."""

from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

guards = import_module("loyalty.migrations.0002_refuse_rewriting_history")

NEVER_DELETED = ("loyalty_reconciliationrun", "loyalty_discrepancy")
FIXED_COLUMNS = {
    "loyalty_reconciliationrun": "store_id, source, by, since, until, requested_by_id, started_at",
    "loyalty_discrepancy": "store_id, kind, key, run_id, first_seen",
}
STATEMENTS = [
    *(guards.triggers(table, "DELETE", name=f"{table}_no_delete") for table in NEVER_DELETED),
    *(guards.no_truncate(table) for table in NEVER_DELETED),
    *(guards.fixed(table, columns) for table, columns in FIXED_COLUMNS.items()),
]


class Migration(migrations.Migration):

    dependencies = [
        ('loyalty', '0006_books_guards'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ReconciliationRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(choices=[('orders', "the store's orders"), ('file', 'a file')], max_length=6, verbose_name='compared with')),
                ('by', models.CharField(choices=[('authorized', 'authorized'), ('changed', 'changed')], max_length=10, verbose_name='window of what was')),
                ('since', models.DateTimeField(verbose_name='since')),
                ('until', models.DateTimeField(verbose_name='until')),
                ('compared_until', models.DateTimeField(verbose_name='compared until')),
                ('status', models.CharField(choices=[('running', 'running'), ('done', 'done'), ('failed', 'failed')], default='running', editable=False, max_length=7, verbose_name='status')),
                ('progress', models.JSONField(default=dict, editable=False, verbose_name='progress')),
                ('counts', models.JSONField(default=dict, editable=False, verbose_name='counts')),
                ('calls', models.BigIntegerField(default=0, editable=False, verbose_name='calls made')),
                ('error', models.TextField(blank=True, editable=False, verbose_name='error')),
                ('started_at', models.DateTimeField(verbose_name='started at')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='finished at')),
            ],
            options={
                'verbose_name': 'reconciliation',
                'verbose_name_plural': 'reconciliations',
                'ordering': ['-id'],
            },
        ),
        migrations.AlterField(
            model_name='job',
            name='kind',
            field=models.CharField(choices=[('issue_batch', 'issue a batch'), ('extend_batch', 'extend a batch'), ('undo_batch', 'undo a batch or import'), ('check_import', 'check an import'), ('apply_import', 'apply an import'), ('reconcile', "compare with the store's orders")], max_length=16, verbose_name='kind'),
        ),
        migrations.CreateModel(
            name='ReconciliationFile',
            fields=[
                ('run', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='file', serialize=False, to='loyalty.reconciliationrun', verbose_name='reconciliation')),
                ('name', models.CharField(max_length=200, verbose_name='file name')),
                ('content', models.BinaryField(verbose_name='sealed content')),
            ],
            options={
                'verbose_name': 'file of a reconciliation',
                'verbose_name_plural': 'files of reconciliations',
            },
        ),
        migrations.AddField(
            model_name='reconciliationrun',
            name='job',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.job', verbose_name='job'),
        ),
        migrations.AddField(
            model_name='reconciliationrun',
            name='requested_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='asked for by'),
        ),
        migrations.AddField(
            model_name='reconciliationrun',
            name='store',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reconciliation_runs', to='loyalty.store', verbose_name='store'),
        ),
        migrations.CreateModel(
            name='Discrepancy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('payment_without_debit', 'payment without a purchase here'), ('debit_without_order', 'purchase here without an order'), ('canceled_but_held', 'canceled there, not given back here'), ('refund', 'another amount given back'), ('settlement', 'another amount settled'), ('figures', 'another amount, currency, card or id'), ('double_debit', 'paid twice with the same card'), ('reward', 'reward missing or given twice')], max_length=24, verbose_name='kind')),
                ('key', models.CharField(max_length=128, verbose_name='key')),
                ('severity', models.PositiveSmallIntegerField(choices=[(1, 'to look at'), (2, 'money is stuck'), (3, 'money is missing')], verbose_name='severity')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('amount', models.BigIntegerField(verbose_name='amount at risk')),
                ('ours', models.JSONField(default=dict, verbose_name='our figures')),
                ('theirs', models.JSONField(default=dict, verbose_name="the store's figures")),
                ('evidence', models.JSONField(default=dict, verbose_name='evidence')),
                ('remedy', models.CharField(choices=[('none', 'none proposed'), ('release', 'release what is held'), ('refund', 'give back'), ('settle', 'settle'), ('take_back', 'take the credit back')], default='none', max_length=9, verbose_name='remedy')),
                ('remedy_units', models.BigIntegerField(default=0, verbose_name='units of the remedy')),
                ('status', models.CharField(choices=[('open', 'open'), ('ignored', 'ignored'), ('closed', 'closed')], default='open', max_length=7, verbose_name='status')),
                ('order_group', models.CharField(blank=True, max_length=64, verbose_name='order')),
                ('first_seen', models.DateTimeField(verbose_name='first seen')),
                ('last_seen', models.DateTimeField(verbose_name='last seen')),
                ('closed_at', models.DateTimeField(null=True, verbose_name='closed at')),
                ('reopened', models.PositiveIntegerField(default=0, verbose_name='times it came back')),
                ('note', models.CharField(blank=True, max_length=500, verbose_name='note')),
                ('ignored_because', models.CharField(blank=True, max_length=500, verbose_name='why it is ignored')),
                ('assigned_to', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='discrepancies', to=settings.AUTH_USER_MODEL, verbose_name='assigned to')),
                ('card', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='discrepancies', to='loyalty.giftcard', verbose_name='gift card')),
                ('store', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='discrepancies', to='loyalty.store', verbose_name='store')),
                ('transaction', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='discrepancies', to='loyalty.transaction', verbose_name='transaction')),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.reconciliationrun', verbose_name='first found by')),
            ],
            options={
                'verbose_name': 'difference',
                'verbose_name_plural': 'differences',
                'ordering': ['-id'],
            },
        ),
        migrations.AddConstraint(
            model_name='reconciliationrun',
            constraint=models.CheckConstraint(condition=models.Q(('compared_until__gte', models.F('since')), ('compared_until__lte', models.F('until')), ('since__lt', models.F('until'))), name='reconciliation_window'),
        ),
        migrations.AddConstraint(
            model_name='reconciliationrun',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('finished_at', None), ('status', 'running')), models.Q(('finished_at__isnull', False), ('status__in', ['done', 'failed'])), _connector='OR'), name='reconciliation_status'),
        ),
        migrations.AddConstraint(
            model_name='reconciliationrun',
            constraint=models.CheckConstraint(condition=models.Q(('calls__gte', 0)), name='reconciliation_calls'),
        ),
        migrations.AddIndex(
            model_name='discrepancy',
            index=models.Index(fields=['store', 'order_group'], name='discrepancy_order'),
        ),
        migrations.AddIndex(
            model_name='discrepancy',
            index=models.Index(condition=models.Q(('status', 'open')), fields=['store', 'id'], name='discrepancy_open'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.UniqueConstraint(fields=('store', 'kind', 'key'), name='discrepancy_once'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['payment_without_debit', 'debit_without_order', 'canceled_but_held', 'refund', 'settlement', 'figures', 'double_debit', 'reward']), ('severity__in', [1, 2, 3]), ('remedy__in', ['none', 'release', 'refund', 'settle', 'take_back'])), name='discrepancy_choices'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', 0), ('remedy_units__gte', 0)), name='discrepancy_amounts'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('remedy', 'none'), ('remedy_units', 0)), models.Q(models.Q(('remedy', 'none'), _negated=True), ('remedy_units__gt', 0), ('transaction__isnull', False)), _connector='OR'), name='discrepancy_remedy'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('ignored_because', ''), ('status', 'open')), models.Q(('closed_at', None), ('status', 'ignored'), models.Q(('ignored_because', ''), _negated=True)), models.Q(('closed_at__isnull', False), ('status', 'closed')), _connector='OR'), name='discrepancy_status'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.CheckConstraint(condition=models.Q(('last_seen__gte', models.F('first_seen'))), name='discrepancy_seen'),
        ),
        *(migrations.RunSQL(sql, reverse_sql=undo) for sql, undo in STATEMENTS),
    ]
