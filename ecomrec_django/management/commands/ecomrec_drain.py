"""Bring events from Redis into the database."""

from __future__ import annotations

import signal
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ...tracking.drain import drain


class Command(BaseCommand):
    help = (
        "Store the events that RedisSink put into Redis, until SIGTERM or Ctrl-C; the batch in hand is finished first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="store what is there, and stop")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Event()
        before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            report = drain(stop, once=options["once"])
        except EcomrecError as error:
            raise CommandError(str(error)) from error
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        self.stdout.write(
            f"{report.entries} events taken from Redis; {report.unreadable} of them could not be read, "
            f"{report.spoilt} could not be stored."
        )
