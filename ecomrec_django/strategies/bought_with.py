"""Cross-sell: what customers buy together with an item, from other aisles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .base import LIST_LENGTH, Anchor, Lists, Offer, Reason, Strategy, StrategyLists
from .rules import Candidates, Catalog, place_in_group

if TYPE_CHECKING:
    import pyarrow as pa

    from ..learning.pairs import Items, Pairs, Statistics
    from ..learning.training_data import TrainingData

# Below 0 a pair is bought together less often than by chance. Demanding 10.8 costs .011 nDCG on validation; the
# evidence tells a merchant how sure each pair is.
MIN_LLR = 0.0
# Fitted on validation slices, as docs/offers.md tells.
POPULARITY_EXPONENT = 0.2
# Baskets' worth of trust in the aisle's customers, beside the anchor's own.
PRIOR_BASKETS = 40.0
COLD_SHARE = 0.5
AISLES_PER_AISLE = 40
ITEMS_PER_AISLE = 3
COLD_PER_ITEM = 2


class BoughtWith(Strategy):
    """Pairs bought together more often than chance, smoothed by what the customers of the anchor's aisle buy."""

    name = "bought_with"
    per_aisle = 2

    def violation(self, anchors: Sequence[Anchor], offer: Offer, price: float | None) -> str | None:
        if offer.aisle and any(anchor.aisle == offer.aisle for anchor in anchors):
            return "same aisle as an anchor"
        return None

    def make(self, data: TrainingData) -> StrategyLists:
        """See `Strategy.make`; lists of an item only where they differ from those of its category."""
        from ..learning.pairs import Statistics

        items = data.items.sort_by("item")
        catalog = Catalog.of(items)
        if not catalog.active.any():
            return StrategyLists(Candidates.none().lists(catalog.ids, catalog.ids))
        statistics = Statistics(data, catalog.ids)
        purchases = statistics.purchases()
        bought = statistics.items(purchases)
        data.progress(1, 5)
        pairs = statistics.pairs(purchases)
        data.progress(2, 5)
        offered = catalog.active & (bought.customers > 0)
        other_aisle = catalog.aisle[pairs.anchor] != catalog.aisle[pairs.item]
        pairs = pairs.where(offered[pairs.item] & other_aisle)
        aisles = _aisle_lists(catalog, bought, pairs, offered)
        data.progress(3, 5)
        total = statistics.baskets(purchases)
        together = _together(statistics, catalog, bought, pairs, aisles, total)
        cold = _cold(items, catalog, bought, together)
        data.progress(4, 5)
        own = Candidates.joined([together, cold])
        filled = _filled(own, catalog, aisles, bought)
        lists = filled.ranked(LIST_LENGTH)
        by_item = Candidates.joined([lists, _lists_without_category(catalog, bought, offered, lists)]).sorted()
        data.progress(5, 5)
        return StrategyLists(by_item.lists(catalog.ids, catalog.ids), _by_need(catalog, aisles, bought, offered))


def popularity_discount(bought: Items) -> np.ndarray:
    """``weight ** -POPULARITY_EXPONENT`` per item, so that bestsellers do not fill all lists."""
    return np.maximum(bought.weight, 1.0) ** -POPULARITY_EXPONENT


def _together(
    statistics: Statistics, catalog: Catalog, bought: Items, pairs: Pairs, aisles: Candidates, total: float
) -> Candidates:
    """Pairs above chance: score = (w_ij + k·b_ij)/(w_i + k) · discount_j · (1 - substitutability_ij)."""
    from ..learning.pairs import log_likelihood_ratio

    llr = log_likelihood_ratio(pairs.baskets, bought.baskets[pairs.anchor], bought.baskets[pairs.item], total)
    sure = llr >= MIN_LLR
    pairs, llr = pairs.where(sure), llr[sure]
    substitutable = _substitutability(statistics, len(catalog.ids), pairs)
    prior = _prior(catalog, aisles, pairs)
    chance = (pairs.weight + PRIOR_BASKETS * prior) / (bought.weight[pairs.anchor] + PRIOR_BASKETS)
    expected = bought.baskets[pairs.anchor] * bought.baskets[pairs.item] / max(total, 1.0)
    return Candidates.of(
        Reason.TOGETHER,
        pairs.anchor,
        pairs.item,
        chance * popularity_discount(bought)[pairs.item] * (1 - substitutable),
        pairs.customers,
        expected,
        llr,
        pairs.baskets / expected,
        substitutable,
    )


