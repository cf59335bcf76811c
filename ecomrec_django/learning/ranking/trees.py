"""Boosted trees as flat arrays: their predictions, and what each feature added to them, by numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ...errors import DataError
from ..types import AnyArray, BoolArray, FloatArray, IntArray

# A tree's leaves are the bits of one number.
MOST_LEAVES = 64
# Rows evaluated at once: what is worked on stays in the processor's cache.
_AT_ONCE = 256
# What is added to the exponent of a float32 where it is stored.
_BIAS = 127


class _Reach(NamedTuple):
    """Which leaves the values of features leave within reach; leaf k of a tree is bit k.

    features: column, its thresholds (ascending, the last one infinite), and masks of shape (thresholds + 1,
        trees) by the number of thresholds below a value; the last is NaN's
    whole: all leaves of each tree, shape (trees,)
    first: place of each tree's leaf 0 in ``values``, less _BIAS, shape (trees,)
    values: of all leaves, shape (leaves,)
    """

    features: list[tuple[int, FloatArray, IntArray]]
    whole: IntArray
    first: IntArray
    values: FloatArray


@dataclass(frozen=True, kw_only=True)
class Trees:
    """All nodes of all trees laid end to end; arrays of shape (nodes,) unless said otherwise.

    roots: node numbers, shape (trees,)
    feature: column that a node tests, -1 for a leaf
    threshold: values up to it go left
    missing_left: whether NaN goes left
    left, right: node numbers, a leaf's own for a leaf
    value: of a leaf what it adds, of any other node the mean of the leaves below by training weight
    base: what is added to every sum
    depth: steps from a root to the deepest leaf
    """

    roots: IntArray
    feature: IntArray
    threshold: FloatArray
    missing_left: BoolArray
    left: IntArray
    right: IntArray
    value: FloatArray
    base: float
    depth: int

    @classmethod
    def of(cls, model: Any, columns: IntArray) -> Trees:
        """Of a binary HistGradientBoostingClassifier, or a regressor, fitted on some ``columns`` of a matrix.

        Raises DataError for categorical columns.
        """
        parts = [trees[0].nodes for trees in model._predictors]
        if any(nodes["is_categorical"].any() for nodes in parts):
            raise DataError("Trees over categorical columns cannot be stored: give numbers to the ranker.")
        sizes = np.array([len(nodes) for nodes in parts], np.int64)
        roots = np.cumsum(sizes) - sizes
        nodes, shift = np.concatenate(parts), np.repeat(roots, sizes)
        leaf = nodes["is_leaf"].astype(bool)
        number = np.arange(len(nodes))
        left = np.where(leaf, number, nodes["left"] + shift)
        right = np.where(leaf, number, nodes["right"] + shift)
        value = np.where(leaf, nodes["value"], 0.0)
        for node in np.argsort(-nodes["depth"].astype(np.int64), kind="stable"):
            if not leaf[node]:
                below = np.array([left[node], right[node]])
                value[node] = np.average(value[below], weights=nodes["count"][below])
        return cls(
            roots=roots,
            feature=np.where(leaf, -1, columns[nodes["feature_idx"]]).astype(np.int16),
            threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
            missing_left=nodes["missing_go_to_left"].astype(bool),
            left=left.astype(np.int32),
            right=right.astype(np.int32),
            value=value,
            base=float(np.ravel(model._baseline_prediction)[0]),
            depth=int(nodes["depth"].max(initial=0)),
        )

    def raw(self, matrix: FloatArray, within: IntArray | None = None, column: int = 0) -> FloatArray:
        """Sums over all trees (log-odds of a classifier), shape (rows,); ``matrix`` is (rows, features).

        ``within``: what the features before ``column`` leave (see `within`), if that is known.
        """
        sums = np.empty(len(matrix))
        for start in range(0, len(matrix), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            known = None if within is None else within[part].copy()
            sums[part] = self._added(self._within(matrix[part], known, column))
        return sums

    def within(self, matrix: FloatArray, column: int) -> IntArray:
        """The leaves that the features before ``column`` leave within reach, as bits, shape (rows, trees)."""
        return self._within(matrix, None, 0, column)

    def _within(self, matrix: FloatArray, known: IntArray | None, column: int, end: int | None = None) -> IntArray:
        """``known`` (all leaves if None) without what the features ``column``…``end`` - 1 put out of reach.

        The value of each feature puts some leaves of each tree out of reach; what all of them leave is the one leaf.
        Source: C. Lucchese et al., QuickScorer, SIGIR 2015.
        """
        reach = self._reach
        leaves = np.tile(reach.whole, (len(matrix), 1)) if known is None else known
        mask = np.empty_like(leaves)
        for feature, thresholds, masks in reach.features:
            if feature >= column and (end is None or feature < end):
                # NaN comes after all thresholds, of which the last is infinite.
                leaves &= masks.take(thresholds.searchsorted(matrix[:, feature]), axis=0, out=mask, mode="clip")
        return leaves

    def _added(self, leaves: IntArray) -> FloatArray:
        """The sum over all trees of each row, shape (rows,), by the one of each one's ``leaves`` that is left."""
        # A single bit is left, and its number is the exponent of that power of two. In place, as new large arrays cost
        # more than what is done with them.
        place = leaves.astype(np.float32).view(np.int32)
        place >>= 23
        place += self._reach.first
        return self.base + self._reach.values.take(place, mode="clip").sum(axis=1)

    @cached_property
    def _reach(self) -> _Reach:
        """Made once, as it takes longer than an evaluation. Raises DataError for a tree of more than MOST_LEAVES."""
        leaf, nodes = self.feature < 0, len(self.feature)
        tree = np.searchsorted(self.roots, np.arange(nodes), "right") - 1
        leaves = np.bincount(tree[leaf], minlength=len(self.roots))
        most = int(leaves.max(initial=0))
        if most > MOST_LEAVES:
            raise DataError(f"Trees have {MOST_LEAVES} leaves at most, not {most}: fit smaller ones.")
        first = np.cumsum(leaves) - leaves
        below = np.zeros(nodes, np.uint64)
        below[leaf] = np.uint64(1) << (np.arange(leaf.sum()) - first[tree[leaf]]).astype(np.uint64)
        for _ in range(self.depth):
            below |= below[self.left] | below[self.right]
        below = below.astype(next(type_ for type_ in (np.uint16, np.uint32, np.uint64) if most <= np.iinfo(type_).bits))
        features: list[tuple[int, FloatArray, IntArray]] = []
        for feature in np.unique(self.feature[~leaf]):
            tests = np.flatnonzero(self.feature == feature)
            thresholds = np.unique(np.r_[self.threshold[tests], np.inf])
            masks = np.full((len(thresholds) + 1, len(self.roots)), np.iinfo(below.dtype).max, below.dtype)
            for node, last in zip(tests, np.searchsorted(thresholds, self.threshold[tests]), strict=True):
                goes_left = np.arange(len(masks)) <= last
                goes_left[-1] = self.missing_left[node]
                masks[:, tree[node]] &= ~np.where(goes_left, below[self.right[node]], below[self.left[node]])
            features.append((int(feature), thresholds, masks))
        return _Reach(features, below[self.roots], (first - _BIAS).astype(np.int32), self.value[leaf])

    def contributions(self, matrix: FloatArray) -> FloatArray:
        """What each feature added to `raw`, shape (rows, features).

        At each node the change of ``value`` belongs to the feature it tests; a row's sum is its `raw` less
        ``base`` and less the roots' own values. Source: A. Saabas, Interpreting random forests (2014).
        """
        rows, features = matrix.shape
        at, added = self._roots(matrix), np.zeros(rows * features)
        for _ in range(self.depth):
            after = self._step(at, matrix)
            # A leaf stays where it is and adds nothing, to whichever feature.
            cell = np.arange(rows)[:, None] * features + np.maximum(self.feature[at], 0)
            change = self.value[after] - self.value[at]
            added += np.bincount(cell.ravel(), change.ravel(), rows * features)
            at = after
        return added.reshape(rows, features)

    def arrays(self) -> dict[str, AnyArray]:
        """All fields as arrays, to be stored; `Trees.stored` reads them back."""
        return {name: np.asarray(getattr(self, name)) for name in self.__dataclass_fields__}

    @classmethod
    def stored(cls, arrays: dict[str, AnyArray]) -> Trees:
        """From what `arrays` gave. Raises DataError where nodes lead outside of the arrays."""
        try:
            trees = cls(
                **{name: arrays[name] for name in cls.__dataclass_fields__ if name not in ("base", "depth")},
                base=float(arrays["base"]),
                depth=int(arrays["depth"]),
            )
        except KeyError as error:
            raise DataError(f"Stored trees lack {error}: train again.") from error
        nodes = len(trees.feature)
        for name in ("threshold", "missing_left", "left", "right", "value"):
            if getattr(trees, name).shape != (nodes,):
                raise DataError(f"Stored trees have {nodes} nodes, but {name} has the shape {arrays[name].shape}.")
        for links in (trees.roots, trees.left, trees.right):
            if len(links) and not (links.min() >= 0 and links.max() < nodes):
                raise DataError("A node of the stored trees leads outside of them: train again.")
        return trees

    def _roots(self, matrix: FloatArray) -> IntArray:
        return np.tile(self.roots, (len(matrix), 1))

    def _step(self, at: IntArray, matrix: FloatArray) -> IntArray:
        tested = np.take_along_axis(matrix, np.maximum(self.feature[at], 0).astype(np.int64), axis=1)
        goes_left = np.where(np.isnan(tested), self.missing_left[at], tested <= self.threshold[at])
        return np.where(goes_left, self.left[at], self.right[at])
