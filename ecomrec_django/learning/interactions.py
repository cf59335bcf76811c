"""Fixed names and types of what learners read. Everything else in `learning` refers to these schemas.

HISTORY: one row per event, as `pipeline.history` writes it to Parquet (a folder per month).
ITEMS: one row per item of the catalog, active or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

# item: Item.pk · category: Category.pk of the leaf (the need), 0 if none · aisle: Category.pk of its aisle, 0 if none.
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
    "rating": "float64",
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
