"""Candidates for upgrades: better, more expensive items of the same need, and what speaks for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..learning.amounts import TOLERANCE
from ..learning.interactions import DAY, to_seconds
from ..learning.sparse import lookup_sorted, rank_in_group
from ..learning.types import BoolArray, FloatArray, IntArray, NumberArray
from .base import EVIDENCE, Reason
from .candidates import Candidates, OfferTable, matrix_of

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy.sparse import csr_matrix

    from ..learning.statistics.cooccurrence import PairCounts, Statistics

LOW, HIGH = 1.05, 1.8
# Weight of the prior, similarity and sales, in switches.
PRIOR_SWITCHES = 50.0
# Days after which a sale counts half.
HALF_LIFE = 30.0
# Least trade-ups of a need from which its price band is learned.
MIN_TRADE_UPS = 20
BAND_SHARE = 0.8
# How far prices may drift until the next training.
SLACK = 1.02
# A higher price ratio is no trade-up but another kind of item.
MAX_RATIO = 5.0
# Least similarity of an upgrade, or else the least number of shoppers who switched from one to the other.
MIN_SIMILARITY, MIN_SWITCHERS = 0.05, 3
# Similarity of items of different units, such as capsules by the piece and a jar by weight, as a share of their own.
OTHER_UNIT = 0.5
# From this multiple on, a larger size is a gain that a higher unit price may be paid for.
MIN_SIZE_GAIN = 1.1
# A mean rating must be higher by this share to be a gain.
BETTER_RATED = 0.05
# Values of an attribute that an item has.
YES = frozenset({"yes", "true", "with"})
# Least trade-ups within a need from one brand to another that make it a step that shoppers take.
MIN_BRAND_STEPS = 3
# Candidates of an anchor, of which its list is made.
MAX_CANDIDATES = 60


class UpgradeStatistics:
    """What upgrades are scored by.

    switches: within a need, sparse, shape (items, items)
    co_views: cosines, sparse, shape (items, items)
    switched_from: from each item to any other, shape (items,)
    switched_to: to each item within its need, shape (items,)
    low, high: the price band of each need, shape (needs,)
    sales: of each item, decayed, shape (items,); 0 where too few customers bought it
    brand_steps: trade-ups within a need from one brand to another, by `_step`
    features: what items have by their attributes, sparse, shape (items, features)
    """

    def __init__(self, statistics: Statistics, catalog: OfferTable, attributes: list[str | None]) -> None:
        from ..learning.interactions import IdMap
        from ..learning.ranker_training.trade_ups import next_purchase_counts
        from ..learning.statistics.cooccurrence import PairCounts

        lines, size = statistics.purchases(), len(catalog.ids)
        item = IdMap(catalog.ids).numbers(lines["item"].to_numpy())
        known = item >= 0
        item, customer = item[known], lines["customer"].to_numpy()[known]
        seconds = to_seconds(lines["time"])[known]
        next_purchases = PairCounts(*next_purchase_counts(customer, item, seconds, catalog.need))
        # What fewer shoppers did names no pair.
        switches = _joined(*(each.at_least(MIN_SWITCHERS) for each in (statistics.switches(), next_purchases)))
        same = catalog.need[switches.anchor] == catalog.need[switches.item]
        self.switches = matrix_of(switches, switches.count * same, size)
        self.co_views = matrix_of(statistics.co_views(), statistics.co_view_cosines(), size)
        self.switched_from = np.bincount(switches.anchor, switches.count, size)
        self.switched_to = np.bincount(switches.item, switches.count * same, size)
        self.low, self.high = _bands(catalog, switches)
        days = (seconds.max(initial=0) - seconds) / DAY
        self.sales = np.bincount(item, 0.5 ** (days / HALF_LIFE), size) * statistics.items(lines).known
        self.brand_steps = _brand_steps(catalog, switches)
        self.features = _features(attributes)


def _joined(*counts: PairCounts) -> PairCounts:
    """The pairs of all, of which some may be listed more than once."""
    from ..learning.statistics.cooccurrence import PairCounts

    return PairCounts(
        anchor=np.concatenate([part.anchor for part in counts]),
        item=np.concatenate([part.item for part in counts]),
        count=np.concatenate([part.count for part in counts]),
    )


def upgrade_candidates(
    items: pa.Table,
    catalog: OfferTable,
    usable: BoolArray,
    image_vectors: FloatArray | None,
    statistics: UpgradeStatistics,
) -> Candidates:
    """What every ``usable`` item may be upgraded to, at most MAX_CANDIDATES each, by (anchor, item).

    The score is the probability that a shopper who trades up chooses the candidate:
    (switchers + PRIOR_SWITCHES · prior) / (switches of the anchor + PRIOR_SWITCHES), the prior being a share of
    √similarity · sales.
    """
    from ..learning.similarity.content import content_vectors, groups

    vectors = content_vectors(items, catalog.price, within_need=True)
    windows = groups(catalog.need, np.nan_to_num(catalog.price), usable)
    parts = [_upgrades(window, catalog, vectors, image_vectors, statistics) for window in windows]
    found = Candidates.joined([Candidates.none(), *parts])
    return found.take(np.lexsort((found.item, found.owner)))


def upgrade_features(candidates: Candidates, catalog: OfferTable, statistics: UpgradeStatistics) -> FloatArray:
    """What a model learns from of `upgrade_candidates`, float32, shape (candidates, features)."""
    anchor, item, probability = candidates.owner, candidates.item, candidates.score
    ratio, size = (candidates.evidence[:, EVIDENCE[Reason.UPGRADE].index(name)] for name in ("ratio", "size"))
    sales, need = statistics.sales, np.maximum(catalog.need, 0)
    of_need = np.maximum(np.bincount(need, sales), 1e-9)[need]
    columns = [
        *candidates.evidence[:, : len(EVIDENCE[Reason.UPGRADE])].T,
        _rank_among(anchor, probability),
        _rank_among(anchor, -ratio),
        np.bincount(anchor)[anchor],
        ratio / size,
        sales[item],
        sales[item] / of_need[item],
        sales[anchor] / of_need[anchor],
        sales[item] / (sales[anchor] + 1.0),
        statistics.switched_from[anchor],
        statistics.switched_to[item],
        statistics.switched_to[item] / (statistics.switched_from[item] + 1.0),
        np.where(catalog.brand[anchor] >= 0, catalog.brand[anchor] == catalog.brand[item], np.nan),
        catalog.rating[item],
        catalog.price[anchor],
    ]
    return np.column_stack(columns).astype(np.float32)


def _rank_among(anchor: IntArray, score: FloatArray) -> FloatArray:
    """The place of each row among those of its anchor, which ascends: 0 for the highest score."""
    order = np.lexsort((-score, anchor))
    place = np.empty(len(order))
    place[order] = rank_in_group(anchor[order])
    return place


def _upgrades(
    group: IntArray,
    catalog: OfferTable,
    vectors: csr_matrix,
    image_vectors: FloatArray | None,
    statistics: UpgradeStatistics,
) -> Candidates:
    """The candidates of one window of a need."""
    from ..learning.similarity.content import content_similarity

    need = catalog.need[group[0]]
    low, high = statistics.low[need], statistics.high[need]
    price, rating = catalog.price[group], catalog.rating[group]
    ratio = price[None, :] / price[:, None]
    worse = rating[None, :] < rating[:, None]
    gains = Gains.of(group, catalog, statistics)
    eligible = (ratio >= low) & (ratio <= high) & (ratio > 1) & ~worse & gains.allowed(ratio)
    if not eligible.any():
        return Candidates.none()
    content = content_similarity(vectors, group, group, image_vectors)
    unit = catalog.unit[group]
    content[(unit[:, None] != unit[None, :]) & (unit[:, None] >= 0) & (unit[None, :] >= 0)] *= OTHER_UNIT
    viewed = np.asarray(statistics.co_views[group][:, group].todense(), np.float32)
    # A noisy or: 1 - (1 - content)(1 - co-views).
    similarities = np.clip(1 - (1 - content) * (1 - viewed), 0.0, 1.0)
    switches = np.asarray(statistics.switches[group][:, group].todense())
    anchor, item = np.nonzero(eligible & ((similarities >= MIN_SIMILARITY) | (switches >= MIN_SWITCHERS)))
    switchers = switches[anchor, item]
    similarity = similarities[anchor, item].astype(np.float64)
    popularity = np.sqrt(similarity + MIN_SIMILARITY) * (statistics.sales[group[item]] + 1)
    prior = popularity / np.maximum(np.bincount(anchor, popularity, len(group)), 1e-9)[anchor]
    trust = statistics.switched_from[group[anchor]] + PRIOR_SWITCHES
    probability = (switchers + PRIOR_SWITCHES * prior) / trust
    return Candidates.of(
        Reason.UPGRADE,
        group[anchor],
        group[item],
        probability,
        ratio[anchor, item],
        np.full(len(anchor), low),
        np.full(len(anchor), high),
        similarity,
        switchers,
        *(values[anchor, item] for values in gains.evidence()),
        probability,
    ).ranked(MAX_CANDIDATES)


@dataclass(frozen=True, kw_only=True)
class Gains:
    """What each item of a group has over each other one; shape (anchors, items), NaN where there is no gain.

    size: its amount in multiples of the anchor's, below 1 where it is smaller; NaN where they cannot be compared
    rating: its rating in multiples of the anchor's
    brand: trade-ups of shoppers from the anchor's brand to its brand
    features: attributes that the anchor lacks
    same_title: whether the titles read the same
    """

    size: FloatArray
    rating: FloatArray
    brand: FloatArray
    features: FloatArray
    same_title: BoolArray

    @classmethod
    def of(cls, group: IntArray, catalog: OfferTable, statistics: UpgradeStatistics) -> Gains:
        """Of the items of one ``group``."""
        amount, unit, rating = catalog.amount[group], catalog.unit[group], catalog.rating[group]
        title, brand = catalog.title[group], catalog.brand[group]
        with np.errstate(invalid="ignore", divide="ignore"):
            size = amount[None, :] / amount[:, None]
            better = rating[None, :] / rating[:, None]
        size[(unit[:, None] != unit[None, :]) | (unit[:, None] < 0)] = np.nan
        size[np.abs(size - 1) < TOLERANCE] = 1.0
        branded = (brand[:, None] >= 0) & (brand[None, :] >= 0) & (brand[:, None] != brand[None, :])
        keys = _step(catalog, catalog.need[group[0]], brand[:, None], brand[None, :])
        steps = lookup_sorted(*statistics.brand_steps, keys) * branded
        has = statistics.features[group]
        more = np.asarray(has.sum(axis=1)).ravel()[None, :] - np.asarray((has @ has.T).todense())
        return cls(
            size=size,
            rating=np.where(better >= 1 + BETTER_RATED, better, np.nan),
            brand=np.where(steps >= MIN_BRAND_STEPS, steps, np.nan),
            features=np.where(more > 0, more, np.nan),
            same_title=(title[:, None] == title[None, :]) & (title[:, None] >= 0),
        )

    def allowed(self, ratio: FloatArray) -> BoolArray:
        """Whether it is never the same title, less for more money, or a higher unit price without a gain to name.

        ratio: its price in multiples of the anchor's, shape as the fields
        """
        named = (
            (self.size >= MIN_SIZE_GAIN)
            | np.isfinite(self.rating)
            | np.isfinite(self.brand)
            | np.isfinite(self.features)
        )
        costs_more = ratio / self.size > 1 + TOLERANCE
        return ~self.same_title & ~(self.size < 1) & ~(costs_more & ~named)

    def evidence(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """The columns EVIDENCE of an upgrade that name a gain."""
        return self.size, self.rating, self.brand, self.features


def _step(catalog: OfferTable, need: IntArray | int, brand: IntArray, other: IntArray) -> IntArray:
    """Key of a step from one brand to another within a need."""
    brands = np.int64(catalog.brand.max(initial=0) + 1)
    return (need * brands + np.maximum(brand, 0)) * brands + np.maximum(other, 0)


def _brand_steps(catalog: OfferTable, switches: PairCounts) -> tuple[IntArray, FloatArray]:
    """Keys of `_step`, ascending, and how often shoppers took it, to something more expensive."""
    anchor, item = switches.anchor, switches.item
    with np.errstate(invalid="ignore"):
        up = (catalog.need[anchor] == catalog.need[item]) & (catalog.price[item] > catalog.price[anchor])
    up &= (catalog.brand[anchor] >= 0) & (catalog.brand[item] >= 0) & (catalog.brand[anchor] != catalog.brand[item])
    up &= catalog.need[anchor] >= 0
    steps = _step(catalog, catalog.need[anchor[up]], catalog.brand[anchor[up]], catalog.brand[item[up]])
    keys, position = np.unique(steps, return_inverse=True)
    return keys, np.bincount(position, switches.count[up], len(keys)).astype(np.float64)


def _features(attributes: list[str | None]) -> csr_matrix:
    """Which item has which of the attributes that are told by yes or no, shape (items, features)."""
    from scipy.sparse import csr_matrix

    numbers: dict[str, int] = {}
    rows, columns = [], []
    for row, text in enumerate(attributes):
        for line in (text or "").splitlines():
            name, _, value = line.partition("=")
            if value.casefold() in YES:
                rows.append(row)
                columns.append(numbers.setdefault(name, len(numbers)))
    return csr_matrix((np.ones(len(rows)), (rows, columns)), (len(attributes), max(len(numbers), 1)))


def _bands(catalog: OfferTable, switches: PairCounts) -> tuple[FloatArray, FloatArray]:
    """Per need the lowest and highest price ratio: the middle 80 % of its trade-ups, if MIN_TRADE_UPS; else of those of
    all needs, if as many; else LOW and HIGH.
    """
    with np.errstate(invalid="ignore"):
        ratio = catalog.price[switches.item] / catalog.price[switches.anchor]
        need = catalog.need[switches.anchor]
        up = (need >= 0) & (need == catalog.need[switches.item]) & (ratio > 1) & (ratio <= MAX_RATIO)
    order = np.flatnonzero(up)[np.argsort(ratio[up], kind="stable")]
    ratio, need, count = ratio[order], need[order], switches.count[order]
    shared_low, shared_high = _band(ratio, count) or (LOW, HIGH)
    low, high = np.full(len(catalog.categories), shared_low), np.full(len(catalog.categories), shared_high)
    for number in np.unique(need):
        own = need == number
        low[number], high[number] = _band(ratio[own], count[own]) or (shared_low, shared_high)
    return low, high


def _band(ratio: FloatArray, count: NumberArray) -> tuple[float, float] | None:
    """The middle BAND_SHARE of ascending price ratios, each with its trade-ups; None if there are too few."""
    total = np.cumsum(count)
    if not len(total) or total[-1] < MIN_TRADE_UPS:
        return None
    edge = (1 - BAND_SHARE) / 2
    low = max(1.01, ratio[np.searchsorted(total, edge * total[-1])] / SLACK)
    return low, max(low, ratio[np.searchsorted(total, (1 - edge) * total[-1] - 1e-9)] * SLACK)


def is_better_rated(rating: float | None, other: float | None) -> bool:
    """Whether a mean rating is higher by enough to be said."""
    return rating is not None and other is not None and rating >= (1 + BETTER_RATED) * other
