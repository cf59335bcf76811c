"""Events from a CSV file, row by row: good ones are kept, bad ones reported, and a second reading changes nothing."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple, TextIO

from django.contrib.auth import get_user_model
from django.db import router, transaction

from ..errors import DataError
from ..models import Event, Item, Kind
from ..models.bulk import LOOKUP, Values, chunks, insert
from .cleaning import clean_item, clean_order, clean_price, clean_quantity, clean_rating, clean_time
from .imports import Bars, since_of, take_turns
from .orders import FROM_ORDERS
from .visitors import VisitorIds, token_key, user_key

COLUMNS = ("event", "visitor", "item", "quantity", "price", "time", "basket", "session", "rating")
REQUIRED = ("event", "item", "time")
CHUNK = 20_000
# Nothing to remember; its row is held while a chunk is written.
CHECKPOINT = "files"
FIELDS = ("kind", "visitor", "item", "time", "quantity", "price", "rating", "basket", "session", "policy", "key")
KINDS = frozenset(Kind.values) - frozenset(FROM_ORDERS)


@dataclass
class FileReport:
    """Rows of a file by what became of them. ``left_out`` are purchases, which come from the shop's orders only, and
    ``unwanted`` ones: too old to be kept, or of somebody who was forgotten since."""

    rows: int = 0
    created: int = 0
    present: int = 0
    left_out: int = 0
    unwanted: int = 0
    rejected: int = 0


class Row(NamedTuple):
    """One readable line of the file."""

    line: int
    cells: list[str]
    kind: str
    visitor: str
    item: str
    quantity: int
    price: Decimal | None
    time: datetime
    basket: str
    session: str
    rating: float | None


def import_events(
    file: TextIO,
    reject: Callable[[int, str, list[str]], None],
    progress: Callable[[int, int], None] | None = None,
) -> FileReport:
    """Read events from ``file`` (open as text with ``newline=""``).

    ``reject`` is called with (line number, reason, cells) for each row that cannot be used. Every chunk is one
    transaction. Raises DataError, with nothing written, if a column that is needed is missing.
    """
    return _FileImporter(file, reject).run(progress)


class _FileImporter:
    def __init__(self, file: TextIO, reject: Callable[[int, str, list[str]], None]) -> None:
        # A spreadsheet may begin the file with a byte order mark, and end it with a stray NUL.
        self._reader = csv.reader(line.replace("\0", "") for line in file)
        self._reject = reject
        self._columns = _Columns(next(self._reader, []))
        self.report = FileReport()
        self._visitors = VisitorIds()
        self._bars = Bars()
        self._values = Values(Event)
        self._keys: dict[str, str] = {}
        self._items: dict[str, int | None] = {}
        self._times: dict[str, datetime] = {}
        self._occurrences: Counter[bytes] = Counter()

    def run(self, progress: Callable[[int, int], None] | None) -> FileReport:
        since_of(CHECKPOINT)
        for rows in chunks(self._rows(), CHUNK):
            with transaction.atomic(using=router.db_for_write(Event)):
                take_turns(CHECKPOINT)
                if self._bars.look():
                    self._visitors = VisitorIds()
                self._write(rows)
            if progress:
                progress(self.report.rows, 0)
        return self.report

    def _rows(self) -> Iterator[Row]:
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.report.rows += 1
                self._refuse(line, f"the row cannot be read: {error}", [])
                continue
            if not cells:
                continue
            self.report.rows += 1
            try:
                row = self._read(line, cells)
            except DataError as error:
                self._refuse(line, str(error), cells)
                continue
            if row is None:
                self.report.left_out += 1
            else:
                yield row

    def _refuse(self, line: int, reason: str, cells: list[str]) -> None:
        self.report.rejected += 1
        self._reject(line, reason, cells)

    def _read(self, line: int, cells: list[str]) -> Row | None:
        """The row as values, None for a purchase; raises DataError."""
        if len(cells) != self._columns.width:
            raise DataError(f"{len(cells)} cells where the header has {self._columns.width}")
        event, visitor, item, quantity, price, time, basket, session, rating = self._columns.pick(cells)
        if event in FROM_ORDERS:
            return None
        if event not in KINDS:
            raise DataError(f"unknown event {event!r}")
        clean_order(basket, session)
        if time not in self._times:
            self._times[time] = clean_time(time)
        return Row(
            line,
            cells,
            event,
            visitor,
            clean_item(item),
            clean_quantity(quantity),
            clean_price(price),
            self._times[time],
            basket,
            session,
            clean_rating(rating),
        )

    def _write(self, rows: list[Row]) -> None:
        if len(self._times) > 500_000:
            self._times.clear()
        self._find_items({row.item for row in rows})
        self._find_keys({row.visitor for row in rows if row.visitor})
        rows = [row for row in rows if self._wanted(row)]
        ids = self._visitors.resolve(self._keys[row.visitor] for row in rows if row.visitor)
        values = []
        for row in rows:
            item = self._items[row.item]
            if item is None:
                self._refuse(row.line, f"the catalog has no item {row.item!r}", row.cells)
                continue
            values.append(
                (
                    row.kind,
                    ids[self._keys[row.visitor]] if row.visitor else None,
                    item,
                    self._values.time(row.time),
                    row.quantity,
                    self._values.price(row.price),
                    row.rating,
                    row.basket,
                    row.session,
                    "",
                    self._key(row),
                )
            )
        created = insert(Event, FIELDS, values, ignore=True)
        self.report.created += created
        self.report.present += len(values) - created

    def _key(self, row: Row) -> str:
        """The same row of the same file has the same key at every reading; two equal rows have two."""
        digest = blake2b("\0".join(self._columns.pick(row.cells)).encode(), digest_size=16)
        self._occurrences[digest.digest()] += 1
        return f"file:{digest.hexdigest()}:{self._occurrences[digest.digest()]}"

    def _find_items(self, names: set[str]) -> None:
        missing = names - self._items.keys()
        for some in chunks(missing, LOOKUP):
            self._items.update(Item.objects.filter(external_id__in=some).values_list("external_id", "pk"))
        for name in missing - self._items.keys():
            self._items[name] = None

    def _wanted(self, row: Row) -> bool:
        if self._bars.too_old(row.time) or (row.visitor and self._bars.forgotten(self._keys[row.visitor], row.time)):
            self.report.left_out += 1
            self.report.unwanted += 1
            return False
        return True

    def _find_keys(self, names: set[str]) -> None:
        """Visitor.key by name; a name that is an account's stands for that account."""
        users: Any = get_user_model()
        for some in chunks(names - self._keys.keys(), LOOKUP):
            found = users._default_manager.filter(**{f"{users.USERNAME_FIELD}__in": some})
            accounts = dict(found.values_list(users.USERNAME_FIELD, "pk"))
            for name in some:
                self._keys[name] = user_key(accounts[name]) if name in accounts else token_key(name)


class _Columns:
    """Where the known columns stand in the file; raises DataError if one that is needed is missing."""

    def __init__(self, header: list[str]) -> None:
        names = [name.strip().lower().lstrip("\ufeff") for name in header]
        if missing := [name for name in REQUIRED if name not in names]:
            raise DataError(
                f"The file has no column {', '.join(missing)}. Its first line has to name its columns: "
                f"{', '.join(COLUMNS)} (all but {', '.join(REQUIRED)} may be left out)."
            )
        self.width = len(names)
        self._places = [names.index(name) if name in names else -1 for name in COLUMNS]

    def pick(self, cells: list[str]) -> list[str]:
        """The cells in the order of COLUMNS, "" for a column that the file lacks."""
        return [cells[place].strip() if place >= 0 else "" for place in self._places]
