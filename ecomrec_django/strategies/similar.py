"""Alternatives at any price: items of the same need with similar content, viewers and images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..learning.types import FloatArray, IntArray
from .base import LIST_LENGTH, Lists, Reason, Strategy, StrategyLists, gettext_noop
from .candidates import Candidates, OfferTable, matrix_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from ..learning.statistics.training_data import TrainingData

# Least similarity of two alternatives; a need may hold very different items.
MIN_SIMILARITY = 0.1


class Similar(Strategy):
    """Not in the default strategies: a shop adds it to ``ECOMREC["STRATEGIES"]`` and shows it by ``{% similar %}``."""

    title = gettext_noop("Similar products")
    same_need = True

    def make(self, data: TrainingData) -> StrategyLists:
        """See `Strategy.make`. Without history or images the lists come from descriptions alone."""
        from ..learning.similarity.content import content_vectors, groups

        items = data.items.sort_by("item")
        catalog = OfferTable.of(items)
        usable = catalog.active & (catalog.need >= 0)
        if not usable.any():
            return StrategyLists(Lists.empty())
        statistics, size = data.statistics, len(catalog.ids)
        co_views = matrix_of(statistics.co_views(), statistics.co_view_cosines(), size)
        data.progress(1, 3)
        vectors = content_vectors(items, catalog.price, within_need=True)
        data.progress(2, 3)
        windows = groups(catalog.need, np.nan_to_num(catalog.price), usable)
        parts = [_alternatives(window, vectors, data.image_vectors, co_views) for window in windows]
        data.progress(3, 3)
        candidates = Candidates.joined([Candidates.none(), *parts])
        return StrategyLists(candidates.ranked(LIST_LENGTH).lists(catalog.ids, catalog.ids))


def _alternatives(
    group: IntArray, vectors: csr_matrix, image_vectors: FloatArray | None, co_views: csr_matrix
) -> Candidates:
    """The most similar items of one window of a need."""
    from ..learning.similarity.content import content_similarity

    content = content_similarity(vectors, group, group, image_vectors)
    viewed = np.asarray(co_views[group][:, group].todense(), np.float32)
    # A noisy or: 1 - (1 - content)(1 - co-views).
    similarity = np.clip(1 - (1 - content) * (1 - viewed), 0.0, 1.0)
    np.fill_diagonal(similarity, 0.0)
    anchor, item = np.nonzero(similarity >= MIN_SIMILARITY)
    score = similarity[anchor, item].astype(np.float64)
    return Candidates.of(Reason.ALIKE, group[anchor], group[item], score, score).ranked(LIST_LENGTH)
