"""Groups of shoppers who behave alike, those who are like nobody else, and labels that last from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..errors import DataError
from .behaviour import AISLE, OTHERS, Features
from .interactions import Interactions
from .naming import words
from .neighbours import Rows

OUTLIERS, UNKNOWN = 0, -1
# Columns of amounts, few of which are very great: their logarithm is compared.
HEAVY = ("recency", "frequency", "money", "basket_value", "breadth", "views")
# Shares, whose square root is compared, as are those of aisles.
SHARES = ("weekend", "morning", "evening")
# Standard deviations between the quartiles of a normal distribution.
QUARTILES = 1.349
# Where most visitors are equal their quartiles are too: the spread is a standard deviation / NARROW at least.
NARROW = 3.0
# Standard deviations beyond which more makes no one more different.
CLIP = 5.0
# Columns' worth of weight that all shares of aisles have together.
MIX = 3.0
# Visitors that have one close by who is in a crowd: outliers are the others.
CROWD = 10
RARE = 0.05
# Visitors looked at to find outliers, to choose the number of groups, and to find the groups.
DENSITY_SAMPLE, CHOICE_SAMPLE, FIT_SAMPLE = 10_000, 3_000, 20_000
MOST = 10
SHUFFLES = 4
# How much more than in shuffled data the silhouette must be.
MARGIN = 0.05
# A segment that moved farther than this is another one.
FARTHEST = 2.0
# Baskets' worth of doubt in how often a segment buys an item.
PRIOR = 20.0


class Labelled(Protocol):
    """A segment of an earlier run; a `Found` is one. Its centre's aisles have the numbers of this run."""

    @property
    def label(self) -> int: ...

    @property
    def centre(self) -> dict[str, float]: ...


@dataclass(frozen=True)
class Found:
    """One segment, or with label 0 all outliers.

    centre: means of the columns as they are compared (log(1 + amount), √share), not scaled, so that a later run
    can scale them as its own · profile: JSON-ready, ``{"features": {name: {"mean": …,
    "all": …}}, "aisles": [{"aisle": number, "share": …, "all": …}, …]}``, the aisle most above all others first ·
    words: keys of its name, see `naming`.
    """

    label: int
    size: int
    outliers: bool
    centre: dict[str, float]
    profile: dict[str, Any]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Segments:
    """``labels``, shape (visitors,) int16: of a segment from 1, OUTLIERS, or UNKNOWN for who never bought anything.

    useful: whether the groups are more than chance; if not, there is one segment of all but the outliers ·
    silhouette: of the groups chosen; chance: the best one of as many groups in shuffled data; both NaN where none
    could be compared.
    """

    labels: np.ndarray
    found: tuple[Found, ...]
    useful: bool
    silhouette: float
    chance: float


@dataclass(frozen=True)
class _Scale:
    """From columns as compared to coordinates of which each has about the standard deviation 1, all aisles' together
    the variance MIX. Shapes (names,).
    """

    middle: np.ndarray
    factor: np.ndarray
    clip: np.ndarray

    @classmethod
    def of(cls, compared: np.ndarray, mix: np.ndarray) -> _Scale:
        low, middle, high = np.quantile(compared, (0.25, 0.5, 0.75), axis=0)
        spread = np.maximum((high - low) / QUARTILES, compared.std(axis=0) / NARROW)
        spread[mix] = np.sqrt(compared[:, mix].var(axis=0).sum() / MIX)
        # Rounding alone is no spread.
        seen = spread > 1e-9
        return cls(middle, np.where(seen, 1 / np.where(seen, spread, 1), 0), np.where(mix, np.inf, CLIP))

    def __call__(self, compared: np.ndarray) -> np.ndarray:
        return np.clip((compared - self.middle) * self.factor, -self.clip, self.clip).astype(np.float32)