def _substitutability(statistics: Statistics, items: int, pairs: Pairs) -> np.ndarray:
    """Cosine of the sets of visitors who viewed either item, 0…1: what is compared is rarely bought together."""
    seen = statistics.co_views()
    if not len(seen.count):
        return np.zeros(len(pairs.anchor))
    viewers = np.maximum(statistics.viewers(), 1.0)
    cosine = np.minimum(seen.count / np.sqrt(viewers[seen.anchor] * viewers[seen.item]), 1.0)
    keys, wanted = seen.anchor * items + seen.item, pairs.anchor * items + pairs.item
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, cosine[at], 0.0)


def _aisle_lists(catalog: Catalog, bought: Items, pairs: Pairs, offered: np.ndarray) -> Candidates:
    """What an aisle's customers buy elsewhere: owners are aisle numbers, scores P(aisle_j | aisle_i)·P(j | aisle_j)."""
    aisles = int(catalog.aisle.max()) + 1
    weight = np.bincount(catalog.aisle, bought.weight, aisles)
    keys, at = np.unique(catalog.aisle[pairs.anchor] * aisles + catalog.aisle[pairs.item], return_inverse=True)
    one, other = keys // aisles, keys % aisles
    chance = np.bincount(at, pairs.weight, len(keys)) / np.maximum(weight[one], 1e-9)
    # Several pairs of one basket count more than once.
    chance = np.minimum(chance, 1.0)
    best = np.lexsort((other, -chance, one))
    best = best[place_in_group(one[best]) < AISLES_PER_AISLE]
    one, other, chance = one[best], other[best], chance[best]

    top = np.flatnonzero(offered)
    top = top[np.lexsort((top, -bought.weight[top], catalog.aisle[top]))]
    place = place_in_group(catalog.aisle[top])
    parts = []
    for rank in range(ITEMS_PER_AISLE):
        item = np.full(aisles, -1)
        item[catalog.aisle[top[place == rank]]] = top[place == rank]
        known = item[other] >= 0
        chosen = item[other[known]]
        share = bought.weight[chosen] / np.maximum(weight[other[known]], 1e-9)
        score = chance[known] * share
        parts.append(Candidates.of(Reason.AISLE, one[known], chosen, score, chance[known], share))
    return Candidates.joined(parts).ranked(LIST_LENGTH * 2)


def _prior(catalog: Catalog, aisles: Candidates, pairs: Pairs) -> np.ndarray:
    """The aisle's probability of each pair's item; 0 where its list does not hold it."""
    if not len(aisles.owner):
        return np.zeros(len(pairs.anchor))
    size = len(catalog.ids)
    order = np.lexsort((aisles.item, aisles.owner))
    keys = (aisles.owner * size + aisles.item)[order]
    wanted = catalog.aisle[pairs.anchor] * size + pairs.item
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, aisles.score[order][at], 0.0)


