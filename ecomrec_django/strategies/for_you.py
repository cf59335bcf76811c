"""For one shopper, without an anchor: what they buy again, like, or looked at; what sells now where nobody is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .base import LIST_LENGTH, Lists, Reason, Strategy, StrategyLists
from .rules import Candidates, Catalog, place_in_group

if TYPE_CHECKING:
    from ..learning.pairs import Items
    from ..learning.training_data import TrainingData

# Of one need at most, in a list for everybody.
PER_NEED = 2


class ForYou(Strategy):
    """Lists for shoppers of whom nothing is known: the bestsellers of late, of the whole shop and of each category."""

    name = "for_you"
    per_aisle = 2
    task = "for_you"
    needs_anchor = False

    def make(self, data: TrainingData) -> StrategyLists:
        """See `Strategy.make`. Lists of categories are those of needs and of aisles."""
        items = data.items.sort_by("item")
        catalog = Catalog.of(items)
        statistics = data.statistics
        bought = statistics.items(statistics.purchases())
        data.progress(1, 2)
        everybody = Candidates.none()
        parts = []
        if catalog.active.any():
            everybody = _sold(np.zeros(len(catalog.ids), np.int64), catalog, bought, PER_NEED)
            parts = [_of_categories(items[column].to_numpy(), catalog, bought) for column in ("category", "aisle")]
        joined = Candidates.joined([Candidates.none(), *parts])
        data.progress(2, 2)
        # An aisle may be the need itself: one list is enough.
        return StrategyLists(
            Lists.empty(),
            joined.ranked(LIST_LENGTH).lists(np.arange(joined.owner.max(initial=0) + 1), catalog.ids),
            everybody.lists(np.zeros(1, np.int64), catalog.ids),
        )


def _of_categories(category: np.ndarray, catalog: Catalog, bought: Items) -> Candidates:
    """Owners are Category.pk."""
    return _sold(np.where(category > 0, category, -1), catalog, bought, LIST_LENGTH)


def _sold(owner: np.ndarray, catalog: Catalog, bought: Items, per_need: int) -> Candidates:
    """For each owner (shape (items,), -1 for none) its items by decayed sales, at most ``per_need`` of one need.

    Where nothing was sold yet, new items follow in the order of their ids.
    """
    # An item without a category is a need of its own.
    needs = np.where(catalog.need >= 0, catalog.need, len(catalog.categories) + np.arange(len(catalog.ids)))
    chosen = np.flatnonzero(catalog.active & (owner >= 0))
    order = np.lexsort((-chosen, -bought.weight[chosen], needs[chosen], owner[chosen]))
    chosen = chosen[order]
    group = owner[chosen] * (len(catalog.categories) + len(catalog.ids)) + needs[chosen]
    chosen = chosen[place_in_group(group) < per_need]
    score = (1 + bought.weight[chosen]) / (1 + bought.weight.max(initial=0.0))
    found = Candidates.of(Reason.POPULAR, owner[chosen], chosen, score, bought.customers[chosen])
    return found.ranked(LIST_LENGTH)
