"""Extras: what stands beside a product that nobody has bought yet."""

from __future__ import annotations

import numpy as np
import pytest

from ecomrec_django.strategies.base import LiveProduct, Offer, Reason, ViolationCode
from ecomrec_django.strategies.extras import SHARE, Extras
from tests.support.histories import offers, training

CATALOG = [
    {"item": 1, "category": 1, "aisle": 1, "price": 100.0},
    {"item": 2, "category": 1, "aisle": 1, "price": 50.0},
    {"item": 3, "category": 2, "aisle": 2, "price": 48.0},
    {"item": 4, "category": 2, "aisle": 2, "price": 20.0},
    {"item": 5, "category": 3, "aisle": 3, "price": 95.0},
    {"item": 6, "category": 3, "aisle": 3, "price": 120.0},
    {"item": 7, "category": 3, "aisle": 3, "price": 49.0, "active": False},
    {"item": 8, "category": 3, "aisle": 3},
]


def made(events=(), items=CATALOG):
    return Extras().make(training(list(events), items)).by_item


def test_extras_are_ranked_by_distance_from_half_the_price():
    lists = made()
    assert offers(lists, 1) == [3, 5, 4]
    assert (lists.reasons == Reason.EXTRA).all()
    row = int(lists.starts[lists.owners.tolist().index(1)])
    assert lists.evidence[row, 0] == pytest.approx(0.48)
    assert lists.scores[row] == pytest.approx(0.48 / SHARE)


def test_extras_are_never_more_expensive():
    price = {item["item"]: item.get("price") for item in CATALOG}
    lists = made()
    for owner, start, end in zip(lists.owners.tolist(), lists.starts[:-1], lists.starts[1:], strict=True):
        assert all(price[item] <= price[owner] for item in lists.items[start:end].tolist())


def test_products_with_purchases_have_no_extras():
    bought = [{"visitor": who, "item": 1, "kind": "purchase", "basket": f"b{who}"} for who in (1, 2, 3)]
    lists = made(bought)
    assert 1 not in lists.owners
    assert 6 in lists.owners


@pytest.mark.parametrize("items", [[], CATALOG[:1], CATALOG[:2], [{"item": 1}, {"item": 2}]])
def test_a_catalog_without_other_aisles_or_prices_has_none(items):
    assert not len(made(items=items).owners)


def test_many_items_of_one_price_are_bounded():
    items = [{"item": n, "category": n % 7 + 1, "aisle": n % 7 + 1, "price": 5.0} for n in range(1, 2_001)]
    lists = made(items=items)
    assert np.diff(lists.starts).max() <= 20


@pytest.mark.parametrize(
    ("anchor", "aisle", "price", "rule"),
    [
        (LiveProduct("a", 10.0, 1), 1, 5.0, ViolationCode.SAME_AISLE_AS_ANCHOR),
        (LiveProduct("a", 10.0, 1), 2, 11.0, ViolationCode.ABOVE_EXTRA_PRICE),
        (LiveProduct("a", 10.0, 1), 2, None, ViolationCode.PRICE_UNKNOWN),
        (LiveProduct("a", None, 1), 2, 5.0, ViolationCode.PRICE_UNKNOWN),
        (LiveProduct("a", 10.0, 1), 2, 10.0, None),
    ],
)
def test_a_page_checks_the_live_price(anchor, aisle, price, rule):
    assert (
        Extras().violation(
            [anchor],
            Offer(item="b", score=1.0, reason=Reason.EXTRA, aisle=aisle, evidence=(0.5,)),
            LiveProduct("b", price, aisle),
        )
        == rule
    )
