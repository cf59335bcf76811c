from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from ecomrec_django.errors import DataError
from ecomrec_django.learning.similarity.neighbours import item_neighbours, top_k
from ecomrec_django.learning.sparse import SparseRows, isin_sorted, lookup_sorted, sum_by_key

# Few different values, so that there are many ties.
small = arrays(np.float64, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 3).map(float))
square = st.integers(1, 8).flatmap(lambda size: arrays(np.float64, (size, 5), elements=st.integers(0, 2).map(float)))


def by_hand(row, k):
    best = sorted((-value, column) for column, value in enumerate(row) if value > 0)[:k]
    return {column: -value for value, column in best}


@given(matrix=small, k=st.integers(1, 8))
@settings(max_examples=200, deadline=None)
def test_the_top_k_are_those_of_a_search_by_hand_ties_by_column(matrix, k):
    found = top_k(csr_matrix(matrix), k)
    for number, row in enumerate(matrix):
        cells = found[number]
        assert dict(zip(cells.indices.tolist(), cells.data.tolist(), strict=True)) == by_hand(row, k)


@given(matrix=square, k=st.integers(1, 8), shrink=st.sampled_from([0.0, 2.0]))
@settings(max_examples=200, deadline=None)
def test_neighbours_are_those_of_a_search_by_hand(matrix, k, shrink):
    found = item_neighbours(csr_matrix(matrix.T), k, shrink).toarray()
    single = matrix.astype(np.float32)
    lengths = np.maximum(np.sqrt((single**2).sum(axis=1)), 1e-12)
    alike = (single / lengths[:, None]) @ (single / lengths[:, None]).T
    common = ((single > 0) @ (single > 0).T.astype(float)) if shrink else np.ones(alike.shape)
    alike = alike * common / (common + shrink)
    np.fill_diagonal(alike, 0)
    for number, row in enumerate(alike):
        # Which of two equals is kept hangs on the last bit, so their values are compared.
        expected = np.sort(list(by_hand(row, k).values()))
        assert np.sort(found[number][found[number] > 0]) == pytest.approx(expected, abs=1e-5)
        assert found[number][found[number] > 0] == pytest.approx(row[found[number] > 0], abs=1e-5)


def planted(rng, shuffled=False):
    """60 visitors of two tastes: even ones buy of items 0-9, odd ones of 10-19."""
    likes = np.zeros((60, 20))
    for visitor in range(60):
        likes[visitor, rng.choice(10, 6, replace=False) + 10 * (visitor % 2)] = 1
    if shuffled:
        likes = rng.permuted(likes, axis=1)
    return csr_matrix(likes)


def test_neighbours_share_the_planted_taste():
    rng = np.random.default_rng(0)
    near = item_neighbours(planted(rng), 5).tocoo()
    assert (near.row // 10 == near.col // 10).all()
    chance = item_neighbours(planted(rng, shuffled=True), 5).tocoo()
    assert 0.35 < (chance.row // 10 == chance.col // 10).mean() < 0.65


def test_rare_overlap_is_shrunk():
    matrix = csr_matrix([[1.0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1]])
    near = item_neighbours(matrix.T, 1, shrink=1.0).toarray()
    assert (near[0, 1], near[2, 3]) == (pytest.approx(0.5), pytest.approx(0.75))


def test_without_items_there_are_no_neighbours():
    assert item_neighbours(csr_matrix((5, 0)), 3).shape == (0, 0)


def test_dislikes_are_refused():
    with pytest.raises(DataError, match="must not be negative"):
        item_neighbours(csr_matrix([[-1.0, 1.0]]), 1)


def test_rows_answer_as_the_matrix_does():
    matrix = csr_matrix(np.array([[0, 2, 0, 1], [0, 0, 0, 0], [3, 0, 0, 1.0]]))
    rows = SparseRows.of(matrix)
    assert (len(rows), len(SparseRows.empty(4))) == (3, 4)
    assert rows.at(0, np.array([3, 2, 1])).tolist() == [1, 0, 2]
    columns, values = rows.blend(np.array([0, 2]), np.array([1.0, 10.0]))
    assert dict(zip(columns.tolist(), values.tolist(), strict=True)) == {0: 30, 1: 2, 3: 11}
    assert rows.blend(np.array([1]), np.array([1.0]))[0].tolist() == []


def test_a_look_up_in_nothing_finds_nothing():
    assert lookup_sorted(np.array([]), np.array([]), np.array([1, 2]), -1).tolist() == [-1, -1]


@given(arrays(np.int32, st.integers(0, 60), elements=st.integers(0, 9)))
@settings(max_examples=50, deadline=None)
def test_values_are_summed_by_key(keys):
    values = np.arange(1, len(keys) + 1, dtype=np.float64)
    found, sums = sum_by_key(keys, values)
    assert found.tolist() == sorted(set(keys.tolist()))
    assert sums.tolist() == [values[keys == key].sum() for key in found]


@given(
    arrays(np.int64, st.integers(0, 20), elements=st.integers(0, 30)), arrays(np.int64, 15, elements=st.integers(0, 40))
)
@settings(max_examples=50, deadline=None)
def test_keys_are_looked_up(keys, wanted):
    assert isin_sorted(np.unique(keys), wanted).tolist() == [key in keys for key in wanted]
