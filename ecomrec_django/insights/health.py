"""Whether everything runs: what was read from the shop, what was learned, and what waits, in a handful of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.core.cache import caches
from django.db.models import Count, Max, Q, Sum
from django.utils import timezone

from ..catalog.sync import CHECKPOINT
from ..conf import conf
from ..models import Checkpoint, Event, HeldEvent, Item, OfferList, Omission, Publication, Release, TrainingRun
from ..models.bulk import storable
from ..tracking.redis_sink import STREAM, RedisSink, connect

# Events, the latest, among which those of the last days are counted.
LATEST_EVENTS = 100_000
DAYS = 7
# For how long that count is kept.
CACHE_SECONDS = 60
# Counts of what waits end here.
COUNTED = 1_000
GOOD, WEAK = 75, 50


@dataclass(frozen=True)
class Readiness:
    """Of 100 products so many have a list of this strategy of their own; the others fall back on their category's."""

    strategy: str
    lists: int
    percent: int

    @property
    def state(self) -> str:
        """ "good" from 75 on, "weak" from 50 on, below that "fallback"."""
        return "good" if self.percent >= GOOD else "weak" if self.percent >= WEAK else "fallback"


@dataclass(frozen=True)
class Activity:
    """Events of the last 24 hours, and the mean of the 24 hours before each of which something is known; None for an
    unknown mean. ``latest``: when the newest was."""

    today: int
    usual: float | None
    latest: datetime | None


@dataclass(frozen=True)
class Health:
    """``synced``: when the catalog was read last · ``trained``: the latest training · ``newest``: the latest complete
    release if it is not published · ``left_out``: events of the last week by reason, most first · ``held``: events that
    wait for their product, COUNTED at most · ``to_review``: lists of the newest release that need eyes, as many at
    most · ``queue``: entries that wait in Redis, None without it, -1 where it does not answer."""

    items: bool
    events: bool
    synced: datetime | None
    trained: TrainingRun | None
    published: Release | None
    newest: Release | None
    readiness: list[Readiness]
    activity: Activity
    left_out: list[tuple[str, int]]
    held: int
    to_review: int
    queue: int | None


def health() -> Health:
    """A constant number of queries, none of which walks through a table that grows with the shop."""
    publication = Publication.objects.select_related("release__run").filter(pk=1).first()
    published = publication.release if publication is not None else None
    newest = Release.objects.filter(complete=True).order_by("-pk").first()
    waiting = newest if newest is not None and (published is None or newest.pk > published.pk) else None
    reviewed = waiting or published
    week = timezone.localdate() - timedelta(days=DAYS)
    left_out = Omission.objects.filter(day__gte=week).order_by().values_list("reason").annotate(Sum("count"))
    activity = _activity()
    return Health(
        Item.objects.exists(),
        activity.latest is not None,
        Checkpoint.objects.filter(name=CHECKPOINT).values_list("updated", flat=True).first(),
        TrainingRun.objects.filter(kind=TrainingRun.Kind.RELEASE).order_by("-pk").first(),
        published,
        waiting,
        _readiness(published) if published is not None else [],
        activity,
        sorted(left_out, key=lambda row: -row[1]),
        HeldEvent.objects.order_by()[:COUNTED].count(),
        OfferList.objects.filter(release=reviewed, attention__isnull=False).order_by()[:COUNTED].count(),
        _queued(),
    )


def _readiness(release: Release) -> list[Readiness]:
    items = release.run.metrics.get("items") or 0
    found = []
    for strategy, figures in sorted(release.metrics.items()):
        if not isinstance(figures, dict) or strategy not in conf.STRATEGIES or not items:
            continue
        if conf.STRATEGIES[strategy].needs_anchor:
            lists = int(figures.get("lists") or 0)
            found.append(Readiness(strategy, lists, min(round(100 * lists / items), 100)))
    return found


def _activity() -> Activity:
    cache, key = caches[conf.CACHE], "ecomrec:activity"
    found: Activity | None = _read(cache.get(key))
    if found is None:
        found = _counted()
        cache.set(key, (found.today, found.usual, found.latest), CACHE_SECONDS)
    return found


def _read(kept: Any) -> Activity | None:
    return Activity(*kept) if kept is not None else None


def _counted() -> Activity:
    newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
    latest = Event.objects.filter(pk=newest).values_list("time", flat=True).first()
    now = timezone.now()
    ends = [storable(now - timedelta(days=days)) for days in range(DAYS + 2)]
    days = {
        f"day{number}": Count("pk", filter=Q(time__gt=begin, time__lte=end))
        for number, (end, begin) in enumerate(pairwise(ends))
    }
    counts = Event.objects.filter(pk__gt=newest - LATEST_EVENTS, time__gt=ends[-1]).order_by().aggregate(**days)
    today, *before = (counts[name] for name in days)
    # A day before the shop's first, or before the latest events, says nothing.
    known = before[: max((place for place, count in enumerate(before, start=1) if count), default=0)]
    return Activity(today, sum(known) / len(known) if known else None, latest)


def _queued() -> int | None:
    if not (isinstance(conf.SINK, type) and issubclass(conf.SINK, RedisSink)):
        return None
    try:
        return int(connect(0.2).xlen(STREAM))
    except Exception:
        return -1
