"""One ranker over all features: boosted trees, calibrated, and a trade-off from popularity to discovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import DataError
from ..measures import by_chance, own_shares
from ..sparse import lookup_sorted
from ..types import FloatArray, IntArray
from .features import ANCHOR_FEATURE_COLUMNS, FEATURE_NAMES, candidate_items, feature_matrix
from .item_features import ItemFeatures
from .shopper_features import ShopperFeatures
from .shopper_history import ShopperHistory
from .trees import Trees

# At a discovery of 1, scores are divided by this power of an item's baskets. Past it, on a validation slice, discovery
# no longer trades hits for recall that weighs 1/√popularity: it loses both.
DISCOVERY = 0.4


@dataclass(frozen=True, kw_only=True)
class Ranker:
    """Boosted trees, calibrated: the probability is 1 / (1 + exp(-(slope·raw + offset))).

    trees: over the columns ``feature_names``
    slope, offset: of the calibration
    skill: 1 - log loss / log loss of the mere share of bought candidates, on baskets held out; 0 and less: nothing was
        learned
    feature_names: of the columns of a feature matrix
    """

    trees: Trees
    slope: float
    offset: float
    skill: float
    feature_names: tuple[str, ...] = FEATURE_NAMES

    def uses(self, names: Sequence[str]) -> bool:
        """Whether any of the features ``names`` counts."""
        return bool(np.isin(self.trees.feature, [self.feature_names.index(name) for name in names]).any())

    @property
    def useful(self) -> bool:
        """Whether anything was learned."""
        return self.skill > 0

    def probabilities(self, matrix: FloatArray, within: IntArray | None = None) -> FloatArray:
        """Of each row of a `feature_matrix` to be bought, 0…1, shape (rows,); ``within``: of `without_anchor`."""
        raw = self.trees.raw(matrix, within, 0 if within is None else ANCHOR_FEATURE_COLUMNS)
        return 1 / (1 + np.exp(-(self.slope * raw + self.offset)))

    def without_anchor(self, matrix: FloatArray) -> IntArray:
        """What the features of the shopper and the items alone say, for `probabilities` with each of several
        anchors.
        """
        return self.trees.within(matrix, ANCHOR_FEATURE_COLUMNS)

    def contributions(self, matrix: FloatArray) -> FloatArray:
        """What each feature added to the log-odds, shape (rows, features)."""
        return self.slope * self.trees.contributions(matrix)


def apply_discovery(probabilities: FloatArray, baskets: FloatArray, discovery: float) -> FloatArray:
    """Scores at a ``discovery`` from 0, most hits, to 1, most of what few others buy.

    probability / baskets^(DISCOVERY·discovery), shape as given. Raises DataError for another ``discovery``.
    """
    if not 0 <= discovery <= 1:
        raise DataError(f"Discovery must be a number from 0 (popularity) to 1 (discovery), not {discovery}.")
    return probabilities * np.maximum(baskets, 1.0) ** (-DISCOVERY * discovery)


@dataclass(frozen=True, kw_only=True)
class RankedItems:
    """Items best first, ties by number.

    items: numbers, shape (items,)
    probabilities: to be bought, shape (items,)
    scores: by which they are ordered, shape (items,)
    order: the items' rows in ``matrix``, shape (items,)
    matrix: `feature_matrix` with the first anchor, shape (items, features)
    """

    items: IntArray
    probabilities: FloatArray
    scores: FloatArray
    order: IntArray
    matrix: FloatArray

    def features(self, count: int) -> FloatArray:
        """Of the best ``count`` items, shape (items, features)."""
        return self.matrix[self.order[:count]]


def rank(
    ranker: Ranker,
    item_features: ItemFeatures,
    shopper: ShopperFeatures,
    anchors: Sequence[int],
    day: float,
    discovery: float,
    items: IntArray | None = None,
) -> RankedItems:
    """``items`` (all `candidate_items` if None) by their mean probability over the anchors, with `apply_discovery`."""
    if items is None:
        items = candidate_items(item_features, shopper, anchors)
    matrices = feature_matrix(item_features, shopper, anchors, day, items)
    within = ranker.without_anchor(matrices[0]) if len(matrices) > 1 else None
    probabilities = np.mean([ranker.probabilities(matrix, within) for matrix in matrices], axis=0)
    scores = apply_discovery(probabilities, item_features.baskets[items], discovery)
    order = np.lexsort((items, -scores))
    return RankedItems(
        items=items[order], probabilities=probabilities[order], scores=scores[order], order=order, matrix=matrices[0]
    )


def rank_own(
    ranker: Ranker | None, item_features: ItemFeatures, shopper: ShopperFeatures, day: float, items: IntArray
) -> RankedItems:
    """Own ``items`` by their probability; where no ``ranker`` tells it, by the share of the own baskets, decayed."""
    if ranker is not None and ranker.useful:
        return rank(ranker, item_features, shopper, [], day, 0.0, items)
    matrix = feature_matrix(item_features, shopper, [], day, items)[0]
    share = lookup_sorted(shopper.items.things, shopper.items.recent[:, -1], items)
    order = np.lexsort((items, -share))
    return RankedItems(items=items[order], probabilities=share[order], scores=share[order], order=order, matrix=matrix)


def by_uplift(
    ranked: RankedItems,
    item_features: ItemFeatures,
    shopper: ShopperFeatures,
    anchors: Sequence[int],
    discovery: float = 0.0,
) -> RankedItems:
    """Best first by what the anchors add: the probability less that by the shopper's habits and basket size alone.

    With `apply_discovery` where that is more than nothing.
    """
    lines = item_features.baskets
    with_item = lookup_sorted(shopper.items.things, shopper.items.baskets, ranked.items)
    share = own_shares(with_item, shopper.items.baskets.sum(), lines[ranked.items] / max(float(lines.sum()), 1.0))
    sizes = shopper.basket_sizes if len(shopper.basket_sizes) else item_features.basket_size[list(anchors)]
    uplift = ranked.probabilities - by_chance(share, max(float(sizes.mean()) - 1, 0.0))
    scores = np.where(uplift > 0, apply_discovery(uplift, lines[ranked.items], discovery), uplift)
    order = np.lexsort((ranked.items, -scores))
    return RankedItems(
        items=ranked.items[order],
        probabilities=ranked.probabilities[order],
        scores=scores[order],
        order=ranked.order[order],
        matrix=ranked.matrix,
    )


def unknown_shopper(item_features: ItemFeatures) -> ShopperFeatures:
    """A shopper of whom nothing is known."""
    return ShopperFeatures.of(ShopperHistory.empty(), item_features)
