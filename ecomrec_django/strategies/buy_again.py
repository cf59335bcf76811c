"""For one shopper: what they buy again and again, once it is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..learning.ranking.due_items import due_items
from ..learning.types import IntArray
from .base import Lists, Strategy, StrategyLists, gettext_noop

if TYPE_CHECKING:
    from ..learning.ranking.item_features import ItemFeatures
    from ..learning.ranking.shopper_features import ShopperFeatures
    from ..learning.statistics.training_data import TrainingData


class BuyAgain(Strategy):
    """What a known shopper is due to buy again, by their own purchase cycle; nothing for anybody else."""

    title = gettext_noop("Time to buy again")
    label = gettext_noop("Buy again")
    ranker = "for_you"
    needs_anchor = False
    personal_only = True
    objectives = ("probability", "revenue", "margin")

    def make(self, data: TrainingData) -> StrategyLists:
        """No lists: see `shopper_items`."""
        data.progress(1, 1)
        return StrategyLists(Lists.empty())

    def shopper_items(self, item_features: ItemFeatures, shopper: ShopperFeatures, day: float) -> IntArray:
        """What is due, see `due_items`."""
        return due_items(item_features, shopper, day)
