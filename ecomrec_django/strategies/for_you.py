"""For one shopper, without an anchor: what they buy again, like or viewed; the latest bestsellers for a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..learning.sparse import rank_in_group
from ..learning.types import FloatArray, IntArray
from .base import LIST_LENGTH, Lists, Reason, Strategy, StrategyLists, gettext_noop
from .candidates import Candidates, OfferTable

if TYPE_CHECKING:
    from ..learning.statistics.item_counts import ItemCounts
    from ..learning.statistics.training_data import TrainingData

# Most items of one need in a list for everybody.
PER_NEED = 2


class ForYou(Strategy):
    """Lists for new shoppers: the latest bestsellers of the whole shop and of each category."""

    title = gettext_noop("For you")
    label = gettext_noop("For you")
    per_aisle = 2
    ranker = "for_you"
    needs_anchor = False
    objectives = ("probability", "revenue", "margin")

    def make(self, data: TrainingData) -> StrategyLists:
        """See `Strategy.make`. Lists of categories are those of needs and of aisles."""
        items = data.items.sort_by("item")
        catalog = OfferTable.of(items)
        statistics = data.statistics
        bought = statistics.items(statistics.purchases())
        data.progress(1, 2)
        everybody = Candidates.none()
        parts = []
        if catalog.active.any():
            # After all others that sell.
            sales = bought.weight * np.where(bought.ubiquitous, 1e-6, 1.0)
            everybody = _bestsellers(np.zeros(len(catalog.ids), np.int64), catalog, bought, sales, PER_NEED)
            parts = [_of_categories(items[column].to_numpy(), catalog, bought) for column in ("category", "aisle")]
        joined = Candidates.joined([Candidates.none(), *parts])
        data.progress(2, 2)
        # An aisle may be the need itself: one list is enough.
        return StrategyLists(
            Lists.empty(),
            joined.ranked(LIST_LENGTH).lists(np.arange(joined.owner.max(initial=0) + 1), catalog.ids),
            everybody.lists(np.zeros(1, np.int64), catalog.ids),
        )


def _of_categories(category: IntArray, catalog: OfferTable, bought: ItemCounts) -> Candidates:
    """Owners are Category.pk."""
    return _bestsellers(np.where(category > 0, category, -1), catalog, bought, bought.weight, LIST_LENGTH)


def _bestsellers(
    owner: IntArray, catalog: OfferTable, bought: ItemCounts, sales: FloatArray, per_need: int
) -> Candidates:
    """For each owner (shape (items,), -1 for none) its items by ``sales``, at most ``per_need`` of one need.

    What is not `ItemCounts.known` counts as unsold; of such items the newest come first.
    """
    sales = np.where(bought.known, sales, 0.0)
    # An item without a category is a need of its own.
    needs = np.where(catalog.need >= 0, catalog.need, len(catalog.categories) + np.arange(len(catalog.ids)))
    items = np.flatnonzero(catalog.active & (owner >= 0))
    order = np.lexsort((-items, -sales[items], needs[items], owner[items]))
    items = items[order]
    group = owner[items] * (len(catalog.categories) + len(catalog.ids)) + needs[items]
    items = items[rank_in_group(group) < per_need]
    score = (1 + sales[items]) / (1 + sales.max(initial=0.0))
    candidates = Candidates.of(Reason.POPULAR, owner[items], items, score, bought.customers[items])
    return candidates.ranked(LIST_LENGTH)
