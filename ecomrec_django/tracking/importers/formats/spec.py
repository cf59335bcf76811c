"""What a format of files says: which of its columns hold what, and how it writes numbers and times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Protocol

from ....errors import DataError
from ..cells import Notation
from ..delimited import Record

EVENT_COLUMNS = ("event", "visitor", "item", "quantity", "price", "time", "basket", "session", "rating")
# Of orders besides: an e-mail address, of which only a hash is kept; what tells a line from the others of its order;
# the price of the whole line; the currency of the prices.
MORE_EVENT_COLUMNS = ("email", "line", "total", "currency")
ITEM_COLUMNS = ("item", "title", "category", "brand", "price", "rating", "available", "image", "description")
# What the rows of one product share.
MORE_ITEM_COLUMNS = ("group",)


class Table(Protocol):
    """A file as rows of cells under a header."""

    path: Path
    header: list[str]
    looks_like_row: Callable[[list[str]], bool]

    def records(self) -> Iterator[Record]:
        """Its rows."""
        ...


@dataclass(frozen=True, kw_only=True)
class Format:
    """How the files of one origin tell events or products.

    name: for the option --format, such as "retailrocket"
    label: its name for people
    columns: where each of our columns comes from: the first of these columns that is not empty
    signature: columns by which its files are recognised; it has all of them
    constants: texts of our columns that its files lack
    events: our kinds of events by its own names, lower case, "*" for all others; empty for kinds that are not imported
    cancelled: columns that say whether an order was cancelled, and the values that say so, lower case; any text if none
    carried: our columns that only the first row of an order or product fills
    group: our column by which rows belong to one order or product
    needed: our column without which a row is neither an event nor a product
    lists: our columns that may hold several values, of which the first counts, and what stands between these
    notation: of its numbers and times
    items: whether it tells products, rather than events
    open: opens a file that is not delimited text
    """

    name: str
    label: str
    columns: Mapping[str, Sequence[str]]
    signature: Sequence[str] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, str] = field(default_factory=dict)
    cancelled: Mapping[str, Sequence[str]] = field(default_factory=dict)
    carried: Sequence[str] = ()
    group: str = "basket"
    needed: str = ""
    lists: Mapping[str, str] = field(default_factory=dict)
    notation: Notation = field(default_factory=Notation)
    items: bool = False
    open: Callable[[Path, str], Table] | None = None

    def fits(self, header: Sequence[str]) -> bool:
        """Whether a file with this header is of this format."""
        return bool(self.signature) and set(self.signature) <= set(names_of(header))


class Picker:
    """Takes our columns out of the rows of one file.

    pick(cells): texts in the order of ``names``, None if the row is neither an event nor a product
    """

    def __init__(self, format: Format, header: Sequence[str], names: Sequence[str], required: Sequence[str]) -> None:
        """Raises DataError if the file lacks a required column."""
        self.names = tuple(names)
        given = names_of(header)
        self._width = len(given)
        sources = {
            name: [given.index(column) for column in format.columns.get(name, ()) if column in given] for name in names
        }
        self.given = frozenset(name for name in names if sources[name] or name in format.constants)
        missing = [format.columns.get(name, (name,))[0] for name in required if name not in self.given]
        if missing:
            known = [source for sources in format.columns.values() for source in sources]
            problem = f"has no column {', '.join(missing)}" if any(given) else "is empty"
            raise DataError(
                f"The file {problem}. Its first line must name its columns: {', '.join(known)} (required are "
                f"{', '.join(required)})."
            )
        first = [sources[name][0] if sources[name] else self._width for name in names]
        self._take = itemgetter(*first)
        self._constants = [
            (place, format.constants[name]) for place, name in enumerate(names) if name in format.constants
        ]
        self._others = [(place, sources[name][1:]) for place, name in enumerate(names) if sources[name][1:]]
        self._carried = [names.index(name) for name in format.carried]
        self._group = names.index(format.group) if format.carried else 0
        self._needed = names.index(format.needed) if format.needed else -1
        self._lists = [(names.index(name), between) for name, between in format.lists.items()]
        self._cancelled = [
            (given.index(column), frozenset(values)) for column, values in format.cancelled.items() if column in given
        ]
        self._last: list[str] = []
        self._last_cancelled = False
        self.is_cancelled = False

    def pick(self, cells: list[str]) -> list[str] | None:
        """Our columns of one row, in the order of ``names``; None if it is neither an event nor a product."""
        picked = [text.strip() for text in self._take([*cells, ""])]
        for place, text in self._constants:
            picked[place] = picked[place] or text
        for place, sources in self._others:
            if not picked[place]:
                picked[place] = next((text for source in sources if (text := cells[source].strip())), "")
        if self._cancelled:
            self.is_cancelled = any(
                text in values if values else bool(text)
                for source, values in self._cancelled
                for text in [cells[source].strip().lower()]
            )
        for place, between in self._lists:
            picked[place] = picked[place].split(between)[0]
        if self._carried:
            self._carry(picked)
        return None if self._needed >= 0 and not picked[self._needed] else picked

    def _carry(self, picked: list[str]) -> None:
        if self._last and picked[self._group] and picked[self._group] == self._last[self._group]:
            for place in self._carried:
                picked[place] = picked[place] or self._last[place]
            self.is_cancelled = self.is_cancelled or self._last_cancelled
        self._last, self._last_cancelled = picked, self.is_cancelled


def names_of(header: Sequence[str]) -> list[str]:
    """The names of columns, as formats write them: lower case, with spaces."""
    return [name.strip().lower().replace("_", " ") for name in header]


def identity(names: Sequence[str]) -> dict[str, Sequence[str]]:
    """Columns that have our own names."""
    return {name: (name,) for name in names}


EVENTS = Format(
    name="events",
    label="events of ecomrec_django",
    columns=identity((*EVENT_COLUMNS, *MORE_EVENT_COLUMNS)),
    signature=("event", "item", "time"),
)
ITEMS = Format(
    name="items",
    label="products of the example shop",
    columns=identity((*ITEM_COLUMNS, *MORE_ITEM_COLUMNS)),
    signature=("item", "title", "category", "price"),
    items=True,
)
