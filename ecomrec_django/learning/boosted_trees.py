"""Boosted regression trees, as models of offers learn them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .types import FloatArray, IntArray, NumberArray

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor


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
            return cls(model.fit(matrix[:, columns], target, weight), columns)

    def predict(self, matrix: FloatArray) -> FloatArray:
        """Of each row of a matrix with the same features, shape (rows,)."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            return np.asarray(self.model.predict(matrix[:, self.columns]), np.float64)
