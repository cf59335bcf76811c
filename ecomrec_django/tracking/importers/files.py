"""Import of events from files: each row is accounted for, and importing the same file again changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router, transaction

from ...db import MAX_LOOKUP_IDS, DriverValues, bulk_insert, chunks, gc_paused
from ...errors import DataError
from ...learning.progress import Progress, no_progress
from ...models import Event, Item, Kind
from ...privacy.erasure import order_key
from ..visitors import VisitorIds, guest_key, token_key, user_key
from .base import ImportFilter, RecordResolver, checkpoint_start, lock_checkpoint
from .formats.spec import Format, Table
from .returns import Return, match_returns
from .rows import EventRow, RowReader
from .stored_lines import FILE_LINE

# With fewer, the database rewrites the same index pages more often.
CHUNK = 50_000
# It stores no position; its row is locked while a chunk is written.
CHECKPOINT = "files"
FIELDS = ("kind", "visitor", "item", "time", "quantity", "price", "rating", "basket", "session", "policy", "key")

# Called with (line number, reason, cells) for each row that is refused.
Reject = Callable[[int, str, list[str]], None]


@dataclass(kw_only=True)
class FileReport:
    """Rows of a file by their outcome; each has one.

    rows: all of them below the header
    created: new events
    present: imported before
    purchases: purchases and refunds, left to the shop's orders
    other: of kinds that are not imported
    barred: older than the retention period or than their visitor's erasure
    rejected: invalid
    blank: without text
    """

    rows: int = 0
    created: int = 0
    present: int = 0
    purchases: int = 0
    other: int = 0
    barred: int = 0
    rejected: int = 0
    blank: int = 0

    def check(self, least: float) -> None:
        """Raises DataError if nothing, or less than the share ``least`` of the rows that hold events, is imported."""
        imported, meant = self.created + self.present, self.created + self.present + self.rejected
        if not imported and self.purchases and not self.rejected:
            raise DataError(
                "Nothing was imported: all rows are purchases and refunds, which come from the shop's orders. Give "
                "--purchases if these orders are not the shop's own."
            )
        if not imported and not self.barred:
            raise DataError("Nothing was imported.")
        if imported < least * meant:
            raise DataError(f"Only {imported:,} of {meant:,} rows were imported, which is less than {least:.0%}.")


@gc_paused()
def import_events(
    table: Table, format: Format, reject: Reject, progress: Progress = no_progress, *, with_purchases: bool = False
) -> FileReport:
    """Import the events of ``table``, which is of this format; each chunk is one transaction.

    with_purchases: import purchases and refunds as well, of orders that the shop's adapter does not know
    Raises DataError, with nothing written, if a required column is missing.
    """
    return _FileImporter(table, RowReader(format, table.header, with_purchases=with_purchases), reject).run(progress)


class _FileImporter:
    def __init__(self, table: Table, reader: RowReader, reject: Reject) -> None:
        self._table = table
        self._reader = reader
        table.looks_like_row = reader.looks_like_row
        self._reject = reject
        self.report = FileReport()
        self._visitors = VisitorIds()
        self._filter = ImportFilter()
        self._records = RecordResolver()
        self._values = DriverValues(Event)
        self._keys: dict[str, str] = {}
        self._items: dict[str, int | None] = {}
        self._occurrences: Counter[str] = Counter()
        self._returns: list[EventRow] = []

    def run(self, progress: Progress) -> FileReport:
        checkpoint_start(CHECKPOINT)
        for rows in chunks(self._rows(), CHUNK):
            with self._transaction():
                self._write(rows)
            progress(self.report.rows, 0)
        # After all purchases, whichever comes first in the file.
        for rows in chunks(self._returns, CHUNK):
            with self._transaction():
                self._take_back(rows)
        return self.report

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with transaction.atomic(using=router.db_for_write(Event)):
            lock_checkpoint(CHECKPOINT)
            if self._filter.refresh():
                self._visitors = VisitorIds()
            yield

    def _rows(self) -> Iterator[EventRow]:
        report, read = self.report, self._reader.read
        for line, cells, problem in self._table.records():
            report.rows += 1
            if problem:
                self._refuse(line, problem, cells)
            elif not cells:
                report.blank += 1
            else:
                try:
                    row = read(line, cells)
                except DataError as error:
                    self._refuse(line, str(error), cells)
                    continue
                if isinstance(row, str):
                    setattr(report, row, getattr(report, row) + 1)
                elif row.kind == Kind.REFUND:
                    self._returns.append(row)
                else:
                    yield row

    def _refuse(self, line: int, reason: str, cells: list[str]) -> None:
        self.report.rejected += 1
        self._reject(line, reason, cells)

    def _write(self, rows: list[EventRow]) -> None:
        values: list[tuple[Any, ...]] = []
        cancelled: list[tuple[Any, ...]] = []
        for row, visitor in self._owned(rows):
            item = self._items[row.item]
            if item is None:
                self._refuse(row.line, f"the catalog has no item {row.item!r}", row.cells)
                continue
            time, price = self._values.time(row.time), self._values.price(row.price)
            more = time, row.quantity, price, row.rating, row.basket, row.session, ""
            line = self._line(row)
            if row.kind == Kind.PURCHASE:
                values.append((row.kind, visitor, item, *more, f"purchase:{line}"))
                if row.cancelled:
                    cancelled.append((Kind.REFUND.value, visitor, item, *more, f"refund:{line}:cancelled"))
            else:
                values.append((row.kind, visitor, item, *more, line))
        created = bulk_insert(Event, FIELDS, values, ignore=True)
        self.report.created += created
        self.report.present += len(values) - created
        bulk_insert(Event, FIELDS, cancelled, ignore=True)

    def _take_back(self, rows: list[EventRow]) -> None:
        returns: dict[str, tuple[EventRow, Return]] = {}
        for row, visitor in self._owned(rows):
            item = self._items[row.item]
            if item is None or not (visitor or row.basket):
                self._refuse(row.line, "a return has to name its item, and its customer or its order", row.cells)
                continue
            key = self._line(row).removeprefix(FILE_LINE).replace(":", "-")
            returns[key] = (
                row,
                Return(visitor=visitor, item=item, quantity=row.quantity, time=row.time, basket=row.basket, key=key),
            )
        values = []
        for returned, taken in match_returns([one for _, one in returns.values()]):
            row, _ = returns[returned.key]
            if taken is None:
                self.report.present += 1
            elif not taken:
                self._refuse(row.line, "there is no earlier purchase that this return could take back", row.cells)
            else:
                self.report.created += 1
            for purchase, quantity in taken or ():
                more = quantity, self._values.price(purchase.price), None, purchase.basket, "", ""
                key = f"refund:{purchase.line}:{returned.key}"
                time = self._values.time(purchase.time)
                values.append((Kind.REFUND.value, returned.visitor, returned.item, time, *more, key))
        bulk_insert(Event, FIELDS, values, ignore=True)

    def _line(self, row: EventRow) -> str:
        """The same at every import of the file, and different for equal rows within it."""
        self._occurrences[row.digest] += 1
        return f"{FILE_LINE}{row.digest}:{self._occurrences[row.digest]}"

    def _owned(self, rows: list[EventRow]) -> Iterator[tuple[EventRow, int | None]]:
        """The rows that may be imported, each with its Visitor.pk; their items are looked up."""
        self._find_items({row.item for row in rows}, {row.item for row in rows if row.kind == Kind.PURCHASE})
        self._find_keys({row.visitor for row in rows if row.visitor})
        keys = [self._key(row) for row in rows]
        accepted = [(row, key) for row, key in zip(rows, keys, strict=True) if self._accepts(row, key)]
        ids = self._visitors.resolve(key for _, key in accepted if key)
        for row, key in accepted:
            yield row, ids[key] if key else None

    def _key(self, row: EventRow) -> str:
        """Visitor.key of who did it; empty if unknown."""
        if row.guest:
            return guest_key(row.guest)
        return self._keys[row.visitor] if row.visitor else ""

    def _find_items(self, names: set[str], bought: set[str]) -> None:
        """Look up items; what was bought is created if the catalog has it no more."""
        self._records.find_items(bought)
        self._items.update(self._records.items)
        missing = names - self._items.keys()
        for chunk in chunks(missing, MAX_LOOKUP_IDS):
            self._items.update(Item.objects.filter(external_id__in=chunk).values_list("external_id", "pk"))
        for name in missing - self._items.keys():
            self._items[name] = None

    def _accepts(self, row: EventRow, key: str) -> bool:
        keys = [key] if key else []
        if row.basket and self._filter.has_erasures:
            keys.append(order_key(row.basket))
        if self._filter.is_expired(row.time) or any(self._filter.is_erased(one, row.time) for one in keys):
            self.report.barred += 1
            return False
        return True

    def _find_keys(self, names: set[str]) -> None:
        """Look up the Visitor.key of each name; the name of an account stands for that account."""
        users: Any = get_user_model()
        for chunk in chunks(names - self._keys.keys(), MAX_LOOKUP_IDS):
            rows = users._default_manager.filter(**{f"{users.USERNAME_FIELD}__in": chunk})
            accounts = dict(rows.values_list(users.USERNAME_FIELD, "pk"))
            for name in chunk:
                self._keys[name] = user_key(accounts[name]) if name in accounts else token_key(name)
