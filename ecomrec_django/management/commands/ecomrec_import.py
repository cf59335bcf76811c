"""Import a file of events."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ...tracking.event_files import COLUMNS, REQUIRED, import_events
from ._progress import Bar

SHOWN = 5


class Command(BaseCommand):
    help = (
        f"Import events from a CSV file with the columns {', '.join(COLUMNS)} (all but {', '.join(REQUIRED)} may be "
        "left out). Purchases and refunds are left out: they come from the shop's orders."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="the CSV file, UTF-8")
        parser.add_argument("--rejects", type=Path, metavar="FILE", help="write the refused rows, and why, here")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with (
                open(options["file"], encoding="utf-8-sig", errors="replace", newline="") as file,
                Rejects(options["rejects"]) as rejects,
                Bar("rows") as bar,
            ):
                report = import_events(file, rejects.add, bar.count)
        except (OSError, EcomrecError) as error:
            raise CommandError(str(error)) from error
        for line, reason in rejects.first:
            self.stderr.write(f"Line {line}: {reason}")
        self.stdout.write(
            f"{report.rows} rows: {report.created} imported, {report.present} known already, "
            f"{report.left_out - report.unwanted} purchases and refunds left out (they come from the shop's orders), "
            f"{report.rejected} refused."
        )
        if report.unwanted:
            self.stdout.write(
                f"{report.unwanted} left out: older than what is kept, or of somebody who was forgotten since."
            )
        if report.rejected and rejects.path:
            self.stdout.write(f"The refused rows are in {rejects.path}.")


class Rejects:
    """The file of refused rows (line, reason, then the row), made at the first one; and the first few, to be shown."""

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
