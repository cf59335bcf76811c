"""A strategy's arrays to the JSON text of its lists: `strategies.base.encode_offers` for all lists at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..learning.sparse import positions
from ..learning.types import BoolArray, FloatArray, IntArray, NumberArray
from ..strategies.base import EVIDENCE, MAX_COUNT, Lists, Reason, round_for_json

if TYPE_CHECKING:
    import pyarrow as pa

LISTS_AT_ONCE = 20_000


@dataclass(frozen=True)
class ItemNames:
    """What offers say of items.

    pks: Item.pk, sorted.
    names: the shop's id as JSON.
    aisles: Category.pk of the aisle.
    """

    pks: IntArray
    names: pa.Array
    aisles: pa.Array

    @classmethod
    def of(cls, items: pa.Table) -> ItemNames:
        """From an Arrow table of columns ITEMS."""
        import pyarrow as pa

        items = items.sort_by("item")
        names = pa.array([json.dumps(name) for name in items["external_id"].to_pylist()], pa.string())
        return cls(items["item"].to_numpy(), names, items["aisle"].combine_chunks().cast(pa.string()))

    def rows(self, pks: IntArray) -> IntArray:
        """Rows of ``pks``; raises KeyError for one that is no item."""
        rows = positions(self.pks, pks)
        if (rows < 0).any():
            raise KeyError("a list offers an item that is not in the catalog")
        return rows


def encode_lists(lists: Lists, names: ItemNames) -> Iterator[tuple[list[int], list[str]]]:
    """Owners and texts of the lists, some at a time; empty lists are left out."""
    lengths = np.diff(lists.starts)
    for first in range(0, len(lists.owners), LISTS_AT_ONCE):
        last = min(first + LISTS_AT_ONCE, len(lists.owners))
        full = lengths[first:last] > 0
        texts = _texts(lists, names, first, last)
        owners = lists.owners[first:last]
        yield owners[full].tolist(), [text for text, is_full in zip(texts, full, strict=True) if is_full]


def _texts(lists: Lists, names: ItemNames, first: int, last: int) -> list[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    start, end = int(lists.starts[first]), int(lists.starts[last])
    rows = names.rows(lists.items[start:end])
    reasons = lists.reasons[start:end]
    widths = np.array([len(EVIDENCE[reason]) for reason in Reason])[reasons]
    # A column past the evidence of a reason is null, and left out by the join.
    evidence = [
        _numbers(lists.evidence[start:end, column], absent=widths <= column)
        for column in range(int(widths.max(initial=0)))
    ]
    offers = pc.binary_join_element_wise(
        names.names.take(pa.array(rows)),
        _numbers(lists.scores[start:end]),
        pa.array(reasons).cast(pa.string()),
        names.aisles.take(pa.array(rows)),
        *evidence,
        ",",
        null_handling="skip",
    )
    offers = pc.binary_join_element_wise("[", offers, "]", "")
    bounds = pa.array(lists.starts[first : last + 1] - start, pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(bounds, offers), ",")
    return pc.binary_join_element_wise("[", joined, "]", "").to_pylist()


def _numbers(values: NumberArray, absent: BoolArray | None = None) -> pa.Array:
    """JSON numbers as `round_for_json` rounds them, ``null`` for what is not finite, Arrow's null where ``absent``.

    Rounding first leaves few distinct values, and each of those is written once.
    """
    import pyarrow as pa

    numbers = pa.array(_rounded(values.astype(np.float64)), mask=absent).dictionary_encode()
    texts = pa.array([json.dumps(round_for_json(number)) for number in numbers.dictionary.to_pylist()], pa.string())
    return texts.take(numbers.indices)


def _rounded(values: FloatArray) -> FloatArray:
    """To four significant digits, but for counts (see `round_for_json`); shape as given."""
    size = np.abs(values)
    usable = np.isfinite(values) & (size > 1e-300) & ((values != np.floor(values)) | (size >= MAX_COUNT))
    exponent = np.floor(np.log10(np.where(usable, size, 1.0)))
    scale = 10.0 ** (3 - exponent)
    return np.where(usable, np.round(np.where(usable, values, 0.0) * scale) / scale, values)
