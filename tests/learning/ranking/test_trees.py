from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ecomrec_django.errors import DataError
from ecomrec_django.learning.ranking.trees import Trees


def flat(model):
    return Trees.of(model, np.arange(model.n_features_in_))


def data(seed, rows=400):
    """Column 0 decides, column 1 says nothing; one cell in ten is missing."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, 4)).astype(np.float32)
    answer = matrix[:, 0] + 0.1 * rng.normal(size=rows) > 0
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    return matrix, answer


@given(seed=st.integers(0, 10_000), leaves=st.integers(2, 31), weighted=st.booleans())
@settings(max_examples=25, deadline=None)
def test_numpy_predicts_what_the_library_does(seed, leaves, weighted):
    matrix, answer = data(seed)
    weight = np.random.default_rng(seed).uniform(0.5, 3, len(answer)) if weighted else None
    model = HistGradientBoostingClassifier(max_iter=8, max_leaf_nodes=leaves, min_samples_leaf=5, random_state=0)
    model.fit(matrix, answer, weight)
    trees = flat(model)
    other, _ = data(seed + 1)
    # Far outside of what was seen, too.
    other[0] = [np.inf, -np.inf, 1e30, np.nan]
    assert trees.raw(other) == pytest.approx(model.decision_function(other), abs=1e-6)
    stored = Trees.stored(trees.arrays())
    assert (stored.raw(other) == trees.raw(other)).all()


def test_a_regressor_is_evaluated_as_well():
    matrix, _ = data(0)
    target = np.nan_to_num(matrix[:, 0]) * 3 + 7
    model = HistGradientBoostingRegressor(max_iter=20, random_state=0).fit(matrix, target)
    assert flat(model).raw(matrix) == pytest.approx(model.predict(matrix), abs=1e-6)


def test_contributions_add_up_and_belong_to_the_feature_that_decides():
    matrix, answer = data(3)
    trees = flat(HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(matrix, answer))
    added = trees.contributions(matrix)
    start = trees.base + trees.value[trees.roots].sum()
    assert added.sum(axis=1) + start == pytest.approx(trees.raw(matrix), abs=1e-9)
    share = np.abs(added).sum(axis=0) / np.abs(added).sum()
    assert share[0] > 0.8
    assert share[1] < 0.1


@pytest.mark.parametrize("column", [0, 2, 4])
def test_leaves_within_reach_of_some_features_are_reused(column):
    matrix, answer = data(4, rows=1_100)
    trees = flat(HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(matrix, answer))
    within = trees.within(matrix, column)
    assert (trees.raw(matrix, within, column) == trees.raw(matrix)).all()
    changed = matrix.copy()
    changed[:, column:] = data(5, rows=1_100)[0][:, column:]
    assert (trees.raw(changed, within, column) == trees.raw(changed)).all()


def test_no_rows_have_no_predictions():
    trees = flat(HistGradientBoostingClassifier(max_iter=2).fit(*data(0)))
    none = np.empty((0, 4), np.float32)
    assert (trees.raw(none).shape, trees.contributions(none).shape) == ((0,), (0, 4))


def test_stored_trees_that_lead_astray_are_refused():
    arrays = flat(HistGradientBoostingClassifier(max_iter=2).fit(*data(0))).arrays()
    with pytest.raises(DataError, match="leads outside"):
        Trees.stored({**arrays, "left": arrays["left"] + len(arrays["left"])})
    with pytest.raises(DataError, match="has the shape"):
        Trees.stored({**arrays, "value": arrays["value"][:-1]})
    with pytest.raises(DataError, match="lack 'base'"):
        Trees.stored({name: values for name, values in arrays.items() if name != "base"})


def test_categorical_columns_are_refused():
    matrix, answer = data(0)
    matrix[:, 0] = np.nan_to_num(matrix[:, 0] > 0)
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]).fit(matrix, answer)
    with pytest.raises(DataError, match="categorical"):
        flat(model)


def walked(trees, row):
    """One row's sum, from each root down to a leaf."""
    added = []
    for node in trees.roots:
        while trees.feature[node] >= 0:
            value = np.float64(row[trees.feature[node]])
            goes_left = trees.missing_left[node] if np.isnan(value) else value <= trees.threshold[node]
            node = trees.left[node] if goes_left else trees.right[node]
        added.append(trees.value[node])
    return trees.base + np.array(added).sum()


@pytest.mark.parametrize("leaves", [2, 15, 17, 33, 64])
def test_vectorised_trees_equal_a_walk_down_each(leaves):
    matrix, answer = data(1, 3_000)
    model = HistGradientBoostingClassifier(max_iter=5, max_leaf_nodes=leaves, min_samples_leaf=2)
    trees = flat(model.fit(matrix, answer))
    asked = trees.feature >= 0
    # On a threshold, just above it, and where nothing was seen.
    on = np.tile(trees.threshold[asked][:, None], (1, 4))
    rows = np.concatenate([on, np.nextafter(on, np.inf), np.full((1, 4), np.nan), [[np.inf, -np.inf, np.nan, 0.0]]])
    assert (trees.raw(rows) == [walked(trees, row) for row in rows]).all()


def test_trees_that_found_nothing_to_ask_are_evaluated():
    matrix, _ = data(0)
    trees = flat(HistGradientBoostingRegressor(max_iter=3).fit(matrix, np.full(len(matrix), 7.0)))
    assert trees.raw(matrix) == pytest.approx(np.full(len(matrix), 7.0))


def test_trees_of_more_leaves_than_a_number_has_bits_are_refused():
    matrix, _ = data(1, 3_000)
    model = HistGradientBoostingRegressor(max_iter=1, max_leaf_nodes=65, min_samples_leaf=2)
    trees = flat(model.fit(matrix, np.sin(9 * np.nan_to_num(matrix[:, 1]))))
    assert np.sum(trees.feature < 0) == 65
    with pytest.raises(DataError, match="64 leaves at most, not 65"):
        trees.raw(matrix)
