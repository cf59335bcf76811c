"""Show a release to shoppers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ...models import Release
from ...pipeline.publish import publish, publish_due


class Command(BaseCommand):
    help = "Publish a release: from the next page on, shoppers see its lists."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("release", type=int, nargs="?", metavar="RELEASE", help="number of the release")
        parser.add_argument("--due", action="store_true", help="publish what is to be published by now, if anything")
        parser.add_argument(
            "--overrule",
            default="",
            metavar="NOTE",
            help="publish it although its evaluation refused it; the note says why, and is kept with the release",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["due"] == (options["release"] is not None):
            raise CommandError("Name a release, or say --due.")
        if options["due"]:
            found = publish_due()
            self.stdout.write(f"Release {found[0]} is published." if found else "Nothing is due.")
            return
        release = Release.objects.filter(pk=options["release"]).first()
        if release is None:
            known = ", ".join(map(str, Release.objects.filter(complete=True).values_list("pk", flat=True)[:10]))
            raise CommandError(f"There is no release {options['release']}. Complete releases: {known or 'none'}.")
        try:
            publish(release, note=options["overrule"])
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Release {release.pk} is published.")
