"""Offers for 4,000 anchors of real grocery baskets, from other categories than the anchor's.

Protocol: lines sorted by time (ties as they lie in the file); the first 90 % train, the last 10 % test. Items with at
least 20 training sales take part, of which those without a product_category count as one category. Each item of a
test basket is an anchor, whose targets are the basket's items of other categories; anchors without a target are left
out; 4,000 are sampled with seed 0. Top 10 from other categories. Constants of ours were fitted on ``--validation``:
train on the first 80 %, test on the next 10 %.

hits, excess, staples and distinct are of all page views: each known item of each test basket, whose block is the first
four offers. hits: offers in the rest of the basket; excess: hits less Σ over the offers of 1 - (1 - share)^others,
``share`` being that of the offer in all test lines and ``others`` the basket's further known items.

Personal methods (``--personal``) know the anchor's household and what it bought in the training slice, and nothing of
later. The learned ranker is fitted on either of the training slice's last two tenths of all lines, each from statistics
of what was before it.
Rows ``new: …`` are offers and targets that the household never bought, in the same cases where such a target is left.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ecomrec_django.learning.evaluation.chance import BLOCK, staple_items
from ecomrec_django.learning.evaluation.metrics import evaluate
from ecomrec_django.learning.sparse import expand_ranges
from ecomrec_django.learning.statistics.engine import Engine
from ecomrec_django.learning.statistics.training_data import TrainingData
from ecomrec_django.strategies.bought_with import BoughtWith

from . import Row
from ._complete_journey_data import K, Trial, history_table, items_table, load
from ._personal import rows as personal_rows


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--validation", action="store_true", help="score the 80-90 %% slice instead of the test slice")
    parser.add_argument("--ours", action="store_true", help="leave the other methods out")
    parser.add_argument("--personal", action="store_true", help="methods that know the household instead")


def run(options: argparse.Namespace) -> list[Row]:
    share = 0.8 if options.validation else 0.9
    trial = load(share)
    if options.personal:
        return personal_rows(trial, (load(share - back) for back in (0.1, 0.2)), options.ours)
    rows: list[Row] = [] if options.ours else [_scored(name, trial, peer) for name, peer in PEERS.items()]
    return [*rows, _scored("ecomrec", trial, bought_with)]


# Offers by anchor.
Lists = Mapping[int, np.ndarray]


def _scored(name: str, trial: Trial, method: Callable[[Trial], Lists]) -> Row:
    began = time.perf_counter()
    lists = method(trial)
    seconds = time.perf_counter() - began
    offers = [lists[int(anchor)][:K] for anchor in trial.anchors]
    scores = evaluate(offers, trial.targets, trial.sales, K)
    other = [
        trial.category[items] != trial.category[anchor] for anchor, items in zip(trial.anchors, offers, strict=True)
    ]
    row = {"name": name, **scores.row(), "other_category": float(np.concatenate(other).mean())}
    return {**row, **_blocks(trial, lists), "seconds": seconds}


def _blocks(trial: Trial, lists: Lists) -> Row:
    """Figures of the blocks of all page views."""
    views = trial.views
    anchors = np.unique(views.item)
    blocks = [lists[int(anchor)][:BLOCK] for anchor in anchors]
    anchor = np.repeat(anchors, [len(block) for block in blocks])
    item = np.concatenate(blocks)
    place = expand_ranges(0, np.array([len(block) for block in blocks]))
    excess = views.excess_of_blocks(anchor, item, -place.astype(float))
    hits = replace(views, share=np.zeros_like(views.share)).excess_of_blocks(anchor, item, -place.astype(float))
    shown = views.views()[anchor]
    return {
        "hits": float(hits.mean()),
        "excess": float(excess.mean()),
        "staples": float(shown[np.isin(item, staple_items(trial.sales))].sum() / shown.sum()),
        "distinct": len(np.unique(item)),
    }


def bought_with(trial: Trial) -> Lists:
    """The lists of the package's own strategy; an anchor without a list takes its category's, as a page does."""
    items = items_table(trial)
    made = BoughtWith().make(TrainingData(engine=Engine(), events=history_table(trial.lines), items=items))
    own = {int(owner): row for row, owner in enumerate(made.by_item.owners)}
    shared = {int(owner): row for row, owner in enumerate(made.by_category.owners)}
    ids, needs = items["item"].to_numpy(), items["category"].to_numpy()
    offers = {}
    for anchor in range(len(ids)):
        lists, row = made.by_item, own.get(int(ids[anchor]))
        if row is None:
            lists, row = made.by_category, shared.get(int(needs[anchor]))
        stored = lists.items[lists.starts[row] : lists.starts[row + 1]] if row is not None else ids[:0]
        offers[anchor] = np.searchsorted(ids, stored)[:K]
    return offers


def _ranked(trial: Trial, scores: Callable[[int], np.ndarray]) -> Lists:
    """Best items of other categories by dense ``scores`` of an anchor; ties by item number."""
    known: dict[int, np.ndarray] = {}
    for anchor in np.union1d(trial.anchors, trial.views.item).tolist():
        values = np.where(trial.category == trial.category[anchor], -np.inf, scores(anchor))
        best = np.argpartition(-values, 4 * K)[: 4 * K] if len(values) > 4 * K else np.arange(len(values))
        known[anchor] = best[np.lexsort((best, -values[best]))][:K]
    return known


def _counted(score: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[Trial], Lists]:
    """A method that scores by basket counts: ``score(c_i, n)``, both of shape (items,)."""

    def method(trial: Trial) -> Lists:
        baskets = trial.baskets()
        n = np.asarray(baskets.sum(axis=0)).ravel()
        anchors = np.union1d(trial.anchors, trial.views.item)
        row = {int(anchor): at for at, anchor in enumerate(anchors)}
        together = (baskets[:, anchors].T @ baskets).tocsr()
        return _ranked(trial, lambda anchor: score(together[row[anchor]].toarray().ravel(), n))

    return method


def _implicit(name: str) -> Callable[[Trial], Lists]:
    """Item-kNN of the package implicit; its users are baskets."""

    def method(trial: Trial) -> Lists:
        from implicit import nearest_neighbours

        model = getattr(nearest_neighbours, name)(K=len(trial.sales), num_threads=2)
        model.fit(trial.baskets(), show_progress=False)
        return _ranked(trial, lambda anchor: model.similarity[anchor].toarray().ravel())

    return method


def ease(trial: Trial, penalty: float = 500.0) -> Lists:
    """Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019; users being baskets."""
    from scipy.linalg import lapack

    baskets = trial.baskets()
    gram = (baskets.T @ baskets).toarray()
    gram[np.diag_indices_from(gram)] += penalty
    factor, _ = lapack.spotrf(gram, lower=1, overwrite_a=1)
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    diagonal = np.diag(inverse).copy()
    return _ranked(trial, lambda anchor: -inverse[anchor] / diagonal)


PEERS: dict[str, Callable[[Trial], Lists]] = {
    "popularity": _counted(lambda c, n: n),
    "P(j|i)": _counted(lambda c, n: c),
    "count/n^0.1": _counted(lambda c, n: c / n**0.1),
    "count²/((count+5)·n^0.25)": _counted(lambda c, n: c**2 / ((c + 5) * n**0.25)),
    "implicit cosine": _implicit("CosineRecommender"),
    "implicit BM25": _implicit("BM25Recommender"),
    "EASE": ease,
}
