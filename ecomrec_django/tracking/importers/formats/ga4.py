"""Events of Google Analytics 4 as BigQuery exports them: a JSON object a line, each with the items it is about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ....errors import DataError
from ..cells import Notation
from ..delimited import Record, detect_encoding
from .spec import Format

COLUMNS = (
    *("event name", "event timestamp", "user id", "user pseudo id", "session", "transaction id", "currency"),
    *("item id", "quantity", "price"),
)


class EventTable:
    """The items of the events of an export; those of one event share its line."""

    def __init__(self, path: Path, encoding: str = "") -> None:
        self.path = path
        self.header = list(COLUMNS)
        self.looks_like_row: Callable[[list[str]], bool] = bool
        self._encoding = encoding or detect_encoding(path)

    def records(self) -> Iterator[Record]:
        """One row for each item of an event, or one without for an event without items."""
        try:
            with self.path.open(encoding=self._encoding) as file:
                for number, line in enumerate(file, 1):
                    yield from self._rows(number, line.strip())
        except UnicodeError as error:
            raise DataError(f"{self.path} is not {self._encoding} text: {error}.") from error

    def _rows(self, number: int, line: str) -> Iterator[Record]:
        if not line:
            yield Record(number, [])
            return
        try:
            event = json.loads(line, parse_float=str)
        except ValueError as error:
            yield Record(number, [line], f"it is not JSON: {error}")
            return
        if not isinstance(event, dict):
            yield Record(number, [line], "it is not a JSON object")
            return
        order, items = event.get("ecommerce"), event.get("items")
        shared = [
            *(event.get(name) for name in ("event_name", "event_timestamp", "user_id", "user_pseudo_id")),
            _parameter(event, "ga_session_id"),
            (order.get("transaction_id") if isinstance(order, dict) else None) or _parameter(event, "transaction_id"),
            _parameter(event, "currency"),
        ]
        for item in items if isinstance(items, list) and items else [{}]:
            about = item if isinstance(item, dict) else {}
            yield Record(
                number, [_text(value) for value in (*shared, *map(about.get, ("item_id", "quantity", "price")))]
            )


def _parameter(event: dict[str, Any], name: str) -> Any:
    """The value of one of the event's parameters."""
    for parameter in event.get("event_params") or ():
        if isinstance(parameter, dict) and parameter.get("key") == name and isinstance(parameter.get("value"), dict):
            return next((value for value in parameter["value"].values() if value is not None), None)
    return None


def _text(value: Any) -> str:
    return "" if value is None or value == "(not set)" else str(value)


FORMAT = Format(
    name="ga4",
    label="events of Google Analytics 4",
    signature=("event name", "event timestamp", "item id"),
    columns={
        "event": ("event name",),
        "visitor": ("user id", "user pseudo id"),
        "item": ("item id",),
        "quantity": ("quantity",),
        "price": ("price",),
        "time": ("event timestamp",),
        "basket": ("transaction id",),
        "session": ("session",),
        "currency": ("currency",),
    },
    events={
        "view_item": "view_item",
        "add_to_cart": "add_to_cart",
        "remove_from_cart": "remove_from_cart",
        "purchase": "purchase",
        "refund": "refund",
        "view_item_list": "view_item_list",
        "select_item": "select_item",
        "*": "",
    },
    notation=Notation(decimal="."),
    open=EventTable,
)
