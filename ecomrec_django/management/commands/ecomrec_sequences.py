"""Learn what comes next in the histories of shoppers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...errors import EcomrecError
from ...pipeline.sequences import learn_sequences
from ._progress import Bar


class Command(BaseCommand):
    help = "Train a recurrent network on what shoppers did; the next training of a release uses it where it helps."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with Bar("%", total=100) as bar:
                run = learn_sequences(progress=bar.percent)
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        except ImportError as error:
            raise CommandError(f'{error}. Networks need: pip install "ecomrec-django[deep]".') from error
        self.stdout.write(run.message)
