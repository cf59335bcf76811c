"""The tables that a training reads: the catalog's items, excluded visitors, and the exported history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from ..artifacts import history_folder
from ..catalog.successors import heirs
from ..conf import conf
from ..db import to_aware
from ..history.export import HistoryReport
from ..learning.interactions import HISTORY, ITEM_DEFAULTS, ITEMS, SUCCESSORS, VISITORS, schema
from ..learning.progress import Progress
from ..learning.statistics.training_data import TrainingData
from ..models import Item, Visitor
from .image_vectors import load_image_vectors

if TYPE_CHECKING:
    import pyarrow as pa

# Columns of ITEMS in which the catalog may say nothing of an item.
NULLABLE = ("category", "aisle", "category_path", "price", "cost", "rating", "amount", "attributes")


def items_table(items: QuerySet[Item] | None = None) -> pa.Table:
    """Some items, or the whole mirror of the catalog, as an Arrow table of columns ITEMS, sorted by item.

    An item without a category is taken to be of the one that its picture suggests.
    """
    import pyarrow as pa

    rows = (
        (Item.objects.all() if items is None else items)
        .order_by("pk")
        .values_list(
            "pk",
            "external_id",
            "title",
            "description",
            "brand",
            Coalesce("category_id", "picture__category_id"),
            Coalesce("category__aisle_id", "picture__category__aisle_id"),
            Coalesce("category__path", "picture__category__path"),
            "price",
            "cost",
            "rating",
            "amount",
            "unit",
            "attributes",
            "available",
            "active",
            "sellable",
        )
    )
    types = schema(ITEMS)
    columns = list(zip(*rows.iterator(chunk_size=10_000), strict=True))
    if not columns:
        return types.empty_table()
    convert: dict[str, Callable[[Any], Any]] = {"price": float, "cost": float, "rating": float, "attributes": _lines}
    arrays = []
    for column, values in zip(types, columns, strict=True):
        if column.name in NULLABLE:
            change, missing = convert.get(column.name, lambda value: value), ITEM_DEFAULTS[column.name]
            filled = [missing if value is None else change(value) for value in values]
            arrays.append(pa.array(filled, column.type))
        else:
            arrays.append(pa.array(values, column.type))
    return pa.Table.from_arrays(arrays, schema=types)


def _lines(attributes: dict[str, str]) -> str:
    return "\n".join(f"{name}={value}" for name, value in sorted(attributes.items()))


def visitors_table() -> pa.Table:
    """The visitors that joined an account or withdrew consent, as an Arrow table of columns VISITORS."""
    import pyarrow as pa

    excluded = Coalesce("merged_into__excluded_until", "excluded_until")
    rows = (
        Visitor.objects.annotate(excluded=excluded)
        .filter(Q(merged_into__isnull=False) | Q(excluded__isnull=False))
        .order_by("pk")
        .values_list("pk", "merged_into", "excluded")
    )
    columns: list[list[Any]] = [[], [], []]
    for pk, merged_into, until in rows.iterator(chunk_size=10_000):
        for column, value in zip(columns, (pk, merged_into or pk, until and to_aware(until)), strict=True):
            column.append(value)
    types = schema(VISITORS)
    arrays = [pa.array(values, column.type) for values, column in zip(columns, types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=types)


def successors_table() -> pa.Table:
    """The items that are gone and others took the place of, as an Arrow table of columns SUCCESSORS."""
    import pyarrow as pa

    found = heirs()
    return pa.table({"item": [*found], "successor": [*found.values()]}, schema=schema(SUCCESSORS))


def training_data(history: HistoryReport, items: pa.Table, until: datetime, progress: Progress) -> TrainingData:
    """All that may be learned from of the ``items`` (columns ITEMS): the exported history before ``until``."""
    from ..learning.statistics.engine import Engine

    image_vectors, image_network = load_image_vectors(items)
    return TrainingData(
        engine=Engine(memory=conf.MEMORY, threads=conf.THREADS),
        image_vectors=image_vectors,
        image_network=image_network,
        events=str(history_folder()) if history.total else schema(HISTORY).empty_table(),
        items=items,
        visitors=visitors_table(),
        successors=successors_table(),
        until=until,
        progress=progress,
    )
