"""Purchases, from the shop's own orders: none lost, none counted twice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ..catalog.adapter import PurchaseLine
from ..conf import conf
from ..models import Checkpoint, Event, Item, Kind
from ..models.bulk import LOOKUP, Values, chunks, collector_paused, insert
from .visitors import VisitorIds, user_key

logger = logging.getLogger(__name__)

# Lines of one transaction. Fewer make the database rewrite the same index pages more often.
CHUNK = 200_000
CHECKPOINT = "orders"
PURCHASE = Kind.PURCHASE.value
# Orders are read again from this long before the last import began: a transaction that was still open then, or a clock
# that runs behind, loses nothing.
OVERLAP = timedelta(hours=6)
FIELDS = ("kind", "visitor", "item", "time", "quantity", "price", "basket", "session", "key")
# Key ranges looked up by one query.
RANGES = 200
LONGEST_ID = 128
LONGEST_ORDER = 64
MOST_PIECES = 2**31 - 1
LARGEST_PRICE = 10**10


@dataclass
class ImportReport:
    """Lines read from the shop; new Event rows; items met that the catalog lacks; lines that could not be used."""

    lines: int = 0
    purchases: int = 0
    refunds: int = 0
    unknown_items: int = 0
    skipped: int = 0


@collector_paused()
def import_purchases(progress: Callable[[int, int], None] | None = None) -> ImportReport:
    """Copy the shop's order lines, and what was given back of them, into Event.

    ``progress`` is called with (lines read, 0): how many there are is not known beforehand. Every chunk is one
    transaction, and two imports at once take turns chunk by chunk.
    """
    began = timezone.now()
    checkpoint, _ = Checkpoint.objects.get_or_create(name=CHECKPOINT)
    since = parse_datetime(checkpoint.position["since"]) if "since" in checkpoint.position else None
    importer = _Importer()
    for lines in chunks(conf.CATALOG().purchases(since), CHUNK):
        importer.add(lines)
        if progress:
            progress(importer.report.lines, 0)
    Checkpoint.objects.filter(name=CHECKPOINT).update(
        position={"since": (began - OVERLAP).isoformat()}, updated=timezone.now()
    )
    return importer.report


class _Importer:
    def __init__(self) -> None:
        self.report = ImportReport()
        self._visitors = VisitorIds()
        self._values = Values(Event)
        self._user_keys: dict[str, str] = {}
        self._items: dict[str, int] = {}

    def add(self, lines: list[PurchaseLine]) -> None:
        self.report.lines += len(lines)
        good = [line for line in lines if self._usable(line)]
        with transaction.atomic():
            # The first statement takes the lock that makes imports take turns.
            Checkpoint.objects.filter(name=CHECKPOINT).update(updated=timezone.now())
            self._find_items(good)
            visitors = self._find_visitors(good)
            self.report.purchases += self._insert([self._purchase(line, visitors) for line in good])
            refunded = [line for line in good if line.refunded > 0]
            self.report.refunds += self._insert(self._refunds(refunded, visitors))

    def _usable(self, line: PurchaseLine) -> bool:
        wrong = _wrong(line)
        if wrong:
            self.report.skipped += 1
            if self.report.skipped <= 20:
                logger.warning("Order line %s was skipped: %s.", line.line, wrong)
        return not wrong

    def _find_items(self, lines: list[PurchaseLine]) -> None:
        missing = {line.item for line in lines} - self._items.keys()
        for some in chunks(missing, LOOKUP):
            self._items.update(Item.objects.filter(external_id__in=some).values_list("external_id", "pk"))
        if new := missing - self._items.keys():
            # Sold, but not in the catalog (any more): its history still teaches.
            Item.objects.bulk_create(
                [Item(external_id=name, title=name, active=False, available=False, fingerprint="") for name in new],
                ignore_conflicts=True,
            )
            for some in chunks(new, LOOKUP):
                self._items.update(Item.objects.filter(external_id__in=some).values_list("external_id", "pk"))
            self.report.unknown_items += len(new)

    def _find_visitors(self, lines: list[PurchaseLine]) -> dict[str | None, int | None]:
        """Visitor.pk by user; None for a guest."""
        users = {line.user for line in lines if line.user}
        for user in users - self._user_keys.keys():
            self._user_keys[user] = user_key(user)
        ids = self._visitors.resolve(self._user_keys[user] for user in users)
        found: dict[str | None, int | None] = {user: ids[self._user_keys[user]] for user in users}
        return {**found, None: None, "": None}

    def _purchase(self, line: PurchaseLine, visitors: dict[str | None, int | None]) -> tuple[Any, ...]:
        return (
            PURCHASE,
            visitors[line.user],
            self._items[line.item],
            self._values.time(line.time),
            line.quantity,
            self._values.price(line.price),
            line.order,
            "",
            f"purchase:{line.line}",
        )

    def _refunds(self, lines: list[PurchaseLine], visitors: dict[str | None, int | None]) -> list[tuple[Any, ...]]:
        """Only what was given back since the last import; the key holds the pieces given back in all."""
        rows = []
        for some in chunks(lines, LOOKUP):
            before = self._refunded_before(some)
            for line in some:
                pieces = min(line.refunded, line.quantity)
                if (new := pieces - before.get(f"purchase:{line.line}", 0)) > 0:
                    _, visitor, item, moment, _, price, *order, _ = self._purchase(line, visitors)
                    key = f"refund:{line.line}:{pieces}"
                    rows.append((Kind.REFUND.value, visitor, item, moment, new, price, *order, key))
                    before[f"purchase:{line.line}"] = pieces
        return rows

    def _refunded_before(self, lines: list[PurchaseLine]) -> dict[str, int]:
        """Pieces given back of each line, as far as we know, by the key of its purchase."""
        found: dict[str, int] = {}
        for some in chunks(lines, RANGES):
            ranges = Q()
            for line in some:
                # ";" is what follows ":" in every character set.
                ranges |= Q(key__gte=f"refund:{line.line}:", key__lt=f"refund:{line.line};")
            for key, quantity in Event.objects.filter(ranges).values_list("key", "quantity").order_by():
                purchase = "purchase:" + str(key).split(":", 1)[1].rsplit(":", 1)[0]
                found[purchase] = found.get(purchase, 0) + quantity
        return found

    def _insert(self, rows: list[tuple[Any, ...]]) -> int:
        return insert(Event, FIELDS, rows, ignore=True)


def _wrong(line: PurchaseLine) -> str:
    """Why a line cannot become an event; empty if it can."""
    if not line.item or len(line.item) > LONGEST_ID:
        return f"its item's id has to have 1 to {LONGEST_ID} characters"
    if len(line.line) > LONGEST_ID or len(line.order) > LONGEST_ORDER:
        return f"ids of lines have at most {LONGEST_ID} characters, ids of orders {LONGEST_ORDER}"
    if not 0 < line.quantity <= MOST_PIECES:
        return f"its quantity {line.quantity} is not a whole number from 1 up"
    if line.price is not None and not (line.price.is_finite() and 0 <= line.price < LARGEST_PRICE):
        return f"its price {line.price} is not a finite number from 0 up"
    return ""
