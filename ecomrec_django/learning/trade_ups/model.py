"""The probability that a shopper who trades up from an item chooses another, learned from a shop's own trade-ups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..boosted_trees import BoostedTrees
from ..evaluation.bootstrap import intervals
from ..sparse import positions, sum_by_key
from ..types import BoolArray, FloatArray, IntArray

# One customer in so many is in the validation set.
VALIDATION_CUSTOMERS = 3
# Trade-ups to candidates from which trees are fitted.
MIN_TRADE_UPS = 200
SETTINGS = {
    "loss": "poisson",
    "max_iter": 100,
    "learning_rate": 0.05,
    "max_leaf_nodes": 6,
    "min_samples_leaf": 100,
    "l2_regularization": 50.0,
}


@dataclass(frozen=True, kw_only=True)
class UpgradePairs:
    """Candidates for upgrades, by (anchor, item).

    anchor, item: item numbers, shape (pairs,)
    probability: by the formula, that a trade-up from the anchor is to the item, 0…1, shape (pairs,)
    features: float32, shape (pairs, features), NaN where unknown
    """

    anchor: IntArray
    item: IntArray
    probability: FloatArray
    features: FloatArray


@dataclass(frozen=True, kw_only=True)
class TradeUps:
    """What customers traded up to, shape (trade-ups,).

    anchor, item: item numbers
    customer: id of the customer
    """

    anchor: IntArray
    item: IntArray
    customer: IntArray

    def where(self, mask: BoolArray) -> TradeUps:
        """Some of them."""
        return TradeUps(anchor=self.anchor[mask], item=self.item[mask], customer=self.customer[mask])


@dataclass(frozen=True, kw_only=True)
class TradeUpModel:
    """Probabilities of pairs: by trees where these were learned, else by the formula.

    trees: over `UpgradePairs.features`; None where the formula serves as well
    report: mean reciprocal rank of what customers of the validation set traded up to, by method; empty without any
    """

    trees: BoostedTrees | None = None
    report: Mapping[str, float] = field(default_factory=dict)

    def probability(self, pairs: UpgradePairs) -> FloatArray:
        """That a trade-up from the anchor is to the item, shape (pairs,)."""
        return pairs.probability if self.trees is None else _predicted(self.trees, pairs)


def fit_trade_ups(pairs: UpgradePairs, later: TradeUps) -> TradeUpModel:
    """Learn from what customers traded up to after all that ``pairs`` know.

    Some customers choose between the formula and trees that are fitted on the others: trees are used where they surely
    put what was chosen further up.
    """
    size = np.int64(max(pairs.item.max(initial=0), later.item.max(initial=0)) + 1)
    keys = pairs.anchor * size + pairs.item
    row = positions(keys, later.anchor * size + later.item)
    later, row = later.where(row >= 0), row[row >= 0]
    validated = later.customer % VALIDATION_CUSTOMERS == 0
    if (~validated).sum() < MIN_TRADE_UPS or not validated.any():
        return TradeUpModel()
    trees = _fitted(pairs, row[~validated])
    by_formula, by_trees = (
        _reciprocal_ranks(pairs.anchor, probability, row[validated])
        for probability in (pairs.probability, _predicted(trees, pairs))
    )
    report = {"formula": round(float(by_formula.mean()), 4), "trees": round(float(by_trees.mean()), 4)}
    (gain,) = intervals((by_trees - by_formula)[:, None], later.customer[validated])
    return TradeUpModel(trees=trees if gain.low > 0 else None, report=report)


def _fitted(pairs: UpgradePairs, row: IntArray) -> BoostedTrees:
    """From trade-ups to some rows of ``pairs``: the share of an anchor's trade-ups, weighed by their number."""
    chosen = np.bincount(row, minlength=len(pairs.anchor)).astype(np.float64)
    anchors, total = sum_by_key(pairs.anchor, chosen)
    total = total[positions(anchors, pairs.anchor)]
    some = total > 0
    share = chosen[some] / total[some]
    return BoostedTrees.fit(pairs.features[some], share, total[some], **SETTINGS)


def _predicted(trees: BoostedTrees, pairs: UpgradePairs) -> FloatArray:
    rate = trees.predict(pairs.features)
    anchors, total = sum_by_key(pairs.anchor, rate)
    return rate / total[positions(anchors, pairs.anchor)]


def _reciprocal_ranks(anchor: IntArray, score: FloatArray, row: IntArray) -> FloatArray:
    """Of some rows among those of their anchor, which ascends; shape of ``row``."""
    order = np.lexsort((-score, anchor))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - np.searchsorted(anchor, anchor[order])
    return 1.0 / (1.0 + place[row])
