"""The example shop with customers who walk routes: what they buy next follows from what they bought last, and from
nothing else. Nobody buys anything twice, and the products of one basket have nothing to do with each other.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from ecomrec_django.catalog.sync import sync
from ecomrec_django.models import Event, Item, Visitor
from ecomrec_django.tracking.visitors import token_key
from example_shop.models import Category, Product

ROUTES, STEPS, OTHERS = 8, 6, 24
CUSTOMERS, WEEKS = 240, 12
START = datetime(2025, 1, 6, 9, tzinfo=UTC)


def token(customer: int) -> str:
    """The cookie of a customer."""
    return f"{customer:032d}"


def sku(route: int, step: int) -> str:
    return f"route-{route}-{step}"


class RouteShop:
    """The planted truth: ``following`` (sku or None at a route's end) of each customer."""

    def __init__(self, customers: int = CUSTOMERS, weeks: int = WEEKS) -> None:
        rng = np.random.default_rng(0)
        root = Category.objects.create(name="Market", slug="market")
        leaves = [
            Category.objects.create(name=f"Shelf {shelf}", slug=f"shelf-{shelf}", parent=root)
            for shelf in range(STEPS + 1)
        ]
        products = [(sku(route, step), leaves[step]) for route in range(ROUTES) for step in range(STEPS)]
        products += [(f"other-{number}", leaves[-1]) for number in range(OTHERS)]
        Product.objects.bulk_create(
            Product(sku=name, title=f"Good {name}", category=leaf, price=5) for name, leaf in products
        )
        sync()
        items = dict(Item.objects.values_list("external_id", "pk"))
        Visitor.objects.bulk_create(Visitor(key=token_key(token(number))) for number in range(customers))
        visitors = dict(Visitor.objects.values_list("key", "pk"))
        self.following: list[str | None] = []
        events = []
        for customer in range(customers):
            # Each customer begins somewhere on a route, and takes another one at its end.
            routes, begin = rng.permutation(ROUTES), int(rng.integers(STEPS))
            path = [sku(route, step) for route in routes for step in range(STEPS)][begin : begin + weeks + 1]
            at = begin + weeks
            self.following.append(path[weeks] if at % STEPS else None)
            for week in range(weeks):
                taken = {path[week], *(f"other-{number}" for number in rng.integers(OTHERS, size=2))}
                time = START + timedelta(weeks=week, hours=customer % 90)
                for minute, name in enumerate(sorted(taken)):
                    events.append(
                        Event(
                            kind="purchase",
                            visitor_id=visitors[token_key(token(customer))],
                            item_id=items[name],
                            time=time + timedelta(minutes=minute),
                            price=5,
                            basket=f"{week}-{customer}",
                            key=f"purchase:{week}-{customer}-{name}",
                        )
                    )
        Event.objects.bulk_create(events, batch_size=2_000)
