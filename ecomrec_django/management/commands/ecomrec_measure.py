"""What offers earned."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ...tasks import run_measure
from ._progress import Bar


class Command(BaseCommand):
    help = (
        "Credit what was bought to the offers that led to it, bring the figures of the days up to date, and evaluate "
        "the running experiments. Once an hour is often enough."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with Bar("events") as bar:
            counts = run_measure(bar.count)
        self.stdout.write(
            f"{counts['events']} purchases, refunds and adds to carts looked at: {counts['credited']} credited to an "
            f"offer, {counts['refunded']} taken back; the figures of {counts['days']} days are new, "
            f"{counts['experiments']} experiments evaluated."
        )
