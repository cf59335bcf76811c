"""What is known of the shopper who asks: their profile, and what they did since. One query, and only with consent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.db import models
from django.db.models import Count, F, Max, Subquery, TextField, Value
from django.db.models.functions import Cast, Coalesce, Concat

from ..conf import conf
from ..db import PreparedQuery, to_aware, to_db_time
from ..learning.interactions import KINDS
from ..learning.ranking.shopper_history import ShopperHistory
from ..learning.types import FloatArray
from ..models import Event, Impression, Profile, Publication, StrategyVerdict, Visitor

# Of the events since the training, the latest.
MAX_RECENT_EVENTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopperContext:
    """One shopper as a page knows them.

    past: what the latest training knew of them, items by Item.pk.
    since: (item, kind, seconds since 1970, order) of later events, in the order of time.
    segment: Segment.pk, None for none.
    release: Release.pk of the published release, 0 for none.
    digest: that of the release's model, "" for none.
    held_back: strategy -> the same two of the release that is shown instead, for strategies that the published one
        holds back.
    ignored: external id -> how often an offer was seen without a click within the days of
        ``ECOMREC["FREQUENCY_CAP"]``.
    """

    past: ShopperHistory
    since: Sequence[tuple[int, int, float, str]]
    segment: int | None
    release: int
    digest: str
    held_back: Mapping[str, tuple[int, str]]
    ignored: Mapping[str, int]

    @classmethod
    def stranger(cls, segment: int | None) -> ShopperContext:
        """Somebody of whom only the segment, a Segment.pk, is known."""
        return cls(
            past=ShopperHistory.empty(), since=(), segment=segment, release=0, digest="", held_back={}, ignored={}
        )

    def shown_release(self, strategy: str) -> tuple[int, str]:
        """Release.pk of the offers of a strategy, and the digest of its model; 0 and "" for none."""
        return self.held_back.get(strategy, (self.release, self.digest))

    def usable(self, until: datetime | str | None, excluded: datetime | str | None) -> ShopperContext | None:
        """What may be used of this, with ``since`` in the order of time; None if that is nothing.

        until: ``past`` holds the events before this moment; None without a past
        excluded: what came before this moment may not be used; None for no such moment
        """
        past, segment, since, ignored = self.past, self.segment, self.since, self.ignored
        if excluded is not None:
            # What came before is not to be learned from, and nothing at all while consent is withdrawn.
            moment = seconds_of(excluded)
            since = [event for event in since if event[2] >= moment]
            if until is None or seconds_of(until) < moment:
                past, segment = ShopperHistory.empty(), None
            ignored = {}
        if not (len(past) or since or ignored):
            return None
        latest = sorted(since, key=lambda event: event[2])[-MAX_RECENT_EVENTS:]
        return replace(self, past=past, segment=segment, since=latest, ignored=ignored)

    def history(self, day: Callable[[FloatArray], FloatArray]) -> ShopperHistory:
        """The past with what came since; ``day`` turns seconds into days of the history's clock."""
        if not self.since:
            return self.past
        items, kinds, seconds, orders = zip(*self.since, strict=True)
        baskets = np.unique(np.array(orders), return_inverse=True)[1]
        return self.past.with_later(np.array(items), np.array(kinds, np.int8), day(np.array(seconds)), baskets)


def shopper_context_by_key(key: str) -> ShopperContext | None:
    """The shopper of this Visitor.key, who agreed to be known; None for somebody of whom nothing is known."""
    past, segment, since = ShopperHistory.empty(), None, []
    ignored: dict[str, int] = {}
    held_back: dict[str, tuple[int, str]] = {}
    known, until, excluded, release, digest = False, None, None, 0, ""
    for kind, number, first, second, other, data, order in _rows_of(key):
        if kind == _PROFILE:
            # A cookie that has joined an account and lives on belongs to somebody new.
            if number is not None:
                return None
            known, until, excluded, segment = True, first, second, other
            if data is not None:
                past = ShopperHistory.from_bytes(bytes(data))
        elif kind == _RELEASE:
            release, digest = int(number), order
        elif kind.startswith(_HELD_BACK):
            held_back[kind.removeprefix(_HELD_BACK)] = (int(number), order)
        elif kind == _IGNORED:
            if first is None:
                ignored[order] = int(number)
        elif kind in KIND_NUMBERS:
            since.append((number, KIND_NUMBERS[kind], seconds_of(first), order))
    if not known:
        return None
    context = ShopperContext(
        past=past,
        since=since,
        segment=segment,
        release=release,
        digest=digest,
        held_back=held_back,
        ignored=ignored,
    )
    return context.usable(until, excluded)


