"""Fixed names and types of what learners read. Everything else in `learning` refers to these schemas, or to the arrays
of `Interactions`, in which visitors, items, baskets and sessions are numbers from 0.

HISTORY: one row per event, as `pipeline.history` writes it to Parquet (a folder per month).
ITEMS: one row per item of the catalog, active or not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# visitor: Visitor.pk, 0 for a guest · item: Item.pk · price: of one piece, NaN if unknown · time: UTC ·
# basket, session: "" if none · quantity: pieces; a `refund` row takes its pieces back from the `purchase` of the same
# basket and item.
HISTORY = {
    "event": "int64",
    "visitor": "int64",
    "item": "int64",
    "kind": "string",
    "quantity": "int32",
    "price": "float64",
    "rating": "float64",
    "time": "timestamp[us, tz=UTC]",
    "basket": "string",
    "session": "string",
}

# item: Item.pk · category: Category.pk of the leaf (the need), 0 if none · aisle: Category.pk of its aisle, 0 if none ·
# attributes: lines of "name=value" · cost: what the item costs the shop, NaN if unknown.
ITEMS = {
    "item": "int64",
    "external_id": "string",
    "title": "string",
    "description": "string",
    "brand": "string",
    "category": "int64",
    "aisle": "int64",
    "category_path": "string",
    "price": "float64",
    "cost": "float64",
    "rating": "float64",
    "attributes": "string",
    "available": "bool",
    "active": "bool",
}

# Visitors whose events need more than their own row says. visitor: Visitor.pk · person: Visitor.pk of the account that
# this history has joined, or itself · excluded_until: events before it are not learned from, null for none.
VISITORS = {
    "visitor": "int64",
    "person": "int64",
    "excluded_until": "timestamp[us, tz=UTC]",
}


def schema(columns: dict[str, str]) -> pa.Schema:
    """The Arrow schema of HISTORY, ITEMS or VISITORS."""
    import pyarrow as pa

    types = {
        "int64": pa.int64(),
        "int32": pa.int32(),
        "float64": pa.float64(),
        "string": pa.string(),
        "bool": pa.bool_(),
        "timestamp[us, tz=UTC]": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])


# `Interactions.kind` is a place in this list.
KINDS = (
    "view_item",
    "add_to_cart",
    "remove_from_cart",
    "purchase",
    "refund",
    "review",
    "view_item_list",
    "select_item",
)


@dataclass(frozen=True)
class IdMap:
    """Ids ↔ numbers 0…len - 1. ``ids``, shape (len,) int64, ascending without repeats."""

    ids: np.ndarray

    def __post_init__(self) -> None:
        if self.ids.ndim != 1 or (np.diff(self.ids) <= 0).any():
            raise DataError("The ids of an IdMap must ascend without repeats: make it with IdMap.of(ids).")

    @classmethod
    def of(cls, ids: np.ndarray) -> IdMap:
        """The map of all distinct ``ids``."""
        return cls(np.unique(np.asarray(ids, np.int64)))

    def __len__(self) -> int:
        return len(self.ids)

    def numbers(self, ids: np.ndarray) -> np.ndarray:
        """The numbers of ``ids``, shape as given; -1 for an unknown one."""
        ids = np.asarray(ids, np.int64)
        if not len(self.ids):
            return np.full(ids.shape, -1)
        found = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[found] == ids, found, -1)


@dataclass(frozen=True)
class Interactions:
    """What visitors did, one row per event in the order of time; every array has shape (events,).

    visitor, item: numbers in ``visitors`` and ``items``, visitor -1 for a guest · kind: a place in KINDS, int8 ·
    value: pieces · time: seconds since 1970, UTC · basket, session: numbers from 0, -1 for none · price: of one piece ·
    rating: stars of a review; both NaN where unknown. Whole numbers are int64, others float64. Raises DataError for
    arrays that are not so.
    """

    visitors: IdMap
    items: IdMap
    visitor: np.ndarray
    item: np.ndarray
    kind: np.ndarray
    value: np.ndarray
    time: np.ndarray
    basket: np.ndarray
    session: np.ndarray
    price: np.ndarray
    rating: np.ndarray

    def __post_init__(self) -> None:
        for name, type_, lowest, end in (
            ("visitor", np.int64, -1, len(self.visitors)),
            ("item", np.int64, 0, len(self.items)),
            ("kind", np.int8, 0, len(KINDS)),
            ("value", np.float64, 0, np.inf),
            ("time", np.int64, None, None),
            ("basket", np.int64, -1, np.inf),
            ("session", np.int64, -1, np.inf),
            ("price", np.float64, None, None),
            ("rating", np.float64, None, None),
        ):
            values = getattr(self, name)
            if values.dtype != type_ or values.shape != self.item.shape or values.ndim != 1:
                raise DataError(
                    f"Interactions.{name} must be {np.dtype(type_)} of shape {self.item.shape}, "
                    f"not {values.dtype} of {values.shape}."
                )
            if lowest is not None and not ((values >= lowest) & (values < end)).all():
                raise DataError(f"Interactions.{name} must lie from {lowest} to below {end}.")
        if (np.diff(self.time) < 0).any():
            raise DataError("Interactions must be sorted by time.")

    @classmethod
    def of(cls, history: pa.Table, items: IdMap) -> Interactions:
        """The events of a ``history`` (columns HISTORY) with known ``items``."""
        columns = {name: history[name].to_numpy() for name in ("visitor", "item", "event", "quantity")}
        kind = kind_numbers(history["kind"])
        known = (items.numbers(columns["item"]) >= 0) & (kind >= 0)
        time = history["time"].to_numpy().astype("datetime64[s]").astype(np.int64)
        rows = np.flatnonzero(known)
        rows = rows[np.lexsort((columns["event"][rows], time[rows]))]
        visitors = IdMap.of(columns["visitor"][rows][columns["visitor"][rows] != 0])
        return cls(
            visitors,
            items,
            visitors.numbers(columns["visitor"][rows]),
            items.numbers(columns["item"][rows]),
            kind[rows].astype(np.int8),
            np.maximum(columns["quantity"][rows], 0).astype(np.float64),
            time[rows],
            _named(history["basket"].to_numpy()[rows], columns["visitor"][rows]),
            _named(history["session"].to_numpy()[rows], columns["visitor"][rows]),
            *(history[name].to_numpy(zero_copy_only=False)[rows].astype(np.float64) for name in ("price", "rating")),
        )

    def __len__(self) -> int:
        return len(self.item)

    def where(self, kept: np.ndarray) -> Interactions:
        """The events of a boolean mask."""
        names = ("visitor", "item", "kind", "value", "time", "basket", "session", "price", "rating")
        return replace(self, **{name: getattr(self, name)[kept] for name in names})

    def of_kind(self, *kinds: str) -> Interactions:
        """The events of some of KINDS."""
        return self.where(np.isin(self.kind, [KINDS.index(kind) for kind in kinds]))


_KIND_ORDER = np.argsort(KINDS)
_SORTED_KINDS = np.array(KINDS)[_KIND_ORDER]


def kind_numbers(kinds: pa.ChunkedArray) -> np.ndarray:
    """Places in KINDS, -1 for an unknown kind."""
    names = kinds.to_numpy().astype(str)
    found = np.minimum(np.searchsorted(_SORTED_KINDS, names), len(KINDS) - 1)
    return np.where(_SORTED_KINDS[found] == names, _KIND_ORDER[found], -1)


def _named(names: np.ndarray, visitor: np.ndarray) -> np.ndarray:
    """Numbers of the distinct (name, visitor) pairs, so that no two visitors share one; -1 for the empty name."""
    given = names.astype(str) != ""
    number = np.full(len(names), -1)
    _, name = np.unique(names[given].astype(str), return_inverse=True)
    _, number[given] = np.unique(np.stack([name, visitor[given]]), axis=1, return_inverse=True)
    return number
