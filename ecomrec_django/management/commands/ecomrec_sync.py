"""Sync the catalog."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ...merchandising.rule_matches import unmatched_message, unmatched_rules
from ...tasks import run_sync
from ._progress import Bar


class Command(BaseCommand):
    help = "Update the mirror of the shop's products; only changes are written."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--force",
            action="store_true",
            help="remove the products that the shop no longer has, even if they are most of the catalog",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with Bar("products") as bar:
                report = run_sync(bar.count, force=options["force"])
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{report.created} created, {report.updated} updated, {report.removed} removed, "
            f"{report.unchanged} unchanged, {report.skipped} skipped."
        )
        for reason in report.reasons[:10]:
            self.stdout.write(f"  skipped {reason}")
        for rule in unmatched_rules():
            self.stdout.write(f"  {unmatched_message(rule)}")
