"""What chance explains of a hit: an item that every third basket holds is in the rest of most large baskets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..measures import by_chance, own_shares
from ..types import FloatArray, IntArray, NumberArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Offers of a block on a page.
BLOCK = 4
# The bestsellers, whose share of all places is measured.
STAPLES = 20


@dataclass(frozen=True)
class Baskets:
    """The baskets of cases, as far as chance goes.

    share: of each item among the lines of a basket by chance, see `chance_shares`, 0…1, shape (items,)
    others: items of each case's basket beside its anchor, shape (cases,)
    own: lines of each case's shopper with each item before, shape (cases, items); None where they are not known
    """

    share: FloatArray
    others: IntArray
    own: csr_matrix | None = None


def chance_hits(offers: Sequence[IntArray], baskets: Baskets, *, own: bool = False) -> FloatArray:
    """Hits in the block of each case that popularity and basket size explain, shape (cases,).

    Σ over the offers of 1 - (1 - share)^others; with ``own`` by the shopper's own shares, smoothed by everybody's.
    """
    sizes = np.array([min(len(ranked), BLOCK) for ranked in offers], np.int64)
    case = np.repeat(np.arange(len(offers)), sizes)
    item = np.concatenate([np.empty(0, np.int64), *(np.asarray(ranked[:BLOCK], np.int64) for ranked in offers)])
    share = baskets.share[item]
    if own and baskets.own is not None:
        lines = np.asarray(baskets.own.sum(axis=1)).ravel()[case]
        with_item = np.asarray(baskets.own[case, item]).ravel() if len(case) else share
        share = own_shares(with_item, lines, share)
    return np.bincount(case, by_chance(share, baskets.others[case]), len(offers)).astype(np.float64)


def staple_items(popularity: NumberArray) -> IntArray:
    """The STAPLES bestsellers, item numbers."""
    sold = np.flatnonzero(popularity > 0)
    return sold[np.argsort(-popularity[sold], kind="stable")][:STAPLES]
