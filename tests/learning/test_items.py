import numpy as np

from ecomrec_django.learning.items import active_items, category_groups, known_prices
from tests.support.histories import catalog


def test_an_item_without_a_category_is_a_group_of_its_own():
    items = catalog([{"item": 1}, {"item": 2}, {"item": 3, "category": 5, "aisle": 4}])
    assert category_groups(items, "category").tolist() == [-1, -2, 5]
    assert category_groups(items, "aisle").tolist() == [-1, -2, 4]


def test_only_prices_above_0_are_known():
    prices = [2.5, 0.0, -1.0, None, float("inf")]
    price = known_prices(catalog({"item": item, "price": price} for item, price in enumerate(prices, 1)))
    np.testing.assert_array_equal(price, [2.5, np.nan, np.nan, np.nan, np.nan])


def test_removed_items_are_not_active():
    assert active_items(catalog([{"item": 1, "active": False}, {"item": 2}])).tolist() == [False, True]


def test_a_catalog_without_items_has_empty_columns():
    items = catalog([])
    assert not len(category_groups(items, "aisle"))
    assert not len(known_prices(items))
    assert not len(active_items(items))
