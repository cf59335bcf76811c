"""Purchases, from the shop's own orders: none lost, none counted twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import router, transaction
from django.db.models import Q
from django.utils import timezone

from ..catalog.adapter import Catalog, PurchaseLine
from ..conf import conf
from ..errors import DataError
from ..models import Event, GuestOrder, Kind
from ..models.bulk import LOOKUP, chunks, collector_paused, insert
from ..pipeline.history import changing
from .cleaning import LONGEST_ID, clean_item, clean_order, clean_price, clean_quantity, clean_time
from .imports import Records, came_to, since_of, take_turns
from .visitors import VisitorIds

# Lines of one transaction. Fewer make the database rewrite the same index pages more often.
CHUNK = 200_000
CHECKPOINT = "orders"
FROM_ORDERS = (Kind.PURCHASE.value, Kind.REFUND.value)
FIELDS = ("kind", "visitor", "item", "time", "quantity", "price", "basket", "session", "policy", "key")
# Key ranges looked up by one query.
RANGES = 200

# Visitor.pk by user, and of guests by order.
_Visitors = Mapping[str | None, int | None]


@dataclass
class ImportReport:
    """Lines read from the shop; new Event rows; items met that the catalog lacks; lines that could not be used; prices
    in a currency without a rate."""

    lines: int = 0
    purchases: int = 0
    refunds: int = 0
    unknown_items: int = 0
    skipped: int = 0
    unknown_prices: int = 0


@collector_paused()
def import_purchases(progress: Callable[[int, int], None] | None = None) -> ImportReport:
    """Copy the shop's order lines, and what was given back of them, into Event.

    ``progress`` is called with (lines read, 0): how many there are is not known beforehand. Every chunk is one
    transaction, and two imports at once take turns chunk by chunk.
    """
    began = timezone.now()
    catalog = conf.CATALOG()
    importer = _Importer(catalog)
    for lines in chunks(catalog.purchases(since_of(CHECKPOINT)), CHUNK):
        importer.add(lines)
        if progress:
            progress(importer.report.lines, 0)
    came_to(CHECKPOINT, began)
    return importer.report


def import_order(order: Any, guest: str = "") -> ImportReport:
    """Copy one row of the catalog's ``order_model`` now.

    ``guest``: Visitor.key of who placed it, if without account.
    """
    catalog = conf.CATALOG()
    lines = list(catalog.order_lines(order))
    if guest:
        for number in {line.order for line in lines if not line.user}:
            join_guest(number, guest)
    since_of(CHECKPOINT)
    importer = _Importer(catalog)
    importer.add(lines)
    return importer.report


def join_guest(order: str, key: str) -> None:
    """Remember that the visitor under ``key`` placed ``order``; every import gives its purchases to them."""
    visitor = VisitorIds().resolve([key])[key]
    GuestOrder.objects.bulk_create([GuestOrder(order=order, visitor_id=visitor)], ignore_conflicts=True)


class _Importer:
    def __init__(self, catalog: Catalog) -> None:
        self.report = ImportReport()
        self._catalog = catalog
        self._records = Records()

    def add(self, lines: Sequence[PurchaseLine]) -> None:
        self.report.lines += len(lines)
        with transaction.atomic(using=router.db_for_write(Event)):
            take_turns(CHECKPOINT)
            self._records.begin()
            good = [clean for line in lines if (clean := self._clean(line))]
            self._records.find_items(line.item for line in good)
            users = self._records.find_visitors({line.user for line in good})
            guests = _guests(good)
            rows = [self._purchase(line, users[line.user] or guests.get(line.order)) for line in good]
            self.report.purchases += insert(Event, FIELDS, rows, ignore=True)
            if guests:
                self._join(good, guests)
            refunded = [line for line in good if line.refunded > 0]
            self.report.refunds += insert(Event, FIELDS, self._refunds(refunded, users, guests), ignore=True)
        self.report.skipped, self.report.unknown_items = self._records.skipped, self._records.unknown_items

    def _clean(self, line: PurchaseLine) -> PurchaseLine | None:
        """The line as it is stored, its price in the base currency; None if it cannot be used or is not wanted."""
        try:
            if len(line.line) > LONGEST_ID:
                raise DataError(f"ids of lines have at most {LONGEST_ID} characters")
            clean_order(line.order)
            time = clean_time(line.time)
            clean = line._replace(
                item=clean_item(line.item), quantity=clean_quantity(line.quantity), price=self._price(line), time=time
            )
        except DataError as error:
            self._records.skip(f"Order line {line.line}", error)
            return None
        return clean if self._records.wanted(clean.user, time, clean.order) else None

    def _price(self, line: PurchaseLine) -> Decimal | None:
        price = clean_price(line.price)
        if price is None or not line.currency:
            return price
        converted = self._catalog.in_base_currency(price, line.currency, line.time)
        self.report.unknown_prices += converted is None
        return clean_price(converted)

    def _purchase(self, line: PurchaseLine, visitor: int | None) -> tuple[Any, ...]:
        return (
            Kind.PURCHASE.value,
            visitor,
            self._records.items[line.item],
            self._records.values.time(line.time),
            line.quantity,
            self._records.values.price(line.price),
            line.order,
            "",
            "",
            f"purchase:{line.line}",
        )

    def _join(self, lines: Iterable[PurchaseLine], guests: Mapping[str, int]) -> None:
        """Lines that came in before their order was known to be a visitor's."""
        theirs: dict[int, list[PurchaseLine]] = defaultdict(list)
        for line in lines:
            if not line.user and line.order in guests:
                theirs[guests[line.order]].append(line)
        for visitor, own in theirs.items():
            for some in chunks(own, RANGES):
                keys = Q(key__in=[f"purchase:{line.line}" for line in some])
                keys |= _refunds_of(line.line for line in some)
                joined = Event.objects.filter(keys, visitor=None)
                changing(joined)
                joined.update(visitor=visitor)

    def _refunds(self, lines: list[PurchaseLine], users: _Visitors, guests: Mapping[str, int]) -> list[tuple[Any, ...]]:
        """Only what was given back since the last import; the key holds the pieces given back in all."""
        rows = []
        for some in chunks(lines, LOOKUP):
            before = refunded(line.line for line in some)
            for line in some:
                pieces = min(line.refunded, line.quantity)
                if (new := pieces - before.get(line.line, 0)) > 0:
                    visitor = users[line.user] or guests.get(line.order)
                    _, *who, _, price, order, session, policy, _ = self._purchase(line, visitor)
                    key = f"refund:{line.line}:{pieces}"
                    rows.append((Kind.REFUND.value, *who, new, price, order, session, policy, key))
                    before[line.line] = pieces
        return rows


