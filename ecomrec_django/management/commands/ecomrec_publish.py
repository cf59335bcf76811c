"""Publish a release."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ...models import Release
from ...pipeline.publish import publish, publish_due


class Command(BaseCommand):
    help = "Publish a release: shoppers see its lists from their next page view."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("release", type=int, nargs="?", metavar="RELEASE", help="number of the release")
        parser.add_argument("--due", action="store_true", help="publish the release scheduled by now, if any")
        parser.add_argument(
            "--overrule",
            default="",
            metavar="NOTE",
            help="publish strategies that the evaluation holds back; the note is stored as the reason",
        )
        parser.add_argument(
            "--strategy", action="append", metavar="NAME", help="with --overrule: this strategy only; may be repeated"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["due"] == (options["release"] is not None):
            raise CommandError("Give either a release or --due.")
        if options["due"]:
            published = publish_due()
            self.stdout.write(f"Release {published[0]} is published." if published else "Nothing is due.")
            return
        release = Release.objects.filter(pk=options["release"]).first()
        if release is None:
            known = ", ".join(map(str, Release.objects.filter(complete=True).values_list("pk", flat=True)[:10]))
            raise CommandError(f"There is no release {options['release']}. Complete releases: {known or 'none'}.")
        try:
            publish(release, overruled=options["strategy"], note=options["overrule"])
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Release {release.pk} is published.")
