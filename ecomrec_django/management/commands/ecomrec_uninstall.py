"""Remove everything of the package from a project."""

from __future__ import annotations

from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ..uninstall import find_leftovers, kept_groups, remove_leftovers


class Command(BaseCommand):
    help = (
        "Remove what the package keeps in this project: its tables, content types, permissions, groups, files, queued "
        "events and scheduled tasks. It is listed first. The shop's own data is not touched."
    )
    # An adapter that is gone already keeps nobody from removing the rest.
    requires_system_checks = [Tags.database]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--noinput", "--no-input", action="store_false", dest="interactive", help="do not ask first"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            leftovers = find_leftovers()
            for name in kept_groups():
                self.stdout.write(f"Kept: the group {name}, which has permissions of other apps.")
            if not leftovers:
                self.stdout.write("Nothing is left to remove.")
                return
            self.stdout.write("To be removed:")
            for leftover in leftovers:
                self.stdout.write(f"  {leftover.description}")
            if options["interactive"]:
                _confirm()
            remove_leftovers(leftovers)
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            "Removed. Now take it out of settings, URLs and templates: see “Uninstalling” in its documentation."
        )


def _confirm() -> None:
    try:
        answer = input("This cannot be undone. Type “yes” to go on: ")
    except EOFError:
        raise CommandError("Not a terminal. Use --noinput to remove it without confirmation.") from None
    if answer.strip().lower() != "yes":
        raise CommandError("Nothing was removed.")
