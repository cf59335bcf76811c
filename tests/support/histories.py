"""Small histories and catalogs whose right answers are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from ecomrec_django.learning.interactions import HISTORY, ITEM_DEFAULTS, ITEMS, schema
from ecomrec_django.learning.statistics.cooccurrence import Statistics
from ecomrec_django.learning.statistics.engine import Engine
from ecomrec_django.learning.statistics.training_data import TrainingData
from ecomrec_django.learning.types import IntArray

START = datetime(2017, 1, 1, tzinfo=UTC)


def history(events: Iterable[dict[str, Any]]) -> pa.Table:
    """Events with defaults: one purchased piece by visitor 1 on the first day."""
    rows = []
    for number, event in enumerate(events, start=1):
        rows.append(
            {
                "event": number,
                "visitor": 1,
                "kind": "purchase",
                "quantity": 1,
                "price": 1.0,
                "rating": None,
                "time": START + timedelta(minutes=number),
                "basket": "",
                "session": "",
                "component": False,
                **event,
            }
        )
    return pa.Table.from_pylist(rows, schema=schema(HISTORY))


def baskets(contents: Sequence[Sequence[int]], visitor: int | None = None) -> list[dict[str, Any]]:
    """Purchases: basket k by ``visitor``, or by visitor k + 1."""
    return [
        {"basket": f"b{visitor}-{number}", "visitor": visitor or number + 1, "item": item}
        for number, content in enumerate(contents)
        for item in content
    ]


def catalog(items: Iterable[dict[str, Any]]) -> pa.Table:
    """Items with defaults: active, without category, price or rating."""
    rows = [{**ITEM_DEFAULTS, "external_id": str(item["item"]), **item} for item in items]
    return pa.Table.from_pylist(rows, schema=schema(ITEMS))


def training(events: Iterable[dict[str, Any]], items: Iterable[dict[str, Any]], **options: Any) -> TrainingData:
    return TrainingData(engine=Engine(threads=2), events=history(events), items=catalog(items), **options)


def statistics(events: Iterable[dict[str, Any]], ids: IntArray, **options: Any) -> Statistics:
    return Statistics(Engine(threads=2), history(events), ids, **options)


def offers(lists: Any, owner: int) -> list[int]:
    """The items of one list; empty where there is none."""
    for row, pk in enumerate(lists.owners):
        if pk == owner:
            return lists.items[lists.starts[row] : lists.starts[row + 1]].tolist()
    return []
