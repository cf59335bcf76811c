"""Comparison of what is stored of the shop's orders with all that the shop has, and its correction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.utils import timezone

from ...catalog.adapter import PurchaseLine
from ...conf import conf
from ...db import CHUNK_ROWS, gc_paused, to_aware
from ...errors import DataError
from ...learning.progress import Progress, no_progress
from ...models import Event, Kind
from .base import advance_checkpoint, checkpoint_start, recorded_outcome
from .order_report import ImportReport
from .orders import OrderImporter, read_orders
from .stored_lines import CHECKPOINT, FROM_ORDERS, OF_CREDITS, OF_FILES, line_total

# A shop that has lost more of its lines than this is rather an adapter that does not yield them any more.
MOST_REMOVED = 0.2
# So many lines are removed without question.
FEW = 100


@dataclass(kw_only=True)
class DayTotals:
    """What was sold on one day, less what was given back.

    lines: order lines
    pieces: of them
    revenue: in the base currency, without unknown prices
    """

    lines: int = 0
    pieces: int | Decimal = 0
    revenue: Decimal = Decimal(0)

    def add(self, price: Decimal | None, quantity: int | Decimal, refunded: int | Decimal) -> None:
        """Add one order line."""
        self.lines += 1
        self.pieces += quantity - refunded
        self.revenue += line_total(price, quantity) - line_total(price, refunded)

    def __str__(self) -> str:
        return f"{self.lines} lines, {self.pieces} pieces, {self.revenue}"


@dataclass(kw_only=True)
class Reconciliation:
    """Result of `reconcile`.

    report: of the import
    stored: the totals by day as they were stored before, of the days that differ
    shop: those of the shop
    remaining: those of the days that differ still: see the command's message
    """

    report: ImportReport
    stored: dict[date, DayTotals] = field(default_factory=dict)
    shop: dict[date, DayTotals] = field(default_factory=dict)
    remaining: dict[date, DayTotals] = field(default_factory=dict)


@gc_paused()
def reconcile(progress: Progress = no_progress, *, accept_removals: bool = False) -> Reconciliation:
    """Read all orders of the shop, follow what has changed in them, and remove those that the shop no longer has.

    accept_removals: even if they are more than a fifth of all lines.
    Raises DataError as `import_purchases`, and for such a loss, with nothing removed.
    """
    began = timezone.now()
    checkpoint_start(CHECKPOINT)
    stored = stored_totals()
    shop: dict[date, DayTotals] = defaultdict(DayTotals)
    with recorded_outcome(CHECKPOINT) as outcome:
        catalog = conf.CATALOG()

        def count(lines: list[PurchaseLine]) -> None:
            for line in lines:
                # What a return takes back is worked out anew by each import.
                if line.quantity <= 0:
                    continue
                price = importer.stored_price(line)
                shop[timezone.localdate(line.time)].add(price, line.quantity, min(line.refunded, line.quantity))

        importer = OrderImporter(catalog, accepted=count)
        read_orders(catalog, importer, None, progress)
        lines, missing = sum(day.lines for day in stored.values()), importer.missing(whole_shop=True)
        if len(missing) > max(MOST_REMOVED * lines, FEW) and not accept_removals:
            raise DataError(
                f"The shop no longer has {len(missing)} of the {lines} order lines that were imported before. If "
                f"{type(catalog).__name__}.purchases(None) leaves out old orders, let it yield all of them; if the "
                "shop has deleted them, run the command with --accept-removals. Nothing was removed."
            )
        importer.remove(missing)
        advance_checkpoint(CHECKPOINT, began)
        result = Reconciliation(report=importer.report)
        for day in _differing(stored, shop):
            result.stored[day] = stored.get(day, DayTotals())
            result.shop[day] = shop.get(day, DayTotals())
        after = stored_totals()
        result.remaining = {day: after.get(day, DayTotals()) for day in _differing(after, shop)}
        counts = {
            "lines": importer.report.lines,
            "changed": importer.report.changed,
            "removed": importer.report.removed,
        }
        outcome |= {**counts, "skipped": importer.report.skipped, "different_days": len(result.stored)}
    return result


def stored_totals() -> dict[date, DayTotals]:
    """The totals of the imported purchases and refunds, by day in the shop's time zone."""
    totals: dict[date, DayTotals] = defaultdict(DayTotals)
    for kind, moment, price, quantity in _sales():
        day = totals[timezone.localdate(to_aware(moment))]
        if kind == Kind.PURCHASE:
            day.add(price, quantity, 0)
        else:
            day.pieces -= quantity
            day.revenue -= line_total(price, quantity)
    return totals


def _sales() -> Iterator[tuple[str, datetime, Decimal | None, int | Decimal]]:
    """The purchases and refunds imported from the shop's orders, without what returns of no named line take back."""
    last = 0
    rows = Event.objects.filter(kind__in=FROM_ORDERS, key__isnull=False).exclude(OF_FILES | OF_CREDITS).order_by("pk")
    while chunk := list(rows.filter(pk__gt=last).values_list("pk", "kind", "time", "price", "quantity")[:CHUNK_ROWS]):
        yield from (row[1:] for row in chunk)
        last = chunk[-1][0]


def _differing(ours: Mapping[date, DayTotals], theirs: Mapping[date, DayTotals]) -> list[date]:
    nothing = DayTotals()
    return sorted(day for day in {*ours, *theirs} if ours.get(day, nothing) != theirs.get(day, nothing))
