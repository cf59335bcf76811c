"""The rows of segments and of shoppers' profiles, for pages and merchants."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import numpy as np
from django.db import transaction

from ..db import MAX_LOOKUP_IDS, chunks, to_db_time
from ..learning.progress import Progress
from ..learning.ranker_training.snapshot import Snapshot
from ..learning.segmentation.clustering import Cluster, Segmentation
from ..learning.segmentation.descriptions import describe_words
from ..learning.segmentation.features import AISLE
from ..learning.types import IntArray
from ..models import Category, Profile, Segment, Visitor

# Profiles of one transaction.
PROFILES_AT_ONCE = 1_000


class KnownSegment(NamedTuple):
    """A segment of an earlier training, as `clustering.fit_segments` takes it."""

    label: int
    centre: dict[str, float]


def known_segments(aisles: IntArray) -> list[KnownSegment]:
    """All segments ever found; ``aisles`` are the Category.pk of this training's aisle numbers."""
    numbers = {str(pk): number for number, pk in enumerate(aisles.tolist())}
    rows = Segment.objects.filter(outliers=False).values_list("label", "centre")
    return [KnownSegment(label, _renamed(centre, numbers)) for label, centre in rows]


def store_segments(segments: Segmentation, aisles: IntArray) -> dict[int, int]:
    """Write the segments of a training, and empty those it did not find; returns Segment.pk by label."""
    by_number = aisle_names(aisles)
    paths = dict(Category.objects.filter(pk__in=aisles[aisles > 0].tolist()).values_list("pk", "path"))
    pks = {str(number): int(pk) for number, pk in enumerate(aisles.tolist())}
    with transaction.atomic():
        Segment.objects.exclude(label__in=[cluster.label for cluster in segments.clusters]).update(size=0)
        for cluster in segments.clusters:
            Segment.objects.update_or_create(
                label=cluster.label,
                defaults={
                    "description": describe_words(cluster.words, by_number)[:255],
                    "outliers": cluster.outliers,
                    "size": cluster.size,
                    "profile": _profile(cluster, aisles, paths),
                    "centre": _renamed(cluster.centre, pks),
                },
            )
    return dict(Segment.objects.values_list("label", "pk"))


def aisle_names(aisles: IntArray) -> dict[int, str]:
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


def _profile(cluster: Cluster, aisles: IntArray, paths: dict[int, str]) -> dict[str, object]:
    """The profile with Category.pk and path in place of aisle numbers; the rest of all aisles is left out."""
    rows = []
    for row in cluster.profile["aisles"]:
        number = row["aisle"]
        pk = int(aisles[number]) if 0 <= number < len(aisles) else 0
        if pk in paths:
            rows.append({"aisle": pk, "name": paths[pk], "share": row["share"], "all": row["all"]})
    return {**cluster.profile, "aisles": rows}


def store_profiles(snapshot: Snapshot, until: datetime, segments: dict[int, int], progress: Progress) -> int:
    """Write the row of every visitor with a history, and remove those of visitors who have none; returns how many.

    Profiles are not part of a release: a roll back shows former lists to shoppers as they are now.
    """
    visitors = snapshot.events.visitors.ids
    written = 0
    for chunk in chunks(range(len(visitors)), PROFILES_AT_ONCE):
        numbers = np.array(chunk)
        written += _write(snapshot, visitors[numbers], numbers, until, segments)
        progress(chunk[-1] + 1, len(visitors))
    # Of visitors who were erased, withdrew consent or joined an account.
    while old := list(
        Profile.objects.filter(until__lt=to_db_time(until)).values_list("pk", flat=True)[:MAX_LOOKUP_IDS]
    ):
        Profile.objects.filter(pk__in=old).delete()
    return written


def _write(
    knowledge: Snapshot, visitors: np.ndarray, numbers: np.ndarray, until: datetime, segments: dict[int, int]
) -> int:
    items = knowledge.events.items.ids
    labels = knowledge.segments.labels[numbers].tolist()
    histories = zip(visitors.tolist(), labels, knowledge.histories(numbers), strict=True)
    rows = [
        Profile(
            visitor_id=pk,
            segment_id=segments.get(label),
            history=history.to_ids(items).to_bytes(),
            until=to_db_time(until),
        )
        for pk, label, history in histories
    ]
    with transaction.atomic():
        # Locked, so that nobody is erased, withdraws or joins an account before the write.
        alive = set(_recorded(visitors.tolist()))
        current = [row for row in rows if row.visitor_id in alive]
        Profile.objects.filter(pk__in=[row.visitor_id for row in rows]).delete()
        Profile.objects.bulk_create(current)
    return len(current)


def _recorded(visitors: Iterable[int]) -> Iterable[int]:
    rows = Visitor.objects.select_for_update().filter(pk__in=list(visitors), merged_into=None).order_by("pk")
    return rows.values_list("pk", flat=True)
