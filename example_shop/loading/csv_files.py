"""Reading a shop's CSV files: good rows are kept, bad ones go to a reject file with their line and the reason."""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

HEADER = ["line", "reason", "file", "row"]
MOST_PIECES = 1_000_000
LARGEST_PRICE = Decimal(100_000_000)
TRUE = {"true", "1", "yes", "y", "t", ""}
FALSE = {"false", "0", "no", "n", "f"}


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
    """Rows of one file, each with its line number and its cells in the order of ``columns``."""

    def __init__(self, path: Path, columns: tuple[str, ...], required: tuple[str, ...], rejects: Rejects) -> None:
        self.path = path
        self.columns = columns
        self.required = required
        self.rejects = rejects
        self.given: set[str] = set()
        self._places(self._open())

    def _open(self) -> Iterator[str]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                for line in file:
                    yield line.replace("\0", "")
        except OSError as error:
            raise UnusableFileError(f"{self.path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise UnusableFileError(
                f"{self.path} is not UTF-8 text (near byte {error.start}). Save it as CSV UTF-8 and try again."
            ) from error

    def _places(self, lines: Iterator[str]) -> tuple[Iterator[list[str]], list[int]]:
        reader = csv.reader(lines)
        try:
            header = [name.strip().lower() for name in next(reader, [])]
        except csv.Error as error:
            raise UnusableFileError(f"{self.path} is not a CSV file: {error}.") from error
        self.given = set(header)
        if missing := [name for name in self.required if name not in self.given]:
            what = "is empty" if not header else f"has no column {', '.join(missing)}"
            raise UnusableFileError(
                f"{self.path} {what}. Its first line has to name its columns, divided by commas: "
                f"{', '.join(self.columns)} (all but {', '.join(self.required)} may be left out)."
            )
        self._width = len(header)
        return reader, [header.index(name) if name in self.given else self._width for name in self.columns]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        reader, places = self._places(self._open())
        width = self._width
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.reject(line, f"the row cannot be read: {error}", [])
                continue
            if len(cells) == width:
                cells.append("")
                yield line, [cells[place].strip() for place in places]
            elif cells:
                self.reject(line, f"{len(cells)} cells where the header has {width}", cells)

    def reject(self, line: int, reason: str, cells: Iterable[str]) -> None:
        self.rejects.add(line, reason, self.path, cells)


def price(text: str) -> Decimal | None:
    """A finite price from 0 up, to the cent; None where none is given."""
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BadRowError(f"price {text!r} is not a number") from None
    if not value.is_finite() or not 0 <= value < LARGEST_PRICE - 1:
        raise BadRowError(f"price {text!r} is not a number from 0 up to {LARGEST_PRICE:,}")
    return value.quantize(Decimal("0.01"))


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
    low = text.lower()
    if low not in TRUE | FALSE:
        raise BadRowError(f"available {text!r} is neither true nor false")
    return low in TRUE