def _guests(lines: Iterable[PurchaseLine]) -> dict[str, int]:
    """Visitor.pk by order, of the orders without account whose visitor is known."""
    found: dict[str, int] = {}
    for some in chunks(sorted({line.order for line in lines if not line.user}), LOOKUP):
        found.update(GuestOrder.objects.filter(order__in=some).values_list("order", "visitor"))
    return found


def line_of(key: str) -> str:
    """The shop's line that the `Event.key` of a purchase or a refund is of."""
    kind, _, rest = key.partition(":")
    return rest.rsplit(":", 1)[0] if kind == Kind.REFUND else rest


def refunded(lines: Iterable[str]) -> dict[str, int]:
    """Pieces given back of each line, as far as we know."""
    found: dict[str, int] = {}
    for some in chunks(lines, RANGES):
        for key, quantity in Event.objects.filter(_refunds_of(some)).values_list("key", "quantity").order_by():
            line = line_of(str(key))
            found[line] = found.get(line, 0) + quantity
    return found


def _refunds_of(lines: Iterable[str]) -> Q:
    """Every refund of these lines, by their keys."""
    ranges = Q()
    for line in lines:
        # ";" is what follows ":" in every character set.
        ranges |= Q(key__gte=f"refund:{line}:", key__lt=f"refund:{line};")
    return ranges
