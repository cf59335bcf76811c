"""Move events from Redis to the database."""

from __future__ import annotations

import signal
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ...tracking.drain import drain


class Command(BaseCommand):
    help = (
        "Move the events that RedisSink has put into Redis to the database, until SIGTERM or Ctrl-C. The current batch "
        "is always finished."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="stop when no events are left")

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
            f"{report.entries} events read from Redis; {report.unreadable} were unreadable, {report.spoilt} could not "
            "be stored."
        )
