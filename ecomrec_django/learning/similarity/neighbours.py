"""Exact nearest neighbours of items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Cells of a product that are held at once.
_CELLS = 20_000_000


def top_k(matrix: csr_matrix, k: int) -> csr_matrix:
    """The ``k`` greatest positive values of each row; of equal ones those of the lower column."""
    from scipy.sparse import csr_matrix

    matrix = matrix.tocsr()
    starts, columns, values = matrix.indptr, matrix.indices, matrix.data
    selected = values > 0
    # Row by row, as sorting all cells at once takes many times as long.
    for row in np.flatnonzero(np.diff(starts) > k):
        part = slice(starts[row], starts[row + 1])
        row_values = values[part]
        least = np.partition(row_values, -k)[-k]
        greatest = row_values > least
        equal = np.flatnonzero(row_values == least)
        greatest[equal[np.argsort(columns[part][equal])[: k - greatest.sum()]]] = True
        selected[part] &= greatest
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(starts))
    return csr_matrix((values[selected], (rows[selected], columns[selected])), matrix.shape)


def item_neighbours(preferences: csr_matrix, k: int, shrink: float = 0.0) -> csr_matrix:
    """Each item's ``k`` nearest others, shape (items, items), by preferences of shape (visitors, items).

    Their similarity is the cosine of the columns, 0…1, times ``s / (s + shrink)`` for ``s`` visitors in common. Raises
    DataError for preferences below 0.
    """
    from scipy.sparse import csr_matrix, diags, vstack

    matrix = csr_matrix(preferences.T, dtype=np.float32)
    matrix.eliminate_zeros()
    if (matrix.data < 0).any():
        raise DataError("Preferences must not be negative.")
    rows = np.flatnonzero(np.diff(matrix.indptr))
    filled = matrix[rows]
    lengths = np.sqrt(np.asarray(filled.multiply(filled).sum(axis=1)).ravel())
    unit = (diags(1 / np.maximum(lengths, 1e-12)) @ filled).tocsr().astype(np.float32)
    holding = unit.copy()
    holding.data[:] = 1
    unit_by_column, holding_by_column = unit.T.tocsr(), holding.T.tocsr()
    step = max(_CELLS // max(len(rows), 1), 1)
    parts = []
    for start in range(0, len(rows), step):
        similarity = (unit[start : start + step] @ unit_by_column).tocsr()
        if shrink:
            # Both products have the same cells in the same order, as nothing is negative.
            common = (holding[start : start + step] @ holding_by_column).data
            similarity.data *= common / (common + shrink)
        cells = similarity.tocoo()
        similarity.data[cells.row + start == cells.col] = 0
        parts.append(top_k(similarity, k))
    shape = (matrix.shape[0], matrix.shape[0])
    if not parts:
        return csr_matrix(shape, dtype=np.float32)
    neighbours = vstack(parts).tocoo()
    return csr_matrix((neighbours.data, (rows[neighbours.row], rows[neighbours.col])), shape)
