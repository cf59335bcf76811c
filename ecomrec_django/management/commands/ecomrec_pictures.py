"""Analyse the images of the catalog."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...errors import EcomrecError
from ...tasks import run_pictures
from ._progress import Bar


class Command(BaseCommand):
    help = "Sync the catalog, analyse new and changed images, and add offers of new products."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with Bar("%", total=100) as bar:
                run = run_pictures(bar.percent)
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(run.message)
