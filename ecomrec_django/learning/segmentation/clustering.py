"""Segments of shoppers with similar behaviour, outliers, and labels that stay the same from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...errors import DataError
from ..interactions import Interactions
from ..sparse import SparseRows
from ..types import BoolArray, FloatArray, IntArray
from .descriptions import name_keys
from .features import AISLE, OTHERS, VisitorFeatures

OUTLIERS, UNKNOWN = 0, -1
# Heavy-tailed amounts, compared by their logarithm.
HEAVY_TAILED = ("recency", "frequency", "money", "basket_value", "breadth", "views")
# Shares, compared by their square root, as those of aisles are.
SHARES = ("weekend", "morning", "evening")
# Standard deviations between the quartiles of a normal distribution.
QUARTILE_RANGE = 1.349
# Where most visitors are equal their quartiles are too: the spread is at least the standard deviation divided by this.
MAX_SPREAD_RATIO = 3.0
# Standard deviations beyond which differences count no further.
CLIP = 5.0
# Variance of all shares of aisles together; that of any other column is about 1.
AISLES_VARIANCE = 3.0
# Neighbours that make a core sample of DBSCAN, and the greatest share of outliers.
NEIGHBOURS = 10
MAX_OUTLIERS = 0.05
# Visitors sampled to find outliers, to choose the number of clusters, and to fit them.
DENSITY_SAMPLE, CHOICE_SAMPLE, FIT_SAMPLE = 10_000, 3_000, 20_000
MAX_CLUSTERS = 10
SHUFFLES = 4
# How much the silhouette must exceed that of shuffled data.
MARGIN = 0.05
# A segment that moved farther than this is another one.
MAX_DISTANCE = 2.0
# Weight of the prior in how often a segment buys an item, in baskets.
PRIOR = 20.0


class KnownCluster(Protocol):
    """A segment of an earlier run, such as a `Cluster`; the aisles of its centre have the numbers of this run."""

    @property
    def label(self) -> int:
        """0 for the outliers."""

    @property
    def centre(self) -> dict[str, float]:
        """Mean of each transformed column by its name, not scaled."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One segment, or with label 0 all outliers.

    label: stays the same from run to run
    size: visitors
    outliers: whether it holds the outliers
    centre: means of the transformed columns (log(1 + amount), √share), not scaled, so that a later run can scale them
    profile: JSON-ready, ``{"features": {name: {"mean": …, "all": …}}, "aisles": [{"aisle": number, "share": …,
        "all": …}, …]}``, the aisle most above the mean of all first
    words: keys of its name, see `descriptions.name_keys`
    """

    label: int
    size: int
    outliers: bool
    centre: dict[str, float]
    profile: dict[str, Any]
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """The segments of all visitors.

    labels: shape (visitors,) int16, of a segment from 1, OUTLIERS, or UNKNOWN for visitors without purchases
    clusters: one per label, ascending
    useful: whether the clusters are more than chance; if not, there is one segment of all but the outliers
    silhouette: of the clusters; NaN where none could be compared
    shuffled_silhouette: the best one of as many clusters in shuffled data, likewise
    """

    labels: IntArray
    clusters: tuple[Cluster, ...]
    useful: bool
    silhouette: float
    shuffled_silhouette: float


@dataclass(frozen=True)
class _Scale:
    """Scales transformed columns to a standard deviation of about 1, all aisles together to AISLES_VARIANCE.

    middle, factor, clip: shape (names,)
    """

    middle: FloatArray
    factor: FloatArray
    clip: FloatArray

    @classmethod
    def of(cls, transformed: FloatArray, aisle_columns: BoolArray) -> _Scale:
        low, middle, high = np.quantile(transformed, (0.25, 0.5, 0.75), axis=0)
        spread = np.maximum((high - low) / QUARTILE_RANGE, transformed.std(axis=0) / MAX_SPREAD_RATIO)
        spread[aisle_columns] = np.sqrt(transformed[:, aisle_columns].var(axis=0).sum() / AISLES_VARIANCE)
        # A smaller spread is a rounding error.
        varies = spread > 1e-9
        factor = np.where(varies, 1 / np.where(varies, spread, 1), 0)
        return cls(middle, factor, np.where(aisle_columns, np.inf, CLIP))

    def __call__(self, transformed: FloatArray) -> FloatArray:
        return np.clip((transformed - self.middle) * self.factor, -self.clip, self.clip).astype(np.float32)


def fit_segments(features: VisitorFeatures, previous: Sequence[KnownCluster] = (), seed: int = 0) -> Segmentation:
    """Segments of the visitors with purchases.

    ``previous``: all segments of earlier runs, also those that later runs did not find again, so that a label always
    means the same segment.
    """
    # The limit on threads holds for what has been imported.
    import sklearn.cluster
    import sklearn.neighbors  # noqa: F401
    from threadpoolctl import threadpool_limits

    labels = np.full(len(features.values), UNKNOWN, np.int16)
    rows = np.flatnonzero(features.known)
    if not len(rows):
        return Segmentation(labels=labels, clusters=(), useful=False, silhouette=np.nan, shuffled_silhouette=np.nan)
    rng = np.random.default_rng(seed)
    values = features.values[rows]
    transformed = _transformed(features, values)
    scale = _Scale.of(transformed, features.aisle_columns)
    points = scale(transformed)
    # The fits are too small for threads, and one alone adds up in the same order each time.
    with threadpool_limits(1):
        is_inlier = _inliers(points, rng)
        count, silhouette, shuffled_silhouette = _choose_count(points, is_inlier, rng)
        inliers = np.flatnonzero(is_inlier)
        cluster = _assign(points[inliers], count, rng)
    centres = np.stack([transformed[inliers[cluster == number]].mean(axis=0) for number in range(count)])
    labels[rows] = OUTLIERS
    labels[rows[inliers]] = _labels(features.names, centres, scale, previous)[cluster]
    return Segmentation(
        labels=labels,
        clusters=_clusters(features.names, labels[rows], values, transformed, useful=count > 1),
        useful=count > 1,
        silhouette=silhouette,
        shuffled_silhouette=shuffled_silhouette,
    )


def _transformed(features: VisitorFeatures, values: FloatArray) -> FloatArray:
    """Amounts by their logarithm and shares by their square root, shape of ``values``."""
    transformed = values.copy()
    heavy = np.isin(features.names, HEAVY_TAILED)
    share = np.isin(features.names, SHARES) | features.aisle_columns
    transformed[:, heavy] = np.log1p(values[:, heavy])
    transformed[:, share] = np.sqrt(values[:, share])
    return transformed


def _sample(rng: np.random.Generator, size: int, limit: int) -> IntArray:
    return np.sort(rng.choice(size, min(size, limit), replace=False))


def _inliers(points: FloatArray, rng: np.random.Generator) -> BoolArray:
    """Which visitors are no outliers, shape (visitors,): those with a core sample of DBSCAN within its radius.

    Ester et al., A density-based algorithm for discovering clusters, KDD 1996. The radius is the knee of the sorted
    distances to the NEIGHBOURS-th nearest (farthest below the chord), and at least their quantile 1 - MAX_OUTLIERS.
    """
    from sklearn.cluster import DBSCAN
    from sklearn.metrics import pairwise_distances_argmin_min
    from sklearn.neighbors import NearestNeighbors

    sample = points[_sample(rng, len(points), DENSITY_SAMPLE)]
    if len(sample) <= NEIGHBOURS:
        return np.ones(len(points), bool)
    distance = np.sort(NearestNeighbors(n_neighbors=NEIGHBOURS).fit(sample).kneighbors()[0][:, -1])
    rise = (distance - distance[0]) / max(distance[-1] - distance[0], 1e-9)
    knee = distance[np.argmax(np.linspace(0, 1, len(distance)) - rise)]
    radius = max(knee, np.quantile(distance, 1 - MAX_OUTLIERS), 1e-6)
    core = sample[DBSCAN(eps=radius, min_samples=NEIGHBOURS + 1).fit(sample).core_sample_indices_]
    inlier, remaining = np.zeros(len(points), bool), np.arange(len(points))
    # Most are near the first few core samples.
    step = max(len(core) // 10, 1)
    for start in range(0, len(core), step):
        near = pairwise_distances_argmin_min(points[remaining], core[start : start + step])[1] <= radius
        inlier[remaining[near]] = True
        remaining = remaining[~near]
        if not len(remaining):
            break
    return inlier


def _choose_count(points: FloatArray, inlier: BoolArray, rng: np.random.Generator) -> tuple[int, float, float]:
    """The number of clusters of the inliers, their silhouette, and the best one of as many in SHUFFLES shuffles.

    The number whose silhouette exceeds that of shuffled data most; 1 where that is less than MARGIN. In shuffled data
    each column has an order of its own, so that columns are independent, and outliers are removed likewise.
    Rousseeuw, Silhouettes, J. Comput. Appl. Math. 20, 1987.
    """
    rows = _sample(rng, len(points), CHOICE_SAMPLE)
    shuffles = [rng.permuted(points[rows], axis=0) for _ in range(SHUFFLES)]
    samples = [points[rows][inlier[rows]], *(shuffle[_inliers(shuffle, rng)] for shuffle in shuffles)]
    seed, trials = int(rng.integers(2**31)), []
    for count in range(2, min(MAX_CLUSTERS, len(rows) // NEIGHBOURS) + 1):
        silhouette, *shuffled = (_silhouette(sample, count, seed) for sample in samples)
        trials.append((silhouette - max(shuffled), -count, silhouette, max(shuffled)))
    gain, negative_count, silhouette, shuffled_silhouette = max(trials, default=(0.0, -1, np.nan, np.nan))
    return -negative_count if gain >= MARGIN else 1, silhouette, shuffled_silhouette


def _silhouette(points: FloatArray, count: int, seed: int) -> float:
    """Of ``count`` clusters of K-means; 0 if there are no more distinct points than clusters."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    if len(np.unique(points, axis=0)) <= count:
        return 0.0
    cluster = KMeans(count, n_init=4, random_state=seed).fit_predict(points)
    return float(silhouette_score(points, cluster))


