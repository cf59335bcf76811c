"""Roll back to the previous release."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...errors import EcomrecError
from ...pipeline.publish import rollback


class Command(BaseCommand):
    help = "Publish the previous release again."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            release = rollback()
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Rolled back: release {release.pk} is published again.")
