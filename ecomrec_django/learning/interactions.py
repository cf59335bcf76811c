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
from .sparse import positions
from .types import AnyArray, BoolArray, FloatArray, IntArray, ObjectArray

if TYPE_CHECKING:
    import pyarrow as pa

# visitor: Visitor.pk, 0 for a guest · item: Item.pk · price: of one piece, NaN if unknown · time: UTC ·
# basket, session: "" if none · quantity: pieces, or a weight or length; a `refund` row takes its own back from the
# `purchase` of the same basket and item · component: of a kit whose own line is there as well.
HISTORY = {
    "event": "int64",
    "visitor": "int64",
    "item": "int64",
    "kind": "string",
    "quantity": "float64",
    "price": "float64",
    "rating": "float64",
    "time": "timestamp[us, tz=UTC]",
    "basket": "string",
    "session": "string",
    "component": "bool",
}

# item: Item.pk · category: Category.pk of the leaf (the need), 0 if none · aisle: Category.pk of its aisle, 0 if none ·
# attributes: lines of "name=value" · cost: what the item costs the shop, NaN if unknown ·
# amount: what it holds in its unit, one of `amounts.UNITS`; NaN and "" if unknown ·
# sellable: false for fees and whatever else shoppers do not choose.
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
    "amount": "float64",
    "unit": "string",
    "attributes": "string",
    "available": "bool",
    "active": "bool",
    "sellable": "bool",
}

# Visitors whose events need more than their own row says. visitor: Visitor.pk · person: Visitor.pk of the account that
# this history has joined, or itself · excluded_until: events before it are not learned from, null for none.
VISITORS = {
    "visitor": "int64",
    "person": "int64",
    "excluded_until": "timestamp[us, tz=UTC]",
}


# Items that are gone and others took the place of. item: Item.pk · successor: Item.pk to which its history belongs.
SUCCESSORS = {
    "item": "int64",
    "successor": "int64",
}


def schema(columns: dict[str, str]) -> pa.Schema:
    """The Arrow schema of HISTORY, ITEMS, VISITORS or SUCCESSORS."""
    import pyarrow as pa

    types = {
        "int64": pa.int64(),
        "float64": pa.float64(),
        "string": pa.string(),
        "bool": pa.bool_(),
        "timestamp[us, tz=UTC]": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])


# What an item has where a catalog says nothing of it; ``item`` and ``external_id`` it always has.
ITEM_DEFAULTS = {
    "title": "",
    "description": "",
    "brand": "",
    "category": 0,
    "aisle": 0,
    "category_path": "",
    "price": float("nan"),
    "cost": float("nan"),
    "rating": float("nan"),
    "amount": float("nan"),
    "unit": "",
    "attributes": "",
    "available": True,
    "active": True,
    "sellable": True,
}

# Seconds.
DAY = 86_400
# The latest events of a visitor other than purchases that are learned from: more of them add nothing.
MAX_OTHER_EVENTS = 200

# `Interactions.kind` is a position in this list.
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
    """Ids ↔ numbers 0…len - 1.

    ids: shape (len,) int64, ascending without repeats
    """

    ids: IntArray

    def __post_init__(self) -> None:
        if self.ids.ndim != 1 or (np.diff(self.ids) <= 0).any():
            raise DataError("The ids of an IdMap must be sorted and unique: use IdMap.of(ids).")

    @classmethod
    def of(cls, ids: AnyArray) -> IdMap:
        """The map of all distinct ``ids``."""
        return cls(np.unique(np.asarray(ids, np.int64)))

    def __len__(self) -> int:
        return len(self.ids)

    def numbers(self, ids: AnyArray) -> IntArray:
        """The numbers of ``ids``, shape as given; -1 for an unknown one."""
        return positions(self.ids, np.asarray(ids, np.int64))


@dataclass(frozen=True, kw_only=True)
class Interactions:
    """What visitors did, one row per event in the order of time; every array has shape (events,).

    visitors, items: the ids behind the numbers
    visitor: a number in ``visitors``, int64; -1 for a guest
    item: a number in ``items``, int64
    kind: a position in KINDS, int8
    value: pieces, float64
    time: seconds since 1970, UTC, int64
    basket, session: numbers from 0, int64; -1 for none
    price: of one piece, float64; NaN where unknown
    rating: stars of a review, float64; NaN where unknown

    Raises DataError for arrays of another type, shape or range.
    """

    visitors: IdMap
    items: IdMap
    visitor: IntArray
    item: IntArray
    kind: IntArray
    value: FloatArray
    time: IntArray
    basket: IntArray
    session: IntArray
    price: FloatArray
    rating: FloatArray

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
        kind = kind_numbers(history["kind"])
        known = (items.numbers(history["item"].to_numpy()) >= 0) & (kind >= 0)
        time = to_seconds(history["time"])
        rows = np.flatnonzero(known)
        rows = rows[np.lexsort((history["event"].to_numpy()[rows], time[rows]))]
        visitor = history["visitor"].to_numpy()[rows]
        visitors = IdMap.of(visitor[visitor != 0])
        return cls(
            visitors=visitors,
            items=items,
            visitor=visitors.numbers(visitor),
            item=items.numbers(history["item"].to_numpy()[rows]),
            kind=kind[rows].astype(np.int8),
            value=np.maximum(history["quantity"].to_numpy()[rows], 0).astype(np.float64),
            time=time[rows],
            basket=_numbers_of_names(history["basket"].to_numpy()[rows], visitor),
            session=_numbers_of_names(history["session"].to_numpy()[rows], visitor),
            price=to_floats(history["price"])[rows],
            rating=to_floats(history["rating"])[rows],
        )

    def __len__(self) -> int:
        return len(self.item)

    def where(self, mask: BoolArray) -> Interactions:
        """The events of a boolean mask, shape (events,)."""
        names = ("visitor", "item", "kind", "value", "time", "basket", "session", "price", "rating")
        return replace(self, **{name: getattr(self, name)[mask] for name in names})

    def of_kind(self, *kinds: str) -> Interactions:
        """The events of some of KINDS."""
        return self.where(np.isin(self.kind, [KINDS.index(kind) for kind in kinds]))


_KIND_ORDER = np.argsort(KINDS)
_SORTED_KINDS = np.array(KINDS)[_KIND_ORDER]


def kind_numbers(kinds: pa.ChunkedArray) -> IntArray:
    """Positions in KINDS, -1 for an unknown kind."""
    names = kinds.to_numpy().astype(str)
    places = positions(_SORTED_KINDS, names)
    return np.where(places >= 0, _KIND_ORDER[places], -1)


def to_seconds(column: pa.ChunkedArray) -> IntArray:
    """Moments as seconds since 1970, UTC, int64."""
    return column.to_numpy().astype("datetime64[s]").astype(np.int64)


def to_floats(column: pa.ChunkedArray) -> FloatArray:
    """Numbers as float64, NaN for null."""
    return column.to_numpy(zero_copy_only=False).astype(np.float64)


def _numbers_of_names(names: ObjectArray, visitor: IntArray) -> IntArray:
    """Numbers of the distinct (name, visitor) pairs, so that no two visitors share one; -1 for the empty name."""
    present = names.astype(str) != ""
    numbers = np.full(len(names), -1)
    _, name = np.unique(names[present].astype(str), return_inverse=True)
    _, numbers[present] = np.unique(np.stack([name, visitor[present]]), axis=1, return_inverse=True)
    return numbers
