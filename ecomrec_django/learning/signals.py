"""Every signal of (shopper, anchor, candidate) as one matrix, by numpy alone."""

from __future__ import annotations

import numpy as np

from .facts import Facts
from .neighbours import lookup
from .pairs import log_likelihood_ratio
from .shoppers import HALF_LIVES, Shopper

# Candidates that each source adds.
FROM_OWN, FROM_PAIRS, FROM_TASTE, FROM_NEAR, FROM_POPULAR = 200, 100, 100, 50, 50

# Nothing here tells one shopper or one item from all others by itself: trees would learn them by heart.
NAMES = (
    "popularity",
    "trend",
    "chance",
    "back_chance",
    "llr",
    "lift",
    "aisle_chance",
    "need_chance",
    "chance_by_need",
    "own_baskets",
    "own_share",
    *(f"own_recent_{half_life:.0f}" for half_life in HALF_LIVES),
    "own_latest",
    "own_skipped",
    "days_since",
    "gap",
    "due",
    "own_beside",
    "own_beside_share",
    "own_beside_need",
    "own_beside_aisle",
    "own_size",
    "need_baskets",
    "need_share",
    "need_recent",
    "need_skipped",
    "need_days_since",
    "need_due",
    "share_of_need",
    "taste",
    "near",
    "near_anchor",
    "repeat_rate",
    "item_repeat_rate",
    "price_fit",
    "size",
    "anchor_size",
    "anchor_own_size",
    "anchor_own",
)


def candidates(facts: Facts, shopper: Shopper, anchor: int) -> np.ndarray:
    """Items of other aisles that any source names, ascending."""
    habit = shopper.items
    partners, together = facts.pairs.row(anchor)
    found = np.unique(
        np.concatenate(
            [
                habit.things[np.argsort(-habit.recent[:, -1], kind="stable")[:FROM_OWN]],
                partners[np.argsort(-together, kind="stable")[:FROM_PAIRS]],
                _strongest(shopper.taste, FROM_TASTE),
                _strongest(shopper.near, FROM_NEAR),
                facts.popular[:FROM_POPULAR],
            ]
        )
    )
    return found[facts.aisle[found] != facts.aisle[anchor]]


def signals(facts: Facts, shopper: Shopper, anchor: int, day: float, items: np.ndarray) -> np.ndarray:
    """The matrix of all NAMES, shape (items, NAMES) float32; ``day`` of the question, in days since 1970."""
    n_i, n_j = facts.baskets[anchor], facts.baskets[items]
    both = facts.pairs.at(anchor, items)
    need = facts.need[items]
    own, own_needs = shopper.items, shopper.needs
    at = _places(own.things, items)
    need_at = _places(own_needs.things, need)
    kin = (
        own.things == anchor,
        facts.need[own.things] == facts.need[anchor],
        facts.aisle[own.things] == facts.aisle[anchor],
    )
    beside, beside_need, beside_aisle = (shopper.beside(mask) for mask in kin)
    sizes = shopper.sizes()
    last, gap, baskets = _take(own.last, at), _take(own.gap, at), _take(own.baskets, at, 0.0)
    need_baskets = _take(own_needs.baskets, need_at, 0.0)
    since, need_since = day - last, day - _take(own_needs.last, need_at)
    # A single purchase says nothing of its cycle, so the need's own stands in.
    cycle = np.where(np.isnan(gap), facts.cycle[need], gap)
    many = max(shopper.baskets, 1)
    log_price = np.log(facts.price[items])
    own_price = np.log(facts.price[own.things])
    level = np.nanmean(own_price) if np.isfinite(own_price).any() else np.nan
    columns = {
        "popularity": np.log1p(n_j),
        "trend": np.log((facts.recent[items] + 1) / (facts.recent_total + 1) * (facts.total + 1) / (n_j + 1)),
        "chance": both / (n_i + 5),
        "back_chance": both / (n_j + 5),
        "llr": np.where(both > 0, log_likelihood_ratio(both, n_i, n_j, facts.total), 0.0),
        "lift": np.log((both + 1) / (n_i * n_j / facts.total + 1)),
        "aisle_chance": facts.beside.at(facts.aisle[anchor], items),
        "need_chance": facts.needs.at(facts.need[anchor], need),
        "chance_by_need": facts.by_need.at(facts.need[anchor], items),
        "own_baskets": baskets,
        "own_share": baskets / many,
        **{
            f"own_recent_{half_life:.0f}": _take(own.recent[:, column], at, 0.0)
            for column, half_life in enumerate(HALF_LIVES)
        },
        "own_latest": _take(own.latest, at, 0.0),
        "own_skipped": _take(own.skipped, at),
        "days_since": since,
        "gap": gap,
        "due": since / np.maximum(cycle, 1.0),
        "own_beside": _take(beside[0], at, 0.0),
        "own_beside_share": _take(beside[0], at, 0.0) / (beside[1] + 2),
        "own_beside_need": _take(beside_need[0], at, 0.0) / (beside_need[1] + 2),
        "own_beside_aisle": _take(beside_aisle[0], at, 0.0) / (beside_aisle[1] + 2),
        "own_size": _take(sizes, at),
        "need_baskets": need_baskets,
        "need_share": need_baskets / many,
        "need_recent": _take(own_needs.recent[:, 1], need_at, 0.0),
        "need_skipped": _take(own_needs.skipped, need_at),
        "need_days_since": need_since,
        "need_due": need_since / np.maximum(_take(own_needs.gap, need_at), 1.0),
        "share_of_need": baskets / np.maximum(need_baskets, 1.0),
        "taste": lookup(*shopper.taste, items),
        "near": lookup(*shopper.near, items),
        "near_anchor": facts.alike.at(anchor, items),
        "repeat_rate": facts.rate[need],
        "item_repeat_rate": facts.item_rate[items],
        "price_fit": np.abs(log_price - level),
        "size": facts.size[items],
        "anchor_size": facts.size[anchor],
        "anchor_own_size": lookup(own.things, sizes, np.array([anchor]), np.nan)[0],
        "anchor_own": lookup(own.things, own.baskets, np.array([anchor]))[0] / many,
    }
    matrix = np.empty((len(items), len(NAMES)), np.float32)
    for column, name in enumerate(NAMES):
        matrix[:, column] = columns[name]
    return matrix


def _strongest(scored: tuple[np.ndarray, np.ndarray], k: int) -> np.ndarray:
    items, scores = scored
    return items[np.argsort(-scores, kind="stable")[:k]]


def _places(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Places of ``wanted`` among ascending ``keys``, -1 where there is none."""
    return lookup(keys, np.arange(len(keys)), wanted, -1).astype(np.int64)


def _take(values: np.ndarray, at: np.ndarray, missing: float = np.nan) -> np.ndarray:
    if not len(values):
        return np.full(len(at), missing)
    return np.where(at >= 0, values[at], missing)
