"""What is known of all items, for personal signals: gathered once by a worker, read by numpy alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from .interests import Weights
from .neighbours import Rows, item_neighbours, liked_by_neighbours, top_k, visitor_neighbours
from .pairs import MIN_CUSTOMERS
from .past import DAY, Past
from .recurrent import Recurrent
from .replenishment import cycles
from .shoppers import Shopper

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from .interactions import Interactions
    from .pairs import Beside, Pairs

RECENT_HALF_LIFE = 30.0
VISITOR_NEIGHBOURS = 150
LIKED = 300
ITEM_NEIGHBOURS = 60
# Buyers' worth of doubt in the likeness of two items.
ITEM_SHRINK = 5.0
POPULAR = 200
# Items kept per need, of what is bought beside it.
BY_NEED = 400


@dataclass(frozen=True)
class Goods:
    """What the catalog says of all items, shape (items,) each.

    aisle, need: numbers from 0 · brand: from 0, -1 for none · price: above 0, or NaN · offered: whether it may be ·
    content: `content_vectors`, shape (items, features).
    """

    aisle: np.ndarray
    need: np.ndarray
    brand: np.ndarray
    price: np.ndarray
    offered: np.ndarray
    content: Rows

    @classmethod
    def plain(cls, aisle: np.ndarray, need: np.ndarray, price: np.ndarray) -> Goods:
        """Of items of which no more is known; all may be offered."""
        items = len(need)
        return cls(aisle, need, np.full(items, -1), price, np.ones(items, bool), Rows.empty(items))


@dataclass(frozen=True)
class Facts:
    """What is known of all items; compact arrays, a row per item unless said otherwise.

    aisle, need: numbers from 0 · baskets, recent: baskets with the item, in all and by decayed weight · total,
    recent_total: all baskets · price: above 0, or NaN · pairs: baskets with both, per anchor · beside: chance per
    aisle · needs, by_need: chance that a basket with need r holds need c, and item c, per need · alike:
    `item_neighbours` · rate, cycle, repeats: per need, as `Cycles` has them · item_rate · size: mean size of the
    baskets with the item · popular: item numbers, most bought first · brand, offered, content: as in `Goods` · co_seen:
    cosine of two items' viewers · segments: as `segments.popularity` · weights: of `interests` · looks: vectors of the
    pictures, each of length 1, or 0 where there is none, shape (items, width); width 0 if they are not asked for ·
    network: what foretells the next item of a history, None if it is not asked for.
    """

    aisle: np.ndarray
    need: np.ndarray
    baskets: np.ndarray
    recent: np.ndarray
    total: float
    recent_total: float
    price: np.ndarray
    pairs: Rows
    beside: Rows
    needs: Rows
    by_need: Rows
    alike: Rows
    rate: np.ndarray
    cycle: np.ndarray
    repeats: np.ndarray
    item_rate: np.ndarray
    size: np.ndarray
    popular: np.ndarray
    brand: np.ndarray
    offered: np.ndarray
    co_seen: Rows
    content: Rows
    segments: Rows
    weights: Weights
    looks: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float16))
    network: Recurrent | None = None

    @classmethod
    def of(
        cls,
        purchases: Interactions,
        goods: Goods,
        pairs: Pairs,
        beside: Beside,
        co_seen: Rows | None = None,
        segments: Rows | None = None,
        weights: Weights | None = None,
    ) -> Facts:
        """From purchase rows that all name a basket, and the shared statistics of the same items and time.

        ``co_seen``: cosine of two items' viewers, shape (items, items) · ``segments``: as `segments.popularity`.
        """
        from scipy.sparse import csr_matrix, diags

        if (purchases.basket < 0).any():
            raise DataError("Personal signals need purchases with a basket: leave the others out.")
        aisle, need, price = goods.aisle, goods.need, goods.price
        items = len(need)
        contents, days = _baskets(purchases, items)
        weight = 0.5 ** ((days.max(initial=0.0) - days) / RECENT_HALF_LIFE)
        baskets = np.asarray(contents.sum(axis=0)).ravel()
        of_need = csr_matrix((np.ones(items, np.float32), (np.arange(items), need)))
        held = (contents @ of_need).tocsr()
        held.data[:] = 1
        with_need = np.maximum(np.asarray(held.sum(axis=0)).ravel(), 1)
        known = purchases.visitor >= 0
        again = cycles(purchases.visitor[known], purchases.item[known], purchases.time[known] / DAY, need)
        return cls(
            aisle,
            need,
            baskets,
            np.asarray((diags(weight) @ contents).sum(axis=0)).ravel(),
            float(len(days)),
            float(weight.sum()),
            price,
            Rows.of(csr_matrix((pairs.baskets, (pairs.anchor, pairs.item)), (items, items))),
            Rows.of(csr_matrix((beside.chance, (beside.aisle, beside.item)), (int(aisle.max()) + 1, items))),
            Rows.of(diags(1 / with_need) @ (held.T @ held)),
            Rows.of(top_k((diags(1 / with_need) @ (held.T @ contents)).tocsr(), BY_NEED)),
            Rows.of(item_neighbours(_spread(bought(purchases, items)), ITEM_NEIGHBOURS, ITEM_SHRINK)),
            again.rate,
            again.days,
            again.repeats,
            again.item_rate,
            (contents.T @ np.asarray(contents.sum(axis=1)).ravel()) / np.maximum(baskets, 1),
            np.argsort(-np.where(goods.offered, baskets, -1.0), kind="stable")[:POPULAR],
            goods.brand,
            goods.offered,
            co_seen or Rows.empty(items),
            goods.content,
            segments or Rows.empty(1),
            weights or Weights(),
        )


def bought(purchases: Interactions, items: int) -> csr_matrix:
    """Own baskets of each visitor with each item, shape (visitors, items) float32."""
    from scipy.sparse import csr_matrix

    known = purchases.visitor >= 0
    basket, item = purchases.basket[known], purchases.item[known]
    # No two visitors share a basket; sorting one number per line is many times as fast as sorting pairs.
    visitor = np.zeros(int(basket.max(initial=-1)) + 1, np.int64)
    visitor[basket] = purchases.visitor[known]
    basket, item = np.divmod(np.unique(basket * items + item), items)
    shape = (len(purchases.visitors), items)
    return csr_matrix((np.ones(len(item), np.float32), (visitor[basket], item)), shape)


def tastes(purchases: Interactions, items: int) -> Rows:
    """What each visitor's nearest others buy: shares of their baskets, shape (visitors, items).

    The likeness of two visitors is the cosine of log(1 + baskets)·log(visitors / visitors with the item). What
    fewer than MIN_CUSTOMERS bought is in nobody's taste: that would show what a single customer bought.
    """
    from scipy.sparse import diags

    counts = bought(purchases, items)
    visitors = counts.shape[0]
    buyers = np.bincount(counts.indices, minlength=items)
    liking = (counts.log1p() @ diags(np.log(max(visitors, 1) / np.maximum(buyers, 1)))).tocsr()
    known = purchases.visitor >= 0
    own = purchases.visitor[known][np.unique(purchases.basket[known], return_index=True)[1]]
    shares = (diags(1 / np.maximum(np.bincount(own, minlength=visitors), 1)) @ counts @ _crowd(counts)).tocsr()
    return Rows.of(liked_by_neighbours(visitor_neighbours(liking, VISITOR_NEIGHBOURS), shares, LIKED))


@dataclass(frozen=True)
class ByVisitor:
    """Where each visitor's events are: those of visitor v are ``order[starts[v]:starts[v + 1]]``, by time."""

    order: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, events: Interactions) -> ByVisitor:
        order = np.argsort(events.visitor, kind="stable")
        return cls(order, np.searchsorted(events.visitor[order], np.arange(len(events.visitors) + 1)))


