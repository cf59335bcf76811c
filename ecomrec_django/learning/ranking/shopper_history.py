"""The history of one shopper as arrays, stored in one database field and read by numpy alone."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import DataError
from ..interactions import DAY, KINDS, MAX_OTHER_EVENTS, IdMap
from ..types import FloatArray, IntArray

PURCHASE = KINDS.index("purchase")
# Purchase lines of a stored history; the latest ones describe a shopper who has more well enough.
MAX_PURCHASE_LINES = 3_000

# Times are stored in whole seconds.
DAY_RESOLUTION = 1 / DAY

_HEADER = struct.Struct("<BBHII")
_VERSION = 2
_ITEM_TYPES: dict[int, np.dtype[Any]] = {4: np.dtype("<i4"), 8: np.dtype("<i8")}
_EVENT_COLUMNS = ("item", "kind", "day", "basket", "rating")


@dataclass(frozen=True, kw_only=True)
class ShopperHistory:
    """Events of one shopper in the order of time, and what neighbours buy; by Item.pk or by item number.

    item: int64, shape (events,), as the next four
    kind: a place in KINDS, int8
    day: since 1970, float64
    basket: of a purchase, numbered from 0 in the order of time, -1 for other kinds, int64
    rating: stars of a review, else NaN, float64
    neighbour_items: bought by similar shoppers, int64, shape (neighbour items,)
    neighbour_shares: share of those shoppers' baskets with each, float64, shape (neighbour items,)
    segment: label, 0 for none
    """

    item: IntArray
    kind: IntArray
    day: FloatArray
    basket: IntArray
    rating: FloatArray
    neighbour_items: IntArray
    neighbour_shares: FloatArray
    segment: int = 0

    @classmethod
    def empty(cls) -> ShopperHistory:
        """The history of a shopper without events."""
        numbers, amounts = np.empty(0, np.int64), np.empty(0)
        return cls.of(numbers, numbers.astype(np.int8), amounts, numbers, amounts)

    @classmethod
    def of(
        cls,
        item: IntArray,
        kind: IntArray,
        day: FloatArray,
        basket: IntArray,
        rating: FloatArray,
        neighbour_taste: tuple[IntArray, FloatArray] | None = None,
        segment: int = 0,
    ) -> ShopperHistory:
        """From events in any order, shape (events,) each; ``basket`` names those of purchases by any numbers.

        ``neighbour_taste``: neighbour items and shares.
        """
        order = np.argsort(day, kind="stable")
        item, kind, day, rating = item[order], kind[order], day[order], rating[order]
        bought = kind == PURCHASE
        number = np.full(len(item), -1)
        _, first, line_basket = np.unique(basket[order][bought], return_index=True, return_inverse=True)
        # Baskets are numbered by the time of their first line.
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first, kind="stable")] = np.arange(len(first))
        number[bought] = rank[line_basket]
        neighbour_items, neighbour_shares = neighbour_taste or (np.empty(0, np.int64), np.empty(0))
        return cls(
            item=item.astype(np.int64),
            kind=kind.astype(np.int8),
            day=day,
            basket=number,
            rating=rating,
            neighbour_items=neighbour_items,
            neighbour_shares=neighbour_shares,
            segment=segment,
        )

    def __len__(self) -> int:
        return len(self.item)

    def with_later(self, item: IntArray, kind: IntArray, day: FloatArray, basket: IntArray) -> ShopperHistory:
        """With later events; ``basket`` as in `of`, all of them new baskets."""
        if not len(item):
            return self
        later = ShopperHistory.of(item, kind, day, basket, np.full(len(item), np.nan))
        later = replace(later, basket=self._shifted(later.basket))
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(later, name)]) for name in _EVENT_COLUMNS
        }
        return replace(self, **columns)

    def merged_with(self, other: ShopperHistory) -> ShopperHistory:
        """With the events of ``other``, in the order of time; neighbour items and segment stay."""
        item, kind, day, rating = (
            np.r_[getattr(self, name), getattr(other, name)] for name in ("item", "kind", "day", "rating")
        )
        return self._with_events(item, kind, day, np.r_[self.basket, self._shifted(other.basket)], rating)

    def after(self, day: float) -> ShopperHistory:
        """Without the events before ``day`` + DAY_RESOLUTION: `to_bytes` rounds times."""
        later = self.day >= day + DAY_RESOLUTION
        return self._with_events(*(getattr(self, name)[later] for name in _EVENT_COLUMNS))

    def _shifted(self, basket: IntArray) -> IntArray:
        """Basket numbers of another history, continuing those of this one."""
        return np.where(basket >= 0, basket + int(self.basket.max(initial=-1)) + 1, -1)

    def _with_events(
        self, item: IntArray, kind: IntArray, day: FloatArray, basket: IntArray, rating: FloatArray
    ) -> ShopperHistory:
        taste = (self.neighbour_items, self.neighbour_shares)
        return ShopperHistory.of(item, kind, day, basket, rating, taste, self.segment)

    def to_numbers(self, items: IdMap) -> ShopperHistory:
        """By item number instead of Item.pk; items unknown to ``items`` are left out."""
        number, neighbour = items.numbers(self.item), items.numbers(self.neighbour_items)
        known, known_neighbour = number >= 0, neighbour >= 0
        order = np.argsort(neighbour[known_neighbour], kind="stable")
        return replace(
            self,
            item=number[known],
            kind=self.kind[known],
            day=self.day[known],
            basket=self.basket[known],
            rating=self.rating[known],
            neighbour_items=neighbour[known_neighbour][order],
            neighbour_shares=self.neighbour_shares[known_neighbour][order],
        )

    def to_ids(self, ids: IntArray) -> ShopperHistory:
        """By Item.pk instead of item number; ``ids`` of all numbers."""
        return replace(self, item=ids[self.item], neighbour_items=ids[self.neighbour_items])

    def to_bytes(self) -> bytes:
        """The latest MAX_PURCHASE_LINES purchases and MAX_OTHER_EVENTS other events, and the neighbour items."""
        bought = self.kind == PURCHASE
        lines, others = np.flatnonzero(bought)[-MAX_PURCHASE_LINES:], np.flatnonzero(~bought)[-MAX_OTHER_EVENTS:]
        latest = np.sort(np.r_[lines, others])
        width = 4 if max(self.item.max(initial=0), self.neighbour_items.max(initial=0)) < 2**31 else 8
        item_type = _ITEM_TYPES[width]
        return b"".join(
            [
                _HEADER.pack(_VERSION, width, self.segment, len(latest), len(self.neighbour_items)),
                self.item[latest].astype(item_type).tobytes(),
                np.rint(self.day[latest] * DAY).astype("<u4").tobytes(),
                self.basket[latest].astype("<i4").tobytes(),
                self.rating[latest].astype("<f2").tobytes(),
                self.kind[latest].astype("i1").tobytes(),
                self.neighbour_items.astype(item_type).tobytes(),
                self.neighbour_shares.astype("<f2").tobytes(),
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ShopperHistory:
        """From the result of `to_bytes`. Raises DataError for anything else."""
        try:
            version, width, segment, events, neighbours = _HEADER.unpack_from(data)
            item_type = _ITEM_TYPES[width]
        except (struct.error, KeyError) as error:
            raise DataError("A shopper's profile cannot be read: train again.") from error
        columns, offset = [], _HEADER.size
        types = (item_type, *map(np.dtype, ("<u4", "<i4", "<f2", "i1")), item_type, np.dtype("<f2"))
        for type_, size in zip(types, (*[events] * 5, *[neighbours] * 2), strict=True):
            columns.append((type_, size, offset))
            offset += type_.itemsize * size
        if version != _VERSION or offset != len(data):
            raise DataError("A shopper's profile cannot be read: train again.")
        item, day, basket, rating, kind, neighbour_items, neighbour_shares = (
            np.frombuffer(data, type_, size, start) for type_, size, start in columns
        )
        return cls(
            item=item.astype(np.int64),
            kind=kind.astype(np.int8),
            day=day / DAY,
            basket=basket.astype(np.int64),
            rating=rating.astype(np.float64),
            neighbour_items=neighbour_items.astype(np.int64),
            neighbour_shares=neighbour_shares.astype(np.float64),
            segment=segment,
        )
