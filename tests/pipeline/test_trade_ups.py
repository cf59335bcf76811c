"""Upgrades for one shopper: customers who are loyal to a brand move up to that brand's better product."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ecomrec_django.catalog.sync import sync
from ecomrec_django.models import Event, Item, Visitor
from ecomrec_django.pipeline.publish import publish
from ecomrec_django.pipeline.train import train
from ecomrec_django.serving.model_cache import cached_model
from ecomrec_django.serving.offers import offers
from ecomrec_django.tracking.visitors import token_key
from example_shop.models import Category, Product
from tests.support.route_shop import token
from tests.support.shoppers import asking

pytestmark = pytest.mark.django_db
CUSTOMERS, WEEKS, NEEDS = 180, 13, 3
# The last of them have not moved up yet.
YET = 30
LAST = range(CUSTOMERS - YET, CUSTOMERS)
BRANDS = ("Oak", "Elm")
START = datetime(2025, 1, 6, 9, tzinfo=UTC)


def shop(loyal: bool) -> list[str]:
    """Everybody buys bread of their brand, and a plain product of every other need, each week; and in the end moves up
    in all of these: to their own brand, or to any. Returns the brand of each customer."""
    rng = np.random.default_rng(0)
    shelves = [Category.objects.create(name=f"Need {number}", slug=f"need-{number}") for number in range(NEEDS + 1)]
    products = [(f"bread-{brand}", brand, shelves[0], 3) for brand in BRANDS]
    for number, shelf in enumerate(shelves[1:]):
        products.append((f"plain-{number}", "Plain", shelf, 10))
        products += [(f"fine-{number}-{brand}", brand, shelf, 14) for brand in BRANDS]
    Product.objects.bulk_create(
        Product(sku=sku, title=sku.split("-")[0], brand=brand, category=shelf, price=price)
        for sku, brand, shelf, price in products
    )
    sync()
    items = dict(Item.objects.values_list("external_id", "pk"))
    visitors = [Visitor.objects.create(key=token_key(token(number))).pk for number in range(CUSTOMERS)]
    brands = [str(brand) for brand in rng.choice(BRANDS, CUSTOMERS)]
    events = []
    for week in range(WEEKS + 1):
        for customer, brand in enumerate(brands):
            bought = [f"bread-{brand}"]
            for number in range(NEEDS):
                finest = brand if loyal else rng.choice(BRANDS)
                moves = week == WEEKS and customer < CUSTOMERS - YET
                bought.append(f"fine-{number}-{finest}" if moves else f"plain-{number}")
            events += [
                Event(
                    kind="purchase",
                    visitor_id=visitors[customer],
                    item_id=items[sku],
                    time=START + timedelta(weeks=week, minutes=customer),
                    price=1,
                    basket=f"{week}-{customer}",
                    key=f"purchase:{week}-{customer}-{sku}",
                )
                for sku in bought
            ]
    Event.objects.bulk_create(events, batch_size=2_000)
    return brands


@pytest.mark.once
def test_upgrades_follow_the_brands_of_each_shopper():
    brands = shop(loyal=True)
    run = train()
    # What is bought in the end was never bought before, so that bestsellers predict all other offers better.
    publish(run.release, note="planted")
    found = run.metrics["trade_ups"]
    assert found["cases"] > 100
    assert found["mrr"] > 0.95
    assert found["bestsellers_mrr"] < 0.85
    assert cached_model(run.release.pk, run.release.digest, wait=True).rankers["upgrade_to"].useful
    # Two brands of one price: for everybody one of the two leads, for each customer their own.
    first = [offers(asking(token(number)), "upgrade_to", ["plain-1"]).offers[0].item for number in LAST]
    assert first == [f"fine-1-{brand}" for brand in brands[-YET:]]
    assert len(set(first)) == 2


@pytest.mark.once
def test_random_trade_ups_leave_the_lists_as_they_are():
    shop(loyal=False)
    run = train()
    # What is bought in the end was never bought before, so that bestsellers predict all other offers better.
    publish(run.release, note="planted")
    rankers = cached_model(run.release.pk, run.release.digest, wait=True).rankers
    assert not rankers["upgrade_to"].useful
    assert "Not enough history to personalise “Upgrade to”" in run.message
    first = {offers(asking(token(number)), "upgrade_to", ["plain-1"]).offers[0].item for number in LAST}
    assert len(first) == 1
