"""Products of a shop that makes use of what PostgreSQL alone has; installed on PostgreSQL alone."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Garment(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    # Compared as citext is: "BOOT" is "boot".
    sku = models.CharField(max_length=40, unique=True, db_collation="case_insensitive")
    title = models.CharField(max_length=100)
    shelf = ArrayField(models.CharField(max_length=40), default=list)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    facts = models.JSONField(default=dict)
