"""What a ranker knows of all items: gathered once by a worker, read by numpy alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..sequences.gru import GRUModel
from ..sparse import SparseRows
from ..types import BoolArray, FloatArray, IntArray
from .interests import InterestWeights


@dataclass(frozen=True, kw_only=True)
class ItemTable:
    """What the catalog says of all items, shape (items,) each.

    aisle: its number from 0, int64
    need: its number from 0, int64
    brand: its number from 0, -1 for none, int64
    price: above 0, or NaN, float64
    offered: whether the item may be offered
    content: `content_vectors`, shape (items, content features)
    """

    aisle: IntArray
    need: IntArray
    brand: IntArray
    price: FloatArray
    offered: BoolArray
    content: SparseRows

    @classmethod
    def plain(cls, aisle: IntArray, need: IntArray, price: FloatArray) -> ItemTable:
        """Of items of which no more is known; all may be offered."""
        items = len(need)
        return cls(
            aisle=aisle,
            need=need,
            brand=np.full(items, -1),
            price=price,
            offered=np.ones(items, bool),
            content=SparseRows.empty(items),
        )


@dataclass(frozen=True, kw_only=True)
class ItemFeatures:
    """What is known of all items; compact arrays, shape (items,) unless said otherwise.

    aisle, need: numbers from 0
    baskets: baskets with the item
    recent_baskets: the same by decayed weight
    total_baskets: all baskets
    recent_total: all baskets by decayed weight
    price: above 0, or NaN
    pairs: baskets with both items, shape (items, items), a row per anchor
    aisle_pairs: probability that a basket with the aisle holds the item, shape (aisles, items)
    need_pairs: probability that a basket with one need holds another, shape (needs, needs)
    need_items: probability that a basket with the need holds the item, shape (needs, items)
    similar_items: `item_neighbours`, shape (items, items)
    repeat_rate, cycle, repeats: of `Cycles`, shape (needs,)
    item_repeat_rate: of `Cycles`
    basket_size: mean size of the baskets with the item
    bestsellers: item numbers, most bought first, shape (bestsellers,)
    brand, offered, content: as in `ItemTable`
    co_viewed: cosine of two items' viewers, shape (items, items)
    segment_popularity: as `clustering.popularity`, shape (segments, items)
    interest_weights: those of `interests`
    image_vectors: each of length 1, or 0 where there is no image, shape (items, width); width 0 where no ranker uses
        them
    network: predicts the next item of a history; None where no ranker uses it
    """

    aisle: IntArray
    need: IntArray
    baskets: FloatArray
    recent_baskets: FloatArray
    total_baskets: float
    recent_total: float
    price: FloatArray
    pairs: SparseRows
    aisle_pairs: SparseRows
    need_pairs: SparseRows
    need_items: SparseRows
    similar_items: SparseRows
    repeat_rate: FloatArray
    cycle: FloatArray
    repeats: BoolArray
    item_repeat_rate: FloatArray
    basket_size: FloatArray
    bestsellers: IntArray
    brand: IntArray
    offered: BoolArray
    co_viewed: SparseRows
    content: SparseRows
    segment_popularity: SparseRows
    interest_weights: InterestWeights
    image_vectors: FloatArray = field(default_factory=lambda: np.empty((0, 0), np.float16))
    network: GRUModel | None = None
