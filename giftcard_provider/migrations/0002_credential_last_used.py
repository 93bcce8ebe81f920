from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('giftcard_provider', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='credential',
            name='last_used_on',
            field=models.DateField(editable=False, null=True, verbose_name='last used on'),
        ),
    ]
