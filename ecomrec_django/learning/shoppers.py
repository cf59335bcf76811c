"""One shopper's purchases as arrays, by numpy alone: made by a worker or, from fresh orders, by a web process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .neighbours import Rows

# Half-lives in days of what is bought often.
HALF_LIVES = (14.0, 45.0, 150.0)
# Own baskets that count as the latest.
LATEST = 5


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
    items it held · taste, near: ascending item numbers and scores of
    what the shopper's neighbours like, and of what is like own items.
    """

    items: Habit
    needs: Habit
    line_basket: np.ndarray
    line_item: np.ndarray
    days: np.ndarray
    size: np.ndarray
    taste: tuple[np.ndarray, np.ndarray]
    near: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(
        cls,
        item: np.ndarray,
        basket: np.ndarray,
        day: np.ndarray,
        need: np.ndarray,
        taste: tuple[np.ndarray, np.ndarray],
        alike: Rows,
    ) -> Shopper:
        """From purchase lines (item numbers, basket numbers, days since 1970), shape (lines,) each, in any order.

        ``need`` numbers the need of every item, shape (items,); ``alike`` are the rows of `item_neighbours`.
        """
        _, first, own = np.unique(basket, return_index=True, return_inverse=True)
        when = np.argsort(day[first], kind="stable")
        rank = np.empty(len(when), np.int64)
        rank[when] = np.arange(len(when))
        own = rank[own]
        order = np.lexsort((item, own))
        own, item, days = own[order], item[order], day[first][when].astype(np.float64)
        fresh = np.r_[True, (own[1:] != own[:-1]) | (item[1:] != item[:-1])][: len(own)]
        own, item = own[fresh], item[fresh]
        items = _habit(item, own, days)
        return cls(
            items,
            _habit(need[item], own, days),
            own,
            np.searchsorted(items.things, item),
            days,
            np.bincount(own, minlength=len(days)).astype(np.float64),
            taste,
            alike.blend(items.things, np.log1p(items.baskets) / max(np.log1p(items.baskets).sum(), 1e-9)),
        )

    @property
    def baskets(self) -> int:
        return len(self.days)

    def beside(self, kin: np.ndarray) -> tuple[np.ndarray, int]:
        """Of the own baskets with any item of the mask ``kin``, shape of ``items.things``: how many hold each, how many
        there are.
        """
        with_kin = np.zeros(self.baskets, bool)
        with_kin[self.line_basket[kin[self.line_item]]] = True
        rows = with_kin[self.line_basket]
        return np.bincount(self.line_item[rows], minlength=len(kin)), int(with_kin.sum())

    def sizes(self) -> np.ndarray:
        """The mean size of the own baskets with each item, shape of ``items.things``."""
        total = np.bincount(self.line_item, self.size[self.line_basket], len(self.items.things))
        return total / np.maximum(self.items.baskets, 1)


def _habit(thing: np.ndarray, basket: np.ndarray, days: np.ndarray) -> Habit:
    """The habit of distinct (thing, basket) pairs, baskets in the order of time."""
    pairs = np.unique(thing * np.int64(len(days) + 1) + basket)
    thing, basket = np.divmod(pairs, len(days) + 1)
    things, start, baskets = np.unique(thing, return_index=True, return_counts=True)
    now = days[-1] if len(days) else 0.0
    weights = np.stack([0.5 ** ((now - days) / half_life) for half_life in HALF_LIVES], axis=1)
    totals = weights.sum(axis=0)
    recent = np.stack(
        [
            np.bincount(np.searchsorted(things, thing), weights[basket, column], len(things))
            / max(totals[column], 1e-9)
            for column in range(len(HALF_LIVES))
        ],
        axis=1,
    )
    latest = np.bincount(np.searchsorted(things, thing), basket >= len(days) - LATEST, len(things))
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
