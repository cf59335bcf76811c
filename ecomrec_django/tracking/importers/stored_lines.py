"""What is stored of the shop's order lines: a purchase each, and the refunds of its pieces; or a return."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Max, Q, QuerySet

from ...db import CENT, MAX_LOOKUP_IDS, chunks
from ...history.export import mark_stale
from ...models import Checkpoint, Correction, Event, Kind

CHECKPOINT = "orders"
FROM_ORDERS = (Kind.PURCHASE.value, Kind.REFUND.value)
# Checkpoint of the job that counts purchases and refunds in the daily totals.
MEASURED = "attribution"
# How the ids of order lines begin that were imported from a file: they are not the shop's own, and no import of its
# orders changes or removes them.
FILE_LINE = "file:"
OF_FILES = Q(key__startswith=f"{Kind.PURCHASE}:{FILE_LINE}") | Q(key__startswith=f"{Kind.REFUND}:{FILE_LINE}")
# How the last part of the key of a refund begins that a return makes; the Event.pk of the return follows.
CREDIT = "credit-"
OF_CREDITS = Q(key__startswith=f"{Kind.REFUND}:", key__contains=f":{CREDIT}")
# Key ranges looked up by one query.
RANGES = 200
_READ = ("pk", "kind", "key", "visitor", "item", "time", "quantity", "price", "basket", "component")


class LineFacts(NamedTuple):
    """What the purchase of a line says, as the columns of Event hold it."""

    visitor: int | None
    item: int
    time: datetime
    quantity: int | Decimal
    price: Decimal | None
    basket: str
    component: bool


@dataclass(kw_only=True, slots=True)
class StoredLine:
    """The events of one order line.

    purchase: Event.pk of the purchase; None if there are refunds alone
    facts: what it says
    refunds: Event.pk of the refunds
    refunded: the pieces of those that are of this line, rather than of a return
    """

    purchase: int | None = None
    facts: LineFacts | None = None
    refunds: list[int] = field(default_factory=list)
    refunded: int | Decimal = 0

    @property
    def events(self) -> list[int]:
        """Event.pk of the purchase and the refunds."""
        return [*([self.purchase] if self.purchase is not None else []), *self.refunds]


def any_stored() -> bool:
    """Whether any order line has been imported."""
    return _keyed(Kind.PURCHASE).exists() or stored_returns().exists()


def stored_returns() -> QuerySet[Event]:
    """The returns that were imported from the shop's orders."""
    return _keyed(Kind.RETURN)


def _keyed(kind: Kind) -> QuerySet[Event]:
    # ";" follows ":" in every character set.
    return Event.objects.filter(key__gte=f"{kind}:", key__lt=f"{kind};")


def lines_of_orders(baskets: Iterable[str]) -> dict[str, StoredLine]:
    """The stored lines of these orders (`Event.basket`), by the shop's id of the line."""
    wanted = set(baskets) - {""}
    lines: dict[str, StoredLine] = {}
    for chunk in chunks(sorted(wanted), MAX_LOOKUP_IDS):
        # The database may take "a1" and "A1" for one order.
        _collect(lines, Q(basket__in=chunk, kind__in=FROM_ORDERS), lambda basket: basket in wanted)
    return lines


def lines_by_id(ids: Iterable[str]) -> dict[str, StoredLine]:
    """The stored lines with these ids of the shop, by id, whatever their order."""
    lines: dict[str, StoredLine] = {}
    for chunk in chunks(ids, MAX_LOOKUP_IDS):
        _collect(lines, Q(key__in=[f"{Kind.PURCHASE}:{line}" for line in chunk]))
    for chunk in chunks(list(lines), RANGES):
        _collect(lines, _refunds_of(chunk))
    return lines