def _assign(points: FloatArray, count: int, rng: np.random.Generator) -> IntArray:
    """The cluster of each visitor, shape (visitors,), by K-means; the largest is number 0."""
    from sklearn.cluster import KMeans

    if count == 1:
        return np.zeros(len(points), np.int64)
    sample = points[_sample(rng, len(points), FIT_SAMPLE)]
    cluster = KMeans(count, n_init=10, random_state=int(rng.integers(2**31))).fit(sample).predict(points)
    return np.argsort(np.argsort(-np.bincount(cluster, minlength=count), kind="stable"))[cluster]


def _labels(names: tuple[str, ...], centres: FloatArray, scale: _Scale, previous: Sequence[KnownCluster]) -> IntArray:
    """A label per centre, shape (clusters,) int16: that of the earlier segment it continues, or a new one.

    Pairs of earlier and present centres are chosen to minimise the sum of their distances (Hungarian method). A centre
    continues none that is MAX_DISTANCE or more away, or farther than half way to another present centre. Columns that
    only one run has are ignored.
    """
    from scipy.optimize import linear_sum_assignment

    earlier = [segment for segment in previous if segment.label > OUTLIERS]
    labels = np.full(len(centres), -1)
    rows = [[segment.centre.get(name, np.nan) for name in names] for segment in earlier]
    before, now = scale(np.array(rows).reshape(-1, len(names))), scale(centres)
    between = np.sqrt(((now[:, None] - now) ** 2).sum(axis=2))
    np.fill_diagonal(between, np.inf)
    reach = np.minimum(between.min(axis=1) / 2, MAX_DISTANCE)
    distance = np.sqrt(np.nansum((before[:, None] - now) ** 2, axis=2))
    # Without a column in common there is no distance.
    distance[np.isnan(before).all(axis=1)] = np.inf
    old, new = linear_sum_assignment(np.minimum(distance, reach))
    near = distance[old, new] < reach[new]
    labels[new[near]] = [earlier[index].label for index in old[near]]
    fresh = labels < 0
    labels[fresh] = max((segment.label for segment in earlier), default=0) + 1 + np.arange(fresh.sum())
    return labels.astype(np.int16)


