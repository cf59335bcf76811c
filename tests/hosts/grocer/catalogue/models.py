import uuid

from django.db import models


class Department(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=100)
    above = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="below")

    def __str__(self):
        return self.title


class Product(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ean = models.CharField(max_length=13, unique=True)
    label = models.CharField(max_length=200)
    maker = models.CharField(max_length=100, blank=True)
    department = models.ForeignKey(Department, models.PROTECT, related_name="products")
    price_cents = models.PositiveIntegerField()
    image_url = models.URLField(blank=True)
    sold_out = models.BooleanField(default=False)
    listed = models.BooleanField(default=True)

    class Meta:
        ordering = ["label"]

    def __str__(self):
        return self.label
