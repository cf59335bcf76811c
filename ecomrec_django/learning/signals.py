"""Every signal of (shopper, anchor, candidate) as one matrix, by numpy alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .facts import Facts
from .interests import blend
from .neighbours import Rows, among, distinct, lookup
from .pairs import log_likelihood_ratio
from .shoppers import HALF_LIVES, Shopper, strongest

# Candidates that the anchors add to the shopper's own.
FROM_PAIRS, FROM_SEEN_BESIDE = 60, 30

# Signals of an anchor, NaN without one.
OF_ANCHOR = (
    "chance",
    "back_chance",
    "llr",
    "lift",
    "aisle_chance",
    "need_chance",
    "chance_by_need",
    "own_beside",
    "own_beside_share",
    "own_beside_need",
    "own_beside_aisle",
    "near_anchor",
    "seen_beside",
    "content_anchor",
    "looks_anchor",
    "dearer",
    "anchor_size",
    "anchor_own_size",
    "anchor_own",
)
# Nothing here tells one shopper or one item from all others by itself: trees would learn them by heart.
NAMES = (
    "popularity",
    "trend",
    "own_baskets",
    "own_share",
    *(f"own_recent_{half_life:.0f}" for half_life in HALF_LIVES),
    "own_latest",
    "own_skipped",
    "days_since",
    "gap",
    "due",
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
    "seen",
    "seen_days",
    "seen_near",
    "need_interest",
    "brand_interest",
    "content",
    "content_interest",
    "segment",
    "repeat_rate",
    "item_repeat_rate",
    "price_fit",
    "size",
    "looks",
    "next",
    *OF_ANCHOR,
)
# Signals that a deep network gives, by what it reads.
OF_PICTURES, OF_SEQUENCES = ("looks", "looks_anchor"), ("next",)
_COLUMN = {name: column for column, name in enumerate(NAMES)}
# The first column of OF_ANCHOR.
ANCHORED = len(NAMES) - len(OF_ANCHOR)


def candidates(facts: Facts, shopper: Shopper, anchors: Sequence[int] = ()) -> np.ndarray:
    """The shopper's own candidates and what stands beside the anchors, of other aisles than theirs, ascending.

    With several anchors each adds its share.
    """
    if not len(anchors):
        return shopper.candidates
    many = len(anchors)
    beside = [strongest(facts.pairs.row(anchor), FROM_PAIRS // many) for anchor in anchors]
    beside += [strongest(facts.co_seen.row(anchor), FROM_SEEN_BESIDE // many) for anchor in anchors]
    added = np.concatenate(beside)
    found = distinct(np.concatenate([shopper.candidates, added[facts.offered[added]]]))
    theirs = np.sort(facts.aisle[list(anchors)])
    return found[~(among(shopper.hidden, found) | among(theirs, facts.aisle[found]))]


def signals(facts: Facts, shopper: Shopper, anchors: Sequence[int], day: float, items: np.ndarray) -> np.ndarray:
    """All NAMES beside each of the anchors (once if there is none), shape (anchors or 1, items, NAMES) float32.

    ``day`` of the question, in days since 1970.
    """
    # A column at a time is written, and read by the trees.
    columns = np.full((len(NAMES), max(len(anchors), 1), len(items)), np.nan, np.float32)
    rows = [facts.content.row(anchor) for anchor in anchors]
    own, *beside = _likeness(facts.content, items, [shopper.words, *rows])
    at = _places(shopper.items.things, items)
    for name, values in _of_shopper(facts, shopper, day, items, at, own).items():
        columns[_COLUMN[name]] = values
    if len(anchors):
        for name, values in _of_anchors(facts, shopper, np.asarray(anchors), items, at, beside).items():
            columns[_COLUMN[name]] = values
    return columns.transpose(1, 2, 0)


def _of_shopper(
    facts: Facts, shopper: Shopper, day: float, items: np.ndarray, at: np.ndarray, content: np.ndarray
) -> dict[str, np.ndarray | float]:
    """Signals without an anchor; ``at``: places of ``items`` among the shopper's own, -1 for none · ``content``: their
    likeness to the shopper's words."""
    n_j, need = facts.baskets[items], facts.need[items]
    own, own_needs = shopper.items, shopper.needs
    need_at = _places(own_needs.things, need)
    last, gap, baskets = _take(own.last, at), _take(own.gap, at), _take(own.baskets, at, 0.0)
    need_baskets = _take(own_needs.baskets, need_at, 0.0)
    since, need_since = day - last, day - _take(own_needs.last, need_at)
    # A single purchase says nothing of its cycle, so the need's own stands in.
    cycle = np.where(np.isnan(gap), facts.cycle[need], gap)
    many = max(shopper.baskets, 1)
    log_price = np.log(facts.price[items])
    own_price = np.log(facts.price[own.things])
    own_price = own_price[np.isfinite(own_price)]
    level = own_price.mean() if len(own_price) else np.nan
    need_interest = lookup(*shopper.need_interest, need)
    looks = _looks(facts, items)
    return {
        "popularity": np.log1p(n_j),
        "trend": np.log((facts.recent[items] + 1) / (facts.recent_total + 1) * (facts.total + 1) / (n_j + 1)),
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
        "need_baskets": need_baskets,
        "need_share": need_baskets / many,
        "need_recent": _take(own_needs.recent[:, 1], need_at, 0.0),
        "need_skipped": _take(own_needs.skipped, need_at),
        "need_days_since": need_since,
        "need_due": need_since / np.maximum(_take(own_needs.gap, need_at), 1.0),
        "share_of_need": baskets / np.maximum(need_baskets, 1.0),
        "taste": lookup(*shopper.taste, items),
        "near": lookup(*shopper.near, items),
        "seen": lookup(*shopper.seen, items),
        "seen_days": day - lookup(shopper.seen[0], shopper.seen_day, items, np.nan),
        "seen_near": lookup(*shopper.seen_near, items),
        "need_interest": need_interest,
        "brand_interest": lookup(*shopper.brand_interest, facts.brand[items]),
        "content": content,
        "content_interest": blend(need_interest, content),
        "segment": facts.segments.at(shopper.segment, items) if shopper.segment < len(facts.segments) else 0.0,
        "repeat_rate": facts.rate[need],
        "item_repeat_rate": facts.item_rate[items],
        "price_fit": np.abs(log_price - level),
        "size": facts.size[items],
        "own_size": _take(shopper.sizes(), at),
        "looks": np.nan if looks is None else _seen_alike(looks, shopper.looks[None])[0],
        "next": _next(facts, shopper, items),
    }


