"""Train a release."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ...tasks import run_training
from ._moment import moment
from ._progress import Bar


class Command(BaseCommand):
    help = "Mirror the catalog, import the orders, learn, and write a release of offer lists."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--until", metavar="ISO-TIME", help="learn only from events before this moment (UTC)")
        parser.add_argument("--publish", action="store_true", help="show the release to shoppers")

    def handle(self, *args: Any, **options: Any) -> None:
        until = moment(options["until"]) if options["until"] is not None else None
        try:
            with Bar("%", total=100) as bar:
                run = run_training(until, options["publish"], bar.percent)
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        except ImportError as error:
            raise CommandError(f'{error}. Training needs: pip install "ecomrec-django[learn]".') from error
        seconds = ", ".join(f"{stage} {taken}" for stage, taken in run.metrics.get("seconds", {}).items())
        self.stdout.write(f"{run.message}\nSeconds: {seconds}.")
