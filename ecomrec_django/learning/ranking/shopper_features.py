"""One shopper's habits, tastes and interests as arrays, by numpy alone: in a worker, and in a web process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ..interactions import DAY, KINDS
from ..sparse import isin_sorted, unique_sorted
from ..types import BoolArray, FloatArray, IntArray
from .interests import InterestWeights, interests, shares
from .item_features import ItemFeatures
from .replenishment import bought_for_good
from .shopper_history import PURCHASE, ShopperHistory

# Half-lives in days of what is bought often.
HALF_LIVES = (14.0, 45.0, 150.0)
# Own baskets that count as the latest.
LATEST = 5
# Of items viewed, the latest count, and halve their weight with each further one and with each day.
VIEWED, VIEWED_STEPS, VIEWED_DAYS = 30, 3.0, 1.0
# Candidates that each source names.
FROM_OWN, FROM_NEIGHBOURS, FROM_SIMILAR, FROM_VIEWED, FROM_BESTSELLERS = 120, 60, 25, 30, 30
# Own items, of those bought most, whose similar items are looked up.
SIMILAR_TO = 60
# Items whose content and images make the shopper's own.
FAVOURITES = 20

_VIEW, _CART, _CLICK = (KINDS.index(kind) for kind in ("view_item", "add_to_cart", "select_item"))

# Ascending numbers and a score of each, shape (numbers,) each.
Scored: TypeAlias = tuple[IntArray, FloatArray]


@dataclass(frozen=True, kw_only=True)
class PurchaseHabit:
    """How often one shopper bought each of some things (items or needs), shape (things,) unless said otherwise.

    things: their numbers, ascending
    baskets: own baskets with the thing
    recent: shares of own baskets by decayed weight, 0…1, shape (things, HALF_LIVES)
    latest: share of the LATEST own baskets, 0…1
    last: day of the last purchase, since 1970
    gap: mean days between two purchases, NaN after a single one
    skipped: own baskets since the last purchase
    """

    things: IntArray
    baskets: FloatArray
    recent: FloatArray
    latest: FloatArray
    last: FloatArray
    gap: FloatArray
    skipped: FloatArray


@dataclass(frozen=True, kw_only=True)
class ShopperFeatures:
    """What a ranker knows of one shopper. ``Scored`` are ascending numbers and a score of each.

    items, needs: `PurchaseHabit` of either
    line_basket, line_item: purchase lines in the order of time, shape (lines,): own baskets numbered from 0, and items
        by their positions in ``items``
    basket_days: when each own basket was bought, days since 1970, shape (baskets,)
    basket_sizes: items in each own basket, shape (baskets,)
    neighbour_taste: items that similar shoppers buy
    similar_to_own: items that are similar to own ones
    viewed: items viewed lately
    viewed_day: the last day of each ``viewed``
    similar_to_viewed: items that are viewed together with ``viewed``
    need_interest, brand_interest: the shopper's `interests` as shares, 0…1
    content: content features of the favourites, a vector of length 1
    image_vector: mean of the favourites, of length 1, or 0 where none has an image, shape (width,)
    network_state: of the recurrent network after the latest events; None without either
    segment: label, 0 for none
    bought_for_good: own items that are not offered again, ascending
    candidates: items that may be offered without an anchor, ascending
    """

    items: PurchaseHabit
    needs: PurchaseHabit
    line_basket: IntArray
    line_item: IntArray
    basket_days: FloatArray
    basket_sizes: FloatArray
    neighbour_taste: Scored
    similar_to_own: Scored
    viewed: Scored
    viewed_day: FloatArray
    similar_to_viewed: Scored
    need_interest: Scored
    brand_interest: Scored
    content: Scored
    image_vector: FloatArray
    network_state: FloatArray | None
    segment: int
    bought_for_good: IntArray
    candidates: IntArray

    @classmethod
    def of(cls, history: ShopperHistory, item_features: ItemFeatures) -> ShopperFeatures:
        """Of a ``history`` by item number."""
        item, basket, days = _purchase_lines(history, len(item_features.need))
        items = _habit(item, basket, days)
        liking = np.log1p(items.baskets) / max(np.log1p(items.baskets).sum(), 1e-9)
        now = history.day.max(initial=-np.inf)
        most = _greatest(liking, SIMILAR_TO)
        similar_to_own = item_features.similar_items.blend(items.things[most], liking[most])
        final = items.things[bought_for_good(item_features.repeats[item_features.need[items.things]], items.baskets)]
        looked = (history.kind == _VIEW) | (history.kind == _CART) | (history.kind == _CLICK)
        viewed, viewed_score, viewed_day = _viewed(history.item[looked], history.day[looked], now)
        similar_to_viewed = item_features.co_viewed.blend(viewed, viewed_score)
        favourites = _favourites(viewed, viewed_score, items.things, liking)
        neighbour_taste = (history.neighbour_items, history.neighbour_shares)
        candidates = unique_sorted(
            np.concatenate(
                [
                    top_scored((items.things, items.recent[:, -1]), FROM_OWN),
                    top_scored(neighbour_taste, FROM_NEIGHBOURS),
                    top_scored(similar_to_own, FROM_SIMILAR),
                    viewed,
                    top_scored(similar_to_viewed, FROM_VIEWED),
                    item_features.bestsellers[:FROM_BESTSELLERS],
                ]
            )
        )
        weights = item_features.interest_weights
        return cls(
            items=items,
            needs=_habit(item_features.need[item], basket, days),
            line_basket=basket,
            line_item=np.searchsorted(items.things, item),
            basket_days=days,
            basket_sizes=np.bincount(basket, minlength=len(days)).astype(np.float64),
            neighbour_taste=neighbour_taste,
            similar_to_own=similar_to_own,
            viewed=(viewed, viewed_score),
            viewed_day=viewed_day,
            similar_to_viewed=similar_to_viewed,
            need_interest=_interests(item_features.need, history, now, weights),
            brand_interest=_interests(item_features.brand, history, now, weights),
            content=_content(item_features, *favourites),
            image_vector=_image_vector(item_features, *favourites),
            network_state=_network_state(item_features, history),
            segment=history.segment,
            bought_for_good=final,
            candidates=candidates[item_features.offered[candidates] & ~isin_sorted(final, candidates)],
        )

    @property
    def known(self) -> bool:
        """Whether anything is."""
        return bool(len(self.basket_days) or len(self.viewed[0]) or len(self.need_interest[0]))

    @property
    def baskets(self) -> int:
        """Own baskets in all."""
        return len(self.basket_days)

    def baskets_with(self, masks: BoolArray) -> tuple[IntArray, IntArray]:
        """Of the own baskets with any item of each mask, shape (masks, ``items.things``): how many hold each item,
        shape as given, and how many there are, shape (masks,).
        """
        count, things = masks.shape
        mask, line = np.nonzero(masks[:, self.line_item])
        matches = np.zeros((count, self.baskets), bool)
        matches[mask, self.line_basket[line]] = True
        mask, line = np.nonzero(matches[:, self.line_basket])
        holding = np.bincount(mask * things + self.line_item[line], minlength=count * things)
        return holding.reshape(count, things), matches.sum(axis=1)

    def mean_basket_sizes(self) -> FloatArray:
        """Of the own baskets with each item, shape of ``items.things``."""
        total = np.bincount(self.line_item, self.basket_sizes[self.line_basket], len(self.items.things))
        return total / np.maximum(self.items.baskets, 1)


def top_scored(scored: Scored, k: int) -> IntArray:
    """The numbers of the ``k`` greatest scores, in no order."""
    numbers, scores = scored
    return numbers[_greatest(scores, k)]


def _greatest(scores: FloatArray, k: int) -> IntArray | slice:
    """Where the ``k`` greatest are, in no order."""
    return slice(None) if len(scores) <= k else np.argpartition(-scores, k - 1)[:k]


def _purchase_lines(history: ShopperHistory, items: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Distinct (basket, item) pairs as item and basket numbers, shape (lines,), and the day of each basket."""
    bought = history.kind == PURCHASE
    basket, item = history.basket[bought], history.item[bought]
    # A basket's lines need not lie together; of several written to one place the first is to stay.
    first = np.zeros(basket.max(initial=-1) + 1, np.int64)
    first[basket[::-1]] = np.arange(len(basket))[::-1]
    present = np.zeros(len(first), bool)
    present[basket] = True
    number = (np.cumsum(present) - 1)[basket]
    number, item = np.divmod(unique_sorted(number * np.int64(items) + item), items)
    return item, number, history.day[bought][first[present]]


