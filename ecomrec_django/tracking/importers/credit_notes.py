"""Returns among the shop's orders that name no order line: lines with a negative quantity, as credit notes have.

Each is stored as an event of kind "return". What it takes back of the purchases are refunds of these; they are
worked out anew whenever a return, or a purchase of a customer and item with returns, changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from django.db.models import Q

from ...db import MAX_LOOKUP_IDS, DriverValues, bulk_insert, chunks, to_aware
from ...history.export import mark_stale
from ...models import Event, Kind
from .returns import CUSTOMERS, OpenPurchase, Return, Taken, take
from .stored_lines import CREDIT, FILE_LINE, LineFacts, Sightings, line_of, remove_events, stored_returns

FIELDS = ("kind", "visitor", "item", "time", "quantity", "price", "basket", "session", "component", "policy", "key")
_READ = ("pk", "key", "visitor", "item", "time", "quantity", "basket")

# Visitor.pk, or the order of a guest without one; Item.pk.
Owner = tuple[int | str, int]


class StoredReturn(NamedTuple):
    """What is stored of a return: its Event.pk, and what it says; its price is never known."""

    event: int
    facts: LineFacts

    @property
    def owner(self) -> Owner:
        """Of whose purchases it takes back."""
        return owner_of(self.facts)


def owner_of(facts: LineFacts) -> Owner:
    """Who bought or returned what."""
    return facts.visitor or facts.basket, facts.item


class CreditNotes:
    """The returns of one import, chunk by chunk.

    exist: whether there are any, stored or in this import.
    """

    def __init__(self, sightings: Sightings) -> None:
        self.exist = stored_returns().exists()
        self._sightings = sightings

    def known(self, baskets: Iterable[str], lines: Collection[str]) -> dict[str, StoredReturn]:
        """The stored returns of these orders and lines, by line; ``lines`` are those that the shop has."""
        if not self.exist:
            return {}
        found: dict[str, StoredReturn] = {}
        for chunk in chunks(sorted(set(baskets) - {""}), MAX_LOOKUP_IDS):
            found |= _read_returns(Q(basket__in=chunk))
        for chunk in chunks(sorted(set(lines) - found.keys()), MAX_LOOKUP_IDS):
            found |= _read_returns(Q(key__in=[f"{Kind.RETURN}:{line}" for line in chunk]))
        self._sightings.note({line: one.event for line, one in found.items()}, lines)
        return found

    def write(
        self, returns: Mapping[str, LineFacts], known: Mapping[str, StoredReturn], changed: Collection[Owner]
    ) -> tuple[int, int]:
        """Store ``returns``, those of 0 pieces being void, and take back what they do; hands back (new, changed).

        known: what is stored of these lines
        changed: owners whose purchases may have changed
        """
        void = {line for line, facts in returns.items() if not facts.quantity}
        stale = {line: one for line, one in known.items() if line in void or returns.get(line, one.facts) != one.facts}
        remove_returns(one.event for one in stale.values())
        new = {line: facts for line, facts in returns.items() if line not in void and line not in known}
        again = {line: returns[line] for line in stale if line not in void}
        values = DriverValues(Event)
        created = bulk_insert(
            Event, FIELDS, [_row(values, line, facts) for line, facts in (new | again).items()], ignore=True
        )
        self.exist = self.exist or bool(created)
        touched = {owner_of(facts) for facts in (new | again).values()} | {one.owner for one in stale.values()}
        if self.exist:
            touched |= with_returns(changed)
        take_back(touched)
        return created - len(again), len(stale)


def _read_returns(condition: Q) -> dict[str, StoredReturn]:
    found = {}
    for pk, key, visitor, item, time, quantity, basket in stored_returns().filter(condition).values_list(*_READ):
        facts = LineFacts(
            visitor=visitor, item=item, time=time, quantity=quantity, price=None, basket=basket, component=False
        )
        found[line_of(str(key))] = StoredReturn(pk, facts)
    return found


def _row(values: DriverValues, line: str, facts: LineFacts) -> tuple[Any, ...]:
    time = values.time(to_aware(facts.time))
    more = facts.quantity, None, facts.basket, "", False, ""
    return (Kind.RETURN.value, facts.visitor, facts.item, time, *more, f"{Kind.RETURN}:{line}")


def remove_returns(pks: Iterable[int]) -> set[Owner]:
    """Remove these events of kind "return"; hands back whose they were, for `take_back`."""
    owners: set[Owner] = set()
    for chunk in chunks(pks, MAX_LOOKUP_IDS):
        events = stored_returns().filter(pk__in=chunk)
        owners.update(_owners(events))
        mark_stale(events)
        events.delete()
    return owners


def _owners(events: Any) -> set[Owner]:
    return {(visitor or basket, item) for visitor, basket, item in events.values_list("visitor", "basket", "item")}


def with_returns(owners: Collection[Owner]) -> set[Owner]:
    """Those of ``owners`` who have returned what they bought."""
    visitors = {owner for owner, _ in owners if isinstance(owner, int)}
    events = stored_returns().order_by()
    if len(visitors) <= CUSTOMERS:
        events = events.filter(Q(visitor__in=visitors) | Q(visitor=None))
    return set(owners) & _owners(events)


def take_back(owners: Iterable[Owner]) -> None:
    """Work out what the returns of ``owners`` take back, and correct the refunds that say so.

    Call it in a transaction that holds the checkpoint of orders.
    """
    values = DriverValues(Event)
    for chunk in chunks(sorted(owners, key=repr), CUSTOMERS):
        wanted, stored = _credits(set(chunk))
        wrong = [pk for key, (pk, pieces) in stored.items() if key not in wanted or wanted[key][1].quantity != pieces]
        remove_events(wrong)
        rows = [
            (
                Kind.REFUND.value,
                returned.visitor,
                returned.item,
                values.time(taken.purchase.time),
                taken.quantity,
                values.price(taken.purchase.price),
                taken.purchase.basket,
                "",
                taken.purchase.component,
                "",
                key,
            )
            for key, (returned, taken) in wanted.items()
            if key not in stored or stored[key][1] != taken.quantity
        ]
        bulk_insert(Event, FIELDS, rows, ignore=True)


def _credits(owners: set[Owner]) -> tuple[dict[str, tuple[Return, Taken]], dict[str, tuple[int, Any]]]:
    """What the returns take back, and the refunds that say so now (pk, quantity), both by `Event.key`."""
    customers, items = {owner for owner, _ in owners}, {item for _, item in owners}
    guests = [one for one in customers if isinstance(one, str)]
    of_these = Q(visitor__in=customers - set(guests)) | Q(visitor=None, basket__in=guests)
    rows = Event.objects.filter(of_these, item__in=items, kind__in=(Kind.PURCHASE, Kind.REFUND, Kind.RETURN))
    bought: dict[Owner, list[OpenPurchase]] = defaultdict(list)
    named: dict[str, Any] = defaultdict(int)
    stored: dict[str, tuple[int, Any]] = {}
    returns = []
    names = ("pk", "kind", "key", "visitor", "item", "time", "quantity", "price", "basket", "component")
    for pk, kind, key, visitor, item, time, *more in rows.order_by("time", "pk").values_list(*names):
        quantity, price, basket, component = more
        owner, line = (visitor or basket, item), line_of(str(key))
        if owner not in owners or key is None or line.startswith(FILE_LINE):
            continue
        if kind == Kind.RETURN:
            returned = Return(
                visitor=visitor, item=item, quantity=quantity, time=to_aware(time), basket=basket, key=str(pk)
            )
            returns.append(returned)
        elif kind == Kind.PURCHASE:
            purchase = OpenPurchase(
                line=line, time=time, price=price, basket=basket, left=quantity, component=component
            )
            bought[owner].append(purchase)
        elif key.rpartition(":")[2].startswith(CREDIT):
            stored[key] = pk, quantity
        else:
            named[line] += quantity
    for purchases in bought.values():
        purchases[:] = [one._replace(left=one.left - named[one.line]) for one in purchases]
    wanted = {
        f"{Kind.REFUND}:{taken.purchase.line}:{CREDIT}{returned.key}": (returned, taken)
        for returned in returns
        for taken in take(returned, bought[returned.visitor or returned.basket, returned.item])
    }
    return wanted, stored
