"""Mirror the shop's products."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...errors import EcomrecError
from ...tasks import run_sync
from ._progress import Bar


class Command(BaseCommand):
    help = "Bring the mirror of the shop's products up to date; only what changed is written."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with Bar("products") as bar:
                report = run_sync(bar.count)
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{report.created} created, {report.updated} updated, {report.removed} removed, "
            f"{report.unchanged} unchanged, {report.skipped} skipped."
        )
        for reason, count in sorted(report.reasons.items(), key=lambda pair: -pair[1])[:10]:
            self.stdout.write(f"  skipped {count}: {reason}")
