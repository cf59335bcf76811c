"""Reading a shop's CSV files: good rows are kept, bad ones go to a reject file with their line and the reason."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from ecomrec_django.errors import DataError
from ecomrec_django.tracking.importers.formats.spec import MORE_ITEM_COLUMNS, Format, Picker, Table

from ..recommendations import ShopCatalog

HEADER = ["line", "reason", "file", "row"]
MOST_PIECES = 1_000_000
LARGEST_PRICE = Decimal(100_000_000)
TRUE = {"true", "1", "yes", "y", "t", "", "in stock", "active", "backorder", "preorder"}
FALSE = {"false", "0", "no", "n", "f", "out of stock", "draft", "archived"}


class UnusableFileError(Exception):
    """The file as a whole cannot be read; the message says what to do."""


class BadRowError(Exception):
    """One row cannot be used; the message says why."""


class Rejects:
    """The reject file: line, reason, file, then the row; made at the first bad row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file = None

    def __enter__(self) -> "Rejects":
        return self

    def __exit__(self, *error: object) -> None:
        if self._file:
            self._file.close()
        elif error == (None, None, None) and self._is_ours():
            # What an earlier run refused is mended by now.
            self.path.unlink()

    def _is_ours(self) -> bool:
        try:
            with self.path.open(encoding="utf-8", errors="replace") as file:
                return file.readline().strip() == ",".join(HEADER)
        except OSError:
            return False

    def add(self, line: int, reason: str, file: Path, cells: Iterable[str]) -> None:
        self.count += 1
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", newline="")
            self._writer = csv.writer(self._file)
            self._writer.writerow(HEADER)
        self._writer.writerow([line, reason, file.name, *cells])


class CsvFile:
    """Rows of one file, each with its line number and its cells in the order of ``columns``.

    read, refused, other, blank: how many rows had which outcome so far; others tell neither an item nor an event.
    """

    def __init__(
        self, table: Table, format: Format, columns: tuple[str, ...], required: tuple[str, ...], rejects: Rejects
    ) -> None:
        """Raises UnusableFileError if a required column is missing."""
        self.path = table.path
        self.columns = columns
        self.rejects = rejects
        self.read = self.refused = self.other = self.blank = 0
        self._table = table
        self._notation = format.notation
        names = (*columns, *MORE_ITEM_COLUMNS) if format.items else columns
        try:
            self._picker = Picker(format, table.header, names, required)
            self._glance = Picker(replace(format, carried=()), table.header, names, required)
        except DataError as error:
            raise UnusableFileError(f"{self.path}: {error}") from error
        self._table.looks_like_row = self._looks_like_row
        self.given = self._picker.given

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        try:
            for line, cells, problem in self._table.records():
                self.read += 1
                if problem:
                    self.reject(line, problem, cells)
                elif not cells:
                    self.blank += 1
                elif (picked := self._picker.pick(cells)) is None:
                    self.other += 1
                else:
                    yield line, picked[: len(self.columns)]
        except DataError as error:
            raise UnusableFileError(str(error)) from error

    def reject(self, line: int, reason: str, cells: Iterable[str]) -> None:
        """A row that is not imported."""
        self.refused += 1
        self.remark(line, reason, cells)

    def remark(self, line: int, reason: str, cells: Iterable[str]) -> None:
        """What is wrong with a row that is imported all the same."""
        self.rejects.add(line, reason, self.path, cells)

    @property
    def counts(self) -> dict[str, int]:
        """What became of its rows; all are read."""
        imported = self.read - self.refused - self.other - self.blank
        told = {"rows": self.read, "imported": imported, "refused": self.refused, "blank": self.blank}
        return {**told, "without an item": self.other} if self.other else told

    def price(self, text: str) -> Decimal | None:
        """A price from 0 up, to the cent; None where none is given."""
        try:
            value, currency = self._notation.price(text)
        except DataError as error:
            raise BadRowError(str(error)) from error
        if currency not in ("", ShopCatalog.base_currency):
            raise BadRowError(f"price {text!r} is not in {ShopCatalog.base_currency}, the currency of the shop")
        if value is None:
            return None
        if not 0 <= value < LARGEST_PRICE - 1:
            raise BadRowError(f"price {text!r} is not a number from 0 up to {LARGEST_PRICE:,}")
        return value.quantize(Decimal("0.01"))

    def _looks_like_row(self, cells: list[str]) -> bool:
        picked = self._glance.pick(cells)
        if picked is None:
            return False
        told = dict(zip(self.columns, picked, strict=False))
        try:
            self.price(told["price"])
            if "time" in told:
                moment(told["time"])
        except BadRowError:
            return False
        return bool(told["item"])


def quantity(text: str) -> int:
    if not text:
        return 1
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 0 < int(text) <= MOST_PIECES):
        raise BadRowError(f"quantity {text!r} is not a whole number from 1 to {MOST_PIECES:,}")
    return int(text)


def rating(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise BadRowError(f"rating {text!r} is not a number") from None
    if not 0 <= value <= 5:
        raise BadRowError(f"rating {text!r} is not from 0 to 5")
    return value


def moment(text: str) -> datetime:
    """An ISO-8601 time; without an offset it is UTC."""
    try:
        value = datetime.fromisoformat(text)
        value = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadRowError(f"time {text!r} is not ISO-8601, such as 2026-01-31T14:05:00Z") from None
    if not 1970 <= value.year < 9999:
        raise BadRowError(f"time {text!r} is not between 1970 and 9998")
    return value


def truth(text: str) -> bool:
    low = text.lower().replace("_", " ")
    if low not in TRUE | FALSE:
        raise BadRowError(f"available {text!r} is neither true nor false")
    return low in TRUE