def _cold(items: pa.Table, catalog: Catalog, bought: Items, together: Candidates) -> Candidates:
    """Items nobody has bought stand in for the most similar item of their need, at half its score."""
    from ..learning.content import nearest

    cold = catalog.active & (bought.customers == 0)
    if not len(together.owner) or not cold.any():
        return Candidates.none()
    warm = np.zeros(len(catalog.ids), bool)
    warm[together.item] = True
    item, like, similarity = nearest(items, catalog.price, catalog.need, cold, warm)
    order = np.lexsort((item, -similarity, like))
    order = order[place_in_group(like[order]) < COLD_PER_ITEM]
    item, like, similarity = item[order], like[order], similarity[order]
    # Rows of `together` grouped by offered item, to be joined with `like`.
    by_item = np.argsort(together.item, kind="stable")
    first = np.searchsorted(together.item[by_item], like)
    count = np.searchsorted(together.item[by_item], like, "right") - first
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    rows = together.take(by_item[np.repeat(first, count) + place])
    each = np.repeat(np.arange(len(like)), count)
    found = Candidates.of(
        Reason.SIMILAR,
        rows.owner,
        item[each],
        COLD_SHARE * similarity[each] * rows.score,
        similarity[each],
        rows.evidence[:, 0],
    )
    return found.take(catalog.aisle[found.owner] != catalog.aisle[found.item])


def _filled(own: Candidates, catalog: Catalog, aisles: Candidates, bought: Items) -> Candidates:
    """Lists of items that have some pairs, filled with their aisle's, weighed as the smoothing of pairs weighs them."""
    owners = np.unique(own.owner)
    first = np.searchsorted(aisles.owner, catalog.aisle[owners])
    count = np.searchsorted(aisles.owner, catalog.aisle[owners], "right") - first
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    rows = aisles.take(np.repeat(first, count) + place)
    owner = np.repeat(owners, count)
    weight = PRIOR_BASKETS / (bought.weight[owner] + PRIOR_BASKETS) * popularity_discount(bought)[rows.item]
    filled = Candidates(owner, rows.item, rows.score * weight, rows.reason, rows.evidence)
    return Candidates.joined([own, filled])


def _bestsellers(bought: Items, offered: np.ndarray) -> np.ndarray:
    """Item numbers, most customers first."""
    top = np.flatnonzero(offered)
    return top[np.lexsort((top, -bought.customers[top]))]


def _popular(
    owner: np.ndarray, own_aisle: np.ndarray, catalog: Catalog, bought: Items, offered: np.ndarray
) -> Candidates:
    """Bestsellers of other aisles than ``own_aisle``, for each owner; scores stay below those of any other reason."""
    top = _bestsellers(bought, offered)
    # One of each aisle, so that leaving out the owner's own leaves enough.
    top = top[np.sort(np.unique(catalog.aisle[top], return_index=True)[1])][: LIST_LENGTH + 1]
    owners, items = np.repeat(owner, len(top)), np.tile(top, len(owner))
    other = catalog.aisle[items] != np.repeat(own_aisle, len(top))
    owners, items = owners[other], items[other]
    score = 1e-6 * bought.customers[items] / max(bought.customers.max(), 1.0)
    return Candidates.of(Reason.POPULAR, owners, items, score, bought.customers[items]).ranked(LIST_LENGTH)


def _by_need(catalog: Catalog, aisles: Candidates, bought: Items, offered: np.ndarray) -> Lists:
    """A list per leaf category: its aisle's, then bestsellers."""
    has = np.flatnonzero(catalog.need >= 0)
    need, first = np.unique(catalog.need[has], return_index=True)
    aisle = catalog.aisle[has[first]]
    start = np.searchsorted(aisles.owner, aisle)
    count = np.searchsorted(aisles.owner, aisle, "right") - start
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    rows = aisles.take(np.repeat(start, count) + place)
    score = rows.score * popularity_discount(bought)[rows.item]
    owned = Candidates(np.repeat(need, count), rows.item, score, rows.reason, rows.evidence)
    popular = _popular(need, aisle, catalog, bought, offered)
    return Candidates.joined([owned, popular]).ranked(LIST_LENGTH).lists(catalog.categories, catalog.ids)


def _lists_without_category(catalog: Catalog, bought: Items, offered: np.ndarray, lists: Candidates) -> Candidates:
    """Bestsellers for items that have neither a list nor a category to fall back on."""
    bare = catalog.active & (catalog.need < 0)
    bare[lists.owner] = False
    owner = np.flatnonzero(bare)
    return _popular(owner, catalog.aisle[owner], catalog, bought, offered)
