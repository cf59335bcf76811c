"""The cases that a ranker is fitted on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.learning.interactions import DAY
from ecomrec_django.learning.ranker_training.cases import BasketCases
from tests.support.aisle_shop import AISLE, NOW, purchases

# A visitor of each basket, -1 for a guest.
BUYERS = np.array([2, -1, 0, 2, 5])
POSITIONS = np.array([4, -1, 7, -1, -1, 1])

lines_of_baskets = st.lists(
    st.tuples(st.integers(0, len(BUYERS) - 1), st.integers(0, 11), st.integers(17_000, 17_003)), max_size=30
)


def test_targets_are_the_baskets_items_of_other_aisles(planted):
    cases = planted.cases
    assert all(
        (AISLE[wanted] != AISLE[anchor]).all() for anchor, wanted in zip(cases.anchor, cases.targets, strict=True)
    )
    assert min(map(len, cases.targets)) > 0
    assert cases.day.min() >= NOW


@given(lines=lines_of_baskets, anchored=st.booleans())
def test_cases_are_those_of_a_walk_through_all_baskets(lines, anchored):
    basket, item, day = (np.array(column, np.int64) for column in zip(*lines, strict=True)) if lines else (EMPTY,) * 3
    bought = purchases(BUYERS[basket], item, day, basket)
    found = BasketCases.of(bought, POSITIONS, AISLE if anchored else None)
    assert [
        (int(shopper), int(anchor), float(day), int(basket), int(others), targets.tolist())
        for shopper, anchor, day, basket, others, targets in zip(
            found.shopper, found.anchor, found.day, found.basket, found.others, found.targets, strict=True
        )
    ] == list(walk(bought, anchored=anchored))
    some = np.arange(len(found))[::-2]
    assert [each.tolist() for each in found.where(some).targets] == [found.targets[row].tolist() for row in some]


EMPTY = np.empty(0, np.int64)


def walk(bought, *, anchored):
    """Cases as (shopper, anchor, day, basket, others, targets)."""
    for basket in sorted(set(bought.basket.tolist())):
        rows = np.flatnonzero(bought.basket == basket)
        items = list(dict.fromkeys(bought.item[rows].tolist()))
        visitor, day = bought.visitor[rows[0]], bought.time[rows[0]] / DAY
        shopper = int(POSITIONS[visitor]) if visitor >= 0 else -1
        for anchor in items if anchored else [-1]:
            targets = [item for item in items if not anchored or AISLE[item] != AISLE[anchor]]
            if targets:
                yield shopper, anchor, day, basket, len(items) - anchored, targets


@pytest.mark.parametrize("anchored", [False, True])
def test_all_cases_are_of_guests_if_no_visitor_is_known(anchored):
    bought = purchases(np.full(4, -1), np.array([0, len(AISLE) - 1, 9, 9]), np.full(4, 17_000), np.array([0, 0, 0, 1]))
    cases = BasketCases.of(bought, EMPTY, AISLE if anchored else None)
    assert set(cases.shopper.tolist()) == {-1}
