"""Proofs of the books stay; a link of a chain is only ever added."""

from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

guards = import_module("loyalty.migrations.0002_refuse_rewriting_history")

NEVER_DELETED = ("loyalty_proof", "loyalty_proofdifference")
STATEMENTS = [
    guards.triggers("loyalty_chainlink", "UPDATE OR DELETE", name="loyalty_chainlink_append_only"),
    guards.no_truncate("loyalty_chainlink"),
    *(guards.triggers(table, "DELETE", name=f"{table}_no_delete") for table in NEVER_DELETED),
    *(guards.no_truncate(table) for table in NEVER_DELETED),
]


class Migration(migrations.Migration):

    dependencies = [
        ('loyalty', '0015_redemption'),
    ]

    operations = [
        migrations.AlterField(
            model_name='alert',
            name='kind',
            field=models.CharField(choices=[('nobody_watches', 'nothing runs'), ('late', 'periodic work is late'), ('failed', 'periodic work failed'), ('job_failed', 'a job failed'), ('books_wrong', 'the books are wrong'), ('holds_old', 'purchases hold money for long'), ('job_waits', 'no worker takes a job up')], max_length=20, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='job',
            name='kind',
            field=models.CharField(choices=[('issue_batch', 'issue a batch'), ('extend_batch', 'extend a batch'), ('undo_batch', 'undo a batch or import'), ('check_import', 'check an import'), ('apply_import', 'apply an import'), ('reconcile', "compare with the store's orders"), ('change_hub', "ask VTEX's Gift Card Hub"), ('self_test', 'test the protocol'), ('expire', 'book expired credit'), ('prove_changes', 'prove what changed'), ('prove_all', 'prove everything')], max_length=16, verbose_name='kind'),
        ),
        migrations.CreateModel(
            name='Proof',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(choices=[('changes', 'what changed'), ('everything', 'everything')], max_length=10, verbose_name='proof of')),
                ('started_at', models.DateTimeField(verbose_name='started at')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='finished at')),
                ('cards', models.BigIntegerField(default=0, verbose_name='cards')),
                ('differences', models.BigIntegerField(default=0, verbose_name='differences')),
                ('links', models.BigIntegerField(null=True, verbose_name='links')),
                ('seal', models.BinaryField(max_length=32, null=True, verbose_name='seal')),
            ],
            options={
                'verbose_name': 'proof of the books',
                'verbose_name_plural': 'proofs of the books',
                'ordering': ['-id'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('finished_at', None), ('links', None), ('seal', None)), models.Q(('finished_at__isnull', False), ('links__gte', 0), ('seal__isnull', False)), _connector='OR'), name='proof_sealed_at_its_end')],
            },
        ),
        migrations.CreateModel(
            name='ChainLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key_id', models.CharField(max_length=8, verbose_name='key')),
                ('after', models.BigIntegerField(verbose_name='after entry')),
                ('upto', models.BigIntegerField(verbose_name='up to entry')),
                ('digest', models.BinaryField(max_length=32, verbose_name='digest')),
                ('made_at', models.DateTimeField(verbose_name='made at')),
                ('card', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.giftcard', verbose_name='gift card')),
            ],
            options={
                'verbose_name': 'link of a chain',
                'verbose_name_plural': 'links of chains',
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('card', 'key_id', 'after'), name='chain_link_once'), models.CheckConstraint(condition=models.Q(('after__gte', 0), ('upto__gt', models.F('after'))), name='chain_link_numbers')],
            },
        ),
        migrations.CreateModel(
            name='ProofDifference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('check_name', models.CharField(max_length=8, verbose_name='promise')),
                ('figures', models.TextField(verbose_name='figures')),
                ('first_seen', models.DateTimeField(verbose_name='first seen')),
                ('last_seen', models.DateTimeField(verbose_name='last seen')),
                ('gone_at', models.DateTimeField(null=True, verbose_name='gone at')),
                ('card', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.giftcard', verbose_name='gift card')),
                ('proof', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='found', to='loyalty.proof', verbose_name='first found by')),
            ],
            options={
                'verbose_name': 'difference in the books',
                'verbose_name_plural': 'differences in the books',
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('gone_at', None)), fields=('check_name', 'card'), name='proof_difference_once', nulls_distinct=False)],
            },
        ),
        *(migrations.RunSQL(sql, reverse_sql=undo) for sql, undo in STATEMENTS),
    ]
