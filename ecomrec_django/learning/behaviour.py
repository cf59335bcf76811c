"""How each visitor shops, as one row of numbers: how often, for how much, when, and of which aisles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .interactions import KINDS, Interactions

DAY = 86_400
MONTH = 30 * DAY
# Baskets' (of prices and aisles: lines') worth of trust in what all do, beside a visitor's own.
PRIOR = 5.0
# Aisles with a column of their own, the most sold ones.
AISLES = 12
# Names of columns that hold an aisle's share; the aisle's number follows.
AISLE = "aisle:"
OTHERS = AISLE + "others"


@dataclass(frozen=True)
class Features:
    """``values``, shape (visitors, names) float64: a row per visitor, NaN for who never bought anything.

    recency: days from the last purchase to the newest event of the history · frequency: baskets per 30 days since the
    first purchase, of which at least one counts · money: spent in all · basket_value: money per basket · breadth:
    distinct needs · price_level: mean of `price_levels` · weekend, morning (6-12 h), evening (18-24 h): shares of the
    baskets, UTC · views: of items, per basket; no column where nobody views · aisle:N and aisle:others: shares of the
    lines, which add up to 1. Shares and the price level are drawn to those of all by PRIOR.
    """

    names: tuple[str, ...]
    values: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Who ever bought anything, shape (visitors,) bool."""
        return ~np.isnan(self.values[:, 0])

    @property
    def mix(self) -> np.ndarray:
        """Which columns are shares of aisles, shape (names,) bool."""
        return np.array([name.startswith(AISLE) for name in self.names])


@dataclass(frozen=True)
class _Lines:
    """Purchases that were kept, in the order of time, shape (lines,) each; ``pieces`` without those taken back."""

    visitor: np.ndarray
    item: np.ndarray
    basket: np.ndarray
    time: np.ndarray
    pieces: np.ndarray
    price: np.ndarray


