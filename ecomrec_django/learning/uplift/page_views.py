"""What happened beside each product: the baskets of a later slice of time as page views."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.chance import BLOCK
from ..measures import by_chance, chance_shares
from ..sparse import expand_ranges, positions, rank_in_group
from ..types import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy.sparse import csr_matrix

# Rows of (pair, size of basket) worked on at once.
_AT_ONCE = 4_000_000


@dataclass(frozen=True, kw_only=True)
class PageViews:
    """Each item of each basket as the view of its page, shape (views,) where nothing else is said; by basket.

    basket: number of the basket, 0, 1, …
    item: item number
    customer: id of the customer
    share: of each item among the lines of a basket by chance, see `chance_shares`, 0…1, shape (items,)
    """

    basket: IntArray
    item: IntArray
    customer: IntArray
    share: FloatArray

    @classmethod
    def of(cls, purchases: pa.Table, ids: IntArray) -> PageViews:
        """From purchase lines, see `Statistics.purchases`; ``ids``: Item.pk of the items, ascending."""
        item = positions(ids, purchases["item"].to_numpy())
        rows = np.flatnonzero(item >= 0)
        basket = np.unique(purchases["basket"].to_numpy()[rows], return_inverse=True)[1]
        order = rows[np.argsort(basket, kind="stable")]
        share = chance_shares(np.bincount(item[rows], minlength=len(ids)), np.bincount(basket))
        return cls(
            basket=np.sort(basket), item=item[order], customer=purchases["customer"].to_numpy()[order], share=share
        )

    def __len__(self) -> int:
        return len(self.basket)

    def where(self, mask: BoolArray) -> PageViews:
        """The views of whole baskets; the shares stay."""
        basket = np.unique(self.basket[mask], return_inverse=True)[1]
        return PageViews(basket=basket, item=self.item[mask], customer=self.customer[mask], share=self.share)

    @cached_property
    def others(self) -> IntArray:
        """More items in each view's basket."""
        return np.bincount(self.basket)[self.basket] - 1

    @cached_property
    def contents(self) -> csr_matrix:
        """Which basket holds what, shape (baskets, items) float32 of 0 and 1."""
        from scipy.sparse import csr_matrix

        shape = (int(self.basket.max(initial=-1)) + 1, len(self.share))
        contents = csr_matrix((np.ones(len(self), np.float32), (self.basket, self.item)), shape)
        contents.data[:] = 1
        return contents

    def views(self) -> IntArray:
        """Of each item's page, shape (items,)."""
        return np.bincount(self.item, minlength=len(self.share))

    def excess(self, anchor: IntArray, item: IntArray) -> FloatArray:
        """Hits of each pair beyond those by chance, a mean over the views of the anchor's page, 0 without any.

        Shape of ``anchor``, which ascends.
        """
        hits = (self.contents.T @ self.contents).tocsr()[anchor, item]
        hits = np.asarray(hits, np.float64).ravel()
        chance = np.empty(len(anchor))
        starts, sizes, counts = self._basket_sizes
        rows = np.diff(starts)[anchor]
        step = max(_AT_ONCE // max(int(rows.max(initial=1)), 1), 1)
        for start in range(0, len(anchor), step):
            part = slice(start, start + step)
            cells = expand_ranges(starts[anchor[part]], rows[part])
            pair = np.repeat(np.arange(len(rows[part])), rows[part])
            expected = counts[cells] * by_chance(self.share[item[part]][pair], sizes[cells])
            chance[part] = np.bincount(pair, expected, len(rows[part]))
        return (hits - chance) / np.maximum(self.views()[anchor], 1)

    @cached_property
    def _basket_sizes(self) -> tuple[IntArray, IntArray, IntArray]:
        """How many views of each item were in baskets of how many others: starts by item, sizes, and counts."""
        width = int(self.others.max(initial=0)) + 1
        key, count = np.unique(self.item * width + self.others, return_counts=True)
        item, others = np.divmod(key, width)
        return np.searchsorted(item, np.arange(len(self.share) + 1)), others, count

    def excess_of_blocks(self, anchor: IntArray, item: IntArray, score: FloatArray) -> FloatArray:
        """Per view, the excess of the BLOCK best pairs of its item, shape (views,)."""
        order = np.lexsort((item, -score, anchor))
        order = order[rank_in_group(anchor[order]) < BLOCK]
        anchor, item = anchor[order], item[order]
        start = np.searchsorted(anchor, np.arange(len(self.share) + 1))
        offers = np.diff(start)[self.item]
        cells = expand_ranges(start[self.item], offers)
        view = np.repeat(np.arange(len(self)), offers)
        if not len(cells):
            return np.zeros(len(self))
        hits = np.asarray(self.contents[self.basket[view], item[cells]]).ravel()
        chance = by_chance(self.share[item[cells]], self.others[view])
        return np.bincount(view, hits - chance, len(self)).astype(np.float64)
