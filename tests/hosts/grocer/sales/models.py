import uuid

from django.conf import settings
from django.db import models

from catalogue.models import Product


class Order(models.Model):
    """A basket until it is placed."""

    class State(models.TextChoices):
        BASKET = "basket"
        PLACED = "placed"
        DELIVERED = "delivered"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    buyer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="orders")
    state = models.CharField(max_length=10, choices=State.choices, default=State.BASKET)
    placed_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(auto_now=True)


class OrderLine(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.SET_NULL, null=True)
    qty = models.PositiveSmallIntegerField(default=1)
    unit_price_cents = models.PositiveIntegerField()
    refunded_qty = models.PositiveSmallIntegerField(default=0)
