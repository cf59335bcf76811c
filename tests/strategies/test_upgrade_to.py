from __future__ import annotations

import numpy as np
import pytest

from ecomrec_django.strategies.base import Anchor, Offer, Reason
from ecomrec_django.strategies.upgrade_to import UpgradeTo
from tests.learning.histories import offers, training

CATALOG = [
    {"item": 1, "category": 7, "aisle": 3, "title": "trail tent two persons", "price": 100.0},
    {"item": 2, "category": 7, "aisle": 3, "title": "trail tent two persons light", "price": 130.0},
    {"item": 3, "category": 7, "aisle": 3, "title": "garden pavilion tent", "price": 130.0},
    {"item": 4, "category": 7, "aisle": 3, "title": "trail tent two persons expedition", "price": 400.0},
    {"item": 5, "category": 7, "aisle": 3, "title": "trail tent two persons", "price": 101.0},
    {"item": 6, "category": 8, "aisle": 3, "title": "trail tent two persons light", "price": 130.0},
]


def up_moves(anchor: int, item: int, visitors: int, first: int = 1) -> list[dict]:
    return [
        event
        for visitor in range(first, first + visitors)
        for event in (
            {"visitor": visitor, "item": anchor, "kind": "view_item"},
            {"visitor": visitor, "item": item, "basket": f"o{visitor}"},
        )
    ]


def test_without_any_history_the_most_alike_within_the_band_leads():
    assert offers(UpgradeTo().make(training([], CATALOG)).by_item, 1) == [2, 3]


def test_an_observed_up_move_outranks_a_likeness():
    assert offers(UpgradeTo().make(training(up_moves(1, 3, 40), CATALOG)).by_item, 1)[0] == 3


def bought_after(anchor: int, item: int, customers: int) -> list[dict]:
    return [
        {"visitor": visitor, "item": one, "basket": f"{step}-{visitor}"}
        for visitor in range(1, customers + 1)
        for step, one in enumerate([anchor, item])
    ]


@pytest.mark.parametrize(("moved", "sold"), [(2, 3), (3, 2)])
def test_of_what_sells_equally_well_that_leads_which_customers_bought_next(moved, sold):
    others = [{"visitor": visitor, "item": sold, "basket": f"other-{visitor}"} for visitor in range(100, 140)]
    lists = UpgradeTo().make(training([*others, *bought_after(1, moved, 40)], CATALOG)).by_item
    assert offers(lists, 1) == [moved, sold]


def test_of_what_is_equally_alike_the_bestseller_leads():
    same = [{**item, "title": "trail tent"} for item in CATALOG]
    for bestseller in (2, 3):
        sold = [{"visitor": visitor, "item": bestseller, "basket": f"b{visitor}"} for visitor in range(1, 20)]
        assert offers(UpgradeTo().make(training(sold, same)).by_item, 1)[0] == bestseller


def test_what_leaves_more_of_its_price_comes_first_where_costs_are_known():
    same = [{**item, "title": "trail tent"} for item in CATALOG]
    sold = [{"visitor": visitor, "item": item, "basket": f"b{visitor}"} for visitor in (1, 2) for item in (2, 3)]
    for costs, first in (({1: 60.0, 2: 60.0, 3: 140.0}, 2), ({1: 60.0, 2: 125.0, 3: 70.0}, 3)):
        items = [{**item, "cost": costs.get(item["item"], float("nan"))} for item in same]
        assert offers(UpgradeTo().make(training(sold, items)).by_item, 1)[0] == first


def test_the_band_follows_the_moves_that_were_observed():
    lists = UpgradeTo().make(training(up_moves(1, 4, 40), CATALOG)).by_item
    assert offers(lists, 1) == [4]


def test_an_item_rated_worse_is_no_upgrade():
    items = [{**item, "rating": {1: 4.0, 2: 3.0, 3: 4.5}.get(item["item"], float("nan"))} for item in CATALOG]
    assert offers(UpgradeTo().make(training([], items)).by_item, 1) == [3]


@pytest.mark.parametrize("change", [{"price": float("nan")}, {"price": 0.0}, {"category": 0}, {"active": False}])
def test_an_item_without_price_or_category_is_neither_offered_nor_upgraded(change):
    items = [{**item, **change} if item["item"] == 2 else item for item in CATALOG]
    made = UpgradeTo().make(training([], items))
    assert 2 not in made.by_item.items
    assert 2 not in made.by_item.owners
    assert 2 not in made.by_category.items


@pytest.mark.parametrize("items", [[], CATALOG[:1], [{"item": 1}, {"item": 2}]])
def test_a_catalog_without_alternatives_gives_no_upgrades(items):
    assert len(UpgradeTo().make(training([], items)).by_item.items) == 0


def test_a_category_list_spans_the_prices_of_its_need():
    assert set(offers(UpgradeTo().make(training([], CATALOG)).by_category, 7)) == {1, 2, 3, 4, 5}


def test_every_offer_is_dearer_and_says_its_band():
    lists = UpgradeTo().make(training(up_moves(1, 3, 5), CATALOG)).by_item
    ratio, low, high = lists.evidence[:, 0], lists.evidence[:, 1], lists.evidence[:, 2]
    assert (ratio >= low).all()
    assert (ratio <= high).all()
    assert (low > 1).all()


def test_the_same_input_gives_the_same_lists():
    one, other = (UpgradeTo().make(training(up_moves(1, 3, 5), CATALOG)).by_item for _ in range(2))
    for name in vars(one):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    ("price", "anchor", "wrong"),
    [
        (130.0, 100.0, None),
        (100.0, 100.0, "not dearer"),
        (104.0, 100.0, "below the price band"),
        (190.0, 100.0, "above the price band"),
        (None, 100.0, "price unknown"),
        (130.0, None, "price unknown"),
    ],
)
def test_the_live_price_must_lie_in_the_band(price, anchor, wrong):
    offer = Offer("x", 1.0, Reason.UPGRADE, 3, (1.3, 1.05, 1.8, 0.5, 0.0))
    assert UpgradeTo().violation([Anchor("a", anchor, 3)], offer, price) == wrong


def test_a_learned_band_is_the_one_that_is_checked():
    offer = Offer("x", 1.0, Reason.UPGRADE, 3, (1.3, 1.05, 2.5, 0.5, 0.0))
    assert UpgradeTo().violation([Anchor("a", 100.0, 3)], offer, 240.0) is None