def pasts(
    events: Interactions, where: ByVisitor, liked: Rows, segment: np.ndarray, wanted: np.ndarray
) -> Iterator[Past]:
    """The `Past` of each ``wanted`` visitor number, by item number; ``liked`` are `tastes`, ``segment`` all labels."""
    for number in wanted.tolist():
        rows = where.order[where.starts[number] : where.starts[number + 1]]
        yield Past.of(
            events.item[rows],
            events.kind[rows],
            events.time[rows] / DAY,
            events.basket[rows],
            events.rating[rows],
            liked.row(number),
            max(int(segment[number]), 0),
        )


def shoppers(events: Interactions, facts: Facts, liked: Rows) -> list[Shopper]:
    """One `Shopper` per visitor number; ``liked`` are `tastes`."""
    everybody = np.arange(len(events.visitors))
    found = pasts(events, ByVisitor.of(events), liked, np.zeros(len(everybody), int), everybody)
    return [Shopper.of(past, facts) for past in found]


def _baskets(purchases: Interactions, items: int) -> tuple[csr_matrix, np.ndarray]:
    """Which basket holds what, shape (baskets, items) float32 of 0 and 1, and the day of each."""
    from scipy.sparse import csr_matrix

    _, first, number = np.unique(purchases.basket, return_index=True, return_inverse=True)
    ones = np.ones(len(number), np.float32)
    contents = csr_matrix((ones, (number, purchases.item)), (len(first), items))
    contents.data[:] = 1
    return contents, purchases.time[first] / DAY


def _spread(counts: csr_matrix) -> csr_matrix:
    """1 per item bought, divided by √(items of the visitor): one who buys everything says little of likeness.

    Items of fewer than MIN_CUSTOMERS are like no other: that would show what a single customer bought.
    """
    from scipy.sparse import diags

    has = counts.copy()
    has.data[:] = 1
    lengths = np.sqrt(np.maximum(np.asarray(has.sum(axis=1)).ravel(), 1))
    spread = (diags(1 / lengths) @ has @ _crowd(has)).tocsr()
    spread.eliminate_zeros()
    return spread


def _crowd(counts: csr_matrix) -> csr_matrix:
    """Takes out the items of fewer than MIN_CUSTOMERS, as a diagonal matrix of 0 and 1."""
    from scipy.sparse import diags

    return diags((np.bincount(counts.indices, minlength=counts.shape[1]) >= MIN_CUSTOMERS).astype(np.float32))
