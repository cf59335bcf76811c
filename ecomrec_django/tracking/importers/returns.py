"""Returns that name no order line: they take back the latest matching purchases of the same customer and item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Q

from ...db import chunks, to_aware
from ...models import Event, Kind
from .stored_lines import FILE_LINE, line_of

# Customers whose purchases are read by one query.
CUSTOMERS = 500


class Return(NamedTuple):
    """What a customer gave back.

    visitor: Visitor.pk; None for a guest, whose order it has to name
    item: Item.pk
    quantity: how much, above 0
    time: when, with a time zone; only earlier purchases are taken back
    basket: the order that it comes from, or a number of its own
    key: unique among returns, without colons, so that a second import finds it
    """

    visitor: int | None
    item: int
    quantity: int | Decimal
    time: datetime
    basket: str
    key: str


class OpenPurchase(NamedTuple):
    """A purchase that may be taken back.

    line: the id of its order line
    time: as the database has it
    left: what was not taken back yet
    component: whether it is part of a kit
    """

    line: str
    time: Any
    price: Decimal | None
    basket: str
    left: int | Decimal
    component: bool = False


class Taken(NamedTuple):
    """What a return takes back of one purchase; ``quantity`` is above 0."""

    purchase: OpenPurchase
    quantity: int | Decimal


def allocated(returned: Return, purchases: Iterable[OpenPurchase]) -> list[Taken]:
    """What a return takes back: of its own order first, else of the latest purchase, then of those before."""
    earlier = [one for one in purchases if one.left > 0 and to_aware(one.time) <= returned.time]
    earlier.sort(key=lambda one: (bool(one.basket) and one.basket == returned.basket, one.time), reverse=True)
    taken, missing = [], returned.quantity
    for purchase in earlier:
        if missing > 0:
            taken.append(Taken(purchase, min(missing, purchase.left)))
            missing -= taken[-1].quantity
    return taken


def take(returned: Return, purchases: list[OpenPurchase]) -> list[Taken]:
    """As `allocated`; what is taken is no longer left of ``purchases``."""
    taken = allocated(returned, purchases)
    for purchase, quantity in taken:
        purchases[purchases.index(purchase)] = purchase._replace(left=purchase.left - quantity)
    return taken


def match_returns(returns: Sequence[Return]) -> Iterator[tuple[Return, list[Taken] | None]]:
    """Each return with what it takes back of the purchases of files; None if an earlier import did so."""
    for some in chunks(sorted(returns, key=lambda one: (one.visitor or 0, one.time)), CUSTOMERS):
        purchases, known = _purchases(some)
        for returned in some:
            if returned.key in known:
                yield returned, None
                continue
            yield returned, take(returned, purchases[returned.visitor or returned.basket, returned.item])


def _purchases(returns: Sequence[Return]) -> tuple[dict[Any, list[OpenPurchase]], set[str]]:
    """Purchases by customer (or a guest's order) and item, and the keys of returns that are imported already."""
    visitors = {one.visitor for one in returns if one.visitor}
    baskets = {one.basket for one in returns if one.basket and not one.visitor}
    of_these = Q(visitor__in=visitors) | Q(visitor=None, basket__in=baskets)
    rows = Event.objects.filter(of_these, kind__in=(Kind.PURCHASE, Kind.REFUND), item__in={one.item for one in returns})
    back: dict[str, int | Decimal] = defaultdict(int)
    known: set[str] = set()
    bought = []
    for key, kind, visitor, item, time, quantity, price, basket in rows.order_by("time", "pk").values_list(
        "key", "kind", "visitor", "item", "time", "quantity", "price", "basket"
    ):
        line = line_of(str(key))
        if not line.startswith(FILE_LINE):
            continue
        if kind == Kind.REFUND:
            back[line] += quantity
            known.add(str(key).rpartition(":")[2])
        else:
            purchase = OpenPurchase(line=line, time=time, price=price, basket=basket, left=quantity)
            bought.append(((visitor or basket, item), purchase))
    purchases: dict[Any, list[OpenPurchase]] = defaultdict(list)
    for owner, purchase in bought:
        purchases[owner].append(purchase._replace(left=purchase.left - back[purchase.line]))
    return purchases, known
