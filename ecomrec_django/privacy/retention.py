"""Forgetting what is old, in the database and in the history files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.db import models, transaction
from django.db.models import Exists, Max, Min, OuterRef, Q
from django.utils.dateparse import parse_datetime

from ..errors import DataError
from ..learning.past import DAY, Past
from ..models import Checkpoint, Event, Exposure, GuestOrder, HeldEvent, Impression, Omission, Profile, Visitor
from ..models.bulk import CHUNK, LOOKUP, aware, storable
from ..pipeline.history import exported, remove_rows
from ..pipeline.lock import only_one

if TYPE_CHECKING:
    import numpy as np

# Checkpoint that holds the latest horizon: what is older stays out.
PURGED = "purged"
# What has a time of its own.
TIMED: tuple[type[models.Model], ...] = (Event, Impression, HeldEvent, Exposure)


@dataclass
class PurgeReport:
    """Rows older than the horizon; visitors of whom nothing is left; rows of the history files."""

    events: int = 0
    impressions: int = 0
    held_events: int = 0
    exposures: int = 0
    left_out: int = 0
    visitors: int = 0
    history: int = 0


def days_ago(days: int) -> datetime:
    """The moment ``days`` before now. Raises DataError for none, and for more than a calendar has."""
    try:
        if days < 1:
            raise OverflowError
        return datetime.now(UTC) - timedelta(days)
    except OverflowError:
        raise DataError(f"{days!r} days cannot be kept: give a whole number from 1 up, such as 730.") from None


def horizon() -> datetime | None:
    """Before this moment nothing is kept, and nothing is let in; None where nothing was ever purged."""
    position = Checkpoint.objects.filter(name=PURGED).values_list("position", flat=True).first()
    return parse_datetime(position["before"]) if position else None


def would_purge(before: datetime) -> PurgeReport:
    """What `purge` would remove now."""
    before = storable(before)
    idle = _idle(before).values("pk")
    return PurgeReport(
        events=Event.objects.filter(time__lt=before).count(),
        impressions=Impression.objects.filter(time__lt=before).count(),
        held_events=HeldEvent.objects.filter(time__lt=before).count(),
        exposures=Exposure.objects.filter(time__lt=before).count(),
        left_out=Omission.objects.filter(day__lt=before.date()).count(),
        visitors=Visitor.objects.filter(Q(pk__in=idle) | Q(merged_into__in=idle)).count(),
        history=Event.objects.filter(pk__lte=exported(), time__lt=before).count(),
    )


def purge(before: datetime, progress: Callable[[int, int], None] | None = None) -> PurgeReport:
    """Remove everything from before ``before``, and let none of it in again; may be repeated after a crash.

    ``progress`` is called with (rows looked at, rows in all). Raises TrainingError while a training is running, with
    nothing removed.
    """
    with only_one():
        _remember(before)
        report = PurgeReport()
        walk = _Walk(progress)
        report.events, report.impressions, report.held_events, report.exposures = (
            walk.remove(model, before) for model in TIMED
        )
        report.left_out, _ = Omission.objects.filter(day__lt=storable(before).date()).delete()
        report.visitors = _remove_idle(storable(before))
        _shorten_profiles(before)
        report.history = remove_rows("time", lambda times: _older(times, before))
    return report


def _remember(before: datetime) -> None:
    """A horizon never moves back: what lies before it is gone."""
    latest = horizon()
    if latest is None or latest < before:
        position = {"before": aware(before).astimezone(UTC).isoformat()}
        Checkpoint.objects.update_or_create(name=PURGED, defaults={"position": position})


class _Walk:
    """Removes old rows by ranges of primary keys: one pass over each table, no index on time needed."""

    def __init__(self, progress: Callable[[int, int], None] | None) -> None:
        self._progress = progress
        self._ends = {model: model._default_manager.aggregate(first=Min("pk"), last=Max("pk")) for model in TIMED}
        self._total = sum(ends["last"] - ends["first"] + 1 for ends in self._ends.values() if ends["last"])
        self._done = 0

    def remove(self, model: type[models.Model], before: datetime) -> int:
        first, last = self._ends[model]["first"], self._ends[model]["last"]
        removed = 0
        for start in range(first, last + 1, CHUNK) if last else ():
            rows = model._default_manager.filter(pk__gte=start, pk__lt=min(start + CHUNK, last + 1))
            _, counts = rows.filter(time__lt=storable(before)).delete()
            # Credits go along, and are not counted.
            removed += counts.get(model._meta.label, 0)
            self._done += min(CHUNK, last + 1 - start)
            if self._progress:
                self._progress(self._done, self._total)
        return removed


def _idle(before: datetime) -> models.QuerySet[Visitor]:
    """Visitors of whom nothing since then is kept.

    Those who withdrew consent stay withdrawn, those who joined an account go when it goes, and the order of a guest who
    is new may not be imported yet.
    """
    idle = Visitor.objects.filter(merged_into=None).filter(Q(excluded_until=None) | Q(excluded_until__lt=before))
    idle = idle.exclude(Exists(GuestOrder.objects.filter(visitor=OuterRef("pk"))), created__gte=before)
    for model in TIMED:
        idle = idle.exclude(Exists(model._default_manager.filter(visitor=OuterRef("pk"), time__gte=before)))
    return idle


def _remove_idle(before: datetime) -> int:
    removed = 0
    while True:
        with transaction.atomic():
            some = list(_idle(before).order_by("pk").values_list("pk", flat=True)[:LOOKUP])
            if not some:
                return removed
            _, counts = Visitor.objects.filter(pk__in=some).delete()
            removed += counts[Visitor._meta.label]


def _shorten_profiles(before: datetime) -> None:
    """Take old events out of the profiles, which pages read until the next training writes them anew."""
    day, last = aware(before).timestamp() / DAY, 0
    while profiles := list(Profile.objects.filter(pk__gt=last).order_by("pk")[:LOOKUP]):
        changed = []
        for profile in profiles:
            past = Past.unpacked(bytes(profile.past))
            shorter = past.since(day)
            if len(shorter) < len(past):
                profile.past = shorter.packed()
                changed.append(profile)
        Profile.objects.bulk_update(changed, ["past"])
        last = profiles[-1].pk


def _older(times: np.ndarray, before: datetime) -> np.ndarray:
    import numpy as np

    return times < np.datetime64(aware(before).astimezone(UTC).replace(tzinfo=None), "us")
