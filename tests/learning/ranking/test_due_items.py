"""What is due on a planted shopper's own cycles."""

from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.learning.interactions import IdMap
from ecomrec_django.learning.ranking import due_items as module
from ecomrec_django.learning.ranking.due_items import ENDED, due_items
from ecomrec_django.learning.ranking.replenishment import DUE
from ecomrec_django.learning.ranking.shopper_features import ShopperFeatures
from ecomrec_django.learning.ranking.shopper_history import PURCHASE, ShopperHistory
from tests.support.aisle_shop import AISLE, ITEMS, shop

START = 17_000.0
WEEKLY, MONTHLY, ONCE, TWICE = 0, 10, 20, 30
# Every need repeats but those of ONCE and TWICE.
REPEATS = ~np.isin(np.arange(AISLE.max() + 1), AISLE[[ONCE, TWICE]])


@pytest.fixture(scope="module")
def item_features():
    return replace(shop().item_features, repeats=REPEATS, cycle=np.full(len(REPEATS), np.nan))


def shopper(item_features, bought: dict[int, list[float]]) -> ShopperFeatures:
    """Somebody who bought each item on these days after the start."""
    lines = [(item, START + day, number) for item, days in bought.items() for number, day in enumerate(days)]
    item, day, _ = map(np.array, zip(*lines, strict=True))
    history = ShopperHistory.of(
        item,
        np.full(len(item), PURCHASE, np.int8),
        day,
        np.unique(day, return_inverse=True)[1],
        np.full(len(item), np.nan),
    )
    return ShopperFeatures.of(history.to_numbers(IdMap(np.arange(ITEMS))), item_features)


@pytest.fixture
def anna(item_features):
    return shopper(item_features, {WEEKLY: [0, 7, 14, 21], MONTHLY: [0, 30], ONCE: [21], TWICE: [1, 21]})


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (21.0, []),
        (21 + 7 * DUE - 0.1, []),
        (21 + 7 * DUE + 0.1, [WEEKLY]),
        (30 + 30 * DUE - 0.1, [WEEKLY]),
        (30 + 30 * DUE + 0.1, [WEEKLY, MONTHLY]),
        (21 + 7 * ENDED - 0.1, [WEEKLY, MONTHLY]),
        (21 + 7 * ENDED + 0.1, [MONTHLY]),
        (30 + 30 * ENDED + 0.1, []),
    ],
)
def test_an_item_is_due_by_the_shoppers_own_cycle_until_the_habit_has_ended(item_features, anna, day, due):
    assert due_items(item_features, anna, START + day).tolist() == due


def test_a_single_purchase_is_due_by_the_cycle_of_its_need_where_that_repeats(item_features):
    features = replace(item_features, cycle=np.full(len(REPEATS), 10.0))
    once = shopper(features, {WEEKLY: [0], ONCE: [0]})
    assert due_items(features, once, START + 4.9).tolist() == []
    assert due_items(features, once, START + 5.1).tolist() == [WEEKLY]


def test_three_purchases_are_a_habit_whatever_others_do(item_features):
    often = shopper(item_features, {ONCE: [0, 10, 20]})
    assert due_items(item_features, often, START + 30).tolist() == [ONCE]


def test_what_may_not_be_offered_is_not_due(item_features, anna):
    hidden = replace(item_features, offered=np.arange(ITEMS) != WEEKLY)
    assert due_items(hidden, anna, START + 28).tolist() == []


def test_nothing_is_due_without_purchases(item_features):
    nobody = ShopperFeatures.of(ShopperHistory.empty(), item_features)
    assert due_items(item_features, nobody, START).tolist() == []


def test_of_very_much_that_is_due_the_items_bought_most_are_ranked(item_features, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    days = {WEEKLY: [0, 7, 14, 21], WEEKLY + 1: [0, 10, 21], MONTHLY: [0, 7, 14, 21]}
    assert due_items(item_features, shopper(item_features, days), START + 42).tolist() == [WEEKLY, MONTHLY]
