"""How much each item was bought, and what that explains of its pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..measures import MIN_CUSTOMERS, expected_together
from ..types import BoolArray, FloatArray, IntArray

# What more than this share of all orders holds is hardly anybody's choice; shares of fewer orders say little.
UBIQUITOUS_SHARE = 0.8
ENOUGH_ORDERS = 20


@dataclass(frozen=True, kw_only=True)
class ItemCounts:
    """Purchases per item, shape (items,) float64 each.

    customers: distinct ones
    baskets: with the item
    weight: sum of the baskets' weights, see purchases.sql
    others: mean number of more items in its baskets
    weighted_others: the same, by the baskets' weights
    share: of the lines of a basket by chance, see `chance_shares`
    frequency: share of all baskets that hold the item, 0…1
    """

    customers: FloatArray
    baskets: FloatArray
    weight: FloatArray
    others: FloatArray
    weighted_others: FloatArray
    share: FloatArray
    frequency: FloatArray

    @property
    def known(self) -> BoolArray:
        """Which items MIN_CUSTOMERS bought, shape (items,): lists must not tell what fewer did."""
        return self.customers >= MIN_CUSTOMERS

    @property
    def ubiquitous(self) -> BoolArray:
        """Which items are in most orders, beside others, as fees, postage and bags are; shape (items,)."""
        enough = self.baskets > UBIQUITOUS_SHARE * ENOUGH_ORDERS
        return enough & (self.frequency > UBIQUITOUS_SHARE) & (self.others >= 1)

    def expected_baskets(self, anchor: IntArray, item: IntArray) -> FloatArray:
        """Baskets with both that popularity and basket size explain, shape of the two: see `expected_together`.

        No fewer than in any baskets: what is in nearly all of them goes with nothing.
        """
        by_size = expected_together(self.baskets[anchor], self.others[anchor], self.share[item])
        return np.maximum(by_size, self.baskets[anchor] * self.frequency[item])

    def expected_weight(self, anchor: IntArray, item: IntArray) -> FloatArray:
        """The same in weight."""
        recent = self.weight / max(float(self.weight.sum()), 1e-9)
        all_time = self.baskets / max(float(self.baskets.sum()), 1.0)
        share = np.minimum(self.share * recent / np.maximum(all_time, 1e-12), 0.999)
        return expected_together(self.weight[anchor], self.weighted_others[anchor], share[item])
