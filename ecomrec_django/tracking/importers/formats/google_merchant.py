"""Product feeds of Google Merchant Center, as text with tabs or as RSS or Atom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from ..cells import Notation
from ..delimited import Record
from .spec import Format

COLUMNS = (
    "id",
    "title",
    "description",
    "price",
    "sale price",
    "availability",
    "brand",
    "product type",
    "google product category",
)


class FeedTable:
    """The products of a feed in XML; the line of a record is its number in the feed."""

    def __init__(self, path: Path, _encoding: str = "") -> None:
        """XML tells its own encoding."""
        self.path = path
        self.header = list(COLUMNS)
        self.looks_like_row: Callable[[list[str]], bool] = bool

    def records(self) -> Iterator[Record]:
        """The products, and what is wrong with the file after the last one."""
        number = 0
        try:
            for _, element in ElementTree.iterparse(self.path):  # noqa: S314  expat bounds what entities expand to
                if element.tag.rpartition("}")[2] not in ("item", "entry"):
                    continue
                number += 1
                texts: dict[str, str] = {}
                for child in element:
                    texts.setdefault(child.tag.rpartition("}")[2].replace("_", " "), (child.text or "").strip())
                yield Record(number, [texts.get(name, "") for name in COLUMNS])
                element.clear()
        except ElementTree.ParseError as error:
            yield Record(number + 1, [], f"the XML cannot be read from here on: {error}")


FORMAT = Format(
    name="google-merchant",
    label="a product feed of Google Merchant Center",
    signature=("id", "title", "price", "availability"),
    columns={
        "item": ("id",),
        "title": ("title",),
        "category": ("product type", "google product category"),
        "brand": ("brand",),
        "price": ("sale price", "price"),
        "available": ("availability",),
        "description": ("description",),
    },
    notation=Notation(decimal="."),
    items=True,
    open=FeedTable,
)
