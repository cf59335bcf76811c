"""Measure the earnings of offers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ...tasks import run_measure
from ._progress import Bar


class Command(BaseCommand):
    help = (
        "Attribute purchases to offers, update the daily figures, and evaluate running experiments. Run it once an "
        "hour."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with Bar("events") as bar:
            counts = run_measure(bar.count)
        self.stdout.write(
            f"{counts['events']} purchases, refunds and cart additions processed: {counts['credited']} attributed to "
            f"an offer, {counts['refunded']} refunds subtracted; figures of {counts['days']} days updated, "
            f"{counts['experiments']} experiments evaluated."
        )