def find(features: Features, previous: Sequence[Labelled] = (), seed: int = 0) -> Segments:
    """Segments of the visitors who ever bought anything.

    ``previous`` are all segments ever found, also those that later runs did not find again: a label means the same
    for good.
    """
    # The limit on threads holds for what has been imported.
    import sklearn.cluster
    import sklearn.neighbors  # noqa: F401
    from threadpoolctl import threadpool_limits

    labels = np.full(len(features.values), UNKNOWN, np.int16)
    rows = np.flatnonzero(features.known)
    if not len(rows):
        return Segments(labels, (), False, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    values = features.values[rows]
    compared = _compared(features, values)
    scale = _Scale.of(compared, features.mix)
    points = scale(compared)
    # The fits are small, so threads would wait for each other; and one alone adds up in the same order each time.
    with threadpool_limits(1):
        near = _in_crowd(points, rng)
        groups, silhouette, chance = _choose(points, near, rng)
        crowd = np.flatnonzero(near)
        group = _assign(points[crowd], groups, rng)
    centres = np.stack([compared[crowd[group == number]].mean(axis=0) for number in range(groups)])
    labels[rows] = OUTLIERS
    labels[rows[crowd]] = _labels(features.names, centres, scale, previous)[group]
    found = _found(features.names, labels[rows], values, compared, groups > 1)
    return Segments(labels, found, groups > 1, silhouette, chance)


def _compared(features: Features, values: np.ndarray) -> np.ndarray:
    """The columns as they are compared, shape of ``values``: amounts by their logarithm, shares by their root."""
    compared = values.copy()
    heavy, share = np.isin(features.names, HEAVY), np.isin(features.names, SHARES) | features.mix
    compared[:, heavy] = np.log1p(values[:, heavy])
    compared[:, share] = np.sqrt(values[:, share])
    return compared


def _sample(rng: np.random.Generator, size: int, most: int) -> np.ndarray:
    return np.sort(rng.choice(size, min(size, most), replace=False))


def _in_crowd(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Who is no outlier, shape (visitors,) bool: has a core sample of DBSCAN within its radius.

    Ester et al., A density-based algorithm for discovering clusters, KDD 1996. The radius is the knee of the sorted
    distances to the CROWD-th nearest (farthest below the chord), but leaves at most RARE of the sample without a crowd.
    """
    from sklearn.cluster import DBSCAN
    from sklearn.metrics import pairwise_distances_argmin_min
    from sklearn.neighbors import NearestNeighbors

    sample = points[_sample(rng, len(points), DENSITY_SAMPLE)]
    if len(sample) <= CROWD:
        return np.ones(len(points), bool)
    distance = np.sort(NearestNeighbors(n_neighbors=CROWD).fit(sample).kneighbors()[0][:, -1])
    rise = (distance - distance[0]) / max(distance[-1] - distance[0], 1e-9)
    knee = distance[np.argmax(np.linspace(0, 1, len(distance)) - rise)]
    radius = max(knee, np.quantile(distance, 1 - RARE), 1e-6)
    core = sample[DBSCAN(eps=radius, min_samples=CROWD + 1).fit(sample).core_sample_indices_]
    near, left = np.zeros(len(points), bool), np.arange(len(points))
    # Most are near the first few core samples.
    step = max(len(core) // 10, 1)
    for start in range(0, len(core), step):
        close = pairwise_distances_argmin_min(points[left], core[start : start + step])[1] <= radius
        near[left[close]] = True
        left = left[~close]
        if not len(left):
            break
    return near


def _choose(points: np.ndarray, crowd: np.ndarray, rng: np.random.Generator) -> tuple[int, float, float]:
    """How many groups the ``crowd`` has, their silhouette and the best one of as many in SHUFFLES shufflings.

    Chosen is what exceeds shuffled data the most; 1 group where that is less than MARGIN. Shuffled data have each
    column in an order of its own, so that nothing goes together, and lose their outliers too.
    Rousseeuw, Silhouettes, J. Comput. Appl. Math. 20, 1987.
    """
    rows = _sample(rng, len(points), CHOICE_SAMPLE)
    shuffled = [rng.permuted(points[rows], axis=0) for _ in range(SHUFFLES)]
    samples = [points[rows][crowd[rows]], *(one[_in_crowd(one, rng)] for one in shuffled)]
    seed, tried = int(rng.integers(2**31)), []
    for groups in range(2, min(MOST, len(rows) // CROWD) + 1):
        silhouette, *others = (_silhouette(one, groups, seed) for one in samples)
        tried.append((silhouette - max(others), -groups, silhouette, max(others)))
    gain, fewest, silhouette, chance = max(tried, default=(0.0, -1, np.nan, np.nan))
    return -fewest if gain >= MARGIN else 1, silhouette, chance


def _silhouette(points: np.ndarray, groups: int, seed: int) -> float:
    """Of the groups of K-means; 0 if there are fewer different points than groups."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    if len(np.unique(points, axis=0)) <= groups:
        return 0.0
    group = KMeans(groups, n_init=4, random_state=seed).fit_predict(points)
    return float(silhouette_score(points, group))


def _assign(points: np.ndarray, groups: int, rng: np.random.Generator) -> np.ndarray:
    """The group of each visitor, shape (visitors,), by K-means; the largest is number 0."""
    from sklearn.cluster import KMeans

    if groups == 1:
        return np.zeros(len(points), np.int64)
    sample = points[_sample(rng, len(points), FIT_SAMPLE)]
    group = KMeans(groups, n_init=10, random_state=int(rng.integers(2**31))).fit(sample).predict(points)
    return np.argsort(np.argsort(-np.bincount(group, minlength=groups), kind="stable"))[group]


def _labels(names: tuple[str, ...], centres: np.ndarray, scale: _Scale, previous: Sequence[Labelled]) -> np.ndarray:
    """A label per centre, shape (groups,) int16: that of the earlier segment it continues, or a new one.

    Pairs of earlier and present centres are chosen so that their distances add up to the least (Hungarian method). A
    centre continues none that is FARTHEST or more away, or farther than half way to another present centre. Columns
    that only one run has are left out.
    """
    from scipy.optimize import linear_sum_assignment

    earlier = [one for one in previous if one.label > OUTLIERS]
    labels = np.full(len(centres), -1)
    was = scale(np.array([[one.centre.get(name, np.nan) for name in names] for one in earlier]).reshape(-1, len(names)))
    now = scale(centres)
    between = np.sqrt(((now[:, None] - now) ** 2).sum(axis=2))
    np.fill_diagonal(between, np.inf)
    reach = np.minimum(between.min(axis=1) / 2, FARTHEST)
    distance = np.sqrt(np.nansum((was[:, None] - now) ** 2, axis=2))
    # Of what has nothing in common with this run nobody knows how far it is.
    distance[np.isnan(was).all(axis=1)] = np.inf
    old, new = linear_sum_assignment(np.minimum(distance, reach))
    near = distance[old, new] < reach[new]
    labels[new[near]] = [earlier[at].label for at in old[near]]
    fresh = labels < 0
    labels[fresh] = max((one.label for one in earlier), default=0) + 1 + np.arange(fresh.sum())
    return labels.astype(np.int16)


def _found(
    names: tuple[str, ...], labels: np.ndarray, values: np.ndarray, compared: np.ndarray, useful: bool
) -> tuple[Found, ...]:
    """One `Found` per label, ascending; ``labels``, ``values`` and ``compared`` are of the known visitors."""
    present = np.unique(labels)
    mean = np.stack([values[labels == label].mean(axis=0) for label in present])
    centre = np.stack([compared[labels == label].mean(axis=0) for label in present])
    spread = compared.std(axis=0)
    # Rounding alone is no difference.
    apart = np.where(spread > 1e-9, (centre - compared.mean(axis=0)) / np.maximum(spread, 1e-9), 0)
    groups = present > OUTLIERS
    often = np.expm1(centre[groups, names.index("frequency")])
    named = iter(words(names, present[groups], apart[groups], often) if useful else [("everybody",)])
    everybody = values.mean(axis=0)
    return tuple(
        Found(
            int(label),
            int((labels == label).sum()),
            bool(label == OUTLIERS),
            dict(zip(names, centre[row].tolist(), strict=True)),
            _profile(names, mean[row], everybody),
            ("outliers",) if label == OUTLIERS else next(named),
        )
        for row, label in enumerate(present)
    )


def _profile(names: tuple[str, ...], mean: np.ndarray, everybody: np.ndarray) -> dict[str, Any]:
    pairs = dict(zip(names, zip(mean.tolist(), everybody.tolist(), strict=True), strict=True))
    aisles = [
        {"aisle": int(name.removeprefix(AISLE)), "share": share, "all": of_all}
        for name, (share, of_all) in pairs.items()
        if name.startswith(AISLE) and name != OTHERS
    ]
    return {
        "features": {
            name: {"mean": own, "all": of_all} for name, (own, of_all) in pairs.items() if not name.startswith(AISLE)
        },
        "aisles": sorted(aisles, key=lambda aisle: -aisle["share"] / aisle["all"]),
    }


def popularity(labels: np.ndarray, purchases: Interactions, items: int) -> Rows:
    """How much more often a segment's baskets hold an item than all baskets do, shape (greatest label + 1, items).

    log((n_sj + PRIOR) / (N_s·n_j/N + PRIOR)) for n_sj of N_s baskets of segment s, and n_j of N of all, with item j;
    rows of outliers and of labels without visitors are empty. ``labels``, shape (visitors,), as in `Segments`; guests
    and lines without a basket are left out.
    """
    from scipy.sparse import csr_matrix

    if len(labels) != len(purchases.visitors):
        raise DataError(f"Labels must be given for each of the {len(purchases.visitors)} visitors.")
    kept = (purchases.visitor >= 0) & (purchases.basket >= 0)
    # Sorting 10 million numbers is ten times as fast as np.unique.
    pairs = np.sort(purchases.basket[kept] * items + purchases.item[kept])
    basket, item = np.divmod(pairs[np.diff(pairs, prepend=-1) > 0], max(items, 1))
    there = np.bincount(basket) > 0
    of_basket = np.full(len(there), UNKNOWN)
    of_basket[purchases.basket[kept]] = labels[purchases.visitor[kept]]
    everywhere = np.bincount(item, minlength=items) / max(there.sum(), 1)
    rows = np.zeros((int(labels.max(initial=0)) + 1, items))
    for label in range(1, len(rows)):
        held = np.bincount(item[of_basket[basket] == label], minlength=items)
        expected = (of_basket[there] == label).sum() * everywhere
        rows[label] = np.log((held + PRIOR) / (expected + PRIOR))
    return Rows.of(csr_matrix(rows))
