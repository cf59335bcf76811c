"""Boosted trees as flat arrays: their predictions, and what each signal added to them, by numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError


@dataclass(frozen=True)
class Trees:
    """All nodes of all trees laid end to end; arrays of shape (nodes,) unless said otherwise.

    roots: (trees,) node numbers · signal: column that a node asks, -1 for a leaf · threshold: values up to it go left ·
    missing_left: where NaN goes · left, right: node numbers, a leaf's own for a leaf · value: of a leaf what it adds,
    of any other node the mean of the leaves below by training weight · base: what is added to every sum · depth: steps
    from a root to the deepest leaf.
    """

    roots: np.ndarray
    signal: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    base: float
    depth: int

    @classmethod
    def of(cls, model: Any, columns: np.ndarray) -> Trees:
        """Of a binary HistGradientBoostingClassifier, or a regressor, fitted on some ``columns`` of a matrix, none of
        them categorical."""
        parts = [trees[0].nodes for trees in model._predictors]
        if any(nodes["is_categorical"].any() for nodes in parts):
            raise DataError("Trees over categorical columns cannot be stored: give numbers to the ranker.")
        sizes = np.array([len(nodes) for nodes in parts], np.int64)
        roots = np.cumsum(sizes) - sizes
        nodes, shift = np.concatenate(parts), np.repeat(roots, sizes)
        leaf = nodes["is_leaf"].astype(bool)
        own = np.arange(len(nodes))
        left = np.where(leaf, own, nodes["left"] + shift)
        right = np.where(leaf, own, nodes["right"] + shift)
        value = np.where(leaf, nodes["value"], 0.0)
        for number in np.argsort(-nodes["depth"].astype(np.int64), kind="stable"):
            if not leaf[number]:
                below = np.array([left[number], right[number]])
                value[number] = np.average(value[below], weights=nodes["count"][below])
        return cls(
            roots,
            np.where(leaf, -1, columns[nodes["feature_idx"]]).astype(np.int16),
            np.where(leaf, 0.0, nodes["num_threshold"]),
            nodes["missing_go_to_left"].astype(bool),
            left.astype(np.int32),
            right.astype(np.int32),
            value,
            float(np.ravel(model._baseline_prediction)[0]),
            int(nodes["depth"].max(initial=0)),
        )

    def raw(self, matrix: np.ndarray) -> np.ndarray:
        """Sums over all trees (log-odds of a classifier), shape (rows,); ``matrix`` is (rows, signals)."""
        rows, signals = matrix.shape
        # -inf is below every threshold, and NaN below none: so a missing value goes left in the first half, right in
        # the second.
        halves = np.concatenate([np.where(np.isnan(matrix), -np.inf, matrix), matrix], axis=1).ravel()
        column = np.where(self.missing_left, self.signal, self.signal + signals)
        first = np.repeat(np.arange(rows) * 2 * signals, len(self.roots))
        at = np.tile(self.roots, rows)
        going = np.arange(len(at))
        for _ in range(self.depth):
            node = at[going]
            inner = self.signal[node] >= 0
            going, node = going[inner], node[inner]
            goes_left = halves[first[going] + column[node]] <= self.threshold[node]
            at[going] = np.where(goes_left, self.left[node], self.right[node])
        return self.base + self.value[at].reshape(rows, len(self.roots)).sum(axis=1)

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """What each signal added to `raw`, shape (rows, signals).

        At each node the change of ``value`` belongs to the signal that was asked; a row's sum is its `raw` less
        ``base`` and less the roots' own values. Source: A. Saabas, Interpreting random forests (2014).
        """
        rows, signals = matrix.shape
        at, added = self._roots(matrix), np.zeros(rows * signals)
        for _ in range(self.depth):
            after = self._step(at, matrix)
            # A leaf stays where it is and adds nothing, to whichever signal.
            cell = np.arange(rows)[:, None] * signals + np.maximum(self.signal[at], 0)
            change = self.value[after] - self.value[at]
            added += np.bincount(cell.ravel(), change.ravel(), rows * signals)
            at = after
        return added.reshape(rows, signals)

    def arrays(self) -> dict[str, np.ndarray]:
        """All fields as arrays, to be stored; `Trees.stored` reads them back."""
        return {name: np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def stored(cls, arrays: dict[str, np.ndarray]) -> Trees:
        """From what `arrays` gave. Raises DataError where nodes lead outside of the arrays."""
        try:
            trees = cls(
                **{name: arrays[name] for name in cls.__dataclass_fields__ if name not in ("base", "depth")},
                base=float(arrays["base"]),
                depth=int(arrays["depth"]),
            )
        except KeyError as error:
            raise DataError(f"Stored trees lack {error}: train again.") from error
        nodes = len(trees.signal)
        for name in ("threshold", "missing_left", "left", "right", "value"):
            if getattr(trees, name).shape != (nodes,):
                raise DataError(f"Stored trees have {nodes} nodes, but {name} has the shape {arrays[name].shape}.")
        for links in (trees.roots, trees.left, trees.right):
            if len(links) and not (links.min() >= 0 and links.max() < nodes):
                raise DataError("A node of the stored trees leads outside of them: train again.")
        return trees

    def _roots(self, matrix: np.ndarray) -> np.ndarray:
        return np.tile(self.roots, (len(matrix), 1))

    def _step(self, at: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        asked = np.take_along_axis(matrix, np.maximum(self.signal[at], 0).astype(np.int64), axis=1)
        goes_left = np.where(np.isnan(asked), self.missing_left[at], asked <= self.threshold[at])
        return np.where(goes_left, self.left[at], self.right[at])