def _habit(thing: IntArray, basket: IntArray, days: FloatArray) -> PurchaseHabit:
    """The habit of distinct (thing, basket) pairs, baskets in the order of time."""
    pairs = unique_sorted(thing * np.int64(len(days) + 1) + basket)
    thing, basket = np.divmod(pairs, len(days) + 1)
    # Ascending, so that each thing's pairs lie together.
    fresh = np.ones(len(thing), bool)
    fresh[1:] = thing[1:] != thing[:-1]
    start = np.flatnonzero(fresh)
    things = thing[start]
    position = np.cumsum(fresh) - 1
    baskets = np.bincount(position, minlength=len(things))
    now = days[-1] if len(days) else 0.0
    weights = 0.5 ** ((now - days)[:, None] / np.array(HALF_LIVES))
    cells = position[:, None] * len(HALF_LIVES) + np.arange(len(HALF_LIVES))
    sums = np.bincount(cells.ravel(), weights[basket].ravel(), len(things) * len(HALF_LIVES))
    recent = sums.reshape(-1, len(HALF_LIVES)) / np.maximum(weights.sum(axis=0), 1e-9)
    latest = np.bincount(position, basket >= len(days) - LATEST, len(things))
    last_basket = basket[start + baskets - 1] if len(things) else basket
    first, last = (days[basket[start]], days[last_basket]) if len(things) else (days[:0], days[:0])
    return PurchaseHabit(
        things=things,
        baskets=baskets.astype(np.float64),
        recent=recent,
        latest=latest / max(min(len(days), LATEST), 1),
        last=last,
        gap=np.where(baskets > 1, (last - first) / np.maximum(baskets - 1, 1), np.nan),
        skipped=len(days) - 1.0 - last_basket,
    )


