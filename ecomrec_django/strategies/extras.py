"""Cross-sell before anything was bought: items of other aisles at the price of an extra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .base import LIST_LENGTH, Lists, LiveProduct, Offer, Reason, Strategy, StrategyLists, ViolationCode, gettext_noop
from .candidates import Candidates, OfferTable

if TYPE_CHECKING:
    from ..learning.statistics.training_data import TrainingData

# Price of an extra, as a share of the anchor's: of those that a merchant chose by hand for half of a shop's products,
# the median is 0.41, and half lie between 0.26 and 0.66.
SHARE = 0.5
# Candidates of each anchor: the items nearest in price to an extra of it.
NEAREST = 200
# Highest price of an extra, as a share of the anchor's.
MAX_SHARE = 1.0


class Extras(Strategy):
    """Not in the default strategies: for a shop without orders. What several customers bought is left to `BoughtWith`.

    score = exp(-|ln(price / (SHARE · the anchor's price))|)
    """

    title = gettext_noop("Small extras")
    per_aisle = 2

    def violation(self, anchors: Sequence[LiveProduct], offer: Offer, live: LiveProduct) -> ViolationCode | None:
        """The first condition that any anchor fails: another aisle, known prices, at most MAX_SHARE of its price."""
        for anchor in anchors:
            if offer.aisle and anchor.aisle == offer.aisle:
                return ViolationCode.SAME_AISLE_AS_ANCHOR
            if live.price is None or anchor.price is None:
                return ViolationCode.PRICE_UNKNOWN
            if live.price > MAX_SHARE * anchor.price:
                return ViolationCode.ABOVE_EXTRA_PRICE
        return None

    def make(self, data: TrainingData) -> StrategyLists:
        """See `Strategy.make`. An item that several customers bought has no list."""
        catalog = OfferTable.of(data.items.sort_by("item"))
        priced = np.flatnonzero(catalog.active & np.isfinite(catalog.price))
        if not len(priced):
            return StrategyLists(Lists.empty())
        statistics = data.statistics
        known = statistics.items(statistics.purchases()).known
        data.progress(1, 2)
        order = priced[np.argsort(catalog.price[priced], kind="stable")]
        level = np.log(catalog.price[order])
        anchors = priced[~known[priced]]
        middle = np.searchsorted(level, np.log(SHARE * catalog.price[anchors]))
        nearest = np.clip(middle[:, None] + np.arange(-NEAREST // 2, NEAREST // 2), 0, len(order) - 1)
        owner, item = np.repeat(anchors, NEAREST), order[nearest.ravel()]
        ratio = catalog.price[item] / catalog.price[owner]
        eligible = (catalog.aisle[item] != catalog.aisle[owner]) & (ratio <= MAX_SHARE)
        owner, item, ratio = owner[eligible], item[eligible], ratio[eligible]
        score = np.exp(-np.abs(np.log(ratio / SHARE)))
        lists = Candidates.of(Reason.EXTRA, owner, item, score, ratio).ranked(LIST_LENGTH)
        data.progress(2, 2)
        return StrategyLists(lists.lists(catalog.ids, catalog.ids))
