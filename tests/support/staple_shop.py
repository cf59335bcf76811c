"""The example shop with customers who buy staples of their own every week, and each one appliance ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from django.db import transaction

from ecomrec_django.catalog.sync import sync
from ecomrec_django.history.export import mark_stale
from ecomrec_django.models import Event, Item, Visitor
from ecomrec_django.pipeline.train import train
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.visitors import token_key
from example_shop.models import Category, Product

AISLES, PER_AISLE, STAPLES = 6, 8, 4
CUSTOMERS, WEEKS = 100, 20
APPLIANCES = "appliances"
START = datetime(2025, 1, 6, 9, tzinfo=UTC)


def token(customer: int) -> str:
    """The cookie of a customer."""
    return f"{customer:032d}"


def sku(aisle: int, place: int) -> str:
    return f"item-{aisle}-{place}"


class StapleShop:
    """The planted truth: ``staples`` and ``appliance`` (skus) of each customer."""

    def __init__(self, customers: int = CUSTOMERS, weeks: int = WEEKS) -> None:
        rng = np.random.default_rng(0)
        aisles = [rng.choice(AISLES, STAPLES, replace=False) for _ in range(customers)]
        self.staples = [[sku(aisle, rng.integers(PER_AISLE)) for aisle in own] for own in aisles]
        self.appliance = [f"{APPLIANCES}-{rng.integers(PER_AISLE)}" for _ in range(customers)]
        self._stock()
        self._sell(rng, weeks)

    def _stock(self) -> None:
        root = Category.objects.create(name="Market", slug="market")
        for aisle in [*range(AISLES), APPLIANCES]:
            name = f"item-{aisle}" if aisle != APPLIANCES else APPLIANCES
            leaf = Category.objects.create(name=f"Aisle {aisle}", slug=name, parent=root)
            Product.objects.bulk_create(
                Product(sku=f"{name}-{place}", title=f"Good {name} {place}", category=leaf, price=2 + place)
                for place in range(PER_AISLE)
            )
        sync()

    def _sell(self, rng: np.random.Generator, weeks: int) -> None:
        """Each week most of a customer's staples and two other products; the appliance in one of the first weeks."""
        items = dict(Item.objects.values_list("external_id", "pk"))
        Visitor.objects.bulk_create(Visitor(key=token_key(token(number))) for number in range(len(self.staples)))
        visitors = dict(Visitor.objects.values_list("key", "pk"))
        events = []
        first = rng.integers(0, weeks // 2, len(self.staples))
        for week in range(weeks):
            for customer, staples in enumerate(self.staples):
                taken = {name for name in staples if rng.random() < 0.8}
                taken |= {sku(rng.integers(AISLES), rng.integers(PER_AISLE)) for _ in range(2)}
                if week == first[customer]:
                    taken.add(self.appliance[customer])
                time = START + timedelta(weeks=week, hours=customer % 90)
                events += [
                    Event(
                        kind="purchase",
                        visitor_id=visitors[token_key(token(customer))],
                        item_id=items[name],
                        time=time,
                        price=3,
                        basket=f"{week}-{customer}",
                        key=f"purchase:{week}-{customer}-{name}",
                    )
                    for name in sorted(taken)
                ]
        Event.objects.bulk_create(events, batch_size=2_000)


@contextmanager
def published_staple_shop(artifacts: Path, *size: int) -> Iterator[StapleShop]:
    """The shop (of so many customers and weeks), trained and published once for the tests of a class, each of which
    ends as it began.

    What they change lies in savepoints of this transaction, which is rolled back at the end.
    """
    with transaction.atomic():
        with override_ecomrec(ARTIFACTS=artifacts):
            shop = StapleShop(*size)
            train(publish=True)
        yield shop
        transaction.set_rollback(True)


def shuffle_purchases() -> None:
    """Deal the items of all purchases out anew: each sells as often as before, and nobody has a habit."""
    lines = list(Event.objects.filter(kind="purchase").order_by("pk"))
    mark_stale(Event.objects.filter(kind="purchase"))
    items = np.random.default_rng(1).permutation([line.item_id for line in lines])
    for line, item in zip(lines, items.tolist(), strict=True):
        line.item_id = item
    Event.objects.bulk_update(lines, ["item_id"], batch_size=500)
