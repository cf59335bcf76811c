"""How well offers foretell what is bought: the scorer of every benchmark and, later, of the replay gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Scores:
    """Means over all cases; each lies in 0…1.

    hit: share of cases with a target among the offers · recall: targets offered, of the most that fit into k ·
    ndcg: the same, discounted by 1/log2(place + 1) · popw: recall in which a target weighs 1/√popularity, of the most
    weight that fits into k · coverage: share of all items that were offered at least once.
    """

    hit: float
    recall: float
    ndcg: float
    popw: float
    coverage: float

    def row(self) -> dict[str, float]:
        return asdict(self)


def evaluate(
    offers: Sequence[np.ndarray], targets: Sequence[np.ndarray], popularity: np.ndarray, k: int = 10
) -> Scores:
    """Score ranked ``offers`` against ``targets``, one array of item numbers (0…items - 1) each per case.

    ``popularity``, shape (items,), counts sales; an item never sold weighs like one sold once. A case without targets
    says nothing and is a ValueError, as is a list that offers an item twice.
    """
    if len(offers) != len(targets):
        raise ValueError(f"{len(offers)} lists of offers for {len(targets)} sets of targets")
    if not len(offers):
        return Scores(0.0, 0.0, 0.0, 0.0, 0.0)
    weights = 1.0 / np.sqrt(np.maximum(popularity, 1.0))
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    offered = np.zeros(len(popularity), bool)
    sums = np.zeros(4)
    for ranked, wanted in zip(offers, targets, strict=True):
        wanted, ranked = np.unique(wanted), np.asarray(ranked, np.int64)[:k]
        if not len(wanted):
            raise ValueError("a case has no targets")
        if len(np.unique(ranked)) < len(ranked):
            raise ValueError("a list offers an item twice")
        offered[ranked] = True
        found = np.isin(ranked, wanted)
        fit = min(k, len(wanted))
        sums += (
            found.any(),
            found.sum() / fit,
            discounts[: len(ranked)][found].sum() / discounts[:fit].sum(),
            weights[ranked[found]].sum() / np.sort(weights[wanted])[-fit:].sum(),
        )
    hit, recall, ndcg, popw = (sums / len(offers)).tolist()
    return Scores(hit, recall, ndcg, popw, float(offered.mean()))