def _collect(lines: dict[str, StoredLine], condition: Q, belongs: Callable[[str], bool] | None = None) -> None:
    for pk, kind, key, *facts in Event.objects.filter(condition).order_by().values_list(*_READ):
        found = LineFacts._make(facts)
        if key is None or line_of(key).startswith(FILE_LINE) or (belongs and not belongs(found.basket)):
            continue
        stored = lines.setdefault(line_of(key), StoredLine())
        if kind == Kind.PURCHASE:
            stored.purchase, stored.facts = pk, found
        else:
            stored.refunds.append(pk)
            if not key.rpartition(":")[2].startswith(CREDIT):
                stored.refunded += found.quantity


def remove_events(pks: Collection[int]) -> None:
    """Remove purchases and refunds, with what offers were credited for them; daily totals follow with the next measure.

    Call it in a transaction that holds the checkpoint of orders.
    """
    position = Checkpoint.objects.filter(name=MEASURED).values_list("position", flat=True).first() or {}
    counted = position.get("done", 0)
    for chunk in chunks(pks, MAX_LOOKUP_IDS):
        events = Event.objects.filter(pk__in=chunk)
        mark_stale(events)
        rows = (
            events.filter(pk__lte=counted)
            .order_by("pk")
            .values_list("pk", "kind", "basket", "time", "price", "quantity")
        )
        Correction.objects.bulk_create(
            Correction(event=pk, kind=kind, basket=basket, time=time, amount=line_total(price, quantity))
            for pk, kind, basket, time, price, quantity in rows
        )
        events.delete()


def line_total(price: Decimal | None, quantity: int | Decimal) -> Decimal:
    """The price of so many pieces, in whole cents."""
    return ((price or Decimal(0)) * quantity).quantize(CENT)


class Sightings:
    """The stored lines that an import has met, so that those which the shop no longer has can be told.

    An order's lines may come in different chunks, so nothing is missing before the last one.
    """

    def __init__(self) -> None:
        # What is newer was written by this import, or by another one since.
        self._newest = Event.objects.aggregate(last=Max("pk"))["last"] or 0
        self._seen = array("q")
        self._missing: set[int] = set()

    def note(self, stored: Mapping[str, int | None], yielded: Collection[str]) -> None:
        """Take note of the purchases or returns (Event.pk) of the ``stored`` lines of some orders.

        yielded: the ids of the lines that the shop has.
        """
        for line, event in stored.items():
            if event is not None and event <= self._newest:
                if line in yielded:
                    self._seen.append(event)
                else:
                    self._missing.add(event)

    def miss_unseen(self) -> None:
        """The import has read all of the shop's orders: every line that it has not met is missing."""
        for events in (_keyed(Kind.PURCHASE).exclude(OF_FILES), stored_returns()):
            self._missing.update(events.filter(pk__lte=self._newest).order_by().values_list("pk", flat=True))

    def missing(self) -> list[int]:
        """Event.pk of the purchases and returns whose lines the shop no longer has, in order."""
        self._missing.difference_update(self._seen)
        return sorted(self._missing)


def line_of(key: str) -> str:
    """The id of the shop's order line, from the `Event.key` of a purchase, refund or return."""
    kind, _, rest = key.partition(":")
    return rest.rsplit(":", 1)[0] if kind == Kind.REFUND else rest


def refunded_quantities(lines: Iterable[str]) -> dict[str, int | Decimal]:
    """The imported refunded pieces of each line."""
    quantities: dict[str, int | Decimal] = {}
    for chunk in chunks(lines, RANGES):
        for key, quantity in Event.objects.filter(_refunds_of(chunk)).values_list("key", "quantity").order_by():
            line = line_of(str(key))
            quantities[line] = quantities.get(line, 0) + quantity
    return quantities


def _refunds_of(lines: Iterable[str]) -> Q:
    """A condition for all refunds of these lines, by their keys."""
    ranges = Q()
    for line in lines:
        # ";" follows ":" in every character set.
        ranges |= Q(key__gte=f"refund:{line}:", key__lt=f"refund:{line};")
    return ranges
