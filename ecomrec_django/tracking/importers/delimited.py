"""Reading of delimited text (CSV, TSV) as spreadsheets and shops write it, with every row accounted for.

The encoding is detected where that is certain, and refused where it is not. A quotation mark that is never closed costs
the line it is in, not the lines after it.
"""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE, getincrementaldecoder, lookup
from collections import deque
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple

from ...errors import DataError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
# UTF-32 before UTF-16, whose mark it begins with.
MARKS = (
    (BOM_UTF8, "utf-8-sig"),
    (BOM_UTF32_LE, "utf-32"),
    (BOM_UTF32_BE, "utf-32"),
    (BOM_UTF16_LE, "utf-16"),
    (BOM_UTF16_BE, "utf-16"),
)
HEAD_BYTES = 4096
BLOCK_BYTES = 1 << 20
# A cell that goes on for longer was opened by a stray quotation mark.
MOST_LINES, MOST_CHARACTERS = 500, 128_000
UNCLOSED = 'a quotation mark opens a cell and is never closed; within a cell, write it twice ("")'
AMBIGUOUS = "a quotation mark makes it unclear where this row ends; within a cell, write it twice"
_UNDECODED = re.compile("[\ud800-\udfff]")


class Record(NamedTuple):
    """One row of a file.

    line: number of its first line, from 1
    cells: its texts; none for a blank row
    problem: why it cannot be read; empty if it can
    """

    line: int
    cells: list[str]
    problem: str = ""


class DelimitedTable:
    """The rows of a file of delimited text.

    header: the names of its columns, as written
    delimiter: between its cells
    encoding: the name of Python's codec
    looks_like_row: whether cells, as many as the header has, are a row rather than lines of a long text; set it before
        reading where more is known than their number
    """

    def __init__(self, path: Path, encoding: str = "") -> None:
        """Raises DataError if the encoding or the header is unusable, and OSError if the file cannot be opened."""
        self.path = path
        self.encoding = _declared(encoding) if encoding else detect_encoding(path)
        self.looks_like_row: Callable[[list[str]], bool] = bool
        with self._open() as file:
            lines = self._lines(file)
            self._first = 1
            line = next(lines, "")
            self.delimiter = ""
            if line[:4].lower() == "sep=" and len(line) == 5:
                # A spreadsheet's own way of naming the delimiter.
                self.delimiter, line, self._first = line[4], next(lines, ""), 2
        self.delimiter = self.delimiter or max(DELIMITERS, key=lambda delimiter: len(_header(line, delimiter)))
        self.header = _header(line, self.delimiter)

    def records(self) -> Iterator[Record]:
        """The rows below the header; those that cannot be read have a problem."""
        width, delimiter = len(self.header), self.delimiter
        with self._open() as file:
            lines = self._lines(file)
            for _ in range(self._first):
                next(lines, None)
            number, ahead = self._first, deque[str]()
            while (text := ahead.popleft() if ahead else next(lines, None)) is not None:
                number += 1
                first = number
                if not text.isascii() and _UNDECODED.search(text):
                    yield Record(first, [], f"it is not {self.encoding} text")
                    continue
                if '"' not in text:
                    cells = text.split(delimiter)
                else:
                    parsed, more = self._quoted(text, ahead, lines)
                    number += len(more)
                    if parsed is None:
                        for offset, lost in enumerate((text, *more)):
                            yield Record(first + offset, [lost], AMBIGUOUS if more else UNCLOSED)
                        continue
                    cells = parsed
                if len(cells) == width:
                    yield Record(first, cells if any(cells) else [])
                elif any(map(str.strip, cells)):
                    yield Record(first, cells, f"{len(cells)} cells where the header has {width}")
                else:
                    yield Record(first, [])

    def _quoted(self, text: str, ahead: deque[str], lines: Iterator[str]) -> tuple[list[str] | None, list[str]]:
        """The cells of a row that begins with ``text``, and the lines in which it goes on.

        Without cells if it cannot be read; then the lines are those that may be rows of their own, or not.
        """
        cells, is_open = self._parse(text)
        if not is_open:
            return cells or None, []
        taken: list[str] = []
        size = len(text)
        while len(taken) < MOST_LINES and size < MOST_CHARACTERS:
            line = ahead.popleft() if ahead else next(lines, None)
            if line is None:
                break
            taken.append(line)
            size += len(line)
            cells, is_open = self._parse("\n".join((text, *taken))) if line.count('"') % 2 else ([], True)
            alone = self._parse(line)[0] if '"' in line else line.split(self.delimiter)
            row_alone = len(alone) == len(self.header) and self.looks_like_row(alone)
            if len(cells) == len(self.header):
                return (None if row_alone else cells), taken
            if row_alone or not is_open:
                break
        # The lines are read again, each on its own.
        ahead.extendleft(reversed(taken))
        return None, []

    def _parse(self, text: str) -> tuple[list[str], bool]:
        """The cells of a text with quotation marks, none if these are misplaced; and whether one is still open."""
        try:
            return next(csv.reader([text], delimiter=self.delimiter, strict=True)), False
        except csv.Error as error:
            return [], "unexpected end" in str(error)

    def _open(self) -> TextIOWrapper:
        errors = "strict" if self.encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
        return self.path.open(encoding=self.encoding, errors=errors, newline="")

    def _lines(self, file: TextIOWrapper) -> Iterator[str]:
        try:
            for line in file:
                # A spreadsheet may end the file with a stray NUL.
                yield line.rstrip("\r\n").replace("\0", "")
        except UnicodeError as error:
            raise DataError(f"{self.path} is not {self.encoding} text: {error}. Save it again as UTF-8.") from error


def detect_encoding(path: Path) -> str:
    """The encoding of a file of text: UTF-8 or UTF-16, or what its byte order mark tells.

    Raises DataError for any other: its bytes do not tell which one it is.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        for mark, name in MARKS:
            if head.startswith(mark):
                return name
        even, odd = head[::2].count(0), head[1::2].count(0)
        if max(even, odd) > len(head) / 5 and min(even, odd) < len(head) / 40:
            return "utf-16-le" if odd > even else "utf-16-be"
        file.seek(0)
        decoder = getincrementaldecoder("utf-8")()
        line = 1
        while block := file.read(BLOCK_BYTES):
            try:
                line += decoder.decode(block).count("\n")
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                raise _undetected(path, line, error.object[error.start]) from error
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise _undetected(path, line, error.object[error.start]) from error
    return "utf-8"


def _undetected(path: Path, line: int, byte: int) -> DataError:
    return DataError(
        f"{path} is not UTF-8 text: line {line} has the byte 0x{byte:02X}. Tell its encoding, such as "
        "--encoding cp1252 (Western Europe), cp1250 (Central Europe) or cp1251 (Cyrillic), or save it as UTF-8. With "
        "--encoding utf-8, only the lines that are not UTF-8 are refused."
    )


def _declared(encoding: str) -> str:
    try:
        name = lookup(encoding).name
        " ".encode(name)
    except LookupError:
        raise DataError(
            f"There is no text encoding {encoding!r}. Known are utf-8, utf-16, cp1250, cp1251, cp1252, latin-1 and all "
            "others of Python."
        ) from None
    return "utf-8-sig" if name == "utf-8" else name


def _header(line: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []
