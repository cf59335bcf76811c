from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.learning.ranker_training import neighbour_tastes
from ecomrec_django.learning.ranker_training.neighbour_tastes import NeighbourTastes
from ecomrec_django.learning.sparse import lookup_sorted
from tests.support.aisle_shop import AISLE, START, purchases

ITEMS = len(AISLE)


def of_lines(held: list[tuple[int, int]]) -> NeighbourTastes:
    """Of visitors with one basket each, from (visitor, item)."""
    visitor, item = np.array(sorted(set(held))).T
    return NeighbourTastes.of(purchases(visitor, item, np.full(len(visitor), START), visitor), ITEMS)


def by_hand(held: list[tuple[int, int]], visitors: int) -> np.ndarray:
    """Tastes of all visitors, shape (visitors, ITEMS), each other visitor being a neighbour."""
    bought = np.zeros((visitors, ITEMS))
    bought[tuple(np.array(held).T)] = 1
    buyers = bought.sum(axis=0)
    liking = np.log(2) * bought * np.log(visitors / np.maximum(buyers, 1))
    liking /= np.maximum(np.linalg.norm(liking, axis=1, keepdims=True), 1e-12)
    alike = liking @ liking.T
    np.fill_diagonal(alike, 0)
    shares = bought * (buyers >= 3)
    return alike @ shares / np.maximum(alike.sum(axis=1, keepdims=True), 1e-12)


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, ITEMS - 1)), min_size=1, max_size=80))
def test_tastes_are_those_of_a_computation_by_hand(held):
    found = of_lines(held).rows(np.arange(20))
    # `purchases` knows more visitors than these.
    visitors = of_lines(held).likings.shape[0]
    expected = by_hand(held, visitors)
    for visitor in range(20):
        row = lookup_sorted(*found.row(visitor), np.arange(ITEMS))
        assert row == pytest.approx(expected[visitor], abs=1e-4)


def test_what_fewer_than_three_bought_is_in_nobodys_taste():
    # Four visitors share item 0; item 5 was bought by three of them, item 9 by two.
    tastes = of_lines([(0, 0), (1, 0), (2, 0), (3, 0), (0, 5), (1, 5), (2, 5), (0, 9), (1, 9)])
    (row,) = [tastes.rows(np.array([3])).row(0)]
    assert lookup_sorted(*row, np.array([0, 5, 9])).round(2).tolist() == [1.0, 1.0, 0.0]


@pytest.fixture
def two_tastes() -> list[tuple[int, int]]:
    """Visitors with an even number buy of the lower half of items, the others of the upper one."""
    rng, half = np.random.default_rng(0), ITEMS // 2
    return [
        (visitor, int(item) + half * (visitor % 2))
        for visitor in range(100)
        for item in rng.choice(half, 5, replace=False)
    ]


@pytest.mark.parametrize("buyers", [3_000, 4])
def test_neighbours_share_the_taste_though_few_buyers_of_an_item_are_looked_at(two_tastes, monkeypatch, buyers):
    monkeypatch.setattr(neighbour_tastes, "BUYERS", buyers)
    tastes = of_lines(two_tastes)
    assert np.diff(tastes.buyers.indptr).max() <= buyers
    rows = tastes.rows(np.arange(100))
    upper = [rows.row(visitor)[0] >= ITEMS // 2 for visitor in range(100)]
    assert all(len(row) for row in upper)
    assert [row.mean() for row in upper] == [visitor % 2 for visitor in range(100)]


def test_the_buyers_looked_at_are_the_same_ones_of_each_item(two_tastes, monkeypatch):
    everybody = of_lines(two_tastes).buyers
    monkeypatch.setattr(neighbour_tastes, "BUYERS", 4)
    some = of_lines(two_tastes).buyers
    chosen = np.unique(some.indices)
    # Of an item that few of the others bought, all who are chosen elsewhere are there.
    first = chosen[np.argsort(chosen.astype(np.uint64) * neighbour_tastes._HASH)][:4]
    for item in range(ITEMS):
        assert set(first) & set(everybody[item].indices) <= set(some[item].indices)


def test_rows_do_not_depend_on_who_is_asked_for_with_them(two_tastes):
    tastes = of_lines(two_tastes)
    whole, some = tastes.rows(np.arange(100)), tastes.rows(np.array([70, 3]))
    for row, visitor in enumerate([70, 3]):
        np.testing.assert_array_equal(some.row(row), whole.row(visitor))


def test_nobody_has_no_neighbours():
    lines = purchases(*(np.empty(0, int) for _ in range(4)))
    assert len(NeighbourTastes.of(lines, ITEMS).rows(np.array([0, 1])).columns) == 0
