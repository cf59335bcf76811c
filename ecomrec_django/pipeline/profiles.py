"""What pages and merchants read of shoppers: a row per segment, and a row per shopper."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

import numpy as np
from django.db import transaction

from ..learning.behaviour import AISLE
from ..learning.knowledge import Knowledge
from ..learning.naming import described
from ..learning.segments import Found, Segments
from ..models import Category, Profile, Segment, Visitor
from ..models.bulk import LOOKUP, chunks, storable

# Profiles of one transaction.
AT_ONCE = 1_000


class Stored(NamedTuple):
    """A segment of an earlier training, as `segments.find` takes it."""

    label: int
    centre: dict[str, float]


def known_segments(aisles: np.ndarray) -> list[Stored]:
    """All segments ever found; ``aisles`` are the Category.pk of this training's aisle numbers."""
    numbers = {str(pk): number for number, pk in enumerate(aisles.tolist())}
    rows = Segment.objects.filter(outliers=False).values_list("label", "centre")
    return [Stored(label, _renamed(centre, numbers)) for label, centre in rows]


def store_segments(segments: Segments, aisles: np.ndarray) -> dict[int, int]:
    """Write the rows of what was found, and empty those of what was not; returns Segment.pk by label."""
    by_number = aisle_names(aisles)
    paths = dict(Category.objects.filter(pk__in=aisles[aisles > 0].tolist()).values_list("pk", "path"))
    pks = {str(number): int(pk) for number, pk in enumerate(aisles.tolist())}
    with transaction.atomic():
        Segment.objects.exclude(label__in=[found.label for found in segments.found]).update(size=0)
        for found in segments.found:
            Segment.objects.update_or_create(
                label=found.label,
                defaults={
                    "described": described(found, by_number)[:255],
                    "outliers": found.outliers,
                    "size": found.size,
                    "profile": _profile(found, aisles, paths),
                    "centre": _renamed(found.centre, pks),
                },
            )
    return dict(Segment.objects.values_list("label", "pk"))


def aisle_names(aisles: np.ndarray) -> dict[int, str]:
    """Names by this training's aisle numbers, of those that are categories."""
    names = dict(Category.objects.filter(pk__in=aisles[aisles > 0].tolist()).values_list("pk", "name"))
    return {number: names[pk] for number, pk in enumerate(aisles.tolist()) if pk in names}


def _renamed(centre: dict[str, float], names: dict[str, int]) -> dict[str, float]:
    """Aisles by another name; those that have none are left out."""
    renamed = {}
    for key, value in centre.items():
        name = key.removeprefix(AISLE)
        if name == key or not name.isdecimal():
            renamed[key] = value
        elif name in names:
            renamed[f"{AISLE}{names[name]}"] = value
    return renamed


def _profile(found: Found, aisles: np.ndarray, paths: dict[int, str]) -> dict[str, object]:
    """The profile with Category.pk and path in place of aisle numbers; the rest of all aisles is left out."""
    rows = []
    for row in found.profile["aisles"]:
        number = row["aisle"]
        pk = int(aisles[number]) if 0 <= number < len(aisles) else 0
        if pk in paths:
            rows.append({"aisle": pk, "name": paths[pk], "share": row["share"], "all": row["all"]})
    return {**found.profile, "aisles": rows}


def store_profiles(
    knowledge: Knowledge, until: datetime, segments: dict[int, int], progress: Callable[[int, int], None]
) -> int:
    """Write the row of every visitor with a history, and remove those of visitors who have none; returns how many.

    Profiles are not part of a release: a roll back shows former lists to shoppers as they are now.
    """
    visitors = knowledge.events.visitors.ids
    written = 0
    for some in chunks(range(len(visitors)), AT_ONCE):
        numbers = np.array(some)
        written += _write(knowledge, visitors[numbers], numbers, until, segments)
        progress(some[-1] + 1, len(visitors))
    # Those who were forgotten, or withdrew, or joined an account.
    while old := list(Profile.objects.filter(until__lt=storable(until)).values_list("pk", flat=True)[:LOOKUP]):
        Profile.objects.filter(pk__in=old).delete()
    return written


def _write(
    knowledge: Knowledge, visitors: np.ndarray, numbers: np.ndarray, until: datetime, segments: dict[int, int]
) -> int:
    items = knowledge.events.items.ids
    pasts = zip(visitors.tolist(), knowledge.segments.labels[numbers].tolist(), knowledge.pasts(numbers), strict=True)
    rows = [
        Profile(visitor_id=pk, segment_id=segments.get(label), past=past.of_ids(items).packed(), until=storable(until))
        for pk, label, past in pasts
    ]
    with transaction.atomic():
        # Held, so that nobody is forgotten, withdraws or joins an account between the look and the write.
        alive = set(_recorded(visitors.tolist()))
        kept = [row for row in rows if row.visitor_id in alive]
        Profile.objects.filter(pk__in=[row.visitor_id for row in rows]).delete()
        Profile.objects.bulk_create(kept)
    return len(kept)


def _recorded(visitors: Iterable[int]) -> Iterable[int]:
    rows = Visitor.objects.select_for_update().filter(pk__in=list(visitors), merged_into=None).order_by("pk")
    return rows.values_list("pk", flat=True)
