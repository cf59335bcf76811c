"""One shopper's habits, tastes and interests as arrays, by numpy alone: in a worker, and in a web process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .interactions import KINDS
from .interests import Weights, interests, shares
from .neighbours import among, distinct
from .past import DAY, PURCHASE, Past
from .replenishment import bought_for_good

if TYPE_CHECKING:
    from .facts import Facts

# Half-lives in days of what is bought often.
HALF_LIVES = (14.0, 45.0, 150.0)
# Own baskets that count as the latest.
LATEST = 5
# Of items looked at, the latest count, and halve their weight with each further one and with each day.
SEEN, SEEN_STEPS, SEEN_DAYS = 30, 3.0, 1.0
# Candidates that each source names.
FROM_OWN, FROM_TASTE, FROM_NEAR, FROM_SEEN, FROM_POPULAR = 120, 60, 25, 30, 30
# Own items, of those bought most, that what is like them is looked for.
NEAR_TO = 60
# Items whose words and pictures make the shopper's own.
WORDED = 20

_VIEW, _CART, _CLICK = (KINDS.index(kind) for kind in ("view_item", "add_to_cart", "select_item"))


@dataclass(frozen=True)
class Habit:
    """How often one shopper bought each of some things (items or needs); arrays of shape (things,).

    things: their numbers, ascending · baskets: own baskets with it · recent: (things, HALF_LIVES) shares of own baskets
    by decayed weight, 0…1 · latest: share of the LATEST own baskets · last: day of the last purchase · gap: mean days
    between two purchases, NaN after a single one · skipped: own baskets since.
    """

    things: np.ndarray
    baskets: np.ndarray
    recent: np.ndarray
    latest: np.ndarray
    last: np.ndarray
    gap: np.ndarray
    skipped: np.ndarray


@dataclass(frozen=True)
class Shopper:
    """What a ranker knows of one shopper.

    items, needs: `Habit` of either · line_basket, line_item: the purchase lines in the order of time, shape (lines,),
    own baskets numbered from 0, items by their places in ``items`` · days, size: (baskets,) when each was and how many
    items it held · taste, near: ascending item numbers and scores of what the shopper's neighbours like, and of what is
    like own items · seen, seen_near: the same of what was looked at lately, and of what is looked at beside it ·
    seen_day: the last day of each ``seen`` · need_interest, brand_interest: ascending numbers and 0…1 shares of the
    shopper's `interests` · words: content features and weights, a vector of length 1 · looks: the mean picture of the
    same items, of length 1, or 0 where none has one · state: of the recurrent network after the latest events, None
    where there is none of either · segment: its label · hidden: own items that are `bought_for_good` · candidates: what
    may be offered without an anchor, item numbers, ascending.
    """

    items: Habit
    needs: Habit
    line_basket: np.ndarray
    line_item: np.ndarray
    days: np.ndarray
    size: np.ndarray
    taste: tuple[np.ndarray, np.ndarray]
    near: tuple[np.ndarray, np.ndarray]
    seen: tuple[np.ndarray, np.ndarray]
    seen_day: np.ndarray
    seen_near: tuple[np.ndarray, np.ndarray]
    need_interest: tuple[np.ndarray, np.ndarray]
    brand_interest: tuple[np.ndarray, np.ndarray]
    words: tuple[np.ndarray, np.ndarray]
    looks: np.ndarray
    state: np.ndarray | None
    segment: int
    hidden: np.ndarray
    candidates: np.ndarray

    @classmethod
    def of(cls, past: Past, facts: Facts) -> Shopper:
        """Of a ``past`` by item number."""
        bought = past.kind == PURCHASE
        lines, item = past.basket[bought], past.item[bought]
        # A basket's lines need not lie together; of several written to one place the first is to stay.
        first = np.zeros(lines.max(initial=-1) + 1, np.int64)
        first[lines[::-1]] = np.arange(len(lines))[::-1]
        there = np.zeros(len(first), bool)
        there[lines] = True
        own = (np.cumsum(there) - 1)[lines]
        days = past.day[bought][first[there]]
        fresh = distinct(own * np.int64(len(facts.need)) + item)
        own, item = np.divmod(fresh, len(facts.need))
        items = _habit(item, own, days)
        liking = np.log1p(items.baskets) / max(np.log1p(items.baskets).sum(), 1e-9)
        now = past.day.max(initial=-np.inf)
        ages = (past.item, past.kind, now - past.day, past.rating)
        most = _greatest(liking, NEAR_TO)
        near = facts.alike.blend(items.things[most], liking[most])
        hidden = items.things[bought_for_good(facts.repeats[facts.need[items.things]], items.baskets)]
        looked = (past.kind == _VIEW) | (past.kind == _CART) | (past.kind == _CLICK)
        seen, seen_score, seen_day = _seen(past.item[looked], past.day[looked], now)
        seen_near = facts.co_seen.blend(seen, seen_score)
        dearest = _dearest(seen, seen_score, items.things, liking)
        named = distinct(
            np.concatenate(
                [
                    strongest((items.things, items.recent[:, -1]), FROM_OWN),
                    strongest((past.liked, past.liked_by), FROM_TASTE),
                    strongest(near, FROM_NEAR),
                    seen,
                    strongest(seen_near, FROM_SEEN),
                    facts.popular[:FROM_POPULAR],
                ]
            )
        )
        return cls(
            items,
            _habit(facts.need[item], own, days),
            own,
            np.searchsorted(items.things, item),
            days,
            np.bincount(own, minlength=len(days)).astype(np.float64),
            (past.liked, past.liked_by),
            near,
            (seen, seen_score),
            seen_day,
            seen_near,
            _interests(facts.need, *ages, facts.weights),
            _interests(facts.brand, *ages, facts.weights),
            _words(facts, *dearest),
            _looks(facts, *dearest),
            _state(facts, past),
            past.segment,
            hidden,
            named[facts.offered[named] & ~among(hidden, named)],
        )

    @property
    def known(self) -> bool:
        """Whether anything is."""
        return bool(len(self.days) or len(self.seen[0]) or len(self.need_interest[0]))

    @property
    def baskets(self) -> int:
        return len(self.days)

    def beside(self, kin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the own baskets with any item of each mask of ``kin``, shape (masks, ``items.things``): how many hold each
        item, shape as given, and how many there are, shape (masks,).
        """
        masks, things = kin.shape
        mask, line = np.nonzero(kin[:, self.line_item])
        with_kin = np.zeros((masks, self.baskets), bool)
        with_kin[mask, self.line_basket[line]] = True
        mask, line = np.nonzero(with_kin[:, self.line_basket])
        held = np.bincount(mask * things + self.line_item[line], minlength=masks * things)
        return held.reshape(masks, things), with_kin.sum(axis=1)

    def sizes(self) -> np.ndarray:
        """The mean size of the own baskets with each item, shape of ``items.things``."""
        total = np.bincount(self.line_item, self.size[self.line_basket], len(self.items.things))
        return total / np.maximum(self.items.baskets, 1)


