"""Methods of `complete_journey` that know the household."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ecomrec_django.learning.evaluation.metrics import evaluate
from ecomrec_django.learning.interactions import IdMap, Interactions
from ecomrec_django.learning.ranker_training.cases import BasketCases, EvaluationSlice, ShopperList
from ecomrec_django.learning.ranker_training.fitting import draw_training_sample, fit_ranker
from ecomrec_django.learning.ranker_training.item_statistics import basket_counts, build_item_features
from ecomrec_django.learning.ranker_training.neighbour_tastes import NeighbourTastes
from ecomrec_django.learning.ranker_training.snapshot import shopper_features
from ecomrec_django.learning.ranking.features import candidate_items, feature_matrix
from ecomrec_django.learning.ranking.item_features import ItemFeatures, ItemTable
from ecomrec_django.learning.ranking.ranker import Ranker, apply_discovery, unknown_shopper
from ecomrec_django.learning.similarity.content import content_vectors
from ecomrec_django.learning.sparse import SparseRows, rank_in_group
from ecomrec_django.learning.statistics.cooccurrence import Statistics
from ecomrec_django.learning.statistics.engine import Engine

from . import Row
from ._complete_journey_data import K, Trial, history_table, items_table

DIALS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)

# Scores of all items for a case's number, shape (items,).
Scores = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Households:
    """A trial's purchases in numbers, and what follows from them."""

    trial: Trial

    @cached_property
    def ids(self) -> IdMap:
        return IdMap(self.trial.products.index.to_numpy())

    @cached_property
    def purchases(self) -> Interactions:
        return Interactions.of(history_table(self.trial.lines), self.ids)

    @cached_property
    def visitor(self) -> np.ndarray:
        """The visitor number of each sampled case, -1 for a household that bought nothing before."""
        return self.purchases.visitors.numbers(self.trial.households)

    @cached_property
    def counts(self) -> Any:
        """Own baskets with each item, shape (visitors + 1, items); the last row is of a household not known."""
        from scipy.sparse import csr_matrix, vstack

        known = basket_counts(self.purchases, len(self.ids))
        return vstack([known, csr_matrix((1, known.shape[1]), dtype=known.dtype)]).tocsr()

    @cached_property
    def popularity(self) -> np.ndarray:
        return np.asarray(self.trial.baskets().sum(axis=0)).ravel()

    @cached_property
    def together(self) -> tuple[dict[int, int], Any]:
        baskets, anchors = self.trial.baskets(), np.unique(self.trial.anchors)
        return {int(anchor): row for row, anchor in enumerate(anchors)}, (baskets[:, anchors].T @ baskets).tocsr()

    def chance(self, case: int) -> np.ndarray:
        """P(j | i) of baskets."""
        row, together = self.together
        anchor = int(self.trial.anchors[case])
        return together[row[anchor]].toarray().ravel() / self.popularity[anchor]

    @cached_property
    def item_features(self) -> ItemFeatures:
        trial, table = self.trial, items_table(self.trial)
        statistics = Statistics(Engine(threads=1), history_table(trial.lines), self.ids.ids)
        lines = statistics.purchases()
        aisle, need = trial.category.astype(np.int64), table["category"].to_numpy() - 1
        sold = trial.lines[trial.lines.product_id.isin(self.ids.ids) & (trial.lines.sales_value > 0)]
        paid = (sold.sales_value / sold.quantity.clip(lower=1)).groupby(sold.product_id).median()
        price = paid.reindex(self.ids.ids).to_numpy()
        content = SparseRows.of(content_vectors(table.sort_by("item"), price))
        brand = np.unique(table["brand"].to_numpy().astype(str), return_inverse=True)[1]
        items = ItemTable(
            aisle=aisle, need=need, brand=brand, price=price, offered=np.ones(len(need), bool), content=content
        )
        return build_item_features(
            self.purchases, items=items, pairs=statistics.pairs(lines), aisle_pairs=statistics.aisle_pairs(lines, aisle)
        )

    @cached_property
    def shoppers(self) -> ShopperList:
        found = shopper_features(self.purchases, self.item_features, NeighbourTastes.of(self.purchases, len(self.ids)))
        return ShopperList([*found, unknown_shopper(self.item_features)])

    def evaluation_slice(self) -> EvaluationSlice:
        """All cases of the tenth after the training."""
        later = Interactions.of(history_table(self.trial.following), self.ids)
        cases = BasketCases.of(later, self.purchases.visitors.numbers(later.visitors.ids), self.item_features.aisle)
        return EvaluationSlice(cases, self.item_features, self.shoppers)


