"""Every feature of (shopper, anchor, candidate) as one matrix, by numpy alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..measures import log_likelihood_ratio
from ..sparse import SparseRows, expand_ranges, isin_sorted, lookup_sorted, positions, unique_sorted
from ..types import BoolArray, FloatArray, IntArray
from .interests import blend
from .item_features import ItemFeatures
from .shopper_features import HALF_LIVES, Scored, ShopperFeatures, top_scored

# Candidates that the anchors add to the shopper's own.
FROM_PAIRS, FROM_CO_VIEWED = 60, 30

# Features of an anchor, NaN without one.
ANCHOR_FEATURES = (
    "probability",
    "reverse_probability",
    "llr",
    "lift",
    "probability_given_aisle",
    "need_probability",
    "probability_given_need",
    "own_with_anchor",
    "own_with_anchor_share",
    "own_with_anchor_need",
    "own_with_anchor_aisle",
    "similar_to_anchor",
    "co_viewed",
    "anchor_content_similarity",
    "anchor_image_similarity",
    "log_price_ratio",
    "anchor_basket_size",
    "anchor_own_basket_size",
    "anchor_own_share",
)
# Nothing here tells one shopper or one item from all others by itself: trees would overfit to them.
FEATURE_NAMES = (
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
    "own_basket_size",
    "need_baskets",
    "need_share",
    "need_recent",
    "need_skipped",
    "need_days_since",
    "need_due",
    "share_of_need",
    "neighbour_taste",
    "similar_to_own",
    "viewed",
    "viewed_days_ago",
    "similar_to_viewed",
    "need_interest",
    "brand_interest",
    "content_similarity",
    "content_interest",
    "segment_popularity",
    "repeat_rate",
    "item_repeat_rate",
    "price_fit",
    "basket_size",
    "image_similarity",
    "next_item",
    *ANCHOR_FEATURES,
)
# Features that a deep network gives, by what it reads.
IMAGE_FEATURES, SEQUENCE_FEATURES = ("image_similarity", "anchor_image_similarity"), ("next_item",)
_COLUMN = {name: column for column, name in enumerate(FEATURE_NAMES)}
# The first column of ANCHOR_FEATURES.
ANCHOR_FEATURE_COLUMNS = len(FEATURE_NAMES) - len(ANCHOR_FEATURES)


def candidate_items(item_features: ItemFeatures, shopper: ShopperFeatures, anchors: Sequence[int] = ()) -> IntArray:
    """The shopper's own candidates and what goes with the anchors, of other aisles than theirs, ascending.

    With several anchors each adds its share.
    """
    if not len(anchors):
        return shopper.candidates
    count = len(anchors)
    partners = [top_scored(item_features.pairs.row(anchor), FROM_PAIRS // count) for anchor in anchors]
    partners += [top_scored(item_features.co_viewed.row(anchor), FROM_CO_VIEWED // count) for anchor in anchors]
    added = np.concatenate(partners)
    items = unique_sorted(np.concatenate([shopper.candidates, added[item_features.offered[added]]]))
    anchor_aisles = np.sort(item_features.aisle[list(anchors)])
    dropped = isin_sorted(shopper.bought_for_good, items) | isin_sorted(anchor_aisles, item_features.aisle[items])
    return items[~dropped]


def feature_matrix(
    item_features: ItemFeatures, shopper: ShopperFeatures, anchors: Sequence[int], day: float, items: IntArray
) -> FloatArray:
    """All FEATURE_NAMES with each of the anchors (once if there is none), float32, shape (anchors or 1, items,
    features).

    ``day`` of the question, in days since 1970.
    """
    # A column at a time is written, and read by the trees.
    columns = np.full((len(FEATURE_NAMES), max(len(anchors), 1), len(items)), np.nan, np.float32)
    vectors = [item_features.content.row(anchor) for anchor in anchors]
    own_content, *anchor_content = _content_similarities(item_features.content, items, [shopper.content, *vectors])
    position = positions(shopper.items.things, items)
    for name, values in _shopper_columns(item_features, shopper, day, items, position, own_content).items():
        columns[_COLUMN[name]] = values
    if len(anchors):
        parts = _anchor_columns(item_features, shopper, np.asarray(anchors), items, position, anchor_content)
        for name, values in parts.items():
            columns[_COLUMN[name]] = values
    return columns.transpose(1, 2, 0)


def _shopper_columns(
    item_features: ItemFeatures,
    shopper: ShopperFeatures,
    day: float,
    items: IntArray,
    position: IntArray,
    content: FloatArray,
) -> dict[str, FloatArray | float]:
    """Features without an anchor.

    position: of ``items`` among the shopper's own, -1 for none
    content: similarity of the items' content to the shopper's
    """
    baskets_all, need = item_features.baskets[items], item_features.need[items]
    own, own_needs = shopper.items, shopper.needs
    need_position = positions(own_needs.things, need)
    last, gap = _take(own.last, position), _take(own.gap, position)
    baskets, need_baskets = _take(own.baskets, position, 0.0), _take(own_needs.baskets, need_position, 0.0)
    since, need_since = day - last, day - _take(own_needs.last, need_position)
    # A single purchase says nothing of its cycle, so the need's own stands in.
    cycle = np.where(np.isnan(gap), item_features.cycle[need], gap)
    own_baskets = max(shopper.baskets, 1)
    recent_share = (item_features.recent_baskets[items] + 1) / (item_features.recent_total + 1)
    log_price = np.log(item_features.price[items])
    own_price = np.log(item_features.price[own.things])
    own_price = own_price[np.isfinite(own_price)]
    price_level = own_price.mean() if len(own_price) else np.nan
    need_interest = lookup_sorted(*shopper.need_interest, need)
    segments, vectors = item_features.segment_popularity, _image_vectors(item_features, items)
    return {
        "popularity": np.log1p(baskets_all),
        "trend": np.log(recent_share * (item_features.total_baskets + 1) / (baskets_all + 1)),
        "own_baskets": baskets,
        "own_share": baskets / own_baskets,
        **{
            f"own_recent_{half_life:.0f}": _take(own.recent[:, column], position, 0.0)
            for column, half_life in enumerate(HALF_LIVES)
        },
        "own_latest": _take(own.latest, position, 0.0),
        "own_skipped": _take(own.skipped, position),
        "days_since": since,
        "gap": gap,
        "due": since / np.maximum(cycle, 1.0),
        "need_baskets": need_baskets,
        "need_share": need_baskets / own_baskets,
        "need_recent": _take(own_needs.recent[:, 1], need_position, 0.0),
        "need_skipped": _take(own_needs.skipped, need_position),
        "need_days_since": need_since,
        "need_due": need_since / np.maximum(_take(own_needs.gap, need_position), 1.0),
        "share_of_need": baskets / np.maximum(need_baskets, 1.0),
        "neighbour_taste": lookup_sorted(*shopper.neighbour_taste, items),
        "similar_to_own": lookup_sorted(*shopper.similar_to_own, items),
        "viewed": lookup_sorted(*shopper.viewed, items),
        "viewed_days_ago": day - lookup_sorted(shopper.viewed[0], shopper.viewed_day, items, np.nan),
        "similar_to_viewed": lookup_sorted(*shopper.similar_to_viewed, items),
        "need_interest": need_interest,
        "brand_interest": lookup_sorted(*shopper.brand_interest, item_features.brand[items]),
        "content_similarity": content,
        "content_interest": blend(need_interest, content),
        "segment_popularity": segments.at(shopper.segment, items) if shopper.segment < len(segments) else 0.0,
        "repeat_rate": item_features.repeat_rate[need],
        "item_repeat_rate": item_features.item_repeat_rate[items],
        "price_fit": np.abs(log_price - price_level),
        "basket_size": item_features.basket_size[items],
        "own_basket_size": _take(shopper.mean_basket_sizes(), position),
        "image_similarity": np.nan if vectors is None else _image_similarities(vectors, shopper.image_vector[None])[0],
        "next_item": _next_item(item_features, shopper, items),
    }


def _anchor_columns(
    item_features: ItemFeatures,
    shopper: ShopperFeatures,
    anchors: IntArray,
    items: IntArray,
    position: IntArray,
    content: Sequence[FloatArray],
) -> dict[str, FloatArray | float]:
    """ANCHOR_FEATURES, of shape (anchors, items) or (anchors, 1).

    position: as in `_shopper_columns`
    content: similarity of the items' content to each anchor's
    """
    need, aisle = item_features.need[anchors], item_features.aisle[anchors]
    anchor_baskets, item_baskets = item_features.baskets[anchors][:, None], item_features.baskets[items]

    def cells(rows: SparseRows, numbers: IntArray, columns: IntArray = items) -> FloatArray:
        return np.stack([rows.at(number, columns) for number in numbers.tolist()])

    both = cells(item_features.pairs, anchors)
    row, column = np.nonzero(both)
    ratio = np.zeros(both.shape)
    ratio[row, column] = log_likelihood_ratio(
        both[row, column], anchor_baskets[row, 0], item_baskets[column], item_features.total_baskets
    )
    own = shopper.items
    with_item, shares = _own_together(item_features, shopper, anchors, items, position)
    vectors = _image_vectors(item_features, items)
    expected = anchor_baskets * item_baskets / item_features.total_baskets
    return {
        "probability": both / (anchor_baskets + 5),
        "reverse_probability": both / (item_baskets + 5),
        "llr": ratio,
        "lift": np.log((both + 1) / (expected + 1)),
        "probability_given_aisle": cells(item_features.aisle_pairs, aisle),
        "need_probability": cells(item_features.need_pairs, need, item_features.need[items]),
        "probability_given_need": cells(item_features.need_items, need),
        "own_with_anchor": with_item,
        "own_with_anchor_share": shares[0],
        "own_with_anchor_need": shares[1],
        "own_with_anchor_aisle": shares[2],
        "similar_to_anchor": cells(item_features.similar_items, anchors),
        "co_viewed": cells(item_features.co_viewed, anchors),
        "anchor_content_similarity": np.stack(content),
        "anchor_image_similarity": (
            np.nan
            if vectors is None
            else _image_similarities(vectors, item_features.image_vectors[anchors].astype(np.float32))
        ),
        "log_price_ratio": np.log(item_features.price[items] / item_features.price[anchors][:, None]),
        "anchor_basket_size": item_features.basket_size[anchors][:, None],
        "anchor_own_basket_size": lookup_sorted(own.things, shopper.mean_basket_sizes(), anchors, np.nan)[:, None],
        "anchor_own_share": lookup_sorted(own.things, own.baskets, anchors)[:, None] / max(shopper.baskets, 1),
    }


def _own_together(
    item_features: ItemFeatures, shopper: ShopperFeatures, anchors: IntArray, items: IntArray, position: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Own baskets with both anchor and item, shape (anchors, items); and their share of the own baskets with the
    anchor, with its need and with its aisle, smoothed, shape (3, anchors, items).
    """
    things = shopper.items.things
    levels = (
        (things, anchors),
        (item_features.need[things], item_features.need[anchors]),
        (item_features.aisle[things], item_features.aisle[anchors]),
    )
    masks: BoolArray = np.concatenate([own == anchor[:, None] for own, anchor in levels])
    holding, baskets = shopper.baskets_with(masks)
    together = np.where(position >= 0, holding[:, position], 0.0) if len(things) else np.zeros((len(masks), len(items)))
    shares = (together / (baskets[:, None] + 2)).reshape(len(levels), len(anchors), -1)
    return together[: len(anchors)], shares


