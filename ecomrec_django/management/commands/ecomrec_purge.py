"""Forget what is old."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ...privacy.retention import days_ago, purge, would_purge
from ._progress import Bar


class Command(BaseCommand):
    help = (
        "Remove events, impressions and counts older than so many days from the database and from the history files, "
        "and visitors of whom nothing is left. Imports do not bring them back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=int, required=True, metavar="DAYS", help="how many days are kept")
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")

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
            f"{verb} what is from before {before:%Y-%m-%d %H:%M} UTC: {report.events} events, {report.impressions} "
            f"impressions, {report.held_events} held events, {report.exposures} exposures, "
            f"{report.left_out} counts of events left out, "
            f"{report.visitors} visitors; {report.history} rows of the history files."
        )