def rows(trial: Trial, earlier: Iterable[Trial], ours: bool) -> list[Row]:
    """Rows of each method and each dial of our ranker, fitted on what follows the training of ``earlier`` trials."""
    here, found = Households(trial), []
    if not ours:
        for name, method in PEERS.items():
            began = time.perf_counter()
            scores = method(here)
            found += _scored(name, here, [_listed(here, scores, case) for case in range(len(trial.anchors))], began)
    began = time.perf_counter()
    ranker = fit_ranker([draw_training_sample(Households(one).evaluation_slice()) for one in earlier])
    print(f"skill {ranker.skill:.4f}, slope {ranker.slope:.3f}, offset {ranker.offset:.3f}", flush=True)
    probabilities = [_probabilities(here, ranker, case) for case in range(len(trial.anchors))]
    for dial in DIALS:
        offers = [_dialled(here, case, *probabilities[case], dial) for case in range(len(trial.anchors))]
        found += _scored(f"ecomrec:fusion, dial {dial:g}", here, offers, began)
    return sorted(found, key=lambda row: str(row["name"]).startswith("new: "))


def _scored(name: str, here: Households, offers: list[tuple[np.ndarray, np.ndarray]], began: float) -> list[Row]:
    """Rows of all offers, and of those that are new to the household."""
    seconds = time.perf_counter() - began
    trial = here.trial
    own = [here.counts[visitor].indices for visitor in here.visitor]
    fresh = [np.setdiff1d(wanted, had) for wanted, had in zip(trial.targets, own, strict=True)]
    some = [case for case, wanted in enumerate(fresh) if len(wanted)]
    every = evaluate([one for one, _ in offers], trial.targets, trial.sales, K)
    new = evaluate([offers[case][1] for case in some], [fresh[case] for case in some], trial.sales, K)
    return [
        {"name": name, **every.row(), "seconds": seconds},
        {"name": f"new: {name}", **new.row(), "seconds": seconds},
    ]


def _listed(here: Households, scores: Scores, case: int) -> tuple[np.ndarray, np.ndarray]:
    """The best items of other categories, and the best of those that the household never bought."""
    trial = here.trial
    values = np.where(trial.category == trial.category[trial.anchors[case]], -np.inf, scores(case))
    best = np.argsort(-values, kind="stable")[:K]
    values[here.counts[here.visitor[case]].indices] = -np.inf
    return best, np.argsort(-values, kind="stable")[:K]


def _probabilities(here: Households, ranker: Ranker, case: int) -> tuple[np.ndarray, np.ndarray]:
    shopper = here.shoppers[here.visitor[case]]
    anchor = int(here.trial.anchors[case])
    items = candidate_items(here.item_features, shopper, [anchor])
    (matrix,) = feature_matrix(here.item_features, shopper, [anchor], here.trial.days[case], items)
    return items, ranker.probabilities(matrix)


def _dialled(
    here: Households, case: int, items: np.ndarray, probabilities: np.ndarray, dial: float
) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-apply_discovery(probabilities, here.item_features.baskets[items], dial), kind="stable")
    ordered = items[order]
    return ordered[:K], ordered[~np.isin(ordered, here.counts[here.visitor[case]].indices)][:K]


def _own(here: Households) -> Scores:
    """Own baskets with the item; then popularity."""
    tie = here.popularity / (here.popularity.max() + 1)
    return lambda case: here.counts[here.visitor[case]].toarray().ravel() + tie


def _chance_and_own(here: Households) -> Scores:
    """P(j | i) + 0.3·log(1 + own baskets)."""
    return lambda case: here.chance(case) + 0.3 * np.log1p(here.counts[here.visitor[case]].toarray().ravel())


def _factors(name: str, **options: Any) -> Callable[[Households], Scores]:
    """Matrix factors of the package implicit, from households' baskets per item."""

    def method(here: Households) -> Scores:
        from implicit import als, bpr

        made = {"als": als.AlternatingLeastSquares, "bpr": bpr.BayesianPersonalizedRanking}[name]
        model = made(factors=64, random_state=0, num_threads=1, **options)
        model.fit(here.counts, show_progress=False)
        return lambda case: np.asarray(model.item_factors @ model.user_factors[here.visitor[case]])

    return method


