"""Trade-ups: shoppers who turn from what they usually buy for a need to something more expensive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..interactions import DAY, Interactions
from ..ranking.item_features import ItemFeatures
from ..ranking.shopper_features import ShopperFeatures
from ..sparse import isin_sorted, positions
from ..types import FloatArray, IntArray, NumberArray
from .cases import BasketCases

# Minimum purchases of a need for its most bought item to count as the usual one.
USUAL_FROM = 3
# Minimum price ratio of a trade-up.
MIN_PRICE_RATIO = 1.05
# Maximum number of candidates.
MAX_CANDIDATES = 500


def upgrade_candidates(
    item_features: ItemFeatures,
    shopper: ShopperFeatures,  # noqa: ARG001  the signature of all candidate functions
    anchors: Sequence[int],
) -> IntArray:
    """Candidates for an upgrade of the first of ``anchors``, ascending: the MAX_CANDIDATES bestsellers among the
    offered items of its need that cost more.
    """
    anchor, price = anchors[0], item_features.price
    with np.errstate(invalid="ignore"):
        costs_more = price > price[anchor]
    items = np.flatnonzero((item_features.need == item_features.need[anchor]) & costs_more & item_features.offered)
    if len(items) > MAX_CANDIDATES:
        items = np.sort(items[np.argsort(-item_features.baskets[items], kind="stable")[:MAX_CANDIDATES]])
    return items


def trade_ups(before: Interactions, after: Interactions, item_features: ItemFeatures, shopper: IntArray) -> BasketCases:
    """A case for each of the `trade_up_rows`. Purchases alone; ``shopper`` maps the visitor numbers of ``after`` to
    positions in a list of shoppers, or -1 for those whom ``before`` does not know.
    """
    number = np.r_[before.visitors.numbers(after.visitors.ids), -1]
    rows, anchor = trade_up_rows(
        (before.visitor, before.item), (number[after.visitor], after.item), item_features.need, item_features.price
    )
    order = np.argsort(after.time[rows], kind="stable")
    rows, anchor = rows[order], anchor[order]
    cases = zip(shopper[after.visitor[rows]], anchor, after.time[rows] / DAY, after.basket[rows], strict=True)
    return BasketCases.of_rows([(*case, 1) for case in cases], [after.item[row : row + 1] for row in rows])


def trade_up_rows(
    before: tuple[IntArray, IntArray], after: tuple[IntArray, IntArray], need: IntArray, price: FloatArray
) -> tuple[IntArray, IntArray]:
    """Rows of ``after`` that are trade-ups, ascending, and what each customer had usually bought instead.

    An item that a customer buys ``after`` for the first time, and that costs MIN_PRICE_RATIO times what they had bought
    most ``before`` for that need, from USUAL_FROM purchases of the need on.

    before, after: numbers of customers, -1 for nobody known, and of items, by time; shape (purchases,) each
    need: of all items, -1 for none
    price: of all items
    """
    known = (before[0] >= 0) & (need[before[1]] >= 0)
    customer, item = (column[known] for column in before)
    size, needs = np.int64(len(need)), np.int64(need.max(initial=0) + 1)
    owned, count = np.unique(customer * size + item, return_counts=True)
    customer, item = np.divmod(owned, size)
    group = customer * needs + need[item]
    order = np.lexsort((item, -count, group))
    first = np.flatnonzero(np.r_[True, group[order][1:] != group[order][:-1]])[: len(order)]
    total = np.add.reduceat(count[order], first) if len(order) else count
    usual = order[first][total >= USUAL_FROM]
    rows = np.flatnonzero((after[0] >= 0) & (need[after[1]] >= 0))
    rows = np.sort(rows[np.unique(after[0][rows] * size + after[1][rows], return_index=True)[1]])
    at = positions(group[usual], after[0][rows] * needs + need[after[1][rows]])
    fresh = (at >= 0) & ~isin_sorted(owned, after[0][rows] * size + after[1][rows])
    rows, anchor = rows[fresh], item[usual[at[fresh]]]
    with np.errstate(invalid="ignore"):
        costs_more = price[after[1][rows]] >= MIN_PRICE_RATIO * price[anchor]
    return rows[costs_more], anchor[costs_more]


def next_purchase_counts(
    visitor: IntArray, item: IntArray, time: NumberArray, need: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """How many shoppers bought each item for the first time right after another one of its need.

    From purchases, those of ``visitor`` 0 and less being left out, and the ``need`` of all items, -1 for none. Returns
    numbers of the previous item and of the one bought next, and counts; shape (pairs,) each.
    """
    rows = np.flatnonzero((visitor > 0) & (need[item] >= 0))
    rows = rows[np.lexsort((item[rows], time[rows], need[item[rows]], visitor[rows]))]
    visitor, item = visitor[rows], item[rows]
    pair = visitor * np.int64(len(need)) + item
    first = np.zeros(len(item), bool)
    first[np.unique(pair, return_index=True)[1]] = True
    after = np.flatnonzero(first[1:] & (visitor[1:] == visitor[:-1]) & (need[item[1:]] == need[item[:-1]])) + 1
    pair, count = np.unique(item[after - 1] * np.int64(len(need)) + item[after], return_counts=True)
    previous, bought = np.divmod(pair, len(need))
    return previous, bought, count
