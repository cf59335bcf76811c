"""Boosted regression trees, as models of offers learn them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .types import BoolArray, FloatArray, IntArray, NumberArray

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor


# Those that scikit-learn uses.
_BINS = 255


def fit_binned(
    model: HistGradientBoostingRegressor | HistGradientBoostingClassifier,
    matrix: FloatArray,
    target: NumberArray | BoolArray,
    weight: NumberArray,
) -> None:
    """Fit ``model``, as its own ``fit`` does, in a fraction of the time: that sorts each feature once per bin.

    matrix: shape (rows, features), NaN where unknown; each feature is known of some row
    target, weight: shape (rows,)
    """
    edges = [_bin_edges(column, weight) for column in matrix.T]
    bins = np.full(matrix.shape, np.nan)
    for number, column in enumerate(matrix.T):
        known = ~np.isnan(column)
        bins[known, number] = np.searchsorted(edges[number], column[known])
    model.fit(bins, target, weight)
    for (tree,) in model._predictors:
        nodes = tree.nodes
        # Thresholds lie between two bins; the one between known and unknown is infinite.
        for node in np.flatnonzero((nodes["is_leaf"] == 0) & np.isfinite(nodes["num_threshold"])):
            feature, threshold = nodes["feature_idx"][node], nodes["num_threshold"][node]
            nodes["num_threshold"][node] = edges[feature][int(threshold)]


def _bin_edges(column: FloatArray, weight: NumberArray) -> FloatArray:
    """The largest value of each bin but the last, such that all weigh about the same.

    Between distinct values where they are few.
    """
    counted = ~np.isnan(column) & (weight > 0)
    order = np.argsort(column[counted])
    values, cumulative = column[counted][order].astype(np.float64), np.cumsum(weight[counted][order], dtype=np.float64)
    distinct = np.unique(values)
    if len(distinct) <= _BINS:
        return (distinct[1:] + distinct[:-1]) / 2
    share = np.linspace(0, 100, _BINS + 1)[1:-1] / 100 * cumulative[-1]
    place = np.minimum(np.searchsorted(cumulative, share), len(values) - 1)
    following = np.minimum(place + 1, len(values) - 1)
    between = cumulative[place] - share <= np.finfo(np.float64).eps
    return np.unique(np.where(between, (values[place] + values[following]) / 2, values[place]))


@dataclass(frozen=True)
class BoostedTrees:
    """Trees over some columns of a matrix of features.

    model: fitted on these columns
    columns: those that were known of any row
    """

    model: HistGradientBoostingRegressor
    columns: IntArray

    @classmethod
    def fit(cls, matrix: FloatArray, target: FloatArray, weight: NumberArray, **settings: Any) -> BoostedTrees:
        """Fit on ``matrix``, shape (rows, features), NaN where unknown.

        target, weight: shape (rows,)
        settings: of scikit-learn's HistGradientBoostingRegressor
        """
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        # What is unknown throughout cannot be binned.
        columns = np.flatnonzero(~np.isnan(matrix).all(axis=0))
        model = HistGradientBoostingRegressor(early_stopping=False, random_state=0, **settings)
        # On a busy machine, threads that wait for each other take much longer than a single one.
        with threadpool_limits(1):
            fit_binned(model, matrix[:, columns], target, weight)
        return cls(model, columns)

    def predict(self, matrix: FloatArray) -> FloatArray:
        """Of each row of a matrix with the same features, shape (rows,)."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            return np.asarray(self.model.predict(matrix[:, self.columns]), np.float64)
