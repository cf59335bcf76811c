"""Sparse matrices by rows, and look-ups in sorted arrays, by numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .types import AnyArray, BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class SparseRows:
    """A sparse matrix by rows: row r holds ``columns[starts[r]:starts[r + 1]]``, ascending, and their ``values``.

    starts: int64, shape (rows + 1,)
    columns: int32, shape (cells,)
    values: float32, shape (cells,)
    """

    starts: IntArray
    columns: IntArray
    values: FloatArray

    @classmethod
    def of(cls, matrix: csr_matrix) -> SparseRows:
        """The same matrix without its zeros."""
        matrix = matrix.tocsr().copy()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return cls(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32))

    @classmethod
    def empty(cls, rows: int) -> SparseRows:
        """Rows without a value."""
        return cls(np.zeros(rows + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, number: int) -> tuple[IntArray, FloatArray]:
        """Columns and values of one row."""
        part = slice(self.starts[number], self.starts[number + 1])
        return self.columns[part], self.values[part]

    def at(self, number: int, columns: IntArray) -> FloatArray:
        """Values of one row at ``columns``, shape as given; 0 where it has none."""
        return lookup_sorted(*self.row(number), columns)

    def blend(self, numbers: IntArray, weights: FloatArray) -> tuple[IntArray, FloatArray]:
        """Columns and values of the weighted sum of some rows."""
        starts = self.starts[numbers]
        sizes = self.starts[numbers + 1] - starts
        cells = expand_ranges(starts, sizes)
        return sum_by_key(self.columns[cells], np.repeat(weights, sizes) * self.values[cells])


def expand_ranges(starts: IntArray | int, sizes: IntArray) -> IntArray:
    """The ranges ``starts[k]`` … ``starts[k] + sizes[k] - 1`` end to end, shape (sum of ``sizes``,).

    >>> expand_ranges(np.array([10, 20]), np.array([2, 3])).tolist()
    [10, 11, 20, 21, 22]
    """
    return np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())


def rank_in_group(groups: IntArray) -> IntArray:
    """Position (0, 1, …) of each row within its run of equal values of the sorted ``groups``, shape (rows,).

    >>> rank_in_group(np.array([4, 4, 4, 7, 9, 9])).tolist()
    [0, 1, 2, 0, 0, 1]
    """
    fresh = np.ones(len(groups), bool)
    np.not_equal(groups[1:], groups[:-1], out=fresh[1:])
    starts = np.flatnonzero(fresh)
    return expand_ranges(0, np.diff(np.r_[starts, len(groups)]))


def positions(keys: AnyArray, values: AnyArray) -> IntArray:
    """The position of each of ``values`` among ascending ``keys``, -1 for one that is absent; shape of ``values``.

    >>> positions(np.array([3, 5, 9]), np.array([5, 4, 9])).tolist()
    [1, -1, 2]
    """
    if not len(keys):
        return np.full(np.shape(values), -1)
    at = keys.searchsorted(values)
    return np.where(keys.take(at, mode="clip") == values, at, -1)


def sum_by_key(keys: IntArray, values: FloatArray) -> tuple[IntArray, FloatArray]:
    """The distinct ``keys``, ascending, and the sum of each one's ``values``."""
    if not len(keys):
        return keys, values
    # Rows laid end to end ascend piece by piece, which a stable sort merges in less than half the time of np.unique.
    order = keys.argsort(kind="stable")
    keys = keys[order]
    fresh = np.empty(len(keys), bool)
    fresh[0] = True
    np.not_equal(keys[1:], keys[:-1], out=fresh[1:])
    first = np.flatnonzero(fresh)
    return keys[first], np.add.reduceat(values[order], first)


def unique_sorted(keys: IntArray) -> IntArray:
    """The distinct ``keys``, ascending: of a few hundred in a third of the time that np.unique takes."""
    keys = np.sort(keys)
    fresh = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=fresh[1:])
    return keys[fresh]


def isin_sorted(keys: IntArray, values: IntArray) -> BoolArray:
    """Whether each of ``values`` is one of the ascending ``keys``, shape of ``values``."""
    if not len(keys):
        return np.zeros(np.shape(values), bool)
    return keys.take(keys.searchsorted(values), mode="clip") == values


def lookup_sorted(keys: IntArray, values: FloatArray, queries: IntArray, missing: float = 0.0) -> FloatArray:
    """``values`` of the ascending ``keys`` at ``queries``, shape of the latter; ``missing`` where there is none."""
    if not len(keys):
        return np.full(np.shape(queries), missing)
    # Of another type than the keys', the few queries would have all keys copied.
    queries = queries.astype(keys.dtype, copy=False)
    at = keys.searchsorted(queries)
    return np.where(keys.take(at, mode="clip") == queries, values.take(at, mode="clip"), missing)
