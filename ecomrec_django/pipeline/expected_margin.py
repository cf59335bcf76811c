"""The expected margin of a release's lists, if offers sold as their evidence says: to compare releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..learning.sparse import expand_ranges
from ..learning.types import FloatArray, IntArray
from ..strategies.base import EVIDENCE, Lists, Reason

if TYPE_CHECKING:
    import pyarrow as pa

    from ..learning.ranking.model import Model

PAGES = 1_000


def expected_margin(lists: Lists, model: Model, items: pa.Table, limit: int) -> float:
    """Margin of the first ``limit`` offers on PAGES product pages, in the shop's currency.

    Pages are visited as their items were bought lately. An offer brings its price less its cost (its price where that
    is not known) times the share of the anchor's orders that hold it (bought together, or of the anchor's aisle); an
    upgrade, its score, which is the expected extra margin. Other offers count nothing. What would have been bought
    anyway is in it: it says which of two releases offers more, not what offers add.
    """
    if not len(lists.owners):
        return 0.0
    counts = np.minimum(np.diff(lists.starts), limit)
    owner = np.repeat(np.arange(len(lists.owners)), counts)
    rows = expand_ranges(lists.starts[:-1], counts)
    anchors = model.ids.numbers(lists.owners)
    visits = np.where(anchors >= 0, model.item_features.recent_baskets[anchors], 0.0)
    if not visits.sum():
        return 0.0
    reason, evidence = lists.reasons[rows], lists.evidence[rows]
    orders, probability = EVIDENCE[Reason.TOGETHER].index("orders"), EVIDENCE[Reason.AISLE].index("probability")
    bought = np.maximum(model.item_features.baskets[anchors], 1.0)[owner]
    share = np.select(
        [reason == Reason.TOGETHER, reason == Reason.AISLE],
        [evidence[:, orders] / bought, evidence[:, probability]],
        0.0,
    )
    margins = np.where(reason == Reason.UPGRADE, lists.scores[rows], share * _margins(items, lists.items[rows]))
    return float(PAGES * (np.nan_to_num(margins) * visits[owner]).sum() / visits.sum())


def _margins(items: pa.Table, pks: IntArray) -> FloatArray:
    """Price less cost of the items ``pks``, shape (items,)."""
    ids = items["item"].to_numpy()
    order = np.argsort(ids)
    rows = order[np.searchsorted(ids, pks, sorter=order)]
    price, cost = items["price"].to_numpy()[rows], items["cost"].to_numpy()[rows]
    return price - np.nan_to_num(cost)
