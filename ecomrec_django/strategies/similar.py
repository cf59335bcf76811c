"""Other answers to the same need, at any price: described like the item, looked at beside it, and looking like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .base import LIST_LENGTH, Lists, Reason, Strategy, StrategyLists
from .rules import Candidates, Catalog, matrix_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from ..learning.training_data import TrainingData

# Below it, a need holds things too different to stand for each other.
MIN_SIMILARITY = 0.1


class Similar(Strategy):
    """Not in the default strategies: a shop adds it to ``ECOMREC["STRATEGIES"]`` and shows it by ``{% similar %}``."""

    name = "similar"
    same_need = True

    def make(self, data: TrainingData) -> StrategyLists:
        """See `Strategy.make`. Without any history or pictures the lists come from descriptions alone."""
        from ..learning.content import content_vectors, groups

        items = data.items.sort_by("item")
        catalog = Catalog.of(items)
        usable = catalog.active & (catalog.need >= 0)
        if not usable.any():
            return StrategyLists(Lists.empty())
        statistics, size = data.statistics, len(catalog.ids)
        beside = matrix_of(statistics.co_views(), statistics.co_view_cosines(), size)
        data.progress(1, 3)
        vectors = content_vectors(items, catalog.price, within_need=True)
        data.progress(2, 3)
        windows = groups(catalog.need, np.nan_to_num(catalog.price), usable)
        parts = [_alike(window, vectors, data.looks, beside) for window in windows]
        data.progress(3, 3)
        found = Candidates.joined([Candidates.none(), *parts])
        return StrategyLists(found.ranked(LIST_LENGTH).lists(catalog.ids, catalog.ids))


def _alike(group: np.ndarray, vectors: csr_matrix, looks: np.ndarray | None, beside: csr_matrix) -> Candidates:
    """The items of one window of a need that are most like each other."""
    from ..learning.content import similar

    alike = similar(vectors, group, group, looks)
    together = np.asarray(beside[group][:, group].todense(), np.float32)
    # Either is reason enough: 1 - (1 - likeness)(1 - co-views).
    alike = np.clip(1 - (1 - alike) * (1 - together), 0.0, 1.0)
    np.fill_diagonal(alike, 0.0)
    one, other = np.nonzero(alike >= MIN_SIMILARITY)
    score = alike[one, other].astype(np.float64)
    return Candidates.of(Reason.ALIKE, group[one], group[other], score, score).ranked(LIST_LENGTH)
