import uuid

import django.contrib.postgres.fields
from django.contrib.postgres.operations import CreateCollation
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        CreateCollation("case_insensitive", provider="icu", locale="und-u-ks-level2", deterministic=False),
        migrations.CreateModel(
            name="Garment",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("sku", models.CharField(db_collation="case_insensitive", max_length=40, unique=True)),
                ("title", models.CharField(max_length=100)),
                (
                    "shelf",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), default=list, size=None
                    ),
                ),
                ("price", models.DecimalField(decimal_places=2, max_digits=10)),
                ("facts", models.JSONField(default=dict)),
            ],
        ),
    ]
