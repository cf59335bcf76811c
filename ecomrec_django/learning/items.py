"""Columns of the item table (Arrow, columns ITEMS) as arrays; shape (items,) each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .interactions import to_floats
from .types import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    import pyarrow as pa


def category_groups(items: pa.Table, column: str) -> IntArray:
    """Category.pk of the items' needs ("category") or aisles ("aisle"), below 0 for an item that is its own."""
    category = items[column].to_numpy()
    # Negative numbers are free: a primary key is positive.
    return np.where(category == 0, -np.arange(1, len(category) + 1), category)


def active_items(items: pa.Table) -> BoolArray:
    """Whether each item may be offered: neither fees nor, unless all are free, what is sold at 0."""
    active, sellable = (items[name].to_numpy(zero_copy_only=False).astype(bool) for name in ("active", "sellable"))
    free = to_floats(items["price"]) == 0
    return active & sellable & (~free | ~np.isfinite(known_prices(items)).any())


def known_prices(items: pa.Table) -> FloatArray:
    """Prices above 0, NaN for all others."""
    price = to_floats(items["price"])
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(price) & (price > 0), price, np.nan)
