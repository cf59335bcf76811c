"""Cross-sell: what customers buy together with an item, from other aisles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .base import LIST_LENGTH, Anchor, Lists, Offer, Reason, Strategy, StrategyLists
from .rules import Candidates, Catalog, best_of_each, place_in_group

if TYPE_CHECKING:
    import pyarrow as pa

    from ..learning.pairs import Beside, Items, Pairs, Statistics
    from ..learning.training_data import TrainingData

# What it takes to call a pair bought together: as many customers as beside an aisle, and a log-likelihood ratio that
# chance passes once in a thousand.
MIN_LLR = 10.8
# Fitted on validation slices, as docs/offers.md tells.
POPULARITY_EXPONENT = 0.25
# Baskets' worth of trust in the aisle's customers, beside the anchor's own.
PRIOR_BASKETS = 15.0
COLD_SHARE = 0.5
COLD_PER_ITEM = 2


class BoughtWith(Strategy):
    """What baskets with the anchor hold as well, smoothed by what those with anything of its aisle hold."""

    name = "bought_with"
    per_aisle = 2
    task = "bought_with"
    bundles = True

    def violation(self, anchors: Sequence[Anchor], offer: Offer, price: float | None) -> str | None:
        if offer.aisle and any(anchor.aisle == offer.aisle for anchor in anchors):
            return "same aisle as an anchor"
        return None

    def make(self, data: TrainingData) -> StrategyLists:
        """See `Strategy.make`; lists of an item only where they differ from those of its category."""
        items = data.items.sort_by("item")
        catalog = Catalog.of(items)
        if not catalog.active.any():
            return StrategyLists(Candidates.none().lists(catalog.ids, catalog.ids))
        statistics = data.statistics
        purchases = statistics.purchases()
        bought = statistics.items(purchases)
        data.progress(1, 5)
        offered = catalog.active & (bought.customers > 0)
        beside = statistics.beside(purchases, catalog.aisle).where(offered)
        aisles = _aisle_lists(bought, beside)
        data.progress(2, 5)
        pairs = statistics.pairs(purchases)
        data.progress(3, 5)
        together = _together(statistics, catalog, bought, pairs, beside, statistics.baskets(purchases))
        cold = _cold(items, data.looks, catalog, bought, together)
        data.progress(4, 5)
        filled = _filled(Candidates.joined([together, cold]), catalog, aisles, bought)
        lists = filled.ranked(LIST_LENGTH)
        by_item = Candidates.joined([lists, _lists_without_category(catalog, bought, offered, lists)]).sorted()
        data.progress(5, 5)
        return StrategyLists(by_item.lists(catalog.ids, catalog.ids), _by_need(catalog, aisles, bought, offered))


def popularity_discount(bought: Items) -> np.ndarray:
    """``weight ** -POPULARITY_EXPONENT`` per item, so that bestsellers do not fill all lists."""
    return np.maximum(bought.weight, 1.0) ** -POPULARITY_EXPONENT


def _together(
    statistics: Statistics, catalog: Catalog, bought: Items, pairs: Pairs, beside: Beside, total: float
) -> Candidates:
    """Pairs whose item enough customers bought beside the anchor's aisle.

    score = (w_ij + k·P(j | aisle of i)) / (w_i + k) · discount_j · (1 - substitutability_ij)
    """
    from ..learning.pairs import MIN_CUSTOMERS, log_likelihood_ratio

    size = len(catalog.ids)
    at, known = _find(beside.aisle * size + beside.item, catalog.aisle[pairs.anchor] * size + pairs.item)
    pairs, at = pairs.where(known), at[known]
    prior = beside.chance[at]
    substitutable = _substitutability(statistics, size, pairs)
    chance = (pairs.weight + PRIOR_BASKETS * prior) / (bought.weight[pairs.anchor] + PRIOR_BASKETS)
    score = chance * popularity_discount(bought)[pairs.item] * (1 - substitutable)
    # No list is longer; what lies below need not be looked at.
    best = best_of_each(pairs.anchor, score, LIST_LENGTH)
    pairs, at, prior, substitutable, score = pairs.where(best), at[best], prior[best], substitutable[best], score[best]
    one, other = bought.baskets[pairs.anchor], bought.baskets[pairs.item]
    llr = log_likelihood_ratio(pairs.baskets, one, other, total)
    expected = one * other / max(total, 1.0)
    found = Candidates.of(
        Reason.TOGETHER,
        pairs.anchor,
        pairs.item,
        score,
        pairs.baskets,
        pairs.customers,
        expected,
        pairs.baskets / expected,
        llr,
        substitutable,
    )
    # Too little is known of these pairs to speak of them; what is known of the aisle stands in for their evidence.
    sure = (pairs.customers >= MIN_CUSTOMERS) & (llr >= MIN_LLR)
    unsure = Candidates.of(
        Reason.AISLE, pairs.anchor[~sure], pairs.item[~sure], score[~sure], beside.customers[at[~sure]], prior[~sure]
    )
    return Candidates.joined([found.take(sure), unsure])


def _find(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of ``wanted`` in the sorted ``keys``, and which of them are there."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, keys[at] == wanted


def _substitutability(statistics: Statistics, items: int, pairs: Pairs) -> np.ndarray:
    """Cosine of the sets of visitors who viewed either item, 0…1: what is compared is rarely bought together."""
    seen = statistics.co_views()
    if not len(seen.count):
        return np.zeros(len(pairs.anchor))
    at, known = _find(seen.anchor * items + seen.item, pairs.anchor * items + pairs.item)
    return np.where(known, statistics.co_view_cosines()[at], 0.0)


def _aisle_lists(bought: Items, beside: Beside) -> Candidates:
    """What is bought beside each aisle, best first: owners are aisle numbers."""
    score = beside.chance * popularity_discount(bought)[beside.item]
    best = best_of_each(beside.aisle, score, LIST_LENGTH)
    item, chance = beside.item[best], beside.chance[best]
    return Candidates.of(Reason.AISLE, beside.aisle[best], item, score[best], beside.customers[best], chance)


def _of_aisles(aisles: Candidates, wanted: np.ndarray) -> tuple[np.ndarray, Candidates]:
    """The rows of each ``wanted`` aisle, end to end, and the place in ``wanted`` that each row is for."""
    first = np.searchsorted(aisles.owner, wanted)
    count = np.searchsorted(aisles.owner, wanted, "right") - first
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(np.arange(len(wanted)), count), aisles.take(np.repeat(first, count) + place)


def _cold(
    items: pa.Table, looks: np.ndarray | None, catalog: Catalog, bought: Items, together: Candidates
) -> Candidates:
    """Items nobody has bought stand in for the most similar item of their need, at half its score."""
    from ..learning.content import nearest

    # Where things have prices, a page shows no offer without one.
    priced = np.isfinite(catalog.price)
    cold = catalog.active & (bought.customers == 0) & (priced | ~priced.any())
    if not len(together.owner) or not cold.any():
        return Candidates.none()
    warm = np.zeros(len(catalog.ids), bool)
    warm[together.item] = True
    item, like, similarity = nearest(items, catalog.price, catalog.need, cold, warm, looks)
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
    each, rows = _of_aisles(aisles, catalog.aisle[owners])
    owner = owners[each]
    score = rows.score * PRIOR_BASKETS / (bought.weight[owner] + PRIOR_BASKETS)
    size = len(catalog.ids)
    _, judged = _find(np.sort(own.owner * size + own.item), owner * size + rows.item)
    fill = Candidates(owner, rows.item, score, rows.reason, rows.evidence)
    return Candidates.joined([own, fill.take(~judged)])


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
    each, rows = _of_aisles(aisles, aisle)
    owned = Candidates(need[each], rows.item, rows.score, rows.reason, rows.evidence)
    popular = _popular(need, aisle, catalog, bought, offered)
    return Candidates.joined([owned, popular]).ranked(LIST_LENGTH).lists(catalog.categories, catalog.ids)


def _lists_without_category(catalog: Catalog, bought: Items, offered: np.ndarray, lists: Candidates) -> Candidates:
    """Bestsellers for items that have neither a list nor a category to fall back on."""
    bare = catalog.active & (catalog.need < 0)
    bare[lists.owner] = False
    owner = np.flatnonzero(bare)
    return _popular(owner, catalog.aisle[owner], catalog, bought, offered)
