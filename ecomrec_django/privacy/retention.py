"""Retention: removal of old rows from the database and the history files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.db import models, transaction
from django.db.models import Exists, Max, Min, OuterRef, Q
from django.utils.dateparse import parse_datetime

from ..db import CHUNK_ROWS, MAX_LOOKUP_IDS, to_aware, to_db_time
from ..errors import DataError
from ..history.export import last_exported_event
from ..history.removal import remove_rows
from ..learning.interactions import DAY
from ..learning.progress import Progress, no_progress
from ..learning.ranking.shopper_history import ShopperHistory
from ..locks import exclusive
from ..models import Checkpoint, Event, Exposure, GuestOrder, HeldEvent, Impression, Omission, Profile, Visitor

if TYPE_CHECKING:
    from ..learning.types import AnyArray, BoolArray

# Checkpoint that holds the latest horizon: nothing older is let in.
PURGED = "purged"
# The models with a time of their own.
TIMED: tuple[type[models.Model], ...] = (Event, Impression, HeldEvent, Exposure)


@dataclass(kw_only=True)
class PurgeReport:
    """Removed rows.

    events, impressions, held_events, exposures: older than the horizon
    omissions: daily counts of ignored events
    visitors: of whom nothing is left
    history: rows of the history files
    """

    events: int = 0
    impressions: int = 0
    held_events: int = 0
    exposures: int = 0
    omissions: int = 0
    visitors: int = 0
    history: int = 0


def days_ago(days: int) -> datetime:
    """The moment ``days`` before now. Raises DataError for less than one day, and for more than a calendar has."""
    try:
        if days < 1:
            raise OverflowError
        return datetime.now(UTC) - timedelta(days)
    except OverflowError:
        raise DataError(f"The number of days must be a whole number from 1 up, such as 730, not {days!r}.") from None


def horizon() -> datetime | None:
    """Nothing from before this moment is kept or let in; None where nothing was ever purged."""
    position = Checkpoint.objects.filter(name=PURGED).values_list("position", flat=True).first()
    return parse_datetime(position["before"]) if position else None


def would_purge(before: datetime) -> PurgeReport:
    """The rows that `purge` would remove now."""
    before = to_db_time(before)
    idle = _idle(before).values("pk")
    return PurgeReport(
        events=Event.objects.filter(time__lt=before).count(),
        impressions=Impression.objects.filter(time__lt=before).count(),
        held_events=HeldEvent.objects.filter(time__lt=before).count(),
        exposures=Exposure.objects.filter(time__lt=before).count(),
        omissions=Omission.objects.filter(day__lt=before.date()).count(),
        visitors=Visitor.objects.filter(Q(pk__in=idle) | Q(merged_into__in=idle)).count(),
        history=Event.objects.filter(pk__lte=last_exported_event(), time__lt=before).count(),
    )


def purge(before: datetime, progress: Progress = no_progress) -> PurgeReport:
    """Remove everything older than ``before``, and let none of it in again; may be repeated after a crash.

    ``progress`` is called with (rows visited, rows in all). Raises TrainingError while a training is running, with
    nothing removed.
    """
    with exclusive():
        _remember(before)
        report = PurgeReport()
        walk = _Walk(progress)
        report.events, report.impressions, report.held_events, report.exposures = (
            walk.remove(model, before) for model in TIMED
        )
        report.omissions, _ = Omission.objects.filter(day__lt=to_db_time(before).date()).delete()
        report.visitors = _remove_idle(to_db_time(before))
        _shorten_profiles(before)
        report.history = remove_rows("time", lambda times: _older(times, before))
    return report


def _remember(before: datetime) -> None:
    """A horizon never moves back: what lies before it is gone."""
    latest = horizon()
    if latest is None or latest < before:
        position = {"before": to_aware(before).astimezone(UTC).isoformat()}
        Checkpoint.objects.update_or_create(name=PURGED, defaults={"position": position})


class _Walk:
    """Removes old rows by ranges of primary keys: one pass over each table, no index on time needed."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._ends = {model: model._default_manager.aggregate(first=Min("pk"), last=Max("pk")) for model in TIMED}
        self._total = sum(ends["last"] - ends["first"] + 1 for ends in self._ends.values() if ends["last"])
        self._done = 0

    def remove(self, model: type[models.Model], before: datetime) -> int:
        first, last = self._ends[model]["first"], self._ends[model]["last"]
        removed = 0
        for start in range(first, last + 1, CHUNK_ROWS) if last else ():
            rows = model._default_manager.filter(pk__gte=start, pk__lt=min(start + CHUNK_ROWS, last + 1))
            _, counts = rows.filter(time__lt=to_db_time(before)).delete()
            # Credits go along, and are not counted.
            removed += counts.get(model._meta.label, 0)
            self._done += min(CHUNK_ROWS, last + 1 - start)
            self._progress(self._done, self._total)
        return removed


def _idle(before: datetime) -> models.QuerySet[Visitor]:
    """Visitors without any row since then.

    Except those who withdrew consent, which stays in force; those merged into an account, who go with it; and new
    guests, whose orders may not be imported yet.
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
            pks = list(_idle(before).order_by("pk").values_list("pk", flat=True)[:MAX_LOOKUP_IDS])
            if not pks:
                return removed
            _, counts = Visitor.objects.filter(pk__in=pks).delete()
            removed += counts[Visitor._meta.label]


def _shorten_profiles(before: datetime) -> None:
    """Remove old events from the profiles, which pages read until the next training rewrites them."""
    day, last = to_aware(before).timestamp() / DAY, 0
    while profiles := list(Profile.objects.filter(pk__gt=last).order_by("pk")[:MAX_LOOKUP_IDS]):
        changed = []
        for profile in profiles:
            past = ShopperHistory.from_bytes(bytes(profile.history))
            shorter = past.after(day)
            if len(shorter) < len(past):
                profile.history = shorter.to_bytes()
                changed.append(profile)
        Profile.objects.bulk_update(changed, ["history"])
        last = profiles[-1].pk


def _older(times: AnyArray, before: datetime) -> BoolArray:
    import numpy as np

    return times < np.datetime64(to_aware(before).astimezone(UTC).replace(tzinfo=None), "us")
