"""Upsell: a better, dearer answer to the same need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..learning.past import DAY
from .base import EVIDENCE, LIST_LENGTH, Anchor, Lists, Offer, Reason, Strategy, StrategyLists
from .rules import Candidates, Catalog, matrix_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from ..learning.pairs import Counts, Statistics
    from ..learning.training_data import TrainingData

LOW, HIGH = 1.05, 1.8
# Moves' worth of trust in likeness and sales, beside what was observed.
PRIOR_MOVES = 50.0
# Days after which a sale tells half of how well an item sells.
HALF_LIFE = 30.0
# How far the extra price turns the order: 0 is what is most likely accepted, 1 the expected extra revenue. Chosen on
# Complete Journey's validation slice, where the order foretells as well as without it.
GREED = 0.25
LEAST_EXTRA = 0.01
# Observed up-moves of a need from which its price band is learned.
MIN_MOVES = 20
BAND_SHARE = 0.8
# How far prices may drift until the next training.
SLACK = 1.02
HIGHEST = 5.0
# Least similarity of an upgrade; below it, a need holds things too different to be compared, unless so many shoppers
# moved from one to the other.
MIN_SIMILARITY, MIN_MOVED = 0.05, 3
_LOW_AT, _HIGH_AT = EVIDENCE[Reason.UPGRADE].index("low"), EVIDENCE[Reason.UPGRADE].index("high")


class UpgradeTo(Strategy):
    """Items of the same need within its price band, by how likely shoppers move up to them and what that brings."""

    name = "upgrade_to"
    task = "upgrade_to"
    adds = False
    same_need = True

    def violation(self, anchors: Sequence[Anchor], offer: Offer, price: float | None) -> str | None:
        """Against every anchor: the band stored in the offer's evidence, or the default one."""
        low, high = _band_of(offer)
        for anchor in anchors:
            if not _known(price) or not _known(anchor.price):
                return "price unknown"
            assert price is not None
            assert anchor.price is not None
            ratio = price / anchor.price
            if ratio <= 1:
                return "not dearer"
            if ratio < low:
                return "below the price band"
            if ratio > high:
                return "above the price band"
        return None

    def make(self, data: TrainingData) -> StrategyLists:
        """See `Strategy.make`. Without any history the lists come from content alone."""
        from ..learning.content import content_vectors, groups

        items = data.items.sort_by("item")
        catalog = Catalog.of(items)
        usable = catalog.active & (catalog.need >= 0) & np.isfinite(catalog.price)
        if not usable.any():
            return StrategyLists(Lists.empty())
        statistics = data.statistics
        signals = _Signals(statistics, catalog)
        data.progress(1, 4)
        vectors = content_vectors(items, catalog.price, within_need=True)
        data.progress(2, 4)
        windows = groups(catalog.need, np.nan_to_num(catalog.price), usable)
        parts = [_upgrades(window, catalog, vectors, data.looks, signals) for window in windows]
        data.progress(3, 4)
        lists = Candidates.joined(parts).ranked(LIST_LENGTH)
        by_category = _by_need(catalog, usable, signals)
        data.progress(4, 4)
        return StrategyLists(lists.lists(catalog.ids, catalog.ids), by_category.lists(catalog.categories, catalog.ids))


class _Signals:
    """Sparse (items, items) matrices of moves and co-view cosines within a need, each need's price band, and how well
    each item sells lately, shape (items,)."""

    def __init__(self, statistics: Statistics, catalog: Catalog) -> None:
        from ..learning.interactions import IdMap
        from ..learning.moves import followed
        from ..learning.pairs import Counts

        lines, size = statistics.purchases(), len(catalog.ids)
        item = IdMap(catalog.ids).numbers(lines["item"].to_numpy())
        known = item >= 0
        item, customer = item[known], lines["customer"].to_numpy()[known]
        seconds = lines["time"].to_numpy()[known].astype("datetime64[s]").astype(np.int64)
        bought = Counts(*followed(customer, item, seconds, catalog.need))
        moves = _joined(statistics.up_moves(), bought)
        same = catalog.need[moves.anchor] == catalog.need[moves.item]
        self.moves = matrix_of(moves, moves.count * same, size)
        self.co_views = matrix_of(statistics.co_views(), statistics.co_view_cosines(), size)
        self.left = np.bincount(moves.anchor, moves.count, size)
        self.won = np.bincount(moves.item, moves.count * same, size)
        self.low, self.high = _bands(catalog, moves)
        days = (seconds.max(initial=0) - seconds) / DAY
        self.sales = np.bincount(item, 0.5 ** (days / HALF_LIFE), size)


def _joined(*counts: Counts) -> Counts:
    """Pairs of all, in which one may stand more than once."""
    from ..learning.pairs import Counts

    return Counts(*(np.concatenate([getattr(one, name) for one in counts]) for name in ("anchor", "item", "count")))


