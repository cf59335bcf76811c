"""Forgetting a person: what the database holds of them at once, what history files hold once a worker comes to it.

The order is always the same, and each step may be repeated: the receipt, which bars the way back; the rows that belong
to the visitors; the visitors; the rows in the history files. `finish_erasures` goes on where a crash broke off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from ..models import (
    Checkpoint,
    Conversion,
    Erasure,
    Event,
    Exposure,
    GuestOrder,
    HeldEvent,
    Impression,
    Profile,
    Visitor,
)
from ..models.bulk import LOOKUP, aware
from ..pipeline.history import remove_deleted, remove_rows
from ..pipeline.lock import only_one

if TYPE_CHECKING:
    import numpy as np

# What is kept of a visitor, by its name in a receipt, in the order in which it goes. Each has a key ``visitor``.
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
    """What an Erasure keeps of a guest's order, so that its lines do not come in again."""
    return salted_hmac("ecomrec_django.order", order, algorithm="sha256").hexdigest()


def erased(keys: Collection[str] | None = None) -> dict[str, datetime]:
    """When those under ``keys`` (all if None) were last forgotten, by key: what they did before must not come in."""
    rows = Erasure.objects.order_by("pk")
    if keys is not None:
        rows = rows.filter(key__in=keys)
    return {key: aware(time) for key, time in rows.values_list("key", "time")}


# -- in any process -------------------------------------------------------------------------------------------------


def erase(keys: Sequence[str]) -> Erasure:
    """Forget the person who is known under ``keys`` (Visitor.key, one at least), and all visitors that joined them.

    Returns the receipt. What history files hold is still ``pending`` then; with nobody known, nothing is. A withdrawal
    of consent stays in force, on an otherwise empty visitor.
    """
    with transaction.atomic():
        # Imports write a chunk while they hold their checkpoint: the next one will know that nothing may come back.
        list(Checkpoint.objects.select_for_update().order_by("pk").values_list("pk"))
        now = timezone.now()
        found = _visitors(keys)
        orders = GuestOrder.objects.filter(visitor__in=found).values_list("order", flat=True)
        erasure = Erasure.objects.create(
            key=keys[0], time=now, removed=dict.fromkeys([*PLACES, VISITORS], 0), pending=sorted(found)
        )
        _bar({*keys, *found.values(), *map(order_key, orders)} - {keys[0]}, now)
    _clear(erasure)
    if not erasure.pending:
        erasure.completed = now
        erasure.save(update_fields=["completed"])
    return erasure


def _visitors(keys: Sequence[str]) -> dict[int, str]:
    """Visitor.key by Visitor.pk: those under ``keys`` and those merged into them. One just being made is waited for."""
    found = dict(Visitor.objects.select_for_update().filter(key__in=keys).values_list("pk", "key"))
    return {**found, **_merged_into(found)}


def _merged_into(visitors: Iterable[int]) -> dict[int, str]:
    return dict(Visitor.objects.filter(merged_into__in=list(visitors)).values_list("pk", "key"))


def _bar(keys: Iterable[str], time: datetime) -> None:
    """Keep out what comes under further keys of somebody who has a receipt."""
    Erasure.objects.bulk_create([Erasure(key=key, time=time, completed=time) for key in sorted(keys)])


def _clear(erasure: Erasure) -> None:
    """Remove what the database holds of the visitors in ``erasure.pending``, and count it; may be repeated."""
    for place, model in PLACES.items():
        rows = model._default_manager.filter(visitor__in=erasure.pending).order_by()
        while some := list(rows.values_list("pk", flat=True)[:LOOKUP]):
            with transaction.atomic():
                _, counts = model._default_manager.filter(pk__in=some).delete()
                _count(erasure, {place: counts.get(model._meta.label, 0), **_credits(counts)})
    with transaction.atomic():
        # While they are locked nothing can be added to them, and no cookie joins them.
        visitors = Visitor.objects.select_for_update().filter(pk__in=erasure.pending)
        withdrawn = _withdrawn(visitors)
        late = {pk: key for pk, key in _merged_into(erasure.pending).items() if pk not in erasure.pending}
        withdrawn |= _withdrawn(Visitor.objects.select_for_update().filter(pk__in=late))
        _bar(late.values(), erasure.time)
        # What came in since goes with them.
        _, counts = Visitor.objects.filter(pk__in=[*erasure.pending, *late]).delete()
        Visitor.objects.bulk_create(Visitor(key=key, excluded_until=until) for key, until in withdrawn.items())
        places: dict[str, type[models.Model]] = {**PLACES, VISITORS: Visitor}
        removed = {place: counts.get(model._meta.label, 0) for place, model in places.items()}
        _count(erasure, removed | _credits(counts), late)


def _credits(counts: dict[str, int]) -> dict[str, int]:
    """Of what a deletion took along: offers' credits for what was bought."""
    found = counts.get(Conversion._meta.label, 0)
    return {"conversions": found} if found else {}


def _withdrawn(visitors: models.QuerySet[Visitor]) -> dict[str, datetime]:
    """``excluded_until`` by key, of those who withdrew consent."""
    rows = visitors.values_list("key", "excluded_until")
    return {key: until for key, until in rows if until is not None and aware(until) > aware(timezone.now())}


def _count(erasure: Erasure, rows: dict[str, int], visitors: Iterable[int] = ()) -> None:
    """Add to what the receipt says; others may be at work on it."""
    stored = Erasure.objects.select_for_update().get(pk=erasure.pk)
    for place, count in rows.items():
        stored.removed[place] = stored.removed.get(place, 0) + count
    stored.pending = sorted({*stored.pending, *visitors})
    stored.save(update_fields=["removed", "pending"])
    erasure.removed, erasure.pending = stored.removed, stored.pending


# -- in a worker ----------------------------------------------------------------------------------------------------


def finish_erasures() -> int:
    """Take those who were forgotten out of the history files, too; returns how many receipts are now complete.

    Raises TrainingError while a training is running, which does the same for those who came before it.
    """
    with only_one():
        return finish_in_training()


def finish_in_training() -> int:
    """As `finish_erasures`, for who holds the lock of `only_one` already."""
    erasures = list(Erasure.objects.filter(completed=None).order_by("pk"))
    if not erasures:
        return 0
    for erasure in erasures:
        _clear(erasure)
    rows = _remove_from_history({pk for erasure in erasures for pk in erasure.pending})
    # A guest's purchases may have been exported before anybody knew that they were theirs.
    nameless = remove_deleted()
    for erasure in erasures:
        removed = sum(rows.pop(pk, 0) for pk in erasure.pending)
        if nameless and erasure.removed.get("guest_orders"):
            removed, nameless = removed + nameless, 0
        erasure.removed[HISTORY] = removed
        erasure.pending, erasure.completed = [], timezone.now()
        erasure.save(update_fields=["removed", "pending", "completed"])
    return len(erasures)


def _remove_from_history(visitors: set[int]) -> Counter[Any]:
    """Rewrite the files that hold ``visitors``; returns the rows removed by Visitor.pk."""
    counts: Counter[Any] = Counter()
    wanted = sorted(visitors)

    def theirs(column: np.ndarray) -> np.ndarray:
        import numpy as np

        mask = np.isin(column, wanted)
        counts.update(column[mask].tolist())
        return mask

    if wanted:
        remove_rows("visitor", theirs)
    return counts
