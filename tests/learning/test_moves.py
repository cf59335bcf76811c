"""Who moves up, from what, and to what."""

from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.learning import moves
from ecomrec_django.learning.facts import Facts, Goods
from ecomrec_django.learning.fusion import unknown
from ecomrec_django.learning.interactions import IdMap
from ecomrec_django.learning.moves import dearer, followed, moves_up
from ecomrec_django.learning.pairs import Beside, Pairs
from tests.learning.shops import START, purchases

# Items 0…3 answer one need at rising prices, 4 and 5 another.
NEED = np.array([0, 0, 0, 0, 1, 1])
PRICE = np.array([10.0, 10.4, 12.0, 20.0, 5.0, np.nan])
NONE = np.empty(0, np.int64)


def lines(*rows):
    """Purchases of (visitor, item, day)."""
    visitor, item, day = np.array(rows).T
    return purchases(visitor, item, START + day, visitor * 100 + day)


@pytest.fixture
def facts():
    goods = Goods.plain(np.zeros(60, int), np.r_[NEED, np.full(54, 9)], np.r_[PRICE, np.full(54, 1.0)])
    pairs = Pairs(*[NONE] * 2, *[NONE.astype(float)] * (len(Pairs.__dataclass_fields__) - 2))
    beside = Beside(*[NONE] * 2, *[NONE.astype(float)] * (len(Beside.__dataclass_fields__) - 2))
    return Facts.of(lines((0, 0, 0)), goods, pairs, beside)


def moved(facts, before, after):
    cases = moves_up(lines(*before), lines(*after), facts, np.arange(len(IdMap(np.arange(120)))))
    return [
        (int(who), int(anchor), int(target[0]))
        for who, anchor, target in zip(cases.shopper, cases.anchor, cases.targets, strict=True)
    ]


USUAL = [(7, 0, 0), (7, 0, 1), (7, 1, 2)]


def test_a_first_purchase_of_something_dearer_is_a_move_from_what_was_bought_most(facts):
    assert moved(facts, USUAL, [(7, 2, 10), (7, 3, 11), (7, 2, 12)]) == [(7, 0, 2), (7, 0, 3)]


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
    ids=["too few", "somebody else", "hardly dearer", "other need", "no price", "bought before", "cheaper"],
)
def test_all_else_is_none(facts, before, after):
    assert moved(facts, before, after) == []


def test_of_items_bought_equally_often_the_lower_number_is_the_usual_one(facts):
    assert moved(facts, [(7, 1, 0), (7, 0, 1), (7, 1, 2), (7, 0, 3)], [(7, 3, 10)]) == [(7, 0, 3)]


def test_first_purchases_right_after_another_item_of_the_need_are_counted_by_shopper():
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
    one, other, count = followed(visitor, item, day, NEED)
    found = dict(zip(zip(one.tolist(), other.tolist(), strict=True), count.tolist(), strict=True))
    # What was bought for another need in between does not matter; nor who cannot be told apart.
    assert found == {(0, 2): 2, (2, 3): 1}
    without_need = followed(visitor, item, day, np.where(NEED == 0, -1, NEED))
    assert [len(part) for part in without_need] == [0, 0, 0]


def test_candidates_cost_more_answer_the_same_need_and_may_be_offered(facts):
    offered = facts.offered.copy()
    offered[3] = False
    assert dearer(facts, unknown(facts), [0]).tolist() == [1, 2, 3]
    assert dearer(replace(facts, offered=offered), unknown(facts), [0]).tolist() == [1, 2]
    assert dearer(facts, unknown(facts), [3]).tolist() == []


def test_of_many_candidates_the_bestsellers_are_looked_at(facts, monkeypatch):
    monkeypatch.setattr(moves, "MOST", 2)
    selling = replace(facts, baskets=np.r_[0.0, 5.0, 1.0, 9.0, np.zeros(56)])
    assert dearer(selling, unknown(facts), [0]).tolist() == [1, 3]