def _upgrades(
    group: np.ndarray, catalog: Catalog, vectors: csr_matrix, looks: np.ndarray | None, signals: _Signals
) -> Candidates:
    """All sound upgrades among the items of one window of a need, the best of each anchor."""
    from ..learning.content import similar

    need = catalog.need[group[0]]
    low, high = signals.low[need], signals.high[need]
    price, rating = catalog.price[group], catalog.rating[group]
    ratio = price[None, :] / price[:, None]
    worse = rating[None, :] < rating[:, None]
    sound = (ratio >= low) & (ratio <= high) & (ratio > 1) & ~worse
    if not sound.any():
        return Candidates.none()
    content = similar(vectors, group, group, looks)
    together = np.asarray(signals.co_views[group][:, group].todense(), np.float32)
    # Either is reason enough: 1 - (1 - content)(1 - co-views).
    similarity = np.clip(1 - (1 - content) * (1 - together), 0.0, 1.0)
    moves = np.asarray(signals.moves[group][:, group].todense())
    one, other = np.nonzero(sound & ((similarity >= MIN_SIMILARITY) | (moves >= MIN_MOVED)))
    moved = moves[one, other]
    alike = similarity[one, other].astype(np.float64)
    liked = np.sqrt(alike + MIN_SIMILARITY) * (signals.sales[group[other]] + 1)
    prior = liked / np.maximum(np.bincount(one, liked, len(group)), 1e-9)[one]
    chance = (moved + PRIOR_MOVES * prior) / (signals.left[group[one]] + PRIOR_MOVES)
    score = chance * _extra(price, catalog.cost[group], one, other) ** GREED
    step = np.full(len(one), 1.0)
    return Candidates.of(
        Reason.UPGRADE,
        group[one],
        group[other],
        score,
        ratio[one, other],
        low * step,
        high * step,
        alike,
        moved,
    ).ranked(LIST_LENGTH)


def _extra(price: np.ndarray, cost: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """What a move brings: the margin that ``other`` leaves beyond that of ``one`` where both costs are known, else the
    price. A move that leaves less brings next to nothing."""
    dearer = price[other] - price[one]
    left = dearer - (cost[other] - cost[one])
    return np.where(np.isfinite(left), np.maximum(left, LEAST_EXTRA), dearer)


def _bands(catalog: Catalog, moves: Counts) -> tuple[np.ndarray, np.ndarray]:
    """Per need the lowest and highest price ratio: the middle 80 % of its up-moves, if MIN_MOVES."""
    low, high = np.full(len(catalog.categories), LOW), np.full(len(catalog.categories), HIGH)
    with np.errstate(invalid="ignore"):
        ratio = catalog.price[moves.item] / catalog.price[moves.anchor]
        need = catalog.need[moves.anchor]
        up = (need >= 0) & (need == catalog.need[moves.item]) & (ratio > 1) & (ratio <= HIGHEST)
    ratio, need, count = ratio[up], need[up], moves.count[up]
    order = np.lexsort((ratio, need))
    ratio, need, count = ratio[order], need[order], count[order]
    edge = (1 - BAND_SHARE) / 2
    for which in np.unique(need):
        rows = slice(*np.searchsorted(need, [which, which + 1]))
        share = np.cumsum(count[rows])
        if share[-1] >= MIN_MOVES:
            low[which] = max(1.01, ratio[rows][np.searchsorted(share, edge * share[-1])] / SLACK)
            high[which] = max(low[which], ratio[rows][np.searchsorted(share, (1 - edge) * share[-1] - 1e-9)] * SLACK)
    return low, high


def _by_need(catalog: Catalog, usable: np.ndarray, signals: _Signals) -> Candidates:
    """The need's best item of each of LIST_LENGTH price ranges, for anchors that came after the training."""
    chosen = np.flatnonzero(usable)
    chosen = chosen[np.lexsort((chosen, catalog.price[chosen], catalog.need[chosen]))]
    need = catalog.need[chosen]
    start = np.searchsorted(need, need)
    size = np.searchsorted(need, need, "right") - start
    part = (np.arange(len(chosen)) - start) * LIST_LENGTH // size
    rating = np.nan_to_num(catalog.rating[chosen], nan=-1.0)
    best = np.lexsort((chosen, -rating, -signals.won[chosen], part, need))
    key = need[best] * LIST_LENGTH + part[best]
    best = best[np.r_[True, key[1:] != key[:-1]]]
    item, owner = chosen[best], need[best]
    unknown = np.full(len(item), np.nan)
    # Unlike an item's own list these lack an anchor to be dearer than: the page applies the band.
    score = signals.won[item] + catalog.price[item] / (1 + catalog.price[item])
    return Candidates.of(
        Reason.UPGRADE, owner, item, score, unknown, signals.low[owner], signals.high[owner], unknown, signals.won[item]
    ).ranked(LIST_LENGTH)


def _band_of(offer: Offer) -> tuple[float, float]:
    low = offer.evidence[_LOW_AT] if offer.reason == Reason.UPGRADE and len(offer.evidence) > _LOW_AT else None
    high = offer.evidence[_HIGH_AT] if offer.reason == Reason.UPGRADE and len(offer.evidence) > _HIGH_AT else None
    return low or LOW, high or HIGH


def _known(price: float | None) -> bool:
    return price is not None and price > 0 and price < float("inf")
