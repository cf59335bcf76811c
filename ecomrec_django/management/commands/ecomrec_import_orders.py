"""Import the shop's orders."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ...tracking.importers.order_report import ImportReport
from ...tracking.importers.orders import import_purchases
from ...tracking.importers.reconciliation import Reconciliation, reconcile
from ._moment import moment
from ._progress import Bar

SHOWN = 10


class Command(BaseCommand):
    help = (
        "Import the shop's orders that were placed or changed since the last import. With --reconcile, compare all "
        "orders with what was imported, by day, and correct it; run that once a day."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--since", metavar="ISO-TIME", help="orders changed since then (UTC)")
        which.add_argument("--all", action="store_true", help="all orders")
        which.add_argument("--reconcile", action="store_true", help="all orders; remove those the shop has deleted")
        parser.add_argument(
            "--accept-removals", action="store_true", help="let --reconcile remove more than a fifth of all lines"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        since = moment(options["since"], "--since") if options["since"] is not None else None
        try:
            with Bar("lines") as bar:
                if options["reconcile"]:
                    self._tell_days(reconcile(bar.count, accept_removals=options["accept_removals"]))
                else:
                    self._tell(import_purchases(bar.count, since, everything=options["all"]))
        except EcomrecError as error:
            raise CommandError(str(error)) from error

    def _tell(self, report: ImportReport) -> None:
        self.stdout.write(
            f"{report.lines} lines read: {report.purchases} purchases and {report.refunds} refunds imported, "
            f"{report.changed} lines changed, {report.removed} removed, {report.skipped} refused."
        )
        for reason in report.reasons[:SHOWN]:
            self.stderr.write(f"  refused {reason}")
        for remark in report.remarks[:SHOWN]:
            self.stderr.write(f"  accepted {remark}")
        if report.given_up:
            self.stderr.write(f"{report.given_up} refused lines are not asked for again; the admin lists them.")

    def _tell_days(self, result: Reconciliation) -> None:
        self._tell(result.report)
        if not result.stored:
            self.stdout.write("All days agree with the shop.")
        for day, stored in result.stored.items():
            self.stdout.write(f"{day}: {stored} were stored; the shop has {result.shop[day]}.")
        if result.remaining:
            days = ", ".join(f"{day} ({stored})" for day, stored in list(result.remaining.items())[:SHOWN])
            raise CommandError(
                f"{len(result.remaining)} days still differ: {days}. Run it again in case orders came in meanwhile; if "
                "they differ again, two lines have one PurchaseLine.line, or a line that was imported is refused now."
            )
