"""Products that took the place of others, as `ItemFacts.replaces` says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ..db import MAX_LOOKUP_IDS, chunks
from ..models import Item


def successors_of(items: Iterable[str]) -> dict[str, list[str]]:
    """External ids of all that took the place of each item, directly or through others, the direct ones first.

    Items whose place nothing took are left out.
    """
    wanted = list(dict.fromkeys(items))
    following: defaultdict[str, list[str]] = defaultdict(list)
    if wanted:
        for old, new in _replacements():
            following[old].append(new)
    found = {}
    for item in wanted:
        later: dict[str, None] = {}
        waiting = list(following.get(item, ()))
        while waiting:
            name = waiting.pop(0)
            # Two products may name each other.
            if name not in later and name != item:
                later[name] = None
                waiting += following.get(name, ())
        if later:
            found[item] = list(later)
    return found


def heirs() -> dict[int, int]:
    """The item to whose history that of a product which is gone belongs, by Item.pk of both.

    Of several successors, the oldest that the shop still sells.
    """
    successors = successors_of({old for old, _ in _replacements()})
    names = {*successors, *(name for later in successors.values() for name in later)}
    known: dict[str, tuple[int, bool]] = {}
    for ids in chunks(sorted(names), MAX_LOOKUP_IDS):
        rows = Item.objects.filter(external_id__in=ids).values_list("external_id", "pk", "active")
        known |= {name: (pk, active) for name, pk, active in rows}
    found = {}
    for old, later in successors.items():
        pk, sold = known.get(old, (0, True))
        heir = next((known[name][0] for name in later if name in known and known[name][1]), None)
        if heir is not None and not sold:
            found[pk] = heir
    return found


def _replacements() -> list[tuple[str, str]]:
    """(predecessor, successor) of all products that took the place of another, the oldest first."""
    return list(Item.objects.filter(replaces__gt="").order_by("pk").values_list("replaces", "external_id"))
