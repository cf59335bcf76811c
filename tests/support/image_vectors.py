"""Items that look as they are told to, without a network, and orders of products that are sold together."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from django.contrib.auth.models import User
from django.utils import timezone

from ecomrec_django.models import Item, ItemPicture
from ecomrec_django.pipeline.image_vectors import pack_vectors
from example_shop.models import Order, OrderLine, Product
from tests.support.camping_shop import START


def paint(colours: dict[str, tuple[float, ...]], **more) -> None:
    """The items (by the shop's ids) get vectors of length 1 in these directions."""
    for external_id, direction in colours.items():
        vector = np.array([direction], np.float32)
        vector /= np.sqrt((vector**2).sum())
        ItemPicture.objects.update_or_create(
            item=Item.objects.get(external_id=external_id),
            defaults={"vector": pack_vectors(vector)[0], "network": "planted", "read_at": timezone.now(), **more},
        )


def buy_together(*skus: str, customers: int = 30) -> None:
    """Each of some customers has bought these products, in one order."""
    products = [Product.objects.get(sku=sku) for sku in skus]
    for number in range(customers):
        user = User.objects.create(username=f"pair-{number}")
        order = Order.objects.create(number=f"pair-{number}", user=user, placed=START + timedelta(hours=number))
        OrderLine.objects.bulk_create(
            OrderLine(order=order, product=one, sku=one.sku, unit_price=one.price) for one in products
        )
    # All else is sold alone, so that a pair is more than chance and nothing is new.
    for number, other in enumerate(Product.objects.exclude(sku__in=skus)):
        order = Order.objects.create(number=f"other-{number}", placed=START + timedelta(hours=number))
        OrderLine.objects.create(order=order, product=other, sku=other.sku, unit_price=other.price)
