"""One shopper's offers: the anchors' lists and the shopper's own candidates, ranked anew by numpy alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from ..learning.ranking.features import FEATURE_NAMES, candidate_items
from ..learning.ranking.model import Model
from ..learning.ranking.ranker import RankedItems, Ranker, by_uplift, rank, rank_own
from ..learning.ranking.replenishment import own_cycle
from ..learning.ranking.shopper_features import ShopperFeatures
from ..learning.sparse import isin_sorted, unique_sorted
from ..learning.types import IntArray
from ..strategies.base import Offer, Reason, Strategy
from ..strategies.objectives import Objective, Ordering
from .shopper_context import ShopperContext

# Of a cart, the products put in last.
MAX_ANCHORS = 3
# Ranked offers that the guard may look at.
MAX_CANDIDATES = 60

# Features that say why an item is offered.
_REASON_FEATURES = [
    FEATURE_NAMES.index(name)
    for name in ("gap", "own_baskets", "days_since", "viewed", "viewed_days_ago", "neighbour_taste", "need_interest")
]
_GAP, _BASKETS = 0, 1


class RankingContext:
    """A shopper as the published model sees them, for all blocks of one page; ``now`` in seconds since 1970."""

    def __init__(self, shopper: ShopperContext, model: Model, now: float) -> None:
        self.shopper = shopper
        self.model = model
        self.day = float(model.day(now))

    @cached_property
    def features(self) -> ShopperFeatures:
        """What the ranker knows of the shopper, from their profile and later events; computed once a page."""
        past = self.shopper.history(self.model.day).to_numbers(self.model.ids)
        return ShopperFeatures.of(past, self.model.item_features)

    def ranker(self, strategy: Strategy) -> Ranker | None:
        """What ranks the offers of a strategy; None where nothing was learned."""
        ranker = self.model.rankers.get(strategy.ranker)
        return ranker if ranker is not None and ranker.useful else None


def rerank(
    context: RankingContext,
    strategy: Strategy,
    anchors: Sequence[str],
    offers: Sequence[Offer],
    category: int | None,
    ordering: Ordering,
) -> list[Offer] | None:
    """The offers of a block for one shopper, best first; None where nothing tells more than the list does.

    ``anchors`` are external ids, ``offers`` the anchors' offers; with ``category``, a Category.pk, offers are of it.
    """
    ranker = context.ranker(strategy)
    if strategy.personal_only:
        return _own_offers(context, strategy, ranker, category)
    if ranker is None or not context.features.known:
        return None
    model = context.model
    numbers = model.external_ids.numbers([*anchors, *(offer.item for offer in offers)])
    anchor_numbers, listed_numbers = numbers[: len(anchors)], numbers[len(anchors) :]
    # What this shopper has, and nobody buys twice.
    owned = isin_sorted(context.features.bought_for_good, listed_numbers)
    listed = [offer for offer, is_owned in zip(offers, owned, strict=True) if not is_owned]
    listed_numbers = listed_numbers[~owned]
    anchor_numbers = anchor_numbers[anchor_numbers >= 0][-MAX_ANCHORS:]
    if not strategy.personal_candidates:
        return _reweighted(context, ranker, listed, listed_numbers, anchor_numbers)
    if strategy.needs_anchor and not len(anchor_numbers):
        return listed
    items = candidate_items(model.item_features, context.features, anchor_numbers.tolist())
    items = _of_category(model, items, category)
    items = unique_sorted(np.concatenate([items, listed_numbers[listed_numbers >= 0]]))
    if not len(items):
        return listed
    features, anchor_list, discovery = context.features, anchor_numbers.tolist(), ordering.discovery
    ranked = rank(ranker, model.item_features, features, anchor_list, context.day, discovery, items)
    if strategy.by_uplift and ordering.objective != Objective.PROBABILITY:
        ranked = by_uplift(ranked, model.item_features, features, anchor_list, discovery)
    listed_by_number = dict(zip(listed_numbers.tolist(), listed, strict=True))
    reranked = [
        listed_by_number[number]._replace(score=offer.score) if number in listed_by_number else offer
        for number, offer in zip(ranked.items.tolist(), _offers(model, ranked), strict=False)
    ]
    # What came into the catalog since is known to the list alone, and keeps its position.
    for position, offer in enumerate(listed):
        if listed_numbers[position] < 0:
            reranked.insert(position, offer)
    return reranked


def _own_offers(
    context: RankingContext, strategy: Strategy, ranker: Ranker | None, category: int | None
) -> list[Offer]:
    """What a strategy picks of the shopper's own items, best first."""
    model, features = context.model, context.features
    items = _of_category(model, strategy.shopper_items(model.item_features, features, context.day), category)
    if not len(items):
        return []
    return list(_offers(model, rank_own(ranker, model.item_features, features, context.day, items)))


def _of_category(model: Model, items: IntArray, category: int | None) -> IntArray:
    """The ``items`` of a category, a Category.pk; all of them for None."""
    if category is None:
        return items
    return items[(model.needs[items] == category) | (model.aisles[items] == category)]


def _reweighted(
    context: RankingContext, ranker: Ranker, offers: list[Offer], numbers: IntArray, anchors: IntArray
) -> list[Offer]:
    """``offers``, whose item numbers are ``numbers``, by score · probability / mean probability; anchors by number."""
    model = context.model
    items = unique_sorted(numbers[numbers >= 0])
    if len(items) < 2:
        return offers
    ranked = rank(ranker, model.item_features, context.features, anchors.tolist(), context.day, 0.0, items)
    weights = dict(
        zip(ranked.items.tolist(), (ranked.probabilities / ranked.probabilities.mean()).tolist(), strict=True)
    )
    weighted = [
        offer._replace(score=offer.score * weights.get(number, 1.0))
        for offer, number in zip(offers, numbers.tolist(), strict=True)
    ]
    return sorted(weighted, key=lambda offer: -offer.score)


def _offers(model: Model, ranked: RankedItems) -> Iterator[Offer]:
    """The first MAX_CANDIDATES of what is ranked, each for the first of the reasons that is true."""
    items = ranked.items[:MAX_CANDIDATES]
    rows = ranked.features(MAX_CANDIDATES)[:, _REASON_FEATURES]
    cycles = own_cycle(rows[:, _GAP], rows[:, _BASKETS], model.item_features.cycle[model.item_features.need[items]])
    scores, probabilities = ranked.scores[:MAX_CANDIDATES], ranked.probabilities[:MAX_CANDIDATES]
    columns = (scores, probabilities, model.aisles[items], cycles, *rows.T)
    for name, score, probability, aisle, cycle, _, baskets, since, viewed, days_ago, taste, interest in zip(
        model.external_ids.texts(items), *(column.tolist() for column in columns), strict=True
    ):
        evidence: tuple[float | None, ...]
        if baskets > 0:
            reason, evidence = Reason.AGAIN, (probability, baskets, since, cycle)
        elif viewed > 0:
            reason, evidence = Reason.SEEN, (probability, days_ago)
        elif taste > 0:
            reason, evidence = Reason.TASTE, (probability, taste)
        elif interest > 0:
            reason, evidence = Reason.INTEREST, (probability, interest)
        else:
            reason, evidence = Reason.POPULAR, (None,)
        yield Offer(item=name, score=score, reason=reason, aisle=aisle, evidence=evidence)
