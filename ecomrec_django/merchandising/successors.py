"""What staff decided about a product is true of the one that takes its place."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from ..db import MAX_LOOKUP_IDS, chunks
from ..models import Item, Override


def inherit_overrides(successors: Iterable[tuple[str, str]]) -> int:
    """Copy the pins and blocks of and beside predecessors to the products that took their place; returns how many.

    successors: (predecessor, successor) by external id. Those of the predecessor stay: it may come back.
    """
    pairs, copied = list(successors), 0
    items: dict[str, int] = {}
    for ids in chunks(sorted({name for pair in pairs for name in pair}), MAX_LOOKUP_IDS):
        items |= dict(Item.objects.filter(external_id__in=ids).values_list("external_id", "pk"))
    for old, new in pairs:
        if old in items and new in items:
            with transaction.atomic():
                copied += _inherit(items[old], items[new])
    return copied


def _inherit(old: int, new: int) -> int:
    copied = 0
    for side, other in (("anchor_id", "offer_id"), ("offer_id", "anchor_id")):
        for override in Override.objects.filter(**{side: old}):
            if getattr(override, other) == new or Override.objects.filter(
                strategy=override.strategy, **{side: new, other: getattr(override, other)}
            ):
                continue
            override.pk = None
            override._state.adding = True
            setattr(override, side, new)
            # Through the model, so that pages drop what they cached.
            override.save()
            copied += 1
    return copied
