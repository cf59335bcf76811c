"""Cross-sell before anything was bought: things of other aisles at the price of an extra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .base import LIST_LENGTH, Anchor, Lists, Offer, Reason, Strategy, StrategyLists
from .rules import Candidates, Catalog

if TYPE_CHECKING:
    from ..learning.training_data import TrainingData

# What an extra costs against the main thing: of those that a merchant chose by hand for half of a shop's products, the
# median is 0.41, and half lie between 0.26 and 0.66.
SHARE = 0.5
# Items looked at for each, those nearest in price to an extra of it.
NEAREST = 200
# Dearer than the main thing, nothing is an extra.
DEAREST = 1.0


class Extras(Strategy):
    """Not in the default strategies: for a shop without orders. Once a product is bought, `BoughtWith` knows better.

    score = exp(-|ln(price / (SHARE · the anchor's price))|)
    """

    name = "extras"
    per_aisle = 2

    def violation(self, anchors: Sequence[Anchor], offer: Offer, price: float | None) -> str | None:
        for anchor in anchors:
            if offer.aisle and anchor.aisle == offer.aisle:
                return "same aisle as an anchor"
            if price is None or anchor.price is None:
                return "price unknown"
            if price > DEAREST * anchor.price:
                return "dearer than an extra"
        return None

    def make(self, data: TrainingData) -> StrategyLists:
        """See `Strategy.make`. An item that was bought has no list."""
        catalog = Catalog.of(data.items.sort_by("item"))
        priced = np.flatnonzero(catalog.active & np.isfinite(catalog.price))
        if not len(priced):
            return StrategyLists(Lists.empty())
        statistics = data.statistics
        bought = statistics.items(statistics.purchases()).customers
        data.progress(1, 2)
        order = priced[np.argsort(catalog.price[priced], kind="stable")]
        level = np.log(catalog.price[order])
        anchors = priced[bought[priced] == 0]
        at = np.searchsorted(level, np.log(SHARE * catalog.price[anchors]))
        places = np.clip(at[:, None] + np.arange(-NEAREST // 2, NEAREST // 2), 0, len(order) - 1)
        owner, item = np.repeat(anchors, NEAREST), order[places.ravel()]
        ratio = catalog.price[item] / catalog.price[owner]
        kept = (catalog.aisle[item] != catalog.aisle[owner]) & (ratio <= DEAREST)
        owner, item, ratio = owner[kept], item[kept], ratio[kept]
        score = np.exp(-np.abs(np.log(ratio / SHARE)))
        lists = Candidates.of(Reason.EXTRA, owner, item, score, ratio).ranked(LIST_LENGTH)
        data.progress(2, 2)
        return StrategyLists(lists.lists(catalog.ids, catalog.ids))
