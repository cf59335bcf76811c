"""Products of other shops: with integer, UUID and slug keys, and as little else as can be."""

import uuid

from django.db import models


class IntegerProduct(models.Model):
    title = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    category = models.CharField(max_length=200, blank=True)
    stock = models.IntegerField(default=1)


class UUIDProduct(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    title = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    category = models.CharField(max_length=200, blank=True)
    stock = models.IntegerField(default=1)


class SlugProduct(models.Model):
    slug = models.SlugField(primary_key=True, max_length=100)
    title = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    category = models.CharField(max_length=200, blank=True)
    stock = models.IntegerField(default=1)
