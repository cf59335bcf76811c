"""Cross-sell: what customers buy together with an item, from other aisles."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..learning.interactions import to_seconds
from ..learning.items import category_groups
from ..learning.measures import excess_log_likelihood_ratio
from ..learning.sparse import expand_ranges, positions, rank_in_group
from ..learning.types import BoolArray, FloatArray, IntArray
from .base import (
    FILL_SCORE,
    LIST_LENGTH,
    Lists,
    LiveProduct,
    Offer,
    Reason,
    Strategy,
    StrategyLists,
    ViolationCode,
    gettext_noop,
)
from .candidates import Candidates, OfferTable, best_of_each

if TYPE_CHECKING:
    import pyarrow as pa

    from ..learning.statistics.cooccurrence import AislePairs, Statistics
    from ..learning.statistics.item_counts import ItemCounts
    from ..learning.statistics.training_data import TrainingData
    from ..learning.uplift.model import Uplift

logger = logging.getLogger(__name__)

# Least log-likelihood ratio of what is called bought together; chance passes it once in a thousand.
MIN_LLR = 10.8
# Most that views may take from a pair which purchases support.
VIEWS_SHARE = 0.5
COLD_SHARE = 0.5
COLD_PER_ITEM = 2


class BoughtWith(Strategy):
    """What is bought with the anchor more often than its popularity and the size of baskets explain."""

    title = gettext_noop("Bought together")
    label = gettext_noop("Bought with")
    per_aisle = 2
    ranker = "bought_with"
    by_uplift = True
    objectives = ("uplift", "probability", "revenue", "margin")
    bundles = True

    def violation(self, anchors: Sequence[LiveProduct], offer: Offer, live: LiveProduct) -> ViolationCode | None:
        """SAME_AISLE_AS_ANCHOR if it shares the aisle of any anchor; an unknown aisle (0) is never the same."""
        if offer.aisle and any(anchor.aisle == offer.aisle for anchor in anchors):
            return ViolationCode.SAME_AISLE_AS_ANCHOR
        return None

    def make(self, data: TrainingData) -> StrategyLists:
        """See `Strategy.make`; lists of an item only where they differ from those of its category."""
        items = data.items.sort_by("item")
        catalog = OfferTable.of(items)
        if not catalog.active.any():
            return StrategyLists(Candidates.none().lists(catalog.ids, catalog.ids))
        statistics = data.statistics
        purchases = statistics.purchases()
        bought = statistics.items(purchases)
        data.progress(1, 5)
        offered = catalog.active & bought.known
        aisles = _aisle_lists(_sure(statistics.aisle_pairs(purchases, catalog.aisle)).where(offered))
        data.progress(2, 5)
        together = _together(data, catalog, offered)
        data.progress(3, 5)
        cold = _cold(items, data.image_vectors, catalog, bought, together)
        data.progress(4, 5)
        lists = Candidates.joined([together, cold]).ranked(LIST_LENGTH)
        by_item = Candidates.joined([lists, _lists_without_category(catalog, bought, offered, lists)]).sorted()
        data.progress(5, 5)
        return StrategyLists(by_item.lists(catalog.ids, catalog.ids), _by_need(catalog, aisles, bought, offered))


def _together(data: TrainingData, catalog: OfferTable, offered: BoolArray) -> Candidates:
    """What is surely bought with an anchor, its need or its aisle more than by chance, by what it adds to a page view.

    score = uplift_ij · (1 - substitutability_ij)
    """
    from ..learning.uplift.features import PairStatistics

    groups = _groups(data.items.sort_by("item"), catalog)
    pairs = PairStatistics(data.statistics, groups)
    anchor, item = pairs.candidates(offered)
    score = _uplift(data, catalog, groups).scores(pairs, anchor, item)
    substitutable = _substitutability(data.statistics, len(catalog.ids), anchor, item)
    score = score * (1 - substitutable)
    adding = score > 0
    anchor, item, score, substitutable = anchor[adding], item[adding], score[adding], substitutable[adding]
    row = pairs.rows(anchor, item)
    own, expected = pairs.pairs.where(row), pairs.expected[row]
    # Two items go together, or they do not: the surer of both ways round says so.
    llr = np.maximum(
        excess_log_likelihood_ratio(own.baskets, expected, pairs.bought.baskets[anchor]),
        excess_log_likelihood_ratio(
            own.baskets, pairs.bought.expected_baskets(item, anchor), pairs.bought.baskets[item]
        ),
    )
    lift = own.baskets / np.maximum(expected, 1e-9)
    probability = own.baskets / np.maximum(pairs.bought.baskets[anchor], 1.0)
    evidence = (own.orders, own.customers, own.orders / np.maximum(lift, 1e-9), lift, llr, substitutable, probability)
    sure = (row >= 0) & (llr >= MIN_LLR) & (lift > 1)
    found = [Candidates.of(Reason.TOGETHER, anchor, item, score, *evidence).take(sure)]
    rest = ~sure
    for name in ("need", "aisle"):
        together, row = pairs.group_pairs[name], pairs.group_rows(name, anchor, item)
        sure = rest & (row >= 0) & (_llr(together)[row] >= MIN_LLR)
        found.append(_of_group(together.rows(row[sure]), anchor[sure], score[sure]))
        rest &= ~sure
    return Candidates.joined(found).ranked(LIST_LENGTH)


def _of_group(together: AislePairs, owner: IntArray, score: FloatArray) -> Candidates:
    """Rows of `AislePairs` in lists of their owners."""
    lift = together.baskets / np.maximum(together.expected, 1e-9)
    return Candidates.of(Reason.AISLE, owner, together.item, score, together.customers, together.probability, lift)


def _llr(together: AislePairs) -> FloatArray:
    return excess_log_likelihood_ratio(together.baskets, together.expected, together.aisle_baskets)


def _sure(together: AislePairs) -> AislePairs:
    """Those that surely exceed what popularity and basket size explain."""
    return together.rows(_llr(together) >= MIN_LLR)


def _uplift(data: TrainingData, catalog: OfferTable, groups: Mapping[str, IntArray]) -> Uplift:
    """How pairs are scored, fitted on what was bought after the past that ``data`` knows of."""
    from ..learning.uplift.features import PairStatistics
    from ..learning.uplift.model import Uplift, fit_uplift
    from ..learning.uplift.page_views import PageViews

    past = data.past
    if past is None or past.until is None:
        return Uplift()
    lines = data.statistics.purchases()
    later = to_seconds(lines["time"]) >= int(past.until.timestamp())
    pairs = PairStatistics(past.statistics, groups)
    offered = catalog.active & pairs.bought.known
    uplift = fit_uplift(pairs, offered, PageViews.of(lines.filter(later), catalog.ids))
    if uplift.report:
        logger.info("Offers beside products are ranked by %s; excess on validation: %s", uplift.method, uplift.report)
    return uplift


def _groups(items: pa.Table, catalog: OfferTable) -> dict[str, IntArray]:
    """The groups of items that share what is bought with them."""

    department = [(path or "").split(" > ")[0] for path in items["category_path"].to_pylist()]
    return {
        "need": np.unique(category_groups(items, "category"), return_inverse=True)[1],
        "aisle": catalog.aisle,
        "department": np.unique(np.array(department, object).astype(str), return_inverse=True)[1],
    }


def _substitutability(statistics: Statistics, items: int, anchor: IntArray, item: IntArray) -> FloatArray:
    """What views take from a pair, 0…VIEWS_SHARE: items that are compared are rarely bought together."""
    co_views = statistics.co_views()
    if not len(co_views.count):
        return np.zeros(len(anchor))
    row = positions(co_views.anchor * items + co_views.item, anchor * items + item)
    return VIEWS_SHARE * np.where(row >= 0, statistics.co_view_cosines()[row], 0.0)


def _aisle_lists(together: AislePairs) -> Candidates:
    """What is bought together with each aisle, best first; owners are aisle numbers."""
    score = (together.baskets - together.expected) / together.aisle_baskets
    best = best_of_each(together.aisle, score, LIST_LENGTH)
    return _of_group(together.rows(best), together.aisle[best], score[best])


def _rows_of_aisles(aisles: Candidates, numbers: IntArray) -> tuple[IntArray, Candidates]:
    """The rows of the aisles of some numbers, end to end, and the position in ``numbers`` that each row is for."""
    first = np.searchsorted(aisles.owner, numbers)
    count = np.searchsorted(aisles.owner, numbers, "right") - first
    return np.repeat(np.arange(len(numbers)), count), aisles.take(expand_ranges(first, count))


def _cold(
    items: pa.Table, image_vectors: FloatArray | None, catalog: OfferTable, bought: ItemCounts, together: Candidates
) -> Candidates:
    """Items hardly anybody has bought take the place of the most similar item of their need, at half its score."""
    from ..learning.similarity.content import nearest_in_need

    # In a shop with prices a page shows no offer without one.
    priced = np.isfinite(catalog.price)
    cold = catalog.active & ~bought.known & (priced | ~priced.any())
    if not len(together.owner) or not cold.any():
        return Candidates.none()
    warm = np.zeros(len(catalog.ids), bool)
    warm[together.item] = True
    item, twin, similarity = nearest_in_need(items, catalog.price, catalog.need, cold, warm, image_vectors)
    order = np.lexsort((item, -similarity, twin))
    order = order[rank_in_group(twin[order]) < COLD_PER_ITEM]
    item, twin, similarity = item[order], twin[order], similarity[order]
    # Rows of `together` grouped by offered item, to be joined with `twin`.
    by_item = np.argsort(together.item, kind="stable")
    first = np.searchsorted(together.item[by_item], twin)
    count = np.searchsorted(together.item[by_item], twin, "right") - first
    rows = together.take(by_item[expand_ranges(first, count)])
    each = np.repeat(np.arange(len(twin)), count)
    candidates = Candidates.of(
        Reason.SIMILAR,
        rows.owner,
        item[each],
        COLD_SHARE * similarity[each] * rows.score,
        similarity[each],
        rows.evidence[:, 0],
    )
    return candidates.take(catalog.aisle[candidates.owner] != catalog.aisle[candidates.item])


def _bestsellers(bought: ItemCounts, offered: BoolArray) -> IntArray:
    """Item numbers, most customers first. What is in most orders comes last."""
    top = np.flatnonzero(offered)
    return top[np.lexsort((top, -bought.customers[top], bought.ubiquitous[top]))]


def _popular(
    owner: IntArray, own_aisle: IntArray, catalog: OfferTable, bought: ItemCounts, offered: BoolArray
) -> Candidates:
    """Bestsellers of other aisles than ``own_aisle``, for each owner; scores stay below those of any other reason."""
    top = _bestsellers(bought, offered)
    # One of each aisle: without the owner's own there are still enough.
    top = top[np.sort(np.unique(catalog.aisle[top], return_index=True)[1])][: LIST_LENGTH + 1]
    owners, items = np.repeat(owner, len(top)), np.tile(top, len(owner))
    other = catalog.aisle[items] != np.repeat(own_aisle, len(top))
    owners, items = owners[other], items[other]
    chosen = np.where(bought.ubiquitous, 0.0, bought.customers)
    score = FILL_SCORE * (1 + chosen[items]) / (1 + chosen.max())
    return Candidates.of(Reason.POPULAR, owners, items, score, bought.customers[items]).ranked(LIST_LENGTH)


def _by_need(catalog: OfferTable, aisles: Candidates, bought: ItemCounts, offered: BoolArray) -> Lists:
    """A list per leaf category: its aisle's, then bestsellers."""
    items = np.flatnonzero(catalog.need >= 0)
    need, first = np.unique(catalog.need[items], return_index=True)
    aisle = catalog.aisle[items[first]]
    each, rows = _rows_of_aisles(aisles, aisle)
    owned = Candidates(owner=need[each], item=rows.item, score=rows.score, reason=rows.reason, evidence=rows.evidence)
    popular = _popular(need, aisle, catalog, bought, offered)
    return Candidates.joined([owned, popular]).ranked(LIST_LENGTH).lists(catalog.categories, catalog.ids)


def _lists_without_category(
    catalog: OfferTable, bought: ItemCounts, offered: BoolArray, lists: Candidates
) -> Candidates:
    """Bestsellers for items that have neither a list nor a category to fall back on."""
    unlisted = catalog.active & (catalog.need < 0)
    unlisted[lists.owner] = False
    owner = np.flatnonzero(unlisted)
    return _popular(owner, catalog.aisle[owner], catalog, bought, offered)
