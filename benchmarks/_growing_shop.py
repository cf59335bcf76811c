"""A shop whose shoppers have tastes, of any size: twelve purchase lines each, in four orders of three."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from django.core.management import call_command

from ecomrec_django.db import DriverValues, bulk_insert
from ecomrec_django.models import Event, Item, Kind, Visitor
from example_shop.models import Category, Product

ORDERS, LINES, DAYS = 4, 3, 180
AISLES, NEEDS = 20, 5
# Groups of shoppers who like the same products, and the share of lines that follow it.
TASTES, LOYALTY = 50, 0.6
AT_ONCE = 50_000


def fill(shoppers: int, items: int) -> None:
    """Products, mirrored, and the purchases of ``shoppers``; about as uneven as a shop's sales are."""
    needs = []
    for aisle in range(AISLES):
        parent = Category.objects.create(name=f"Aisle {aisle}", slug=f"{aisle}")
        for need in range(NEEDS):
            needs.append(Category.objects.create(name=f"Need {aisle}.{need}", slug=f"{aisle}-{need}", parent=parent))
    Product.objects.bulk_create(
        (
            Product(
                sku=f"{number}",
                title=f"Product {number}",
                category=needs[number % len(needs)],
                brand=f"Brand {number % 37}",
                price=Decimal(100 + number * 7919 % 2_000) / 100,
            )
            for number in range(items)
        ),
        batch_size=5_000,
    )
    call_command("ecomrec_sync", verbosity=0)
    mirrored = dict(Item.objects.values_list("external_id", "pk"))
    pks = np.array([mirrored[f"{number}"] for number in range(items)])
    values, rng = DriverValues(Event), np.random.default_rng(0)
    sold = (1 / np.arange(1, items + 1) ** 0.8).cumsum()
    end = datetime(2026, 6, 1, tzinfo=UTC)
    for start in range(0, shoppers, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, shoppers))
        Visitor.objects.bulk_create((Visitor(key=f"{number:064x}") for number in numbers), batch_size=10_000)
        visitors = list(Visitor.objects.order_by("pk").values_list("pk", flat=True)[start : numbers.stop])
        size = (len(numbers), ORDERS, LINES)
        item = sold.searchsorted(rng.random(size) * sold[-1])
        taste = (np.arange(start, numbers.stop) % TASTES)[:, None, None]
        item = np.where(rng.random(size) < LOYALTY, item // TASTES * TASTES + taste, item).clip(0, items - 1)
        minute = rng.integers(0, DAYS * 1440, size[:2])
        rows = (
            (
                Kind.PURCHASE.value,
                visitors[shopper],
                int(pks[item[shopper, order, line]]),
                values.time(end - timedelta(minutes=int(minute[shopper, order]))),
                1,
                values.price(Decimal(5)),
                f"{start + shopper}-{order}",
                "",
                False,
                "",
                f"purchase:{start + shopper}-{order}-{line}",
            )
            for shopper in range(len(numbers))
            for order in range(ORDERS)
            for line in range(LINES)
        )
        bulk_insert(Event, COLUMNS, list(rows))


COLUMNS = ("kind", "visitor", "item", "time", "quantity", "price", "basket", "session", "component", "policy", "key")
