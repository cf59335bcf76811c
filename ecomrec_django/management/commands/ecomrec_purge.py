"""Delete data older than the retention period."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ...privacy.retention import days_ago, purge, would_purge
from ._progress import Bar


class Command(BaseCommand):
    help = (
        "Remove events, impressions and counts older than the given number of days from the database and the history "
        "files, and visitors without remaining data. They are not imported again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=int, required=True, metavar="DAYS", help="number of days to keep")
        parser.add_argument("--dry-run", action="store_true", help="report what would be removed, without removing it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            before = days_ago(options["older_than"])
            if options["dry_run"]:
                report = would_purge(before)
            else:
                with Bar("rows") as bar:
                    report = purge(before, bar.count)
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        except ImportError as error:
            raise CommandError(f'{error}. History files need: pip install "ecomrec-django[learn]".') from error
        verb = "Would remove" if options["dry_run"] else "Removed"
        self.stdout.write(
            f"{verb} data from before {before:%Y-%m-%d %H:%M} UTC: {report.events} events, {report.impressions} "
            f"impressions, {report.held_events} held events, {report.exposures} exposures, "
            f"{report.omissions} counts of ignored events, "
            f"{report.visitors} visitors, {report.history} rows of history files."
        )