def _viewed(item: IntArray, day: FloatArray, now: float) -> tuple[IntArray, FloatArray, FloatArray]:
    """The latest VIEWED distinct items, ascending, with their weights 0…1 and last days; events in the order of
    time.
    """
    items, back = np.unique(item[::-1], return_index=True)
    step = np.argsort(np.argsort(back, kind="stable"), kind="stable")
    latest = step < VIEWED
    items, back, step = items[latest], back[latest], step[latest]
    last = day[::-1][back]
    return items, 0.5 ** (step / VIEWED_STEPS + (now - last) / VIEWED_DAYS), last


def _interests(thing: IntArray, history: ShopperHistory, now: float, weights: InterestWeights) -> Scored:
    things, scores = interests(thing[history.item], history.kind, now - history.day, history.rating, weights)
    return things, shares(scores)


def _favourites(viewed: IntArray, viewed_score: FloatArray, owned: IntArray, liking: FloatArray) -> Scored:
    """The FAVOURITES of the items viewed lately and bought most, best first, and their weights."""
    item, weight = np.concatenate([owned, viewed]), np.concatenate([liking, viewed_score])
    most = np.argsort(-weight, kind="stable")[:FAVOURITES]
    return item[most], weight[most]


def _content(item_features: ItemFeatures, items: IntArray, weights: FloatArray) -> Scored:
    """Their content, as one vector of length 1."""
    columns, values = item_features.content.blend(items, weights)
    return columns, values / max(float(np.sqrt((values**2).sum())), 1e-9)


def _image_vector(item_features: ItemFeatures, items: IntArray, weights: FloatArray) -> FloatArray:
    """Their images, as one vector of length 1."""
    if not item_features.image_vectors.shape[1]:
        return np.empty(0, np.float32)
    mean = weights.astype(np.float32) @ item_features.image_vectors[items].astype(np.float32)
    return mean / max(float(np.sqrt((mean**2).sum())), 1e-9)


def _network_state(item_features: ItemFeatures, history: ShopperHistory) -> FloatArray | None:
    if item_features.network is None or not len(history):
        return None
    return item_features.network.visitor(history.item, history.kind.astype(np.int64), history.day * DAY)
