"""Upsell: better, more expensive items of the same need."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..learning.amounts import TOLERANCE, size_ratio, title_key
from ..learning.interactions import to_seconds
from ..learning.sparse import positions
from ..learning.types import BoolArray, FloatArray, IntArray
from .base import (
    EVIDENCE,
    LIST_LENGTH,
    Lists,
    LiveProduct,
    Offer,
    Reason,
    Strategy,
    StrategyLists,
    ViolationCode,
    evidence_of,
    gettext_noop,
)
from .candidates import Candidates, OfferTable
from .upgrade_candidates import (
    HIGH,
    LOW,
    MIN_SIZE_GAIN,
    UpgradeStatistics,
    is_better_rated,
    upgrade_candidates,
    upgrade_features,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from ..learning.statistics.training_data import TrainingData
    from ..learning.trade_ups.model import TradeUpModel, TradeUps, UpgradePairs

logger = logging.getLogger(__name__)

# Exponent of the extra margin in the score: 0 ranks by the probability of acceptance, 1 by the expected extra margin.
# Chosen on Complete Journey's validation slice, where the ranking predicts as well as without it.
MARGIN_EXPONENT = 0.25
LEAST_EXTRA = 0.01


class UpgradeTo(Strategy):
    """Items of the same need within its price band, by the probability that shoppers trade up and the extra margin."""

    title = gettext_noop("Worth a look")
    label = gettext_noop("Upgrade to")
    ranker = "upgrade_to"
    personal_candidates = False
    same_need = True
    objectives = ("margin", "revenue", "probability")
    worth_exponent = MARGIN_EXPONENT

    def violation(self, anchors: Sequence[LiveProduct], offer: Offer, live: LiveProduct) -> ViolationCode | None:
        """Checks the price band against every anchor (the one of the offer's evidence, or the default one), then titles
        and amounts. What of a gain the page does not know is taken from the evidence."""
        evidence = evidence_of(offer) if offer.reason == Reason.UPGRADE else {}
        low, high = evidence.get("low") or LOW, evidence.get("high") or HIGH
        for anchor in anchors:
            if not _known(live.price) or not _known(anchor.price):
                return ViolationCode.PRICE_UNKNOWN
            assert live.price is not None
            assert anchor.price is not None
            ratio = live.price / anchor.price
            if ratio <= 1:
                return ViolationCode.NOT_MORE_EXPENSIVE
            if ratio < low:
                return ViolationCode.BELOW_PRICE_BAND
            if ratio > high:
                return ViolationCode.ABOVE_PRICE_BAND
            if live.title and title_key(live.title) == title_key(anchor.title):
                return ViolationCode.SAME_TITLE
            size = size_ratio(live.amount, anchor.amount)
            if size is None:
                continue
            if size < 1:
                return ViolationCode.SMALLER_AMOUNT
            gains = size >= MIN_SIZE_GAIN or is_better_rated(live.rating, anchor.rating) or evidence.get("brand")
            if not gains and not evidence.get("features") and ratio / size > 1 + TOLERANCE:
                return ViolationCode.HIGHER_UNIT_PRICE
        return None

    def make(self, data: TrainingData) -> StrategyLists:
        """See `Strategy.make`. Without any history the lists come from content alone."""
        items = data.items.sort_by("item")
        catalog = OfferTable.of(items)
        usable = catalog.active & (catalog.need >= 0) & np.isfinite(catalog.price)
        if not usable.any():
            return StrategyLists(Lists.empty())
        statistics = UpgradeStatistics(data.statistics, catalog, items["attributes"].to_pylist())
        data.progress(1, 4)
        candidates = upgrade_candidates(items, catalog, usable, data.image_vectors, statistics)
        data.progress(2, 4)
        probability = _model(data, items, catalog, usable).probability(_pairs(candidates, catalog, statistics))
        data.progress(3, 4)
        evidence = candidates.evidence.copy()
        evidence[:, EVIDENCE[Reason.UPGRADE].index("probability")] = probability
        margin = _extra_margin(catalog, candidates.owner, candidates.item)
        lists = replace(candidates, score=probability * margin**MARGIN_EXPONENT, evidence=evidence).ranked(LIST_LENGTH)
        by_category = _by_need(catalog, usable, statistics)
        data.progress(4, 4)
        return StrategyLists(lists.lists(catalog.ids, catalog.ids), by_category.lists(catalog.categories, catalog.ids))


def _model(data: TrainingData, items: pa.Table, catalog: OfferTable, usable: BoolArray) -> TradeUpModel:
    """Learned from what customers traded up to after the past that ``data`` knows of."""
    from ..learning.trade_ups.model import MIN_TRADE_UPS, TradeUpModel, fit_trade_ups

    later = _later_trade_ups(data, catalog)
    past = data.past
    if past is None or len(later.item) < MIN_TRADE_UPS:
        return TradeUpModel()
    statistics = UpgradeStatistics(past.statistics, catalog, items["attributes"].to_pylist())
    candidates = upgrade_candidates(items, catalog, usable, past.image_vectors, statistics)
    model = fit_trade_ups(_pairs(candidates, catalog, statistics), later)
    if model.report:
        name = "the formula" if model.trees is None else "trees"
        logger.info("Upgrades are ranked by %s; mean reciprocal ranks on validation: %s", name, model.report)
    return model


def _later_trade_ups(data: TrainingData, catalog: OfferTable) -> TradeUps:
    from ..learning.ranker_training.trade_ups import trade_up_rows
    from ..learning.trade_ups.model import TradeUps

    lines, nothing = data.statistics.purchases(), np.empty(0, np.int64)
    past = data.past
    if past is None or past.until is None:
        return TradeUps(anchor=nothing, item=nothing, customer=nothing)
    item, seconds = positions(catalog.ids, lines["item"].to_numpy()), to_seconds(lines["time"])
    order = np.argsort(seconds, kind="stable")
    order = order[item[order] >= 0]
    customer, item, later = lines["customer"].to_numpy()[order], item[order], seconds[order] >= past.until.timestamp()
    # Guests are below 1.
    number = np.where(customer > 0, np.unique(customer, return_inverse=True)[1], -1)
    rows, anchor = trade_up_rows(
        (number[~later], item[~later]), (number[later], item[later]), catalog.need, catalog.price
    )
    return TradeUps(anchor=anchor, item=item[later][rows], customer=customer[later][rows])


def _pairs(candidates: Candidates, catalog: OfferTable, statistics: UpgradeStatistics) -> UpgradePairs:
    from ..learning.trade_ups.model import UpgradePairs

    return UpgradePairs(
        anchor=candidates.owner,
        item=candidates.item,
        probability=candidates.score,
        features=upgrade_features(candidates, catalog, statistics),
    )


def _extra_margin(catalog: OfferTable, anchor: IntArray, item: IntArray) -> FloatArray:
    """How much more margin ``item`` leaves than ``anchor`` where both costs are known, else how much more it costs;
    LEAST_EXTRA where it leaves less."""
    extra_price = catalog.price[item] - catalog.price[anchor]
    extra_margin = extra_price - (catalog.cost[item] - catalog.cost[anchor])
    return np.where(np.isfinite(extra_margin), np.maximum(extra_margin, LEAST_EXTRA), extra_price)


def _by_need(catalog: OfferTable, usable: BoolArray, statistics: UpgradeStatistics) -> Candidates:
    """The need's best item of each of LIST_LENGTH price ranges, for anchors that came after the training."""
    items = np.flatnonzero(usable)
    items = items[np.lexsort((items, catalog.price[items], catalog.need[items]))]
    need = catalog.need[items]
    start = np.searchsorted(need, need)
    size = np.searchsorted(need, need, "right") - start
    price_range = (np.arange(len(items)) - start) * LIST_LENGTH // size
    rating = np.nan_to_num(catalog.rating[items], nan=-1.0)
    best = np.lexsort((items, -rating, -statistics.switched_to[items], price_range, need))
    key = need[best] * LIST_LENGTH + price_range[best]
    best = best[np.r_[True, key[1:] != key[:-1]]]
    item, owner = items[best], need[best]
    unknown = np.full(len(item), np.nan)
    # Unlike an item's own list these have no anchor to compare prices with: the page applies the band.
    score = statistics.switched_to[item] + catalog.price[item] / (1 + catalog.price[item])
    return Candidates.of(
        Reason.UPGRADE,
        owner,
        item,
        score,
        unknown,
        statistics.low[owner],
        statistics.high[owner],
        unknown,
        statistics.switched_to[item],
    ).ranked(LIST_LENGTH)


def _known(price: float | None) -> bool:
    return price is not None and price > 0 and price < float("inf")