def _item_knn(here: Households) -> Scores:
    """Cosine item-kNN of the package implicit, from households' baskets per item."""
    from implicit.nearest_neighbours import CosineRecommender

    model = CosineRecommender(K=100, num_threads=1)
    model.fit(here.counts, show_progress=False)
    return lambda case: np.asarray((here.counts[here.visitor[case]] @ model.similarity).todense()).ravel()


def _tifu_knn(
    here: Households, within: float = 0.9, between: float = 0.6, groups: int = 3, k: int = 900, own: float = 0.2
) -> Scores:
    """H. Hu et al., Modeling Personalized Item Frequency Information for Next-basket Recommendation, SIGIR 2020."""
    from scipy.sparse import csr_matrix

    purchases, count = here.purchases, here.counts.shape
    pairs = np.unique(np.stack([purchases.visitor, _order(purchases), purchases.item]), axis=1)
    visitor, place, item = pairs
    total = np.zeros(count[0], np.int64)
    np.maximum.at(total, visitor, place + 1)
    size = np.maximum(np.ceil(total / groups), 1).astype(np.int64)
    back = total[visitor] - 1 - place
    group = back // size[visitor]
    in_group = np.where(group == total[visitor] // size[visitor], total[visitor] % size[visitor], size[visitor])
    many = np.minimum(np.ceil(total / size), groups)[visitor]
    weight = within ** (back % size[visitor]) / np.maximum(in_group, 1) * between**group / np.maximum(many, 1)
    vectors = csr_matrix((weight.astype(np.float32), (visitor, item)), count)
    squares = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()

    def scores(case: int) -> np.ndarray:
        mine = vectors[here.visitor[case]]
        distance = squares - 2 * np.asarray((vectors @ mine.T).todense()).ravel()
        distance[here.visitor[case]] = np.inf
        near = np.argpartition(distance, k)[:k]
        theirs = np.asarray(vectors[near].mean(axis=0)).ravel()
        return own * mine.toarray().ravel() + (1 - own) * theirs

    return _per_visitor(here, scores)


def _up_cf(here: Households, window: int = 25, lean: float = 0.25, sharpness: float = 10.0) -> Scores:
    """G. Faggioli et al., Recency Aware Collaborative Filtering for Next Basket Recommendation, UMAP 2020."""
    from scipy.sparse import csr_matrix

    purchases, count = here.purchases, here.counts.shape
    visitor, place, item = np.unique(np.stack([purchases.visitor, _order(purchases), purchases.item]), axis=1)
    total = np.zeros(count[0], np.int64)
    np.maximum.at(total, visitor, place + 1)
    late = place >= total[visitor] - window
    weight = 1 / np.minimum(total, window)[visitor[late]]
    popular = csr_matrix((weight, (visitor[late], item[late])), count)
    has = here.counts.copy()
    has.data[:] = 1
    sizes = np.maximum(np.asarray(has.sum(axis=1)).ravel(), 1)

    def scores(case: int) -> np.ndarray:
        me = here.visitor[case]
        shared = np.asarray((has @ has[me].T).todense()).ravel()
        alike = (shared / (sizes[me] ** lean * sizes ** (1 - lean))) ** sharpness
        return np.asarray(popular.T @ alike).ravel()

    return _per_visitor(here, scores)


def _order(purchases: Interactions) -> np.ndarray:
    """Per line, the place of its basket among the visitor's, from 0 in the order of time."""
    _, first, basket = np.unique(purchases.basket, return_index=True, return_inverse=True)
    visitor, time_ = purchases.visitor[first], purchases.time[first]
    order = np.lexsort((time_, visitor))
    place = np.empty(len(first), np.int64)
    place[order] = rank_in_group(visitor[order])
    return place[basket]


def _per_visitor(here: Households, scores: Scores) -> Scores:
    """Scores that the anchor does not change, asked once per visitor."""
    known: dict[int, np.ndarray] = {}

    def asked(case: int) -> np.ndarray:
        visitor = int(here.visitor[case])
        if visitor not in known:
            known[visitor] = scores(case).astype(np.float32)
        return known[visitor]

    return asked


PEERS: dict[str, Callable[[Households], Scores]] = {
    "popularity": lambda here: lambda case: here.popularity,
    "own frequency": _own,
    "P(j|i)+0.3·log(1+own)": _chance_and_own,
    "implicit ALS": _factors("als", regularization=0.05, iterations=15),
    "implicit BPR": _factors("bpr", iterations=100),
    "implicit item-kNN": _item_knn,
    "TIFU-kNN": _tifu_knn,
    "UP-CF": _up_cf,
}
