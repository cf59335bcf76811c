"""Train a release."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ...failures import Remark
from ...tasks import run_training
from ._moment import moment
from ._progress import Bar

# Maximum number of remarks shown per stage.
SHOWN = 5


class Command(BaseCommand):
    help = "Sync the catalog, import orders and reviews, train, and store a release of offer lists."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--until", metavar="ISO-TIME", help="use only events before this time (UTC)")
        parser.add_argument("--publish", action="store_true", help="publish the release")

    def handle(self, *args: Any, **options: Any) -> None:
        until = moment(options["until"]) if options["until"] is not None else None
        try:
            with Bar("%", total=100) as bar:
                run = run_training(until, publish=options["publish"], progress=bar.percent)
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        for stage in ("catalog", "orders", "reviews"):
            report = run.metrics.get(stage, {})
            for name, outcome in (("reasons", "skipped"), ("remarks", "accepted")):
                for remark in report.get(name, [])[:SHOWN]:
                    self.stderr.write(f"{stage}, {outcome}: {Remark(**remark)}")
        seconds = ", ".join(f"{stage} {duration}" for stage, duration in run.metrics.get("seconds", {}).items())
        self.stdout.write(f"{run.message}\nSeconds: {seconds}.")