def strongest(scored: tuple[np.ndarray, np.ndarray], k: int) -> np.ndarray:
    """The ``k`` things of the greatest scores, of (things, scores)."""
    things, scores = scored
    return things[_greatest(scores, k)]


def _greatest(scores: np.ndarray, k: int) -> np.ndarray | slice:
    """Where the ``k`` greatest are, in no order."""
    return slice(None) if len(scores) <= k else np.argpartition(-scores, k - 1)[:k]


def _habit(thing: np.ndarray, basket: np.ndarray, days: np.ndarray) -> Habit:
    """The habit of distinct (thing, basket) pairs, baskets in the order of time."""
    pairs = distinct(thing * np.int64(len(days) + 1) + basket)
    thing, basket = np.divmod(pairs, len(days) + 1)
    # Ascending, so that each thing's pairs lie together.
    fresh = np.ones(len(thing), bool)
    fresh[1:] = thing[1:] != thing[:-1]
    start = np.flatnonzero(fresh)
    things = thing[start]
    place = np.cumsum(fresh) - 1
    baskets = np.bincount(place, minlength=len(things))
    now = days[-1] if len(days) else 0.0
    weights = 0.5 ** ((now - days)[:, None] / np.array(HALF_LIVES))
    cells = place[:, None] * len(HALF_LIVES) + np.arange(len(HALF_LIVES))
    sums = np.bincount(cells.ravel(), weights[basket].ravel(), len(things) * len(HALF_LIVES))
    recent = sums.reshape(-1, len(HALF_LIVES)) / np.maximum(weights.sum(axis=0), 1e-9)
    latest = np.bincount(place, basket >= len(days) - LATEST, len(things))
    last_basket = basket[start + baskets - 1] if len(things) else basket
    first, last = (days[basket[start]], days[last_basket]) if len(things) else (days[:0], days[:0])
    gap = np.where(baskets > 1, (last - first) / np.maximum(baskets - 1, 1), np.nan)
    return Habit(
        things,
        baskets.astype(np.float64),
        recent,
        latest / max(min(len(days), LATEST), 1),
        last,
        gap,
        len(days) - 1.0 - last_basket,
    )


def _seen(item: np.ndarray, day: np.ndarray, now: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The latest SEEN distinct items, ascending, with their weights 0…1 and last days; events in the order of time."""
    items, back = np.unique(item[::-1], return_index=True)
    step = np.argsort(np.argsort(back, kind="stable"), kind="stable")
    kept = step < SEEN
    items, back, step = items[kept], back[kept], step[kept]
    last = day[::-1][back]
    return items, 0.5 ** (step / SEEN_STEPS + (now - last) / SEEN_DAYS), last


def _interests(
    thing: np.ndarray, item: np.ndarray, kind: np.ndarray, age: np.ndarray, rating: np.ndarray, weights: Weights
) -> tuple[np.ndarray, np.ndarray]:
    things, scores = interests(thing[item], kind, age, rating, weights)
    return things, shares(scores)


def _dearest(
    seen: np.ndarray, seen_score: np.ndarray, owned: np.ndarray, liking: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The WORDED items of what was looked at lately and of what is bought most, and their weights."""
    item, weight = np.concatenate([owned, seen]), np.concatenate([liking, seen_score])
    most = np.argsort(-weight, kind="stable")[:WORDED]
    return item[most], weight[most]


def _words(facts: Facts, items: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Their content, as one vector of length 1."""
    features, values = facts.content.blend(items, weights)
    return features, values / max(float(np.sqrt((values**2).sum())), 1e-9)


def _looks(facts: Facts, items: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Their pictures, as one vector of length 1."""
    if not facts.looks.shape[1]:
        return np.empty(0, np.float32)
    mean = weights.astype(np.float32) @ facts.looks[items].astype(np.float32)
    return mean / max(float(np.sqrt((mean**2).sum())), 1e-9)


def _state(facts: Facts, past: Past) -> np.ndarray | None:
    if facts.network is None or not len(past):
        return None
    return facts.network.visitor(past.item, past.kind.astype(np.int64), past.day * DAY)
