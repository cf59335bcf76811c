"""The state of the installation, in a handful of queries: sync, training, publication and pending work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.core.cache import caches
from django.db.models import Count, Max, Q, Sum
from django.utils import timezone

from ..catalog.sync import CHECKPOINT
from ..conf import conf
from ..db import to_db_time
from ..models import Checkpoint, Event, HeldEvent, Item, OfferList, Omission, Publication, Release, TrainingRun
from ..tracking.redis_sink import STREAM, RedisSink, connect

# Activity is counted among this many latest events.
LATEST_EVENTS = 100_000
DAYS = 7
# Lifetime of that count in the cache.
CACHE_SECONDS = 60
# Pending work is counted up to this number.
MAX_COUNT = 1_000
GOOD, WEAK = 75, 50


@dataclass(frozen=True)
class Readiness:
    """Coverage of a strategy.

    strategy: its name
    lists: products with a list of their own; the others use the list of their category
    percent: their share of all products
    """

    strategy: str
    lists: int
    percent: int

    @property
    def state(self) -> str:
        """ "good" from GOOD percent, "weak" from WEAK percent, else "fallback"."""
        return "good" if self.percent >= GOOD else "weak" if self.percent >= WEAK else "fallback"


@dataclass(frozen=True)
class Activity:
    """Recent events.

    today: events of the last 24 hours
    usual: their mean per 24 hours in the days before, as far as known; None if unknown
    latest: time of the newest event
    """

    today: int
    usual: float | None
    latest: datetime | None


@dataclass(frozen=True, kw_only=True)
class Health:
    """The state of the installation.

    items, events: whether there are any
    synced: time of the last sync
    trained: the latest training
    published: the published release
    newest: the latest complete release, if it is newer than the published one
    readiness: coverage by strategy
    activity: recent events
    omitted: ignored events of the last week by reason, most frequent first
    held: events that wait for their product, at most MAX_COUNT
    to_review: lists that need review, at most MAX_COUNT
    queue: entries that wait in Redis; None without Redis, -1 if it is unavailable
    """

    items: bool
    events: bool
    synced: datetime | None
    trained: TrainingRun | None
    published: Release | None
    newest: Release | None
    readiness: list[Readiness]
    activity: Activity
    omitted: list[tuple[str, int]]
    held: int
    to_review: int
    queue: int | None


def health() -> Health:
    """The state of the installation, with a constant number of queries that scan no growing table."""
    publication = Publication.objects.current().select_related("release__run").first()
    published = publication.release if publication is not None else None
    newest = Release.objects.filter(complete=True).order_by("-pk").first()
    waiting = newest if newest is not None and (published is None or newest.pk > published.pk) else None
    reviewed = waiting or published
    week = timezone.localdate() - timedelta(days=DAYS)
    omitted = Omission.objects.filter(day__gte=week).order_by().values_list("reason").annotate(Sum("count"))
    activity = _activity()
    return Health(
        items=Item.objects.exists(),
        events=activity.latest is not None,
        synced=Checkpoint.objects.filter(name=CHECKPOINT).values_list("updated", flat=True).first(),
        trained=TrainingRun.objects.filter(kind=TrainingRun.Kind.RELEASE).order_by("-pk").first(),
        published=published,
        newest=waiting,
        readiness=_readiness(published) if published is not None else [],
        activity=activity,
        omitted=sorted(omitted, key=lambda row: -row[1]),
        held=HeldEvent.objects.order_by()[:MAX_COUNT].count(),
        to_review=OfferList.objects.filter(release=reviewed, priority__isnull=False).order_by()[:MAX_COUNT].count(),
        queue=_queue_length(),
    )


def _readiness(release: Release) -> list[Readiness]:
    items = release.run.metrics.get("items") or 0
    readiness = []
    for strategy, figures in sorted(release.metrics.items()):
        if not isinstance(figures, dict) or strategy not in conf.STRATEGIES or not items:
            continue
        if conf.STRATEGIES[strategy].needs_anchor:
            lists = int(figures.get("lists") or 0)
            readiness.append(Readiness(strategy, lists, min(round(100 * lists / items), 100)))
    return readiness


def _activity() -> Activity:
    cache, key = caches[conf.CACHE], "ecomrec:activity"
    values = cache.get(key)
    if values is not None:
        return Activity(*values)
    activity = _count_activity()
    cache.set(key, (activity.today, activity.usual, activity.latest), CACHE_SECONDS)
    return activity


def _count_activity() -> Activity:
    newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
    latest = Event.objects.filter(pk=newest).values_list("time", flat=True).first()
    now = timezone.now()
    ends = [to_db_time(now - timedelta(days=days)) for days in range(DAYS + 2)]
    days = {
        f"day{number}": Count("pk", filter=Q(time__gt=begin, time__lte=end))
        for number, (end, begin) in enumerate(pairwise(ends))
    }
    counts = Event.objects.filter(pk__gt=newest - LATEST_EVENTS, time__gt=ends[-1]).order_by().aggregate(**days)
    today, *before = (counts[name] for name in days)
    # Days before the shop's first event, or before the latest events, are unknown.
    known = before[: max((place for place, count in enumerate(before, start=1) if count), default=0)]
    return Activity(today, sum(known) / len(known) if known else None, latest)


def _queue_length() -> int | None:
    if not (isinstance(conf.SINK, type) and issubclass(conf.SINK, RedisSink)):
        return None
    try:
        return int(connect(0.2).xlen(STREAM))
    except Exception:
        return -1
