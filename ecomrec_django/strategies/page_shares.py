"""On how many product pages an item stands, and lists in which no item stands on more of them than it may."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..learning.items import active_items
from ..learning.sparse import isin_sorted, positions
from ..learning.types import BoolArray, FloatArray, IntArray
from .base import Lists, StrategyLists

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class PageShares:
    """The lists of one strategy beside items, with the pages that each is for; N offers in all.

    lists: whose ``for_all`` plays no part
    places: offers that a page shows of a list
    pages: products whose pages show each list, those of items first, shape (lists,)
    list_of: number of the list of each offer, shape (N,)
    items: Item.pk of the items offered, ascending, shape (items,)
    item_of: number in ``items`` of each offer, shape (N,)
    scores: of each offer, shape (N,)
    """

    lists: StrategyLists
    places: int
    pages: IntArray
    list_of: IntArray
    items: IntArray
    item_of: IntArray
    scores: FloatArray

    @classmethod
    def of(cls, lists: StrategyLists, items: pa.Table, places: int) -> PageShares:
        """Of an Arrow table of columns ITEMS. A category's list is for its active items without a list of their own."""
        own, general = lists.by_item, lists.by_category
        listed = own.owners[np.diff(own.starts) > 0]
        unlisted = active_items(items) & ~isin_sorted(np.sort(listed), items["item"].to_numpy())
        categories = np.sort(items["category"].to_numpy()[unlisted])
        first = np.searchsorted(categories, general.owners)
        lengths = np.concatenate([np.diff(own.starts), np.diff(general.starts)])
        pks, item_of = np.unique(np.concatenate([own.items, general.items]), return_inverse=True)
        return cls(
            lists=lists,
            places=places,
            pages=np.concatenate(
                [np.ones(len(own.owners), np.int64), np.searchsorted(categories, general.owners, "right") - first]
            )
            * (lengths > 0),
            list_of=np.repeat(np.arange(len(lengths)), lengths),
            items=pks,
            item_of=item_of,
            scores=np.concatenate([own.scores, general.scores]),
        )

    def shares(self) -> FloatArray:
        """Share of the pages on which each of ``items`` has one of the first places."""
        return self._pages_of_items(self._places(np.ones(len(self.item_of), bool))) / max(self.pages.sum(), 1)

    def limited(self, largest: FloatArray) -> StrategyLists:
        """The lists without the offers in which an item exceeds its ``largest`` share, shape (items,).

        Such an item leaves the pages where it stands last, at equal places those that share a list, and then those
        where its score is lowest. The next offers of their lists move up. Every item may stand on one page.
        """
        most = np.maximum(largest * self.pages.sum(), 1.0)
        kept = np.ones(len(self.item_of), bool)
        while True:
            place = self._places(kept)
            excess = self._pages_of_items(place) - most
            if not (excess > 1e-9).any():
                return self._with(kept)
            kept[self._weakest(place, excess)] = False

    def _places(self, kept: BoolArray) -> IntArray:
        """The place of each offer among those ``kept`` of its list, -1 for none of the first."""
        before: IntArray = np.cumsum(kept) - kept
        first = np.searchsorted(self.list_of, np.arange(len(self.pages)))
        place = before - np.append(before, 0)[first][self.list_of]
        return np.where(kept & (place < self.places), place, -1)

    def _pages_of_items(self, place: IntArray) -> FloatArray:
        shown = place >= 0
        pages = np.zeros(len(self.items))
        np.add.at(pages, self.item_of[shown], self.pages[self.list_of[shown]])
        return pages

    def _weakest(self, place: IntArray, excess: FloatArray) -> IntArray:
        """The offers that have to go, so that no item has more pages than it may."""
        rows = np.flatnonzero((place >= 0) & (excess[self.item_of] > 1e-9) & (self.pages[self.list_of] > 0))
        pages = self.pages[self.list_of[rows]]
        order = np.lexsort((self.scores[rows], -pages, -place[rows], self.item_of[rows]))
        rows, pages = rows[order], pages[order]
        item = self.item_of[rows]
        gone = np.cumsum(pages) - pages
        gone -= gone[np.searchsorted(item, item)]
        return rows[gone < excess[item] - 1e-9]

    def _with(self, kept: BoolArray) -> StrategyLists:
        own = len(self.lists.by_item.items)
        return replace(
            self.lists,
            by_item=_kept(self.lists.by_item, kept[:own]),
            by_category=_kept(self.lists.by_category, kept[own:]),
        )


def lists_within(
    limits: dict[int, float], default: float, lists: StrategyLists, items: pa.Table, places: int
) -> PageShares:
    """The lists in which no item exceeds its limit (share of pages by Item.pk), or the ``default``.

    items, places: as of `PageShares`
    """
    while True:
        shares = PageShares.of(lists, items, places)
        limited = shares.limited(largest_shares(shares.items, limits, default))
        # The page of an item whose list is empty now shows its category's.
        if len(limited.by_item.items) + len(limited.by_category.items) == len(shares.item_of):
            return shares
        lists = limited


def largest_shares(items: IntArray, limits: dict[int, float], default: float) -> FloatArray:
    """The lower one of ``default`` and the limit of each item (Item.pk, ascending), shape (items,)."""
    largest = np.full(len(items), default)
    if limits and len(items):
        rows = positions(items, np.array(list(limits)))
        found = rows >= 0
        largest[rows[found]] = np.minimum(default, np.array(list(limits.values()))[found])
    return largest


def _kept(lists: Lists, kept: BoolArray) -> Lists:
    return replace(
        lists,
        starts=np.append(0, np.cumsum(kept))[lists.starts].astype(np.int64),
        items=lists.items[kept],
        scores=lists.scores[kept],
        reasons=lists.reasons[kept],
        evidence=lists.evidence[kept],
    )
