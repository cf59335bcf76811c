"""Forget one person."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import TrainingError
from ...models import Erasure, Event, Visitor
from ...privacy.erasure import erase, finish_erasures
from ...tracking.visitors import token_key, user_key

_KEY = re.compile(r"[0-9a-f]{64}")


class Command(BaseCommand):
    help = "Remove everything that is stored of one person, in the database and in the history files."

    def add_arguments(self, parser: CommandParser) -> None:
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--user", metavar="PK", help="primary key of an account, which may be deleted already")
        who.add_argument("--visitor", metavar="KEY-OR-TOKEN", help="key of a visitor, or the token of a cookie")
        parser.add_argument(
            "--yes", "--no-input", "--noinput", action="store_false", dest="interactive", help="do not ask first"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        key = _account_key(options["user"]) if options["user"] is not None else _visitor_key(options["visitor"])
        visitor = Visitor.objects.filter(key=key).first()
        if visitor is None:
            self.stdout.write("Nothing is stored of this account; from now on its former orders stay out, too.")
        elif options["interactive"]:
            _confirm(visitor)
        erasure = erase([key])
        self._finish(erasure)
        self.stdout.write(f"Receipt {erasure.receipt}")
        for place, rows in erasure.removed.items():
            self.stdout.write(f"  {place.replace('_', ' ')}: {rows}")

    def _finish(self, erasure: Erasure) -> None:
        try:
            if erasure.pending:
                finish_erasures()
        except (ImportError, TrainingError) as error:
            self.stderr.write(f"The history files are left to the next training: {error}")
        erasure.refresh_from_db()


def _account_key(text: str) -> str:
    try:
        return user_key(get_user_model()._meta.pk.to_python(text))
    except ValidationError as error:
        raise CommandError(
            f"--user {text!r} is not the primary key of an account: {' '.join(error.messages)}"
        ) from error


def _visitor_key(text: str) -> str:
    """Visitor.key of somebody known. Raises CommandError for others, and for a cookie whose history is an account's."""
    key = text if _KEY.fullmatch(text) else token_key(text)
    visitor = Visitor.objects.filter(key=key).select_related("merged_into").first()
    if visitor is None:
        raise CommandError(f"Nobody is known under {text!r}, so there is nothing to forget.")
    if visitor.merged_into is not None:
        raise CommandError(
            f"The history of {text!r} has joined an account. To forget all of that account: "
            f"ecomrec_forget --visitor {visitor.merged_into.key}"
        )
    return key


def _confirm(visitor: Visitor) -> None:
    events = Event.objects.filter(visitor=visitor).count()
    question = f"Forget visitor {visitor} with {events} events? This cannot be undone. Type “yes” to go on: "
    try:
        answer = input(question)
    except EOFError:
        raise CommandError("There is nobody to ask; give --yes to forget without being asked.") from None
    if answer.strip().lower() != "yes":
        raise CommandError("Nothing was removed.")
