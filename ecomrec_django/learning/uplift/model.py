"""Scores of pairs by what an offer adds to a page view, learned from what a shop's customers bought later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..boosted_trees import BoostedTrees
from ..evaluation.bootstrap import intervals
from ..types import BoolArray, FloatArray, IntArray
from .features import PairStatistics
from .page_views import PageViews

# Standard deviations that the formula takes from an excess; the first is the default, of a shop with too few orders.
CAUTIONS = (1.0, 0.0)
# One customer in so many is in the validation set.
VALIDATION_CUSTOMERS = 4
# Page views and rows from which trees are fitted.
MIN_VIEWS = 3_000
MAX_ROWS = 400_000
MIN_LEAF = 200
SETTINGS = {
    "max_iter": 80,
    "learning_rate": 0.1,
    "max_leaf_nodes": 31,
    "min_samples_leaf": MIN_LEAF,
    "l2_regularization": 10.0,
}
# Weight of what is bought with the anchor's need or aisle, in baskets, where the default formula knows no more.
GROUP_BASKETS = 15.0
# Pairs that are scored at once.
_AT_ONCE = 500_000


@dataclass(frozen=True, kw_only=True)
class Uplift:
    """Scores pairs: by trees where these were learned, else by a formula.

    method: name of the method in use
    caution: of `PairStatistics.own_score`
    trees: over `PairFeatures`; None where the formula scores as well
    report: mean excess of a page view's block on the validation set, by method; empty where there was none
    """

    method: str = "default"
    caution: float = CAUTIONS[0]
    trees: BoostedTrees | None = None
    report: Mapping[str, float] = field(default_factory=dict)

    def scores(self, statistics: PairStatistics, anchor: IntArray, item: IntArray) -> FloatArray:
        """Hits that each ``item`` adds to a view of its ``anchor``'s page, shape (pairs,)."""
        if self.trees is None:
            return _formula(statistics, anchor, item, self.caution)
        scores = np.empty(len(anchor))
        for start in range(0, len(anchor), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            scores[part] = self.trees.predict(statistics.features(anchor[part], item[part]).matrix)
        return scores


def _formula(statistics: PairStatistics, anchor: IntArray, item: IntArray, caution: float) -> FloatArray:
    """The pair's own score, or else the excess of the anchor's need or aisle, which weighs as much as GROUP_BASKETS
    baskets of the anchor.
    """
    scores = np.zeros(len(anchor))
    weight = GROUP_BASKETS / (statistics.bought.baskets[anchor] + GROUP_BASKETS)
    # The more special comes last.
    for name in ("aisle", "need"):
        together, row = statistics.group_pairs[name], statistics.group_rows(name, anchor, item)
        excess = (together.baskets - together.expected) / together.aisle_baskets
        scores = np.where(row >= 0, excess.take(row, mode="clip") * weight, scores) if len(excess) else scores
    own, row = statistics.own_score(caution), statistics.rows(anchor, item)
    return np.where(row >= 0, own.take(row, mode="clip"), scores) if len(own) else scores


def fit_uplift(statistics: PairStatistics, offered: BoolArray, later: PageViews) -> Uplift:
    """Learn to score the candidates of ``statistics`` by ``later`` page views.

    Some customers choose between the default formula, another of its kind, and trees that are fitted on the other
    customers: what surely adds more than the default is used.
    """
    validated = later.customer % VALIDATION_CUSTOMERS == 0
    learning, validation = later.where(~validated), later.where(validated)
    anchor, item = statistics.candidates(offered)
    if not len(anchor) or not len(learning) or not len(validation):
        return Uplift()
    best = Uplift()
    default = highest = validation.excess_of_blocks(anchor, item, best.scores(statistics, anchor, item))
    report = {best.method: round(float(default.mean()), 4)}
    for uplift in _alternatives(statistics, anchor, item, learning):
        excess = validation.excess_of_blocks(anchor, item, uplift.scores(statistics, anchor, item))
        report[uplift.method] = round(float(excess.mean()), 4)
        (gain,) = intervals((excess - default)[:, None], validation.customer)
        if gain.low > 0 and excess.mean() > highest.mean():
            best, highest = uplift, excess
    return replace(best, report=report)


def _alternatives(
    statistics: PairStatistics, anchor: IntArray, item: IntArray, learning: PageViews
) -> Iterator[Uplift]:
    """The other methods."""
    for caution in CAUTIONS[1:]:
        yield Uplift(method=f"caution {caution:g}", caution=caution)
    trees = _trees(statistics, anchor, item, learning) if len(learning) >= MIN_VIEWS else None
    if trees is not None:
        yield Uplift(method="trees", trees=trees)


def _trees(statistics: PairStatistics, anchor: IntArray, item: IntArray, learning: PageViews) -> BoostedTrees | None:
    """Fitted on the excess of the candidates, by views; None where too few pages were viewed."""
    views = learning.views()[anchor]
    rows = np.flatnonzero(views > 0)
    if len(rows) > MAX_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAX_ROWS, replace=False))
    if len(rows) < 2 * MIN_LEAF:
        return None
    anchor, item = anchor[rows], item[rows]
    matrix = statistics.features(anchor, item).matrix
    return BoostedTrees.fit(matrix, learning.excess(anchor, item), views[rows], **SETTINGS)
