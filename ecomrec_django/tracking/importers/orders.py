"""Import of purchases and refunds from the shop's own orders; each is counted exactly once, as the shop has it now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from ...catalog.adapter import Catalog, PurchaseLine
from ...conf import conf
from ...db import MAX_LOOKUP_IDS, bulk_insert, chunks, gc_paused, to_db_time
from ...errors import DataError
from ...failures import RecordLog
from ...learning.progress import Progress, no_progress
from ...models import Event, GuestOrder, Item, Kind
from ..visitors import VisitorIds
from .base import (
    RecordResolver,
    RecordSource,
    advance_checkpoint,
    checkpoint_start,
    lock_checkpoint,
    recorded_outcome,
)
from .credit_notes import CreditNotes, Owner, StoredReturn, owner_of
from .lines import PurchaseValidator, name_of
from .order_report import ImportReport
from .removal import remove_lines
from .stored_lines import (
    CHECKPOINT,
    LineFacts,
    Sightings,
    StoredLine,
    any_stored,
    lines_by_id,
    lines_of_orders,
    remove_events,
)
from .waiting import WaitingRoom, forget_waiting, start_for_waiting

# Lines per transaction. With fewer, the database rewrites the same index pages more often.
CHUNK = 200_000
FIELDS = ("kind", "visitor", "item", "time", "quantity", "price", "basket", "session", "component", "policy", "key")
# So many lines that are all invalid are a mistake in the adapter, and not in the shop's data.
SUSPICIOUS = 20

# Visitor.pk by user, and of guests by order or by hash.
_Visitors = Mapping[str | None, int | None]


@gc_paused()
def import_purchases(
    progress: Progress = no_progress, since: datetime | None = None, *, everything: bool = False
) -> ImportReport:
    """Import the shop's order lines and their refunds as events, and follow what it has changed in earlier ones.

    since: read the orders changed since then, instead of since the last import.
    everything: read all orders.
    ``progress`` is called with (lines read, 0), since the total is unknown. Each chunk is one transaction; concurrent
    imports take turns chunk by chunk. Raises DataError if the adapter fails half-way, after the lines before are
    imported, and if all of its lines are invalid.
    """
    began, position = timezone.now(), checkpoint_start(CHECKPOINT)
    if everything:
        since = None
    elif since is None:
        since = start_for_waiting(position)
    with recorded_outcome(CHECKPOINT) as outcome:
        catalog = conf.CATALOG()
        importer = OrderImporter(catalog)
        read_orders(catalog, importer, since, progress)
        importer.remove(importer.missing())
        outcome |= asdict(importer.report)
        # An import that begins later than the last one ended leaves that time to the next.
        if since is None or (position is not None and since <= position):
            advance_checkpoint(CHECKPOINT, began)
    return importer.report


def read_orders(catalog: Catalog, importer: OrderImporter, since: datetime | None, progress: Progress) -> None:
    """Import what the adapter yields for ``since``; store what is refused. Raises DataError as `import_purchases`."""
    source = RecordSource(f"{type(catalog).__name__}.purchases", catalog.purchases(since))
    for lines in source.chunks(CHUNK):
        importer.add(lines)
        progress(importer.report.lines, 0)
    importer.waiting.store(since, complete=not source.failed)
    importer.report.given_up = importer.waiting.given_up
    source.check()
    # A few invalid lines among what changed since the last import are no reason to stop.
    importer.report.check(least=1 if since is None else SUSPICIOUS)


def import_order(order: Any, guest: str = "") -> ImportReport:
    """Import one row of the adapter's ``order_model`` now; stored lines that it no longer has are removed.

    guest: Visitor.key of the shopper without an account who placed it.
    """
    catalog = conf.CATALOG()
    source = RecordSource(f"{type(catalog).__name__}.order_lines", catalog.order_lines(order))
    importer = OrderImporter(catalog, whole_orders=True)
    checkpoint_start(CHECKPOINT)
    for lines in source.chunks(CHUNK):
        importer.add(lines, guest)
    source.check()
    if not importer.report.lines:
        importer.empty(order)
    importer.remove(importer.missing())
    return importer.report


def join_guest(order: str, key: str) -> None:
    """Store that the visitor under ``key`` placed ``order``; every import assigns its purchases to them."""
    visitor = VisitorIds().resolve([key])[key]
    GuestOrder.objects.bulk_create([GuestOrder(order=order, visitor_id=visitor)], ignore_conflicts=True)


class OrderImporter:
    """One import, chunk by chunk.

    whole_orders: each order comes with all of its lines; None: as the adapter says.
    report: what has been done so far.
    accepted: called with the lines of each chunk that count.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        whole_orders: bool | None = None,
        accepted: Callable[[list[PurchaseLine]], None] | None = None,
    ) -> None:
        self.report = ImportReport()
        self.waiting = WaitingRoom()
        self._catalog = catalog
        self._whole_orders = catalog.whole_orders if whole_orders is None else whole_orders
        self._accepted = accepted
        self._log = RecordLog("Order line")
        self._validator = PurchaseValidator(catalog, self._log)
        self._records = RecordResolver()
        # A first import compares nothing.
        self._is_first = not any_stored()
        self._sightings = Sightings()
        self._credit_notes = CreditNotes(self._sightings)

    def add(self, lines: Sequence[PurchaseLine], guest: str = "") -> None:
        """Import one chunk. ``guest``: Visitor.key of the shopper without an account who placed these orders."""
        self.report.lines += len(lines)
        valid = self._validator.valid(lines)
        self._refuse()
        # The newest of what is yielded of a line.
        valid = list({line.line: line for line in valid}.values())
        for order in {line.order for line in valid if guest and not line.user}:
            join_guest(order, guest)
        with transaction.atomic(using=router.db_for_write(Event)):
            lock_checkpoint(CHECKPOINT)
            self._records.begin()
            accepted = [line for line in valid if self._records.accepts(line.user, line.time, line.order, line.guest)]
            stored = {} if self._is_first else self._stored(lines, valid, accepted)
            returns = self._credit_notes.known((line.order for line in valid), _ids(lines))
            valid = self._with_items(accepted, stored, returns)
            self._write(valid, stored, returns)
        forget_waiting(valid)
        if self._accepted:
            self._accepted(valid)
        self.report.skipped, self.report.reasons = self._log.skipped, self._log.reasons
        self.report.remarks, self.report.unknown_prices = self._log.remarks, self._validator.unknown_prices
        self.report.unknown_items = self._records.unknown_items

    def empty(self, order: Any) -> None:
        """Take note that a row of ``order_model`` has no lines any more."""
        number = getattr(order, self._catalog.order_key, None)
        if number is not None:
            self._sightings.note(_purchases(lines_of_orders({str(number)})), ())
            self._credit_notes.known({str(number)}, ())

    def missing(self, *, whole_shop: bool = False) -> list[int]:
        """Event.pk of the stored lines that the shop no longer has, after the last chunk.

        whole_shop: all of the shop's orders were added.
        """
        if whole_shop:
            self._sightings.miss_unseen()
        return self._sightings.missing() if whole_shop or self._whole_orders else []

    def remove(self, purchases: list[int]) -> None:
        """Remove the lines with these purchases and returns."""
        self.report.removed += remove_lines(purchases)

    def stored_price(self, line: PurchaseLine) -> Decimal | None:
        """The price of an accepted line, as it is stored."""
        return self._records.values.cents(line.price)

    def _refuse(self) -> None:
        self.waiting.add(self._validator.refused)
        self._validator.refused = []

    def _stored(
        self, lines: Sequence[object], valid: Sequence[PurchaseLine], accepted: Sequence[PurchaseLine]
    ) -> dict[str, StoredLine]:
        """What is stored of the orders of this chunk, and of its lines."""
        stored = lines_of_orders(line.order for line in valid)
        yielded = _ids(lines)
        # Refused lines, and those that name no order.
        others = yielded.difference(line.line for line in valid if line.order)
        stored |= lines_by_id(others - stored.keys())
        barred = {line.line: line.order for line in valid}
        for line in accepted:
            del barred[line.line]
        # Moved into an order that may not be imported, they are no longer in their own.
        gone = {
            line
            for line, known in stored.items()
            if known.facts is not None and barred.get(line, known.facts.basket) != known.facts.basket
        }
        self._sightings.note(_purchases(stored), yielded - gone)
        return stored

    def _with_items(
        self, lines: list[PurchaseLine], stored: Mapping[str, StoredLine], returns: Mapping[str, StoredReturn]
    ) -> list[PurchaseLine]:
        """The lines whose product is known: that of a deleted product is, if the line was imported before."""
        deleted = [line for line in lines if not line.item]
        if deleted:
            missing = [line.line for line in deleted if line.line not in stored]
            known = {**lines_by_id(missing), **stored}
            facts: dict[str, LineFacts | None] = {line: one.facts for line, one in known.items()}
            facts |= {line: one.facts for line, one in returns.items()}
            items = {line.line: found.item for line in deleted if (found := facts.get(line.line))}
            names = dict(Item.objects.filter(pk__in=set(items.values())).values_list("pk", "external_id"))
            for line in deleted:
                if line.line not in items:
                    self._log.skip(name_of(line), DataError("its product was deleted before the line was imported."))
            lines = [
                line if line.item else line._replace(item=names[items[line.line]])
                for line in lines
                if line.item or line.line in items
            ]
        return lines

    def _write(
        self, lines: list[PurchaseLine], stored: dict[str, StoredLine], returns: dict[str, StoredReturn]
    ) -> None:
        self._records.find_items(line.item for line in lines if line.item)
        users = self._records.find_visitors({line.user for line in lines})
        guests = self._guests(lines)
        owners = {line.line: users[line.user] or guests.get(line.order) for line in lines}
        bought = [line for line in lines if line.quantity > 0]
        self._write_purchases(bought, stored, owners)
        self._take_back([line for line in lines if line.quantity <= 0], bought, stored, returns, owners)

    def _write_purchases(
        self, lines: list[PurchaseLine], stored: dict[str, StoredLine], owners: Mapping[str, int | None]
    ) -> None:
        new = [line for line in lines if line.line not in stored]
        created = self._insert([self._purchase(line, owners[line.line]) for line in new])
        self.report.purchases += created
        if created < len(new):
            # Lines that moved to another order, or that were written since the import began.
            moved = lines_by_id(line.line for line in new)
            stored |= moved
            self._sightings.note(_purchases(moved), moved.keys())
        changed = [line for line in lines if self._differs(stored.get(line.line), line, owners[line.line])]
        if changed:
            remove_events([pk for line in changed for pk in stored[line.line].events])
            self._insert([self._purchase(line, owners[line.line]) for line in changed])
            self.report.changed += len(changed)
        before = {line: known.refunded for line, known in stored.items() if known.refunded}
        for line in changed:
            before.pop(line.line, None)
        refunds = []
        for line in lines:
            pieces = min(line.refunded, line.quantity)
            if (more := pieces - before.get(line.line, 0)) > 0:
                refunds.append(self._refund(line, owners[line.line], more, pieces))
        self.report.refunds += self._insert(refunds)

    def _take_back(
        self,
        lines: list[PurchaseLine],
        bought: list[PurchaseLine],
        stored: Mapping[str, StoredLine],
        returns: dict[str, StoredReturn],
        owners: Mapping[str, int | None],
    ) -> None:
        """Store the lines that are returns, and work out anew what is taken back."""
        if not lines and not self._credit_notes.exist:
            return
        given = {}
        # Purchases that became returns, of another order.
        moved = lines_by_id(line.line for line in lines if line.line not in returns and line.line not in stored)
        self._sightings.note(_purchases(moved), moved.keys())
        stored = {**stored, **moved}
        for line in lines:
            given[line.line] = self._facts(line, owners[line.line])._replace(
                quantity=-line.quantity, price=None, component=False
            )
            if line.line in stored:
                remove_events(stored[line.line].events)
        changed: set[Owner] = set()
        for line in [*bought, *lines]:
            facts = self._facts(line, owners[line.line])
            changed.add(owner_of(facts))
            if (before := stored.get(line.line)) and before.facts:
                changed.add(owner_of(before.facts))
            if line.line in returns and line.quantity > 0:
                given[line.line] = facts._replace(quantity=0)
        new, other = self._credit_notes.write(given, returns, changed)
        self.report.refunds += new
        self.report.changed += other

    def _insert(self, rows: list[tuple[Any, ...]]) -> int:
        return bulk_insert(Event, FIELDS, rows, ignore=True)

    def _differs(self, known: StoredLine | None, line: PurchaseLine, visitor: int | None) -> bool:
        """Whether a stored line says something else; a refund that has grown is added to it instead."""
        if known is None:
            return False
        if known.refunded > min(line.refunded, line.quantity):
            return True
        return known.facts != self._facts(line, visitor)

    def _facts(self, line: PurchaseLine, visitor: int | None) -> LineFacts:
        return LineFacts(
            visitor=visitor,
            item=self._item(line),
            time=to_db_time(line.time),
            quantity=line.quantity,
            price=self.stored_price(line),
            basket=line.order,
            component=bool(line.part_of),
        )

    def _item(self, line: PurchaseLine) -> int:
        return self._records.items[line.item or ""]

    def _purchase(self, line: PurchaseLine, visitor: int | None) -> tuple[Any, ...]:
        return (
            Kind.PURCHASE.value,
            visitor,
            self._item(line),
            self._records.values.time(line.time),
            line.quantity,
            self._records.values.price(line.price),
            line.order,
            "",
            bool(line.part_of),
            "",
            f"purchase:{line.line}",
        )

    def _refund(
        self, line: PurchaseLine, visitor: int | None, more: int | Decimal, pieces: int | Decimal
    ) -> tuple[Any, ...]:
        """A refund of ``more`` pieces; the key holds the total of refunded pieces."""
        _, *who, _, price, order, session, component, policy, _ = self._purchase(line, visitor)
        key = f"refund:{line.line}:{pieces}"
        return (Kind.REFUND.value, *who, more, price, order, session, component, policy, key)

    def _guests(self, lines: Sequence[PurchaseLine]) -> dict[str, int]:
        """Visitor.pk by order, for guest orders of a known cookie, or else of a known e-mail address."""
        orders = {line.order: line.guest for line in lines if not line.user and line.guest}
        by_hash = self._records.find_guests(orders.values())
        return {**{order: by_hash[guest] for order, guest in orders.items()}, **_guests_by_cookie(lines)}


def _ids(lines: Iterable[object]) -> set[str]:
    return {str(line.line) for line in lines if isinstance(line, PurchaseLine)}


def _purchases(stored: Mapping[str, StoredLine]) -> dict[str, int | None]:
    """Event.pk of the purchase of each line."""
    return {line: known.purchase for line, known in stored.items()}


def _guests_by_cookie(lines: Iterable[PurchaseLine]) -> dict[str, int]:
    """Visitor.pk by order, for guest orders with a known cookie."""
    visitors: dict[str, int] = {}
    for chunk in chunks(sorted({line.order for line in lines if not line.user}), MAX_LOOKUP_IDS):
        visitors.update(GuestOrder.objects.filter(order__in=chunk).values_list("order", "visitor"))
    return visitors
