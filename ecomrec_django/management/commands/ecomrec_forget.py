"""Erase the data about one person."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import TrainingError
from ...models import Erasure, Event, Visitor
from ...privacy.erasure import erase, erase_order, finish_erasures
from ...tracking.visitors import named_token, token_key, user_key

_KEY = re.compile(r"[0-9a-f]{64}")


class Command(BaseCommand):
    help = "Erase everything stored about one person or one order, in the database and in the history files."

    def add_arguments(self, parser: CommandParser) -> None:
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--user", metavar="PK", help="primary key of an account, which may have been deleted")
        who.add_argument(
            "--visitor", metavar="KEY-OR-TOKEN", help="key of a visitor, or token of a cookie or front end"
        )
        who.add_argument("--order", metavar="ORDER", help="an order of a guest, as PurchaseLine.order (STORE/ORDER)")
        parser.add_argument(
            "--yes", "--no-input", "--noinput", action="store_false", dest="interactive", help="ask no confirmation"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["order"] is not None:
            self._erase_order(options["order"], interactive=options["interactive"])
            return
        key = _account_key(options["user"]) if options["user"] is not None else _visitor_key(options["visitor"])
        visitor = Visitor.objects.filter(key=key).first()
        if visitor is None:
            self.stdout.write("Nothing is stored about this account. Its past orders will not be imported either.")
        elif options["interactive"]:
            events = Event.objects.filter(visitor=visitor).count()
            _confirm(f"Erase visitor {visitor} with {events} events?")
        self._finish(erase([key]))

    def _erase_order(self, order: str, *, interactive: bool) -> None:
        events = Event.objects.filter(basket=order)
        if not events.exists():
            self.stdout.write("Nothing is stored about this order. It will not be imported either.")
        elif interactive:
            _confirm(f"Erase order {order} with {events.count()} events?")
        if events.exclude(visitor=None).exists():
            self.stdout.write("Its shopper is known, and what else is stored about them stays: see --user, --visitor.")
        self._finish(erase_order(order))

    def _finish(self, erasure: Erasure) -> None:
        self._clean_history(erasure)
        self.stdout.write(f"Receipt {erasure.receipt}")
        for place, rows in erasure.removed_rows.items():
            self.stdout.write(f"  {place.replace('_', ' ')}: {rows}")

    def _clean_history(self, erasure: Erasure) -> None:
        try:
            if erasure.completed is None:
                finish_erasures()
        except (ImportError, TrainingError) as error:
            self.stderr.write(f"The history files will be cleaned by the next training: {error}")
        erasure.refresh_from_db()


def _account_key(text: str) -> str:
    try:
        return user_key(get_user_model()._meta.pk.to_python(text))
    except ValidationError as error:
        raise CommandError(
            f"--user {text!r} is not the primary key of an account: {' '.join(error.messages)}"
        ) from error


def _visitor_key(text: str) -> str:
    """The Visitor.key of a known visitor. Raises CommandError if unknown, or merged into an account."""
    key = text if _KEY.fullmatch(text) else token_key(named_token(text))
    visitor = Visitor.objects.filter(key=key).select_related("merged_into").first()
    if visitor is None:
        raise CommandError(f"There is no visitor {text!r}, so there is nothing to erase.")
    if visitor.merged_into is not None:
        raise CommandError(
            f"{text!r} was merged into an account. To erase that account: "
            f"ecomrec_forget --visitor {visitor.merged_into.key}"
        )
    return key


def _confirm(question: str) -> None:
    question = f"{question} This cannot be undone. Type “yes” to continue: "
    try:
        answer = input(question)
    except EOFError:
        raise CommandError("Not a terminal. Use --yes to erase without confirmation.") from None
    if answer.strip().lower() != "yes":
        raise CommandError("Cancelled. Nothing was erased.")
