"""What shoppers who are alike buy, at a cost that grows with the purchases and not with the pairs of shoppers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..sparse import SparseRows, rank_in_group
from ..types import IntArray
from .item_statistics import basket_counts, enough_customers

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from ..interactions import Interactions

NEIGHBOURS = 150
ITEMS = 300
# Buyers of one item among whom neighbours are sought.
BUYERS = 3_000
_HASH = np.uint64(0x9E37_79B9_7F4A_7C15)


@dataclass(frozen=True, kw_only=True)
class NeighbourTastes:
    """What the nearest neighbours of each visitor buy, computed for those that are asked for.

    The similarity of two visitors is the cosine of log(1 + baskets)·log(visitors / visitors with the item). Of an item
    with many buyers only BUYERS count as neighbours: those that come first by a hash of their ids, as in bottom-k
    sketches, so that they are the same ones for all items, and what two visitors share is seen whole or hardly at all.
    What fewer than MIN_CUSTOMERS bought is in nobody's taste: that would show what a single customer bought.

    likings: of length 1 each, shape (visitors, items)
    buyers: the likings of at most BUYERS visitors per item, shape (items, visitors)
    shares: of a visitor's baskets with each item, shape (visitors, items)
    """

    likings: csr_matrix
    buyers: csr_matrix
    shares: csr_matrix

    @classmethod
    def of(cls, purchases: Interactions, items: int) -> NeighbourTastes:
        """Of purchases that name a basket."""
        from scipy.sparse import diags

        counts = basket_counts(purchases, items)
        visitors = counts.shape[0]
        buyers = np.bincount(counts.indices, minlength=items)
        liking = (counts.log1p() @ diags(np.log(max(visitors, 1) / np.maximum(buyers, 1)))).tocsr()
        liking.eliminate_zeros()
        lengths = np.sqrt(np.asarray(liking.multiply(liking).sum(axis=1)).ravel())
        likings = (diags(1 / np.maximum(lengths, 1e-12)) @ liking).tocsr().astype(np.float32)
        known = purchases.visitor >= 0
        basket_visitor = purchases.visitor[known][np.unique(purchases.basket[known], return_index=True)[1]]
        baskets = np.maximum(np.bincount(basket_visitor, minlength=visitors), 1)
        return cls(
            likings=likings,
            buyers=_some_buyers(likings, purchases.visitors.ids),
            shares=(diags(1 / baskets) @ counts @ enough_customers(counts)).tocsr().astype(np.float32),
        )

    def rows(self, visitors: IntArray) -> SparseRows:
        """The ITEMS strongest of each of the ``visitors`` (numbers), shape (len(visitors), items).

        Σ_v similarity(u, v)·share(v, j) / Σ_v similarity(u, v), over the NEIGHBOURS most similar v
        """
        from scipy.sparse import diags
        from sparse_dot_topn import sp_matmul_topn

        threads = os.cpu_count()
        # One more, as everybody is nearest to themselves.
        near = sp_matmul_topn(self.likings[visitors], self.buyers, NEIGHBOURS + 1, threshold=0.0, n_threads=threads)
        near.data[near.indices == np.repeat(visitors, np.diff(near.indptr))] = 0
        weight = np.asarray(near.sum(axis=1)).ravel()
        mean = (diags(1 / np.maximum(weight, 1e-12)) @ near).tocsr().astype(np.float32)
        return SparseRows.of(sp_matmul_topn(mean, self.shares, ITEMS, threshold=0.0, n_threads=threads))


def _some_buyers(likings: csr_matrix, ids: IntArray) -> csr_matrix:
    """The columns of ``likings`` as rows, with the BUYERS visitors of each that come first by a hash of their ids."""
    from scipy.sparse import csr_matrix

    visitor = np.repeat(np.arange(likings.shape[0]), np.diff(likings.indptr))
    # Wraps around, as it is meant to.
    order = np.lexsort(((ids.astype(np.uint64) * _HASH)[visitor], likings.indices))
    some = order[rank_in_group(likings.indices[order]) < BUYERS]
    return csr_matrix((likings.data[some], (likings.indices[some], visitor[some])), likings.shape[::-1])
