"""Train sequence networks."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...errors import EcomrecError
from ...pipeline.train_sequences import train_sequences
from ._progress import Bar


class Command(BaseCommand):
    help = "Train a recurrent network on the events of shoppers. The next release uses it if it improves the offers."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with Bar("%", total=100) as bar:
                run = train_sequences(progress=bar.percent)
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(run.message)