def features(events: Interactions, aisle: np.ndarray, need: np.ndarray, price: np.ndarray) -> Features:
    """From everything that visitors did; ``aisle``, ``need`` (numbers from 0) and ``price`` (NaN for unknown) have the
    shape (items,).

    A line without a price counts at its item's, and adds no money where that is unknown too.
    """
    if not len(aisle) == len(need) == len(price) == len(events.items):
        raise DataError(f"Aisles, needs and prices must be given for each of the {len(events.items)} items.")
    visitors = len(events.visitors)
    lines = _lines(events)
    row = _first(lines.basket)
    who, when = lines.visitor[row], lines.time[row]
    baskets = np.bincount(who, minlength=visitors)
    first, last = np.zeros(visitors), np.zeros(visitors)
    # Of several values for one place numpy keeps the last.
    first[lines.visitor[::-1]], last[lines.visitor] = lines.time[::-1], lines.time
    now = events.time[-1] if len(events) else 0
    paid = lines.pieces * np.nan_to_num(np.where(np.isnan(lines.price), price[lines.item], lines.price))
    money = np.bincount(lines.visitor, paid, visitors)
    level = price_levels(need, price)[lines.item]
    priced = ~np.isnan(level)
    hour = when % DAY // 3600
    viewed = events.visitor[(events.kind == KINDS.index("view_item")) & (events.visitor >= 0)]
    columns = {
        "recency": (now - last) / DAY,
        "frequency": baskets / np.maximum((now - first) / MONTH, 1),
        "money": money,
        "basket_value": money / np.maximum(baskets, 1),
        "breadth": _distinct(lines.visitor, need[lines.item], visitors),
        "price_level": _drawn(
            np.bincount(lines.visitor[priced], level[priced], visitors),
            np.bincount(lines.visitor[priced], minlength=visitors),
        ),
        # The first day of 1970 was a Thursday.
        "weekend": _drawn(np.bincount(who, (when // DAY + 3) % 7 >= 5, visitors), baskets),
        "morning": _drawn(np.bincount(who, (hour >= 6) & (hour < 12), visitors), baskets),
        "evening": _drawn(np.bincount(who, hour >= 18, visitors), baskets),
    }
    if len(viewed):
        columns["views"] = np.bincount(viewed, minlength=visitors) / np.maximum(baskets, 1)
    mix = _mix(lines.visitor, aisle[lines.item], visitors)
    values = np.stack([*columns.values(), *mix.values()], axis=1)
    values[baskets == 0] = np.nan
    return Features((*columns, *mix), values)


def price_levels(need: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Where an item's price lies among those of its need, shape (items,): 0 lowest … 1 highest, NaN for unknown.

    (items that are cheaper + half of those as dear, itself included) / items with a price
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
    """What visitors bought and kept. Lines without a basket are one by session, else by visitor and day."""
    refund = KINDS.index("refund")
    rows = np.flatnonzero(np.isin(events.kind, [KINDS.index("purchase"), refund]) & (events.visitor >= 0))
    visitor, item, basket = events.visitor[rows], events.item[rows], events.basket[rows]
    pieces, time, back = events.value[rows], events.time[rows], events.kind[rows] == refund
    if (alone := basket < 0).any():
        session = events.session[rows]
        names = np.stack([session, np.where(session < 0, visitor, 0), np.where(session < 0, time // DAY, 0)])
        made = np.unique(names[:, alone], axis=1, return_inverse=True)[1]
        basket[alone] = basket.max() + 1 + made
    if back.any():
        _, pair = np.unique(basket * len(events.items) + item, return_inverse=True)
        bought = np.bincount(pair, np.where(back, 0, pieces))
        kept = np.clip(1 - np.bincount(pair, np.where(back, pieces, 0)) / np.maximum(bought, 1), 0, 1)[pair]
        pieces = pieces * kept
        stay = ~back & (kept > 0)
        rows, visitor, item, basket = rows[stay], visitor[stay], item[stay], basket[stay]
        pieces, time = pieces[stay], time[stay]
    return _Lines(visitor, item, basket, time, pieces, events.price[rows])


def _first(basket: np.ndarray) -> np.ndarray:
    """The row of the first line of each basket."""
    row = np.full(int(basket.max(initial=-1)) + 1, -1)
    row[basket[::-1]] = np.arange(len(basket))[::-1]
    return row[row >= 0]


def _drawn(hits: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Shares per visitor: (hits + PRIOR·share of all) / (of + PRIOR); a half where there is nothing at all."""
    everybody = hits.sum() / of.sum() if of.sum() else 0.5
    return (hits + PRIOR * everybody) / (of + PRIOR)


def _distinct(visitor: np.ndarray, thing: np.ndarray, visitors: int) -> np.ndarray:
    """Different things of each visitor."""
    from scipy.sparse import csr_matrix

    shape = (visitors, int(thing.max(initial=0)) + 1)
    held = csr_matrix((np.ones(len(thing), np.float32), (visitor, thing)), shape)
    return np.diff(held.indptr).astype(np.float64)


def _mix(visitor: np.ndarray, aisle: np.ndarray, visitors: int) -> dict[str, np.ndarray]:
    """Shares of the lines by name: of the AISLES most sold aisles, and of all others if there are any."""
    sold = np.bincount(aisle)
    top = np.argsort(-sold, kind="stable")[:AISLES]
    top = top[sold[top] > 0]
    names = [f"{AISLE}{number}" for number in top]
    place = np.full(len(sold), len(top))
    place[top] = np.arange(len(top))
    if sold.sum() > sold[top].sum():
        names.append(OTHERS)
    size = len(names)
    lines = np.bincount(visitor * size + place[aisle], minlength=visitors * size).reshape(visitors, size)
    everybody = lines.sum(axis=0) / max(len(aisle), 1)
    shares = (lines + PRIOR * everybody) / (lines.sum(axis=1, keepdims=True) + PRIOR)
    return dict(zip(names, shares.T, strict=True))
