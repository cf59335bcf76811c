"""Removal of order lines that the shop no longer has."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import router, transaction

from ...db import MAX_LOOKUP_IDS, chunks
from ...models import Event, Kind
from .base import lock_checkpoint
from .credit_notes import owner_of, remove_returns, take_back, with_returns
from .stored_lines import CHECKPOINT, line_of, lines_by_id, lines_of_orders, remove_events, stored_returns


def remove_lines(pks: Iterable[int]) -> int:
    """Remove the lines with these purchases and returns (Event.pk); hands back how many were still there."""
    removed = 0
    for chunk in chunks(pks, MAX_LOOKUP_IDS):
        with transaction.atomic(using=router.db_for_write(Event)):
            lock_checkpoint(CHECKPOINT)
            found = list(Event.objects.filter(pk__in=chunk).order_by().values_list("pk", "kind", "key", "basket"))
            returns = [pk for pk, kind, _, _ in found if kind == Kind.RETURN]
            ids = {line_of(str(key)) for _, kind, key, _ in found if kind != Kind.RETURN}
            stored = lines_of_orders({basket for *_, basket in found})
            stored |= lines_by_id(ids - stored.keys())
            gone = [stored[line] for line in sorted(ids & stored.keys())]
            remove_events([pk for line in gone for pk in line.events])
            owners = remove_returns(returns)
            if owners or stored_returns().exists():
                take_back(owners | with_returns({owner_of(line.facts) for line in gone if line.facts}))
            removed += len(gone) + len(returns)
    return removed


def remove_orders(baskets: Iterable[str]) -> int:
    """Remove orders that the shop has deleted, by `Event.basket`; hands back how many lines there were."""
    orders = set(baskets) - {""}
    stored = [line.purchase for line in lines_of_orders(orders).values() if line.purchase is not None]
    returns = [
        pk
        for chunk in chunks(sorted(orders), MAX_LOOKUP_IDS)
        for pk, basket in stored_returns().filter(basket__in=chunk).values_list("pk", "basket")
        if basket in orders
    ]
    return remove_lines([*stored, *returns])
