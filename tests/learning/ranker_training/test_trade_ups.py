"""Who moves up, from what, and to what."""

from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.learning.interactions import IdMap
from ecomrec_django.learning.ranker_training import trade_ups as module
from ecomrec_django.learning.ranker_training.item_statistics import build_item_features
from ecomrec_django.learning.ranker_training.trade_ups import next_purchase_counts, trade_ups, upgrade_candidates
from ecomrec_django.learning.ranking.item_features import ItemTable
from ecomrec_django.learning.ranking.ranker import unknown_shopper
from ecomrec_django.learning.statistics.cooccurrence import AislePairs, Pairs
from tests.support.aisle_shop import START, purchases

# Items 0…3 answer one need at rising prices, 4 and 5 another.
NEED = np.array([0, 0, 0, 0, 1, 1])
PRICE = np.array([10.0, 10.4, 12.0, 20.0, 5.0, np.nan])
NONE = np.empty(0, np.int64)


def lines(*rows):
    """Purchases of (visitor, item, day)."""
    visitor, item, day = np.array(rows).T
    return purchases(visitor, item, START + day, visitor * 100 + day)


@pytest.fixture
def item_features():
    items = ItemTable.plain(np.zeros(60, int), np.r_[NEED, np.full(54, 9)], np.r_[PRICE, np.full(54, 1.0)])
    nothing = NONE.astype(float)
    pairs = Pairs(anchor=NONE, item=NONE, customers=nothing, orders=nothing, baskets=nothing, weight=nothing)
    aisle_pairs = AislePairs(
        aisle=NONE,
        item=NONE,
        customers=nothing,
        baskets=nothing,
        expected=nothing,
        aisle_baskets=nothing,
        probability=nothing,
    )
    return build_item_features(lines((0, 0, 0)), items=items, pairs=pairs, aisle_pairs=aisle_pairs)


def moved(item_features, before, after):
    cases = trade_ups(lines(*before), lines(*after), item_features, np.arange(len(IdMap(np.arange(120)))))
    return [
        (int(who), int(anchor), int(target[0]))
        for who, anchor, target in zip(cases.shopper, cases.anchor, cases.targets, strict=True)
    ]


USUAL = [(7, 0, 0), (7, 0, 1), (7, 1, 2)]


def test_a_first_purchase_of_a_more_expensive_item_is_a_trade_up(item_features):
    assert moved(item_features, USUAL, [(7, 2, 10), (7, 3, 11), (7, 2, 12)]) == [(7, 0, 2), (7, 0, 3)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (USUAL[:2], [(7, 2, 10)]),
        (USUAL, [(8, 2, 10)]),
        (USUAL, [(7, 1, 10)]),
        (USUAL, [(7, 4, 10)]),
        (USUAL, [(7, 5, 10)]),
        ([*USUAL, (7, 2, 3)], [(7, 2, 10)]),
        ([(7, 2, day) for day in range(3)], [(7, 0, 10)]),
    ],
    ids=["too few", "somebody else", "hardly more expensive", "other need", "no price", "bought before", "cheaper"],
)
def test_other_purchases_are_no_trade_ups(item_features, before, after):
    assert moved(item_features, before, after) == []


def test_ties_of_the_usual_item_go_to_the_lower_number(item_features):
    assert moved(item_features, [(7, 1, 0), (7, 0, 1), (7, 1, 2), (7, 0, 3)], [(7, 3, 10)]) == [(7, 0, 3)]


def test_trade_ups_are_counted_by_shopper():
    rows = [
        (1, 0, 0),
        (1, 2, 1),
        (1, 2, 2),
        (1, 3, 3),
        (2, 0, 0),
        (2, 4, 1),
        (2, 2, 2),
        (3, 2, 0),
        (0, 0, 0),
        (0, 3, 1),
    ]
    visitor, item, day = np.array(rows).T
    one, other, count = next_purchase_counts(visitor, item, day, NEED)
    found = dict(zip(zip(one.tolist(), other.tolist(), strict=True), count.tolist(), strict=True))
    # What was bought for another need in between does not matter; nor who cannot be told apart.
    assert found == {(0, 2): 2, (2, 3): 1}
    without_need = next_purchase_counts(visitor, item, day, np.where(NEED == 0, -1, NEED))
    assert [len(part) for part in without_need] == [0, 0, 0]


def test_candidates_cost_more_answer_the_same_need_and_may_be_offered(item_features):
    offered = item_features.offered.copy()
    offered[3] = False
    assert upgrade_candidates(item_features, unknown_shopper(item_features), [0]).tolist() == [1, 2, 3]
    assert upgrade_candidates(
        replace(item_features, offered=offered), unknown_shopper(item_features), [0]
    ).tolist() == [1, 2]
    assert upgrade_candidates(item_features, unknown_shopper(item_features), [3]).tolist() == []


def test_of_many_candidates_the_bestsellers_are_looked_at(item_features, monkeypatch):
    monkeypatch.setattr(module, "MAX_CANDIDATES", 2)
    selling = replace(item_features, baskets=np.r_[0.0, 5.0, 1.0, 9.0, np.zeros(56)])
    assert upgrade_candidates(selling, unknown_shopper(item_features), [0]).tolist() == [1, 3]
