"""Orders and page views that somebody invents to move the lists of well-known items: no place changes."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

from ecomrec_django.strategies.base import StrategyLists
from ecomrec_django.strategies.bought_with import BoughtWith
from ecomrec_django.strategies.for_you import ForYou
from ecomrec_django.strategies.similar import Similar
from ecomrec_django.strategies.upgrade_to import UpgradeTo
from tests.support.histories import START, offers, training

# Aisles 1 … 5 of four items each, 11 … 54; of an aisle each item costs more than the last.
AISLES, SIZE = range(1, 6), 4
CATALOG = [
    {
        "item": aisle * 10 + number,
        "aisle": aisle,
        "category": aisle * 100,
        "title": f"kind{aisle} model{number}",
        "price": 10.0 + 2 * number,
    }
    for aisle in AISLES
    for number in range(1, SIZE + 1)
]
STRATEGIES = (BoughtWith(), UpgradeTo(), ForYou(), Similar())
DAY = timedelta(days=1)


def order(visitor: int, *items: int, number: int = 0, day: float = 0, **more: Any) -> list[dict[str, Any]]:
    basket, time = f"o{visitor}-{number}-{more.get('basket', '')}", START + day * DAY
    return [{"visitor": visitor, "item": item, "price": 10.0, **more, "basket": basket, "time": time} for item in items]


def view(visitor: int, *items: int, day: float = 0) -> list[dict[str, Any]]:
    return [
        {"visitor": visitor, "item": item, "kind": "view_item", "time": START + day * DAY + timedelta(minutes=at)}
        for at, item in enumerate(items)
    ]


def planted() -> list[dict[str, Any]]:
    """Customers with an order each; items of the same number go together, of some aisles and of low numbers more often,
    so that no two places of a list are nearly equal.
    """
    events, visitor = [], 0
    for rank, (aisle, other) in enumerate(itertools.combinations(AISLES, 2)):
        for number in range(1, SIZE + 1):
            for _ in range(round(200 / 1.3 ** (rank + 2.25 * (number - 1)))):
                visitor += 1
                events += order(visitor, aisle * 10 + number, other * 10 + number, day=visitor % 50)
    return events


EVENTS = planted()
ATTACKS = {
    "three orders of one guest": [order(0, 12, 31, number=n, day=10 + n, basket=n) for n in range(3)],
    "thirty orders of one account": [order(9000, 12, 31, number=n, day=10 + n) for n in range(30)],
    "two visitors": [view(9000 + n, 12, 22) for n in range(2)],
    "two hundred visitors": [view(9000 + n, 12, 22) for n in range(200)],
    "two hundred visitors of an unrelated pair": [view(9000 + n, 12, 33) for n in range(200)],
    "two hundred visitors of one aisle": [view(9000 + n, 11, 14) for n in range(200)],
    "a visitor who views and buys": [view(9000, 11, day=10) + order(9000, 14, day=10.5)],
}


def places(made: StrategyLists) -> dict[tuple[str, int], list[int]]:
    """The list of each owner."""
    return {
        (kind, int(owner)): offers(lists, owner)
        for kind, lists in (("item", made.by_item), ("category", made.by_category), ("all", made.for_all))
        for owner in lists.owners
    }


@pytest.fixture(scope="module")
def before():
    data = training(EVENTS, CATALOG)
    return [places(strategy.make(data)) for strategy in STRATEGIES]


def test_the_planted_shop_has_well_known_items_and_full_lists(before):
    data = training(EVENTS, CATALOG)
    assert data.statistics.items(data.statistics.purchases()).customers.min() >= 20
    assert before[0][("item", 12)][0] == 22
    assert all(len(lists) >= 5 for lists in before[:2])


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_no_place_changes(before, attack):
    data = training(EVENTS + [event for part in attack for event in part], CATALOG)
    after = [places(strategy.make(data)) for strategy in STRATEGIES]
    for old, new, strategy in zip(before, after, STRATEGIES, strict=True):
        changed = {owner: (old.get(owner), new.get(owner)) for owner in old if old[owner] != new.get(owner)}
        assert not changed, f"{type(strategy).__name__}: {changed}"


def test_a_free_gift_and_an_unsellable_fee_are_neither_learned_from_nor_offered(before):
    orders = sorted({(event["basket"], event["visitor"], event["time"]) for event in EVENTS})
    extras = [
        {"visitor": visitor, "item": item, "price": price, "basket": basket, "time": time}
        for at, (basket, visitor, time) in enumerate(orders)
        for item, price in ((91, 4.9), (92, 0.0))[: 1 + at % 2]
    ]
    items = [
        {"item": 91, "aisle": 9, "category": 900, "title": "postage", "price": 4.9},
        {"item": 92, "aisle": 10, "category": 910, "title": "sample", "price": 0.0},
    ]
    made = BoughtWith().make(training(EVENTS + extras, [*CATALOG, *items]))
    assert not any(92 in found for found in places(made).values())
    unsellable = [*CATALOG, {**items[0], "sellable": False}]
    without = places(BoughtWith().make(training(EVENTS + extras, unsellable)))
    assert {owner: without[owner] for owner in before[0]} == before[0]


@pytest.mark.parametrize("visitor", [0, 9000])
def test_five_orders_of_one_guest_say_nothing(visitor):
    items = [{"item": 91, "aisle": 9, "category": 900}, {"item": 101, "aisle": 10, "category": 1000}]
    events = [event for n in range(5) for event in order(visitor, 91, 101, number=n, day=n, basket=n)]
    made = places(BoughtWith().make(training(EVENTS + events, [*CATALOG, *items])))
    assert not any(101 in found or 91 in found for found in made.values())
