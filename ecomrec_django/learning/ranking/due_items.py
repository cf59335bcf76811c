"""What a shopper is due to buy again, by numpy alone."""

from __future__ import annotations

import numpy as np

from ..types import IntArray
from .item_features import ItemFeatures
from .replenishment import DUE, own_cycle
from .shopper_features import ShopperFeatures, top_scored

# Own baskets with an item from which it is bought again and again, whatever others do.
MIN_BASKETS = 3
# Of what is due, most items that are ranked: those bought most.
MOST = 60
# Cycles without a purchase after which a habit has ended.
ENDED = 10.0


def due_items(item_features: ItemFeatures, shopper: ShopperFeatures, day: float) -> IntArray:
    """Numbers of the own items whose next purchase is due on ``day``, in days since 1970, ascending.

    Items of needs that repeat, and what this shopper bought MIN_BASKETS times; from DUE to ENDED `own_cycle` after the
    last purchase, at most MOST. An item that is not offered any more is never due.
    """
    own = shopper.items
    need = item_features.need[own.things]
    cycle = own_cycle(own.gap, own.baskets, item_features.cycle[need])
    repeated = item_features.repeats[need] | (own.baskets >= MIN_BASKETS)
    since = day - own.last
    # A cycle that is not known is never due.
    due = (since >= DUE * cycle) & (since <= np.maximum(ENDED * cycle, 1.0))
    rows = repeated & due & item_features.offered[own.things]
    return np.sort(top_scored((own.things[rows], own.recent[rows, -1]), MOST))