def _clusters(
    names: tuple[str, ...], labels: IntArray, values: FloatArray, transformed: FloatArray, *, useful: bool
) -> tuple[Cluster, ...]:
    """One `Cluster` per label, ascending; all arrays are of the visitors with purchases."""
    present = np.unique(labels)
    mean = np.stack([values[labels == label].mean(axis=0) for label in present])
    centre = np.stack([transformed[labels == label].mean(axis=0) for label in present])
    spread = transformed.std(axis=0)
    # A smaller spread is a rounding error.
    difference = np.where(spread > 1e-9, (centre - transformed.mean(axis=0)) / np.maximum(spread, 1e-9), 0)
    segments = present > OUTLIERS
    frequency = np.expm1(centre[segments, names.index("frequency")])
    words = iter(name_keys(names, present[segments], difference[segments], frequency) if useful else [("everybody",)])
    mean_of_all = values.mean(axis=0)
    return tuple(
        Cluster(
            label=int(label),
            size=int((labels == label).sum()),
            outliers=bool(label == OUTLIERS),
            centre=dict(zip(names, centre[row].tolist(), strict=True)),
            profile=_profile(names, mean[row], mean_of_all),
            words=("outliers",) if label == OUTLIERS else next(words),
        )
        for row, label in enumerate(present)
    )


