"""Boosted trees of whatever features a shop has."""

import numpy as np
import pytest

from ecomrec_django.learning.boosted_trees import BoostedTrees, fit_binned

SETTINGS = {"max_iter": 40, "min_samples_leaf": 5}


@pytest.fixture
def matrix():
    """A feature that decides, and one that nobody knows anything of."""
    return np.column_stack([np.linspace(0, 1, 200), np.full(200, np.nan)]).astype(np.float32)


def test_a_feature_that_is_unknown_throughout_is_left_out(matrix):
    target = (matrix[:, 0] > 0.5).astype(float)
    trees = BoostedTrees.fit(matrix, target, np.ones(200), **SETTINGS)
    assert trees.columns.tolist() == [0]
    assert np.abs(trees.predict(matrix) - target).max() < 0.1


def test_what_becomes_known_later_changes_nothing(matrix):
    trees = BoostedTrees.fit(matrix, matrix[:, 0].astype(float), np.ones(200), **SETTINGS)
    known = matrix.copy()
    known[:, 1] = np.arange(200)
    assert (trees.predict(known) == trees.predict(matrix)).all()


def test_rows_count_by_their_weight(matrix):
    same = np.zeros_like(matrix)
    target = np.r_[np.zeros(100), np.ones(100)]
    weight = np.r_[np.full(100, 3.0), np.ones(100)]
    assert BoostedTrees.fit(same, target, weight, **SETTINGS).predict(same) == pytest.approx(0.25, abs=1e-6)


def test_trees_are_those_of_scikit_learn():
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(600, 4)).astype(np.float32)
    # Few values, and a feature of which little is known; whether it is tells something.
    matrix[:, 1] = np.round(matrix[:, 1] * 3)
    matrix[rng.random(600) < 0.7, 2] = np.nan
    target = np.exp(matrix[:, 0]) + matrix[:, 1] + np.isnan(matrix[:, 2]) + rng.normal(size=600)
    weight = rng.choice([1.0, 4.0], 600)
    theirs, ours = (HistGradientBoostingRegressor(**SETTINGS, early_stopping=False) for _ in range(2))
    theirs.fit(matrix, target, weight)
    fit_binned(ours, matrix, target, weight)
    for (tree,), (other,) in zip(theirs._predictors, ours._predictors, strict=True):
        np.testing.assert_array_equal(tree.nodes, other.nodes)
