from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.learning.uplift.page_views import PageViews

ITEMS = 6


def page_views(baskets, customers=None):
    rows = [(number, item) for number, items in enumerate(baskets) for item in items]
    basket, item = np.array(rows or np.empty((0, 2)), np.int64).T
    customer = np.array(customers or range(len(baskets)), np.int64)[basket]
    lines = pa.table({"basket": basket + 100, "item": item * 10, "customer": customer})
    return PageViews.of(lines, np.arange(ITEMS) * 10)


def test_each_line_is_a_view_of_its_page():
    views = page_views([[0, 1, 2], [1]])
    assert len(views) == 4
    assert views.views().tolist() == [1, 2, 1, 0, 0, 0]
    assert views.others.tolist() == [2, 2, 2, 0]
    # Two baskets, of three lines and of one: each has item 1, which leaves nothing to chance.
    held = 2 - (1 - views.share) ** 3 - (1 - views.share)
    assert held == pytest.approx(np.array([1, 2, 1, 0, 0, 0]), abs=0.003)


def test_lines_of_unknown_items_are_left_out():
    lines = pa.table({"basket": [1, 1], "item": [10, 15], "customer": [1, 1]})
    assert PageViews.of(lines, np.arange(ITEMS) * 10).item.tolist() == [1]


def test_excess_is_hits_less_chance():
    views = page_views([[0, 1], [0, 2]])
    # One of two baskets of two lines holds item 1: a line does by 1 - √½, and one more is in each basket.
    assert views.excess(np.array([0, 0]), np.array([1, 3])) == pytest.approx([0.5 - (1 - 0.5**0.5), 0.0])


def test_a_page_nobody_viewed_has_no_excess():
    assert page_views([[0, 1]]).excess(np.array([4]), np.array([1])) == pytest.approx([0.0])


def test_a_block_counts_the_four_best_offers():
    views = page_views([[0, 1, 2, 3, 4, 5], [0]])
    anchor, item = np.zeros(5, np.int64), np.array([1, 2, 3, 4, 5])
    excess = views.excess_of_blocks(anchor, item, np.array([1.0, 2, 3, 4, 5]))
    # What is not found by chance among the five others; in the other basket there are none.
    assert excess == pytest.approx([((1 - views.share[2:]) ** 5).sum(), 0, 0, 0, 0, 0, 0])


@given(st.lists(st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=ITEMS, unique=True), min_size=1, max_size=12))
def test_the_excess_of_a_pair_is_that_of_a_block_of_it_alone(baskets):
    views = page_views(baskets)
    anchor, item = np.divmod(np.arange(ITEMS * ITEMS), ITEMS)
    different = anchor != item
    anchor, item = anchor[different], item[different]
    pairs = views.excess(anchor, item)
    for each in range(0, len(anchor), 5):
        block = views.excess_of_blocks(anchor[each : each + 1], item[each : each + 1], np.ones(1))
        shown = views.item == anchor[each]
        assert block[~shown] == pytest.approx(0.0)
        assert pairs[each] == pytest.approx(block[shown].mean() if shown.any() else 0.0)


def test_whole_baskets_are_taken_out():
    views = page_views([[0, 1], [2, 3], [0, 2]], customers=[7, 8, 7])
    part = views.where(views.customer == 7)
    assert part.item.tolist() == [0, 1, 0, 2]
    assert part.basket.tolist() == [0, 0, 1, 1]
    assert part.share is views.share
