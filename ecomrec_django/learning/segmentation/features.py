"""Features of how each visitor shops: how often, for how much, when, and from which aisles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import DataError
from ..interactions import DAY, KINDS, Interactions
from ..types import BoolArray, FloatArray, IntArray, NumberArray

MONTH = 30 * DAY
# Weight of all visitors' mean in a visitor's share, in baskets (of prices and aisles: in lines).
PRIOR = 5.0
# Of a line that is kept; what refunds of fractions leave below it is rounding.
LEAST_SHARE = 1e-6
# Aisles with a column of their own, the most sold ones.
AISLES = 12
# Names of columns that hold an aisle's share; the aisle's number follows.
AISLE = "aisle:"
OTHERS = AISLE + "others"


@dataclass(frozen=True)
class VisitorFeatures:
    """One row of features per visitor.

    names: of the columns
    values: shape (visitors, names) float64, NaN for visitors without purchases

    The columns:

    recency: days from the last purchase to the newest event of the history
    frequency: baskets per 30 days since the first purchase, over 30 days at least
    money: spent in all
    basket_value: money per basket
    breadth: distinct needs
    price_level: mean of `price_levels`
    weekend, morning (6-12 h), evening (18-24 h): shares of the baskets, UTC
    views: of items, per basket; no column where nobody views
    aisle:N, aisle:others: shares of the lines, which add up to 1

    Shares and the price level are smoothed towards those of all visitors by PRIOR.
    """

    names: tuple[str, ...]
    values: FloatArray

    @property
    def known(self) -> BoolArray:
        """Which visitors have purchases, shape (visitors,)."""
        return ~np.isnan(self.values[:, 0])

    @property
    def aisle_columns(self) -> BoolArray:
        """Which columns are shares of aisles, shape (names,)."""
        return np.array([name.startswith(AISLE) for name in self.names])


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """Purchases by time, without what was refunded, shape (lines,) each.

    visitor, item, basket: numbers
    time: seconds since 1970, UTC
    pieces: without those refunded
    price: of one piece, NaN where unknown
    """

    visitor: IntArray
    item: IntArray
    basket: IntArray
    time: IntArray
    pieces: FloatArray
    price: FloatArray


def visitor_features(events: Interactions, aisle: IntArray, need: IntArray, price: FloatArray) -> VisitorFeatures:
    """The features of all visitors.

    events: everything that visitors did
    aisle, need: numbers from 0, shape (items,)
    price: shape (items,), NaN where unknown

    A line without a price counts at its item's, and adds no money where that is unknown too. Raises DataError for
    arrays of another length.
    """
    if not len(aisle) == len(need) == len(price) == len(events.items):
        raise DataError(f"Aisles, needs and prices must be given for each of the {len(events.items)} items.")
    visitors = len(events.visitors)
    lines = _lines(events)
    row = _first_lines(lines.basket)
    visitor, time = lines.visitor[row], lines.time[row]
    baskets = np.bincount(visitor, minlength=visitors)
    first, last = np.zeros(visitors), np.zeros(visitors)
    # Of several values at one index numpy keeps the last.
    first[lines.visitor[::-1]], last[lines.visitor] = lines.time[::-1], lines.time
    now = events.time[-1] if len(events) else 0
    paid = lines.pieces * np.nan_to_num(np.where(np.isnan(lines.price), price[lines.item], lines.price))
    money = np.bincount(lines.visitor, paid, visitors)
    level = price_levels(need, price)[lines.item]
    priced = ~np.isnan(level)
    hour = time % DAY // 3600
    viewed = events.visitor[(events.kind == KINDS.index("view_item")) & (events.visitor >= 0)]
    columns = {
        "recency": (now - last) / DAY,
        "frequency": baskets / np.maximum((now - first) / MONTH, 1),
        "money": money,
        "basket_value": money / np.maximum(baskets, 1),
        "breadth": _distinct(lines.visitor, need[lines.item], visitors),
        "price_level": _smoothed(
            np.bincount(lines.visitor[priced], level[priced], visitors),
            np.bincount(lines.visitor[priced], minlength=visitors),
        ),
        # The first day of 1970 was a Thursday.
        "weekend": _smoothed(np.bincount(visitor, (time // DAY + 3) % 7 >= 5, visitors), baskets),
        "morning": _smoothed(np.bincount(visitor, (hour >= 6) & (hour < 12), visitors), baskets),
        "evening": _smoothed(np.bincount(visitor, hour >= 18, visitors), baskets),
    }
    if len(viewed):
        columns["views"] = np.bincount(viewed, minlength=visitors) / np.maximum(baskets, 1)
    columns |= _aisle_shares(lines.visitor, aisle[lines.item], visitors)
    values = np.stack([*columns.values()], axis=1)
    values[baskets == 0] = np.nan
    return VisitorFeatures(tuple(columns), values)


def price_levels(need: IntArray, price: FloatArray) -> FloatArray:
    """The price level of each item within its need, shape (items,): 0 lowest … 1 highest, NaN where unknown.

    (cheaper items + half of those at the same price, itself included) / items with a price
    """
    levels = np.full(len(price), np.nan)
    known = np.flatnonzero(~np.isnan(price))
    order = known[np.lexsort((price[known], need[known]))]
    need, price = need[order], price[order]
    fresh = np.r_[True, (need[1:] != need[:-1]) | (price[1:] != price[:-1])][: len(order)]
    tie = np.cumsum(fresh) - 1
    cheaper = (np.flatnonzero(fresh) - np.searchsorted(need, need[fresh]))[tie]
    levels[order] = (cheaper + np.bincount(tie)[tie] / 2) / np.bincount(need)[need]
    return levels


def _lines(events: Interactions) -> _Lines:
    """Purchases without what was refunded. Lines without a basket are grouped by session, else by visitor and day."""
    refund = KINDS.index("refund")
    rows = np.flatnonzero(np.isin(events.kind, [KINDS.index("purchase"), refund]) & (events.visitor >= 0))
    visitor, item, basket = events.visitor[rows], events.item[rows], events.basket[rows]
    pieces, time, refunded = events.value[rows], events.time[rows], events.kind[rows] == refund
    if (without_basket := basket < 0).any():
        session = events.session[rows]
        keys = np.stack([session, np.where(session < 0, visitor, 0), np.where(session < 0, time // DAY, 0)])
        number = np.unique(keys[:, without_basket], axis=1, return_inverse=True)[1]
        basket[without_basket] = basket.max() + 1 + number
    if refunded.any():
        _, pair = np.unique(basket * len(events.items) + item, return_inverse=True)
        bought = np.bincount(pair, np.where(refunded, 0, pieces))
        back = np.bincount(pair, np.where(refunded, pieces, 0))
        share = np.clip(1 - back / np.where(bought > 0, bought, 1), 0, 1)[pair]
        pieces = pieces * share
        purchased = ~refunded & (share > LEAST_SHARE)
        rows, visitor, item, basket = rows[purchased], visitor[purchased], item[purchased], basket[purchased]
        pieces, time = pieces[purchased], time[purchased]
    return _Lines(visitor=visitor, item=item, basket=basket, time=time, pieces=pieces, price=events.price[rows])


def _first_lines(basket: IntArray) -> IntArray:
    """The row of the first line of each basket."""
    row = np.full(int(basket.max(initial=-1)) + 1, -1)
    row[basket[::-1]] = np.arange(len(basket))[::-1]
    return row[row >= 0]


def _smoothed(hits: NumberArray, trials: NumberArray) -> FloatArray:
    """Shares per visitor: (hits + PRIOR·share of all) / (trials + PRIOR); a half where nobody has trials."""
    share_of_all = float(hits.sum() / trials.sum()) if trials.sum() else 0.5
    return (hits.astype(np.float64) + PRIOR * share_of_all) / (trials.astype(np.float64) + PRIOR)


def _distinct(visitor: IntArray, number: IntArray, visitors: int) -> FloatArray:
    """How many different numbers each visitor has."""
    from scipy.sparse import csr_matrix

    shape = (visitors, int(number.max(initial=0)) + 1)
    matrix = csr_matrix((np.ones(len(number), np.float32), (visitor, number)), shape)
    return np.diff(matrix.indptr).astype(np.float64)


def _aisle_shares(visitor: IntArray, aisle: IntArray, visitors: int) -> dict[str, FloatArray]:
    """Shares of the lines by name: of the AISLES most sold aisles, and of all others if there are any."""
    sold = np.bincount(aisle)
    top = np.argsort(-sold, kind="stable")[:AISLES]
    top = top[sold[top] > 0]
    names = [f"{AISLE}{number}" for number in top]
    column = np.full(len(sold), len(top))
    column[top] = np.arange(len(top))
    if sold.sum() > sold[top].sum():
        names.append(OTHERS)
    size = len(names)
    lines = np.bincount(visitor * size + column[aisle], minlength=visitors * size).reshape(visitors, size)
    share_of_all = lines.sum(axis=0) / max(len(aisle), 1)
    shares = (lines + PRIOR * share_of_all) / (lines.sum(axis=1, keepdims=True) + PRIOR)
    return dict(zip(names, shares.T, strict=True))
