"""Fewer customers than MIN_CUSTOMERS change no public list: nobody learns from one what a single customer did."""

from datetime import timedelta

import pytest

from ecomrec_django.learning.measures import MIN_CUSTOMERS
from ecomrec_django.strategies.bought_with import BoughtWith
from ecomrec_django.strategies.extras import Extras
from ecomrec_django.strategies.for_you import ForYou
from ecomrec_django.strategies.similar import Similar
from ecomrec_django.strategies.upgrade_to import UpgradeTo
from tests.strategies.test_poisoning import CATALOG, EVENTS, order, places, view
from tests.support.histories import training

pytestmark = pytest.mark.once
# Never sold: two of categories of their own, and two of a category each that sells.
UNSOLD = [
    {"item": 91, "aisle": 9, "category": 900, "title": "kind9 model1", "price": 10.0},
    {"item": 101, "aisle": 10, "category": 1000, "title": "kind10 model1", "price": 10.0},
    {"item": 15, "aisle": 1, "category": 100, "title": "kind1 model5", "price": 15.0},
    {"item": 16, "aisle": 1, "category": 100, "title": "kind1 model6", "price": 17.0},
    {"item": 25, "aisle": 2, "category": 200, "title": "kind2 model5", "price": 15.0},
]
STRATEGIES = (BoughtWith(), UpgradeTo(), ForYou(), Similar(), Extras())
DAY = timedelta(days=1)
ACTS = {
    "two items of their own, twice": lambda who: order(who, 91, 101, day=10) + order(who, 91, 101, number=1, day=11),
    "two items of known categories, twice": lambda who: (
        order(who, 15, 25, day=9) + order(who, 15, 25, number=1, day=9.5)
    ),
    "a known and an unknown item": lambda who: order(who, 21, 15, day=10) + order(who, 21, 15, number=1, day=11),
    "an unknown item by itself": lambda who: [row for n in range(5) for row in order(who, 91, number=n, day=n)],
    "an unknown item of a known category": lambda who: order(who, 15, day=10),
    "a move up from a known item": lambda who: order(who, 11, day=1) + view(who, 11, day=20) + order(who, 15, day=20.5),
    "a move up between unknown items": lambda who: view(who, 15, day=20) + order(who, 16, day=20.5),
    "views of unknown items": lambda who: view(who, 91, 101, 15, 16, day=10) + view(who, 91, 101, 15, 16, day=12),
}


@pytest.fixture(scope="module")
def before():
    data = training(EVENTS, CATALOG + UNSOLD)
    return [places(strategy.make(data)) for strategy in STRATEGIES]


@pytest.mark.parametrize("customers", range(1, MIN_CUSTOMERS))
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_no_list_tells_what_few_customers_did(before, act, customers):
    events = [event for number in range(customers) for event in act(9000 + number)]
    data = training(EVENTS + events, CATALOG + UNSOLD)
    after = [places(strategy.make(data)) for strategy in STRATEGIES]
    for old, new, strategy in zip(before, after, STRATEGIES, strict=True):
        changed = {owner: (old.get(owner), new.get(owner)) for owner in old | new if old.get(owner) != new.get(owner)}
        assert not changed, f"{type(strategy).__name__}: {changed}"
