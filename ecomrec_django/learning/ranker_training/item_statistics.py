"""Item features from the shared statistics and the purchases of a shop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError
from ..interactions import DAY
from ..measures import MIN_CUSTOMERS
from ..ranking.interests import InterestWeights
from ..ranking.item_features import ItemFeatures, ItemTable
from ..ranking.replenishment import fit_cycles
from ..similarity.neighbours import item_neighbours, top_k
from ..sparse import SparseRows
from ..types import FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from ..interactions import Interactions
    from ..statistics.cooccurrence import AislePairs, Pairs

RECENT_HALF_LIFE = 30.0
ITEM_NEIGHBOURS = 60
# Buyers' worth of doubt in the similarity of two items.
ITEM_SHRINK = 5.0
BESTSELLERS = 200
# Items kept per need, of those bought with it.
NEED_ITEMS = 400


def build_item_features(
    purchases: Interactions,
    *,
    items: ItemTable,
    pairs: Pairs,
    aisle_pairs: AislePairs,
    co_viewed: SparseRows | None = None,
    segments: SparseRows | None = None,
    weights: InterestWeights | None = None,
) -> ItemFeatures:
    """From purchase rows that all name a basket, and the shared statistics of the same items and time.

    items: the catalog's own columns
    pairs: baskets with both items, per anchor
    aisle_pairs: what is bought with each aisle
    co_viewed: cosine of two items' viewers, shape (items, items); None for no views
    segments: as `clustering.popularity`; None for no segments
    weights: of shoppers' interests; None for the defaults

    Raises DataError for purchases without a basket.
    """
    from scipy.sparse import csr_matrix, diags

    if (purchases.basket < 0).any():
        raise DataError("Item features need purchases with a basket only.")
    aisle, need = items.aisle, items.need
    size = len(need)
    contents, days = _baskets(purchases, size)
    weight = 0.5 ** ((days.max(initial=0.0) - days) / RECENT_HALF_LIFE)
    baskets = np.asarray(contents.sum(axis=0)).ravel()
    needs = (contents @ csr_matrix((np.ones(size, np.float32), (np.arange(size), need)))).tocsr()
    needs.data[:] = 1
    with_need = np.maximum(np.asarray(needs.sum(axis=0)).ravel(), 1)
    known = purchases.visitor >= 0
    cycles = fit_cycles(purchases.visitor[known], purchases.item[known], purchases.time[known] / DAY, need)
    similar_items = item_neighbours(_spread(basket_counts(purchases, size)), ITEM_NEIGHBOURS, ITEM_SHRINK)
    aisle_cells = (aisle_pairs.probability, (aisle_pairs.aisle, aisle_pairs.item))
    return ItemFeatures(
        aisle=aisle,
        need=need,
        baskets=baskets,
        recent_baskets=np.asarray((diags(weight) @ contents).sum(axis=0)).ravel(),
        total_baskets=float(len(days)),
        recent_total=float(weight.sum()),
        price=items.price,
        pairs=SparseRows.of(csr_matrix((pairs.baskets, (pairs.anchor, pairs.item)), (size, size))),
        aisle_pairs=SparseRows.of(csr_matrix(aisle_cells, (int(aisle.max()) + 1, size))),
        need_pairs=SparseRows.of(diags(1 / with_need) @ (needs.T @ needs)),
        need_items=SparseRows.of(top_k((diags(1 / with_need) @ (needs.T @ contents)).tocsr(), NEED_ITEMS)),
        similar_items=SparseRows.of(similar_items),
        repeat_rate=cycles.rate,
        cycle=cycles.days,
        repeats=cycles.repeats,
        item_repeat_rate=cycles.item_rate,
        basket_size=(contents.T @ np.asarray(contents.sum(axis=1)).ravel()) / np.maximum(baskets, 1),
        bestsellers=np.argsort(-np.where(items.offered, baskets, -1.0), kind="stable")[:BESTSELLERS],
        brand=items.brand,
        offered=items.offered,
        co_viewed=co_viewed or SparseRows.empty(size),
        content=items.content,
        segment_popularity=segments or SparseRows.empty(1),
        interest_weights=weights or InterestWeights(),
    )


def basket_counts(purchases: Interactions, items: int) -> csr_matrix:
    """Own baskets of each visitor with each item, shape (visitors, items) float32."""
    from scipy.sparse import csr_matrix

    known = purchases.visitor >= 0
    basket, item = purchases.basket[known], purchases.item[known]
    # No two visitors share a basket; sorting one number per line is many times as fast as sorting pairs.
    visitor = np.zeros(int(basket.max(initial=-1)) + 1, np.int64)
    visitor[basket] = purchases.visitor[known]
    basket, item = np.divmod(np.unique(basket * items + item), items)
    shape = (len(purchases.visitors), items)
    return csr_matrix((np.ones(len(item), np.float32), (visitor[basket], item)), shape)


def _baskets(purchases: Interactions, items: int) -> tuple[csr_matrix, FloatArray]:
    """Which basket holds what, shape (baskets, items) float32 of 0 and 1, and the day of each."""
    from scipy.sparse import csr_matrix

    _, first, number = np.unique(purchases.basket, return_index=True, return_inverse=True)
    ones = np.ones(len(number), np.float32)
    contents = csr_matrix((ones, (number, purchases.item)), (len(first), items))
    contents.data[:] = 1
    return contents, purchases.time[first] / DAY


def _spread(counts: csr_matrix) -> csr_matrix:
    """1 per item bought, divided by √(items of the visitor): one who buys everything says little of similarity.

    Items of fewer than MIN_CUSTOMERS are similar to no other: that would show what a single customer bought.
    """
    from scipy.sparse import diags

    bought = counts.copy()
    bought.data[:] = 1
    lengths = np.sqrt(np.maximum(np.asarray(bought.sum(axis=1)).ravel(), 1))
    spread = (diags(1 / lengths) @ bought @ enough_customers(bought)).tocsr()
    spread.eliminate_zeros()
    return spread


def enough_customers(counts: csr_matrix) -> csr_matrix:
    """Takes out the items of fewer than MIN_CUSTOMERS, as a diagonal matrix of 0 and 1."""
    from scipy.sparse import diags

    return diags((np.bincount(counts.indices, minlength=counts.shape[1]) >= MIN_CUSTOMERS).astype(np.float32))