def _of_anchors(
    facts: Facts,
    shopper: Shopper,
    anchors: np.ndarray,
    items: np.ndarray,
    at: np.ndarray,
    content: Sequence[np.ndarray],
) -> dict[str, np.ndarray | float]:
    """OF_ANCHOR, of shape (anchors, items) or (anchors, 1); ``at`` as in `_of_shopper` · ``content``: likeness of the
    items to each anchor."""
    need, aisle = facts.need[anchors], facts.aisle[anchors]
    n_i, n_j = facts.baskets[anchors][:, None], facts.baskets[items]
    needs = facts.need[items]

    def beside(rows: Rows, numbers: np.ndarray, columns: np.ndarray = items) -> np.ndarray:
        return np.stack([rows.at(number, columns) for number in numbers.tolist()])

    both = beside(facts.pairs, anchors)
    one, other = np.nonzero(both)
    ratio = np.zeros(both.shape)
    ratio[one, other] = log_likelihood_ratio(both[one, other], n_i[one, 0], n_j[other], facts.total)
    own = shopper.items
    kinds = ((own.things, anchors), (facts.need[own.things], need), (facts.aisle[own.things], aisle))
    kin = np.concatenate([things == wanted[:, None] for things, wanted in kinds])
    with_item, baskets = shopper.beside(kin)
    with_item = np.where(at >= 0, with_item[:, at], 0.0) if len(own.things) else np.zeros((len(kin), len(items)))
    looks = _looks(facts, items)
    shares = (with_item / (baskets[:, None] + 2)).reshape(len(kinds), len(anchors), -1)
    return {
        "chance": both / (n_i + 5),
        "back_chance": both / (n_j + 5),
        "llr": ratio,
        "lift": np.log((both + 1) / (n_i * n_j / facts.total + 1)),
        "aisle_chance": beside(facts.beside, aisle),
        "need_chance": beside(facts.needs, need, needs),
        "chance_by_need": beside(facts.by_need, need),
        "own_beside": with_item[: len(anchors)],
        "own_beside_share": shares[0],
        "own_beside_need": shares[1],
        "own_beside_aisle": shares[2],
        "near_anchor": beside(facts.alike, anchors),
        "seen_beside": beside(facts.co_seen, anchors),
        "content_anchor": np.stack(content),
        "looks_anchor": np.nan if looks is None else _seen_alike(looks, facts.looks[anchors].astype(np.float32)),
        "dearer": np.log(facts.price[items] / facts.price[anchors][:, None]),
        "anchor_size": facts.size[anchors][:, None],
        "anchor_own_size": lookup(own.things, shopper.sizes(), anchors, np.nan)[:, None],
        "anchor_own": lookup(own.things, own.baskets, anchors)[:, None] / max(shopper.baskets, 1),
    }


