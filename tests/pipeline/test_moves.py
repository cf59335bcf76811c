"""Upgrades for one shopper: customers who are loyal to a brand move up to that brand's better product."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ecomrec_django.catalog.sync import sync
from ecomrec_django.models import Event, Item, Visitor
from ecomrec_django.pipeline.publish import publish
from ecomrec_django.pipeline.train import train
from ecomrec_django.serving.learned import model_of
from ecomrec_django.serving.offers import offers
from ecomrec_django.tracking.visitors import token_key
from example_shop.models import Category, Product
from tests.route_shop import token
from tests.serving.shoppers import asking

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
    goods = [(f"bread-{brand}", brand, shelves[0], 3) for brand in BRANDS]
    for number, shelf in enumerate(shelves[1:]):
        goods.append((f"plain-{number}", "Plain", shelf, 10))
        goods += [(f"fine-{number}-{brand}", brand, shelf, 14) for brand in BRANDS]
    Product.objects.bulk_create(
        Product(sku=sku, title=sku.split("-")[0], brand=brand, category=shelf, price=price)
        for sku, brand, shelf, price in goods
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


def test_where_brands_tell_each_shopper_is_offered_their_own_and_the_run_says_how_well_that_foretold():
    brands = shop(loyal=True)
    run = train()
    # What is bought in the end was never bought before, so that bestsellers foretell all other offers better.
    publish(run.release, note="planted")
    found = run.metrics["moves_up"]
    assert found["cases"] > 100
    assert found["mrr"] > 0.95
    assert found["mrr of bestsellers"] < 0.85
    assert model_of(run.release.pk, run.release.digest, wait=True).rankers["upgrade_to"].useful
    # Two brands of one price: for everybody one of the two leads, for each customer their own.
    first = [offers(asking(token(number)), "upgrade_to", ["plain-1"]).offers[0].item for number in LAST]
    assert first == [f"fine-1-{brand}" for brand in brands[-YET:]]
    assert len(set(first)) == 2


def test_where_nothing_tells_who_moves_where_everybody_sees_the_list():
    shop(loyal=False)
    run = train()
    # What is bought in the end was never bought before, so that bestsellers foretell all other offers better.
    publish(run.release, note="planted")
    rankers = model_of(run.release.pk, run.release.digest, wait=True).rankers
    assert not rankers["upgrade_to"].useful
    assert "foretells nothing for “upgrade_to”" in run.message
    first = {offers(asking(token(number)), "upgrade_to", ["plain-1"]).offers[0].item for number in LAST}
    assert len(first) == 1
