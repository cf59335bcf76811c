"""Erasure of a person: from the database at once, from the history files by a worker.

The order is always the same, and each step may be repeated: the receipt, which bars later imports; the rows of the
visitors; the visitors; the rows in the history files. `finish_erasures` continues after a crash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from ..db import MAX_LOOKUP_IDS, DriverValues, bulk_insert, to_aware
from ..history.removal import remove_deleted, remove_rows
from ..locks import exclusive
from ..models import (
    Checkpoint,
    Conversion,
    Erasure,
    Event,
    Exposure,
    GuestOrder,
    HeldEvent,
    Impression,
    Kind,
    Profile,
    Visitor,
)

if TYPE_CHECKING:
    from ..learning.types import AnyArray, BoolArray

# The tables with a key ``visitor``, by their names in a receipt, in the order of removal.
PLACES: dict[str, type[models.Model]] = {
    "events": Event,
    "held_events": HeldEvent,
    "impressions": Impression,
    "exposures": Exposure,
    "guest_orders": GuestOrder,
    "profiles": Profile,
}
VISITORS, HISTORY = "visitors", "history"


def order_key(order: str) -> str:
    """Erasure.key of a guest's order, so that its lines do not come in again."""
    return salted_hmac("ecomrec_django.order", order, algorithm="sha256").hexdigest()


def erasure_times(keys: Collection[str] | None = None) -> dict[str, datetime]:
    """The latest erasure of each of these keys (all if None), by key: earlier events must not come in."""
    rows = Erasure.objects.order_by("pk")
    if keys is not None:
        rows = rows.filter(key__in=keys)
    return {key: to_aware(time) for key, time in rows.values_list("key", "time")}


# -- in any process -------------------------------------------------------------------------------------------------


def erase(keys: Sequence[str]) -> Erasure:
    """Erase the person known under ``keys`` (Visitor.key, one at least), with all visitors merged into theirs.

    Returns the receipt, with ``pending_visitors`` until the history files are rewritten; none if nobody was known. If
    nobody came since an earlier erasure, its receipt now bars what happened until now. A withdrawal of consent stays in
    force, on an otherwise empty visitor.
    """
    with transaction.atomic():
        # Imports write a chunk while they hold their checkpoint: the next one will know that nothing may come back.
        list(Checkpoint.objects.select_for_update().order_by("pk").values_list("pk"))
        now = timezone.now()
        reserved = _reserve(keys, now)
        visitors = _visitors(set(keys) - reserved)
        orders = _orders(visitors)
        erasure = _receipt(keys[0], now, visitors)
        _bar({*keys, *visitors.values(), *map(order_key, orders)} - {keys[0]}, now)
        Visitor.objects.filter(key__in=reserved).delete()
    _clear(erasure)
    if erasure.completed is None and not erasure.pending_visitors:
        erasure.completed = now
        erasure.save(update_fields=["completed"])
    return erasure


def _receipt(key: str, now: datetime, visitors: Collection[int]) -> Erasure:
    """A new receipt; the latest one of ``key`` if nobody was stored since, so that repeated requests store nothing."""
    earlier = None if visitors else Erasure.objects.filter(key=key).order_by("pk").last()
    if earlier is None:
        removed = dict.fromkeys([*PLACES, VISITORS], 0)
        return Erasure.objects.create(key=key, time=now, removed_rows=removed, pending_visitors=sorted(visitors))
    earlier.time = now
    earlier.save(update_fields=["time"])
    return earlier


def erase_order(order: str) -> Erasure:
    """Erase one order (`Event.basket`), whoever placed it, so that its lines do not come in again.

    Returns the receipt, which is completed once the history files are rewritten.
    """
    with transaction.atomic():
        list(Checkpoint.objects.select_for_update().order_by("pk").values_list("pk"))
        _, events = Event.objects.filter(basket=order).delete()
        _, guests = GuestOrder.objects.filter(order=order).delete()
        removed = {
            "events": events.get(Event._meta.label, 0),
            "guest_orders": guests.get(GuestOrder._meta.label, 0),
            **_credits(events),
        }
        return Erasure.objects.create(key=order_key(order), time=timezone.now(), removed_rows=removed)


def _orders(visitors: Collection[int]) -> set[str]:
    """The orders of these visitors, in whatever way the shop's records name their owner from now on."""
    guests = GuestOrder.objects.filter(visitor__in=visitors).values_list("order", flat=True)
    bought = Event.objects.filter(visitor__in=visitors, kind__in=(Kind.PURCHASE, Kind.REFUND)).exclude(basket="")
    return {*guests, *bought.order_by().values_list("basket", flat=True).distinct()}


def _reserve(keys: Iterable[str], now: datetime) -> set[str]:
    """Hold those of ``keys`` that are nobody's, until the end of the transaction; returns them.

    Who is just writing the first event under such a key is waited for, as they would be by a lock if the row could be
    seen; who comes later waits, and then finds the receipt.
    """
    time = DriverValues(Visitor).time(now)
    known = set(Visitor.objects.filter(key__in=keys).values_list("key", flat=True))
    missing = sorted(set(keys) - known)
    return {key for key in missing if bulk_insert(Visitor, ("key", "created"), [(key, time)], ignore=True)}


