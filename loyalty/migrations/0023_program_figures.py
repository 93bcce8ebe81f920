"""What the page of a loyalty program is made of; the worker fills it."""

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('loyalty', '0022_news_guards'),
    ]

    operations = [
        migrations.CreateModel(
            name='BookActive',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.DateField(verbose_name='month')),
            ],
            options={
                'verbose_name': 'active wallet',
                'verbose_name_plural': 'active wallets',
            },
        ),
        migrations.CreateModel(
            name='BookCause',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('exponent', models.PositiveSmallIntegerField(verbose_name='digits of the units')),
                ('day', models.DateField(verbose_name='day')),
                ('origin', models.CharField(max_length=12, verbose_name='origin')),
                ('verb', models.CharField(max_length=9, verbose_name='verb')),
                ('rule', models.BigIntegerField(verbose_name='rule')),
                ('campaign', models.BigIntegerField(verbose_name='campaign')),
                ('source', models.CharField(choices=[('outside', 'outside'), ('available', 'available'), ('held', 'held'), ('spent', 'spent'), ('expired', 'expired'), ('removed', 'removed')], max_length=9, verbose_name='from')),
                ('target', models.CharField(choices=[('outside', 'outside'), ('available', 'available'), ('held', 'held'), ('spent', 'spent'), ('expired', 'expired'), ('removed', 'removed')], max_length=9, verbose_name='to')),
                ('amount', models.DecimalField(decimal_places=0, max_digits=38, verbose_name='amount')),
                ('count', models.BigIntegerField(verbose_name='number of entries')),
            ],
            options={
                'verbose_name': 'cause in the books',
                'verbose_name_plural': 'causes in the books',
            },
        ),
        migrations.CreateModel(
            name='BookJoined',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('exponent', models.PositiveSmallIntegerField(verbose_name='digits of the units')),
                ('joined', models.DateField(verbose_name='month of the wallet')),
                ('month', models.DateField(verbose_name='month of the movement')),
                ('given', models.DecimalField(decimal_places=0, max_digits=38, verbose_name='given')),
                ('spent', models.DecimalField(decimal_places=0, max_digits=38, verbose_name='spent')),
                ('active', models.BigIntegerField(verbose_name='active wallets')),
            ],
            options={
                'verbose_name': 'month of wallets',
                'verbose_name_plural': 'months of wallets',
            },
        ),
        migrations.AddField(
            model_name='bookactive',
            name='card',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.giftcard', verbose_name='gift card'),
        ),
        migrations.AddField(
            model_name='bookcause',
            name='program',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.program', verbose_name='program'),
        ),
        migrations.AddField(
            model_name='bookcause',
            name='store',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.store', verbose_name='store'),
        ),
        migrations.AddField(
            model_name='bookjoined',
            name='program',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.program', verbose_name='program'),
        ),
        migrations.AddField(
            model_name='bookjoined',
            name='store',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.store', verbose_name='store'),
        ),
        migrations.AddConstraint(
            model_name='bookactive',
            constraint=models.UniqueConstraint(fields=('card', 'month'), name='book_active_once'),
        ),
        migrations.AddConstraint(
            model_name='bookcause',
            constraint=models.UniqueConstraint(fields=('program', 'day', 'store', 'currency', 'exponent', 'origin', 'verb', 'rule', 'campaign', 'source', 'target'), name='book_cause_once'),
        ),
        migrations.AddConstraint(
            model_name='bookjoined',
            constraint=models.UniqueConstraint(fields=('program', 'joined', 'month', 'store', 'currency', 'exponent'), name='book_joined_once'),
        ),
    ]