def _profile(names: tuple[str, ...], mean: FloatArray, mean_of_all: FloatArray) -> dict[str, Any]:
    pairs = dict(zip(names, zip(mean.tolist(), mean_of_all.tolist(), strict=True), strict=True))
    aisles = [
        {"aisle": int(name.removeprefix(AISLE)), "share": share, "all": of_all}
        for name, (share, of_all) in pairs.items()
        if name.startswith(AISLE) and name != OTHERS
    ]
    return {
        "features": {
            name: {"mean": value, "all": of_all}
            for name, (value, of_all) in pairs.items()
            if not name.startswith(AISLE)
        },
        "aisles": sorted(aisles, key=lambda aisle: -aisle["share"] / aisle["all"]),
    }


def popularity(labels: IntArray, purchases: Interactions, items: int) -> SparseRows:
    """How much more often a segment's baskets hold an item than all baskets do, shape (greatest label + 1, items).

    log((n_sj + PRIOR) / (N_s·n_j/N + PRIOR)) for n_sj of N_s baskets of segment s, and n_j of N of all, with item j;
    rows of outliers and of labels without visitors are empty. ``labels``, shape (visitors,), as in `Segmentation`;
    guests and lines without a basket are ignored.
    """
    from scipy.sparse import csr_matrix

    if len(labels) != len(purchases.visitors):
        raise DataError(f"Labels must be given for each of the {len(purchases.visitors)} visitors.")
    counted = (purchases.visitor >= 0) & (purchases.basket >= 0)
    # Sorting 10 million numbers is ten times as fast as np.unique.
    pairs = np.sort(purchases.basket[counted] * items + purchases.item[counted])
    basket, item = np.divmod(pairs[np.diff(pairs, prepend=-1) > 0], max(items, 1))
    exists = np.bincount(basket) > 0
    label_of_basket = np.full(len(exists), UNKNOWN)
    label_of_basket[purchases.basket[counted]] = labels[purchases.visitor[counted]]
    share = np.bincount(item, minlength=items) / max(exists.sum(), 1)
    rows = np.zeros((int(labels.max(initial=0)) + 1, items))
    for label in range(1, len(rows)):
        bought = np.bincount(item[label_of_basket[basket] == label], minlength=items)
        expected = (label_of_basket[exists] == label).sum() * share
        rows[label] = np.log((bought + PRIOR) / (expected + PRIOR))
    return SparseRows.of(csr_matrix(rows))