def _visitors(keys: Iterable[str]) -> dict[int, str]:
    """Visitor.key by Visitor.pk: those under ``keys`` and those merged into them; waits for rows being written."""
    visitors = dict(Visitor.objects.select_for_update().filter(key__in=keys).values_list("pk", "key"))
    return {**visitors, **_merged_into(visitors)}


def _merged_into(visitors: Iterable[int]) -> dict[int, str]:
    return dict(Visitor.objects.filter(merged_into__in=list(visitors)).values_list("pk", "key"))


def _bar(keys: Iterable[str], time: datetime) -> None:
    """Bar further keys of somebody who has a receipt."""
    Erasure.objects.bulk_create([Erasure(key=key, time=time, completed=time) for key in sorted(keys)])


def _clear(erasure: Erasure) -> None:
    """Remove the rows of ``erasure.pending_visitors`` from the database, and count them; may be repeated."""
    for place, model in PLACES.items():
        rows = model._default_manager.filter(visitor__in=erasure.pending_visitors).order_by()
        while chunk := list(rows.values_list("pk", flat=True)[:MAX_LOOKUP_IDS]):
            with transaction.atomic():
                _, counts = model._default_manager.filter(pk__in=chunk).delete()
                _count(erasure, {place: counts.get(model._meta.label, 0), **_credits(counts)})
    with transaction.atomic():
        # While they are locked nothing can be added to them, and no cookie joins them.
        visitors = Visitor.objects.select_for_update().filter(pk__in=erasure.pending_visitors)
        withdrawn = _withdrawn(visitors)
        late = {
            pk: key for pk, key in _merged_into(erasure.pending_visitors).items() if pk not in erasure.pending_visitors
        }
        withdrawn |= _withdrawn(Visitor.objects.select_for_update().filter(pk__in=late))
        _bar(late.values(), erasure.time)
        # What came in since goes with them.
        _, counts = Visitor.objects.filter(pk__in=[*erasure.pending_visitors, *late]).delete()
        Visitor.objects.bulk_create(Visitor(key=key, excluded_until=until) for key, until in withdrawn.items())
        places: dict[str, type[models.Model]] = {**PLACES, VISITORS: Visitor}
        removed = {place: counts.get(model._meta.label, 0) for place, model in places.items()}
        _count(erasure, removed | _credits(counts), late)


def _credits(counts: dict[str, int]) -> dict[str, int]:
    """The conversions that a deletion took along."""
    conversions = counts.get(Conversion._meta.label, 0)
    return {"conversions": conversions} if conversions else {}


def _withdrawn(visitors: models.QuerySet[Visitor]) -> dict[str, datetime]:
    """``excluded_until`` by key, of those who withdrew consent."""
    rows = visitors.values_list("key", "excluded_until")
    return {key: until for key, until in rows if until is not None and to_aware(until) > to_aware(timezone.now())}


def _count(erasure: Erasure, rows: dict[str, int], visitors: Iterable[int] = ()) -> None:
    """Add to the counts of the receipt, which other processes may be changing."""
    stored = Erasure.objects.select_for_update().get(pk=erasure.pk)
    for place, count in rows.items():
        stored.removed_rows[place] = stored.removed_rows.get(place, 0) + count
    stored.pending_visitors = sorted({*stored.pending_visitors, *visitors})
    stored.save(update_fields=["removed_rows", "pending_visitors"])
    erasure.removed_rows, erasure.pending_visitors = stored.removed_rows, stored.pending_visitors


# -- in a worker ----------------------------------------------------------------------------------------------------


def finish_erasures() -> int:
    """Remove the erased from the history files, too; returns the number of receipts completed.

    Raises TrainingError while a training is running, which does the same for earlier erasures.
    """
    with exclusive():
        return finish_in_training()


def finish_in_training() -> int:
    """As `finish_erasures`, for a process that holds the lock of `exclusive` already."""
    erasures = list(Erasure.objects.filter(completed=None).order_by("pk"))
    if not erasures:
        return 0
    for erasure in erasures:
        _clear(erasure)
    rows = _remove_from_history({pk for erasure in erasures for pk in erasure.pending_visitors})
    # A guest's purchases may have been exported before they were joined to a visitor.
    unassigned = remove_deleted()
    for erasure in erasures:
        removed = sum(rows.pop(pk, 0) for pk in erasure.pending_visitors)
        if unassigned and (erasure.removed_rows.get("guest_orders") or not erasure.pending_visitors):
            removed, unassigned = removed + unassigned, 0
        erasure.removed_rows[HISTORY] = removed
        erasure.pending_visitors, erasure.completed = [], timezone.now()
        erasure.save(update_fields=["removed_rows", "pending_visitors", "completed"])
    return len(erasures)


def _remove_from_history(visitors: set[int]) -> Counter[Any]:
    """Rewrite the files that hold ``visitors``; returns the rows removed by Visitor.pk."""
    counts: Counter[Any] = Counter()
    pks = sorted(visitors)

    def select(column: AnyArray) -> BoolArray:
        import numpy as np

        mask = np.isin(column, pks)
        counts.update(column[mask].tolist())
        return mask

    if pks:
        remove_rows("visitor", select)
    return counts
