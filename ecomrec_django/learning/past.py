"""What one shopper did, as a few arrays that go into one database field and come out by numpy alone."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import DataError
from .interactions import KINDS, IdMap

PURCHASE = KINDS.index("purchase")
# The latest of either that are kept: who did more is known well by them.
MOST_LINES, MOST_ACTS = 3_000, 200

DAY = 86_400
# Times are stored in whole seconds.
STORED_DAYS = 1 / DAY

_HEADER = struct.Struct("<BBHII")
_VERSION = 2
_ITEM_TYPES: dict[int, np.dtype[Any]] = {4: np.dtype("<i4"), 8: np.dtype("<i8")}


@dataclass(frozen=True)
class Past:
    """Events of one shopper in the order of time, and what neighbours like; by Item.pk or by item number.

    item int64 · kind: a place in KINDS, int8 · day: since 1970, float64 · basket: of a purchase, numbered from 0 in
    the order of time, -1 for other kinds, int64 · rating: stars of a review, else NaN, float64; shape (events,) each ·
    liked, liked_by: items and by what share of the neighbours' baskets, shape (liked,) · segment: label, 0 for none.
    """

    item: np.ndarray
    kind: np.ndarray
    day: np.ndarray
    basket: np.ndarray
    rating: np.ndarray
    liked: np.ndarray
    liked_by: np.ndarray
    segment: int = 0

    @classmethod
    def empty(cls) -> Past:
        none, nothing = np.empty(0, np.int64), np.empty(0)
        return cls(none, none.astype(np.int8), nothing, none, nothing, none, nothing)

    @classmethod
    def of(
        cls,
        item: np.ndarray,
        kind: np.ndarray,
        day: np.ndarray,
        basket: np.ndarray,
        rating: np.ndarray,
        liked: tuple[np.ndarray, np.ndarray] | None = None,
        segment: int = 0,
    ) -> Past:
        """From events in any order, shape (events,) each; ``basket`` names those of purchases by any numbers."""
        order = np.argsort(day, kind="stable")
        item, kind, day, rating = item[order], kind[order], day[order], rating[order]
        bought = kind == PURCHASE
        number = np.full(len(item), -1)
        _, first, own = np.unique(basket[order][bought], return_index=True, return_inverse=True)
        # Baskets by the time of their first line; their own numbers say nothing of it.
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first, kind="stable")] = np.arange(len(first))
        number[bought] = rank[own]
        liked_item, liked_by = liked or (np.empty(0, np.int64), np.empty(0))
        return cls(item.astype(np.int64), kind.astype(np.int8), day, number, rating, liked_item, liked_by, segment)

    def __len__(self) -> int:
        return len(self.item)

    def later(self, item: np.ndarray, kind: np.ndarray, day: np.ndarray, basket: np.ndarray) -> Past:
        """With events that came after; ``basket`` as in `of`, of baskets that are not in here yet."""
        if not len(item):
            return self
        new = Past.of(item, kind, day, basket, np.full(len(item), np.nan))
        shift = int(self.basket.max(initial=-1)) + 1
        new = replace(new, basket=np.where(new.basket >= 0, new.basket + shift, -1))
        names = ("item", "kind", "day", "basket", "rating")
        both: dict[str, Any] = {name: np.concatenate([getattr(self, name), getattr(new, name)]) for name in names}
        return replace(self, **both)

    def joined(self, other: Past) -> Past:
        """With the events of ``other``, in the order of time; taste and segment stay."""
        shifted = np.where(other.basket >= 0, other.basket + int(self.basket.max(initial=-1)) + 1, -1)
        names = ("item", "kind", "day", "rating")
        item, kind, day, rating = (np.r_[getattr(self, name), getattr(other, name)] for name in names)
        baskets = np.r_[self.basket, shifted]
        return Past.of(item, kind, day, baskets, rating, (self.liked, self.liked_by), self.segment)

    def since(self, day: float) -> Past:
        """Without the events before ``day``; what lies within STORED_DAYS of it goes too, as `packed` rounds times."""
        kept = self.day >= day + STORED_DAYS
        names = ("item", "kind", "day", "basket", "rating")
        item, kind, when, basket, rating = (getattr(self, name)[kept] for name in names)
        return Past.of(item, kind, when, basket, rating, (self.liked, self.liked_by), self.segment)

    def numbered(self, items: IdMap) -> Past:
        """By item number instead of Item.pk; items that ``items`` does not know are left out."""
        number, liked = items.numbers(self.item), items.numbers(self.liked)
        known, known_liked = number >= 0, liked >= 0
        order = np.argsort(liked[known_liked], kind="stable")
        return replace(
            self,
            item=number[known],
            kind=self.kind[known],
            day=self.day[known],
            basket=self.basket[known],
            rating=self.rating[known],
            liked=liked[known_liked][order],
            liked_by=self.liked_by[known_liked][order],
        )

    def of_ids(self, ids: np.ndarray) -> Past:
        """By Item.pk instead of item number; ``ids`` of all numbers."""
        return replace(self, item=ids[self.item], liked=ids[self.liked])

    def packed(self) -> bytes:
        """The latest MOST_LINES purchases and MOST_ACTS other events, and what neighbours like, as bytes."""
        bought = self.kind == PURCHASE
        kept = np.sort(np.r_[np.flatnonzero(bought)[-MOST_LINES:], np.flatnonzero(~bought)[-MOST_ACTS:]])
        width = 4 if max(self.item.max(initial=0), self.liked.max(initial=0)) < 2**31 else 8
        items = _ITEM_TYPES[width]
        return b"".join(
            [
                _HEADER.pack(_VERSION, width, self.segment, len(kept), len(self.liked)),
                self.item[kept].astype(items).tobytes(),
                np.rint(self.day[kept] * DAY).astype("<u4").tobytes(),
                self.basket[kept].astype("<i4").tobytes(),
                self.rating[kept].astype("<f2").tobytes(),
                self.kind[kept].astype("i1").tobytes(),
                self.liked.astype(items).tobytes(),
                self.liked_by.astype("<f2").tobytes(),
            ]
        )

    @classmethod
    def unpacked(cls, data: bytes) -> Past:
        """From what `packed` gave. Raises DataError for anything else."""
        try:
            version, width, segment, events, liked = _HEADER.unpack_from(data)
            items = _ITEM_TYPES[width]
        except (struct.error, KeyError) as error:
            raise DataError("A shopper's profile cannot be read: train again.") from error
        parts, at = [], _HEADER.size
        of_events, of_liked = (items, *map(np.dtype, ("<u4", "<i4", "<f2", "i1"))), (items, np.dtype("<f2"))
        for type_, size in [*((each, events) for each in of_events), *((each, liked) for each in of_liked)]:
            parts.append((type_, size, at))
            at += type_.itemsize * size
        if version != _VERSION or at != len(data):
            raise DataError("A shopper's profile cannot be read: train again.")
        item, day, basket, rating, kind, liked_item, liked_by = (
            np.frombuffer(data, type_, size, at) for type_, size, at in parts
        )
        return cls(
            item.astype(np.int64),
            kind.astype(np.int8),
            day / DAY,
            basket.astype(np.int64),
            rating.astype(np.float64),
            liked_item.astype(np.int64),
            liked_by.astype(np.float64),
            segment,
        )