def _image_vectors(item_features: ItemFeatures, items: IntArray) -> FloatArray | None:
    """Of the items, float32, shape (items, width); None where no ranker uses them."""
    vectors = item_features.image_vectors
    return vectors[items].astype(np.float32) if vectors.shape[1] else None


def _image_similarities(vectors: FloatArray, others: FloatArray) -> FloatArray:
    """Cosines of the items' image ``vectors`` with ``others``, shape (others, items); NaN where either has none."""
    known = np.logical_and.outer(others.any(axis=1), vectors.any(axis=1))
    return np.where(known, others @ vectors.T, np.nan)


def _next_item(item_features: ItemFeatures, shopper: ShopperFeatures, items: IntArray) -> FloatArray | float:
    """The log-odds of each item to be the next against the bestsellers together; NaN without a history."""
    network, state = item_features.network, shopper.network_state
    if network is None or state is None:
        return np.nan
    bestsellers = network.scores(state, item_features.bestsellers)
    highest = bestsellers.max(initial=-np.inf)
    together = highest + np.log(np.exp(bestsellers - highest).sum())
    return network.scores(state, items) - together


def _content_similarities(content: SparseRows, items: IntArray, vectors: Sequence[Scored]) -> Sequence[FloatArray]:
    """Dot products of the items' content with each of the ``vectors`` (ascending columns, weights), shape (items,)
    each.
    """
    columns = unique_sorted(np.concatenate([numbers for numbers, _ in vectors]))
    if not len(columns):
        return [np.zeros(len(items)) for _ in vectors]
    # The items' columns end to end. Few of them are in a vector: a table finds them faster than a search for each.
    starts = content.starts[items]
    sizes = content.starts[items + 1] - starts
    cells = expand_ranges(starts, sizes)
    table = np.zeros(int(columns[-1]) + 2, bool)
    table[columns] = True
    item_columns = content.columns.take(cells)
    hit = np.flatnonzero(table.take(item_columns, mode="clip"))
    position, values = columns.searchsorted(item_columns[hit]), content.values.take(cells[hit])
    row = np.repeat(np.arange(len(items)), sizes)[hit]
    products = []
    for numbers, weights in vectors:
        dense = np.zeros(len(columns))
        dense[columns.searchsorted(numbers)] = weights
        products.append(np.bincount(row, values * dense[position], len(items)).astype(np.float64, copy=False))
    return products


def _take(values: FloatArray, position: IntArray, missing: float = np.nan) -> FloatArray:
    if not len(values):
        return np.full(len(position), missing)
    # A position of -1 is one that is not looked at.
    return np.where(position >= 0, values.take(position, mode="clip"), missing)