_PROFILE, _RELEASE, _IGNORED = "profile", "release", "ignored"
# Stands before the name of the strategy.
_HELD_BACK = "held:"
KIND_NUMBERS = {kind: KINDS.index(kind) for kind in KINDS if kind not in ("view_item_list", "refund")}
# Stand in the prepared query for the visitor's key and for where the days of the cap begin.
_KEY, _SINCE = "\0key", datetime(1971, 1, 2, tzinfo=UTC)
_LONG_AGO = datetime(1971, 1, 1, tzinfo=UTC)


def seconds_of(time: datetime | str) -> float:
    """Seconds since 1970."""
    # Of a union, SQLite gives times as they are stored.
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    return (to_aware(time) if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _rows_of(key: str) -> Sequence[tuple[Any, ...]]:
    """The rows of `_query` for this visitor."""
    values: dict[str | datetime, str | datetime] = {_KEY: key}
    cap = conf.FREQUENCY_CAP
    if cap:
        values[_SINCE] = cap_start(cap["days"])
    return _SHOPPERS.rows(values, capped=bool(cap))


def cap_start(days: int) -> datetime:
    """Where the days of the frequency cap begin; to the hour, so that the same query is used again."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=days)


def _query(*, capped: bool) -> models.QuerySet[Any, Any]:
    """Rows of events (kind, item, time, -, -, -, order), of the visitor (-, merged into, until, excluded, segment,
    history, -), of the release (-, pk, -, -, -, -, digest), of those shown for strategies that it holds back (the
    same), and of offers (-, times seen, last click, -, -, -, item).
    """
    visitor = Visitor.objects.filter(key=_KEY).order_by()
    own = visitor.values_list(
        Value(_PROFILE, TextField()),
        F("merged_into_id"),
        F("profile__until"),
        F("excluded_until"),
        F("profile__segment_id"),
        F("profile__history"),
        Value("", TextField()),
    )
    # A constant of the query, by which the index leads to the latest events alone.
    until = Subquery(Profile.objects.filter(visitor__key=_KEY).order_by().values("until")[:1])
    long_ago = Cast(Value(to_db_time(_LONG_AGO), models.DateTimeField()), models.DateTimeField())
    nothing = {name: Value(None, field) for name, field in _NO_VALUE.items()}
    visitor_pk = Subquery(visitor.values("pk")[:1])
    events = (
        Event.objects.filter(visitor_id=visitor_pk, time__gte=Coalesce(until, long_ago))
        .order_by()
        .values_list("kind", "item_id", "time", nothing["excluded"], nothing["segment"], nothing["history"], "basket")
    )
    release = Publication.objects.current().values_list(
        Value(_RELEASE, TextField()),
        "release_id",
        Value(None, models.DateTimeField(null=True)),
        *nothing.values(),
        "release__digest",
    )
    held_back = StrategyVerdict.objects.filter(
        release_id=Publication.objects.current_value("release_id"), outcome=StrategyVerdict.Outcome.HELD
    )
    sources = held_back.order_by().values_list(
        Concat(Value(_HELD_BACK), F("strategy"), output_field=TextField()),
        Coalesce("source_id", 0),
        Value(None, models.DateTimeField(null=True)),
        *nothing.values(),
        Coalesce("source__digest", Value("")),
    )
    if not capped:
        return own.union(events, release, sources, all=True)
    impressions = (
        Impression.objects.filter(visitor_id=visitor_pk, time__gte=to_db_time(_SINCE))
        .order_by()
        .values("item__external_id")
        .annotate(seen=Count("pk"), last=Max("clicked"))
        .values_list(
            Value(_IGNORED, TextField()),
            "seen",
            "last",
            nothing["excluded"],
            nothing["segment"],
            nothing["history"],
            "item__external_id",
        )
    )
    return own.union(events, release, sources, impressions, all=True)


_NO_VALUE: dict[str, models.Field[Any, Any]] = {
    "excluded": models.DateTimeField(null=True),
    "segment": models.BigIntegerField(null=True),
    "history": models.BinaryField(null=True),
}
_SHOPPERS = PreparedQuery(Event, _query, shapes=8)
