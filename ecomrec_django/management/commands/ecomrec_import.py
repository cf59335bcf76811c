"""Import events from a file."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import DataError, EcomrecError
from ...tracking.importers.files import FileReport, import_events
from ...tracking.importers.formats import FORMATS, open_file
from ...tracking.importers.formats.spec import EVENT_COLUMNS, EVENTS
from ...tracking.importers.rows import REQUIRED
from ._progress import Bar

SHOWN = 5


class Command(BaseCommand):
    help = (
        f"Import events from a CSV file with the columns {', '.join(EVENT_COLUMNS)} (only {', '.join(REQUIRED)} are "
        "required), or from an export that another shop system or analytics tool wrote. Purchases and refunds are "
        "ignored without --purchases, since they are imported from the shop's orders. The exit status is not 0 if "
        "nothing, or less than --min-share of the rows, was imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        events = [format.name for format in FORMATS if not format.items]
        parser.add_argument("file", type=Path, metavar="FILE", help="text with commas, semicolons, tabs or |, or JSON")
        parser.add_argument("--format", default="", help=f"{', '.join(events)}; detected by the header if not given")
        parser.add_argument("--mapping", type=Path, metavar="FILE", help="TOML file that says what columns are called")
        parser.add_argument("--encoding", default="", help="such as cp1252; UTF-8 and UTF-16 are detected")
        parser.add_argument(
            "--purchases",
            action="store_true",
            help="import purchases as well: of orders that are not the shop's own",
        )
        parser.add_argument("--rejects", type=Path, metavar="FILE", help="file for rejected rows, with reasons")
        parser.add_argument(
            "--min-share", type=float, default=50, metavar="PERCENT", help="of the rows to be imported (default: 50)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["file"])
        try:
            table, format = open_file(path, EVENTS, options["format"], options["encoding"], options["mapping"])
            if format.items:
                raise DataError(
                    f"{path} holds {format.label}. The catalog comes from the shop's own database: load products "
                    "there, and run ecomrec_sync."
                )
            with Rejects(options["rejects"]) as rejects, Bar("rows") as bar:
                report = import_events(table, format, rejects.add, bar.count, with_purchases=options["purchases"])
        except (OSError, EcomrecError) as error:
            raise CommandError(str(error)) from error
        for line, reason in rejects.first:
            self.stderr.write(f"Line {line}: {reason}")
        if format is not EVENTS:
            self.stdout.write(f"Read as {format.label}.")
        self.stdout.write(summary(report))
        if report.rejected and rejects.path:
            self.stdout.write(f"Rejected rows written to {rejects.path}.")
        if report.rejected == report.rows > 0:
            raise CommandError(f"All rows were rejected, the first one because: {rejects.first[0][1]}.")
        try:
            report.check(options["min_share"] / 100)
        except DataError as error:
            raise CommandError(str(error)) from error


def summary(report: FileReport) -> str:
    """How many rows a file has, and what became of each."""
    parts = [f"{report.created} imported", f"{report.present} already imported"]
    if report.purchases:
        parts.append(f"{report.purchases} purchases and refunds ignored (they come from the shop's orders)")
    if report.other:
        parts.append(f"{report.other} of kinds that are not imported")
    if report.barred:
        parts.append(f"{report.barred} ignored (older than the retention period or than their visitor's erasure)")
    return f"{report.rows} rows: {', '.join(parts)}, {report.rejected} rejected, {report.blank} blank."


class Rejects:
    """Writes rejected rows (line, reason, then the row) to a file, and keeps the first SHOWN for display."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.first: list[tuple[int, str]] = []
        self._file: IO[str] | None = None
        self._writer: Any = None

    def __enter__(self) -> Rejects:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, line: int, reason: str, cells: list[str]) -> None:
        if len(self.first) < SHOWN:
            self.first.append((line, reason))
        if self.path is None:
            return
        if self._file is None:
            self._file = open(self.path, "w", encoding="utf-8", newline="")  # noqa: SIM115  closed by __exit__
            self._writer = csv.writer(self._file)
            self._writer.writerow(["line", "reason", "row"])
        self._writer.writerow([line, reason, *cells])