def _looks(facts: Facts, items: np.ndarray) -> np.ndarray | None:
    """Vectors of the items' pictures, shape (items, width) float32."""
    return facts.looks[items].astype(np.float32) if facts.looks.shape[1] else None


def _seen_alike(looks: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Cosines of the items' pictures with ``others``, shape (others, items); NaN where either has none."""
    known = np.logical_and.outer(others.any(axis=1), looks.any(axis=1))
    return np.where(known, others @ looks.T, np.nan)


def _next(facts: Facts, shopper: Shopper, items: np.ndarray) -> np.ndarray | float:
    """The log-odds of each item to be the next against the bestsellers together; NaN without a history."""
    if facts.network is None or shopper.state is None:
        return np.nan
    bestsellers = facts.network.scores(shopper.state, facts.popular)
    highest = bestsellers.max(initial=-np.inf)
    together = highest + np.log(np.exp(bestsellers - highest).sum())
    return facts.network.scores(shopper.state, items) - together


def _likeness(
    content: Rows, items: np.ndarray, vectors: Sequence[tuple[np.ndarray, np.ndarray]]
) -> Sequence[np.ndarray]:
    """Dot products of the items' content with each of some ``vectors`` (ascending features, weights), shape (items,)
    each."""
    features = distinct(np.concatenate([some for some, _ in vectors]))
    if not len(features):
        return [np.zeros(len(items)) for _ in vectors]
    # The items' features end to end. Few of them are in a vector: a table finds them faster than a search for each.
    start = content.starts[items]
    sizes = content.starts[items + 1] - start
    first = np.cumsum(sizes) - sizes
    at = np.repeat(start - first, sizes) + np.arange(sizes.sum())
    table = np.zeros(int(features[-1]) + 2, bool)
    table[features] = True
    theirs = content.columns.take(at)
    hit = np.flatnonzero(table.take(theirs, mode="clip"))
    place, values = features.searchsorted(theirs[hit]), content.values.take(at[hit])
    owner = np.repeat(np.arange(len(items)), sizes)[hit]
    products = []
    for some, weights in vectors:
        whole = np.zeros(len(features))
        whole[features.searchsorted(some)] = weights
        products.append(np.bincount(owner, values * whole[place], len(items)))
    return products


def _places(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Places of ``wanted`` among ascending ``keys``, -1 where there is none."""
    return lookup(keys, np.arange(len(keys)), wanted, -1).astype(np.int64)


def _take(values: np.ndarray, at: np.ndarray, missing: float = np.nan) -> np.ndarray:
    if not len(values):
        return np.full(len(at), missing)
    # A place of -1 is one that is not looked at.
    return np.where(at >= 0, values.take(at, mode="clip"), missing)
