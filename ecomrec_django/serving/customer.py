"""What is known of the shopper who asks: their profile, and what they did since. One query, and only with consent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from django.db import connections, models, router
from django.db.models import Count, F, Max, Subquery, TextField, Value
from django.db.models.functions import Cast, Coalesce
from django.http import HttpRequest

from ..conf import conf
from ..learning.interactions import KINDS
from ..learning.past import Past
from ..models import Event, Impression, Profile, Publication, Visitor
from ..models.bulk import aware, storable
from ..tracking.consent import consents
from ..tracking.visitors import key_of

# Of the events since the training, the latest.
MOST_EVENTS = 200


class Customer(NamedTuple):
    """``past``: what a training knew, by Item.pk; ``since``: (item, kind, seconds since 1970, order) of later events,
    in the order of time; ``segment``: a Segment.pk; ``release``: the published one, and ``digest`` of its model;
    ``ignored``: external id -> how often an offer was seen within the days of ``ECOMREC["FREQUENCY_CAP"]``, for those
    that were not clicked.
    """

    past: Past
    since: list[tuple[int, int, float, str]]
    segment: int | None
    release: int
    digest: str
    ignored: Mapping[str, int]

    def history(self, day: Any) -> Past:
        """The past with what came since; ``day`` turns seconds into days of the history's clock."""
        if not self.since:
            return self.past
        items, kinds, seconds, orders = zip(*self.since, strict=True)
        baskets = np.unique(np.array(orders), return_inverse=True)[1]
        return self.past.later(np.array(items), np.array(kinds, np.int8), day(np.array(seconds)), baskets)


def customer_of(request: HttpRequest | None) -> Customer | None:
    """None for somebody of whom nothing is known, or who did not agree to be known."""
    if request is None or not consents(request):
        return None
    key = key_of(request)
    # Whatever is shown now follows from who asks.
    request._ecomrec_personal = True  # type: ignore[attr-defined]
    return customer_by_key(key) if key else None


def customer_by_key(key: str) -> Customer | None:
    """The same by Visitor.key, for who asks on their behalf."""
    past, segment, since = Past.empty(), None, []
    ignored: dict[str, int] = {}
    known, until, excluded, release, digest = False, None, None, 0, ""
    for kind, number, first, second, other, data, order in _rows_of(key):
        if kind == _PROFILE:
            # A cookie that has joined an account and lives on belongs to somebody new.
            if number is not None:
                return None
            known, until, excluded, segment = True, first, second, other
            if data is not None:
                past = Past.unpacked(bytes(data))
        elif kind == _RELEASE:
            release, digest = int(number), order
        elif kind == _IGNORED:
            if first is None:
                ignored[order] = int(number)
        elif kind in _PLACES:
            since.append((number, _PLACES[kind], _seconds(first), order))
    if not known:
        return None
    if excluded is not None:
        # What came before is not to be learned from, and nothing at all while consent is withdrawn.
        moment = _seconds(excluded)
        since = [one for one in since if one[2] >= moment]
        if until is None or _seconds(until) < moment:
            past, segment = Past.empty(), None
        ignored = {}
    since.sort(key=lambda one: one[2])
    if not (len(past) or since or ignored):
        return None
    return Customer(past, since[-MOST_EVENTS:], segment, release, digest, ignored)


_PROFILE, _RELEASE, _IGNORED = "profile", "release", "ignored"
_PLACES = {kind: KINDS.index(kind) for kind in KINDS if kind not in ("view_item_list", "refund")}
_KEY, _SINCE = "\0key", datetime(1971, 1, 2, tzinfo=UTC)
_LONG_AGO = datetime(1971, 1, 1, tzinfo=UTC)


def _seconds(time: datetime | str) -> float:
    # Of a union, SQLite gives times as they are stored.
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    return (aware(time) if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _rows_of(key: str) -> list[tuple[Any, ...]]:
    """The rows of ``_query``; its SQL is put together once."""
    using = router.db_for_read(Event)
    cap = conf.FREQUENCY_CAP
    sql, template = _compiled(using, connections[using].vendor, bool(cap))
    values: dict[Any, Any] = {_KEY: key}
    if cap:
        adapt = connections[using].ops.adapt_datetimefield_value
        # To the hour, so that the same question is asked again.
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        values[adapt(storable(_SINCE))] = adapt(storable(now - timedelta(days=cap["days"])))
    with connections[using].cursor() as cursor:
        cursor.execute(sql, [values.get(value, value) for value in template])
        return cursor.fetchall()


@lru_cache(maxsize=8)
def _compiled(using: str, vendor: str, capped: bool) -> tuple[str, tuple[Any, ...]]:
    """SQL and parameters, with stand-ins for the key and for where the days of the cap begin."""
    return _query(_KEY, capped).using(using).query.get_compiler(using).as_sql()


def _query(key: str, capped: bool) -> models.QuerySet[Any, Any]:
    """Rows of events (kind, item, time, -, -, -, order), of the visitor (-, merged into, until, excluded, segment,
    past, -), of the release (-, pk, -, -, -, -, digest), and of offers (-, times seen, last click, -, -, -, item).
    """
    visitor = Visitor.objects.filter(key=key).order_by()
    own = visitor.values_list(
        Value(_PROFILE, TextField()),
        F("merged_into_id"),
        F("profile__until"),
        F("excluded_until"),
        F("profile__segment_id"),
        F("profile__past"),
        Value("", TextField()),
    )
    # A constant of the query, by which the index leads to the latest events alone.
    until = Subquery(Profile.objects.filter(visitor__key=key).order_by().values("until"))
    long_ago = Cast(Value(storable(_LONG_AGO), models.DateTimeField()), models.DateTimeField())
    nothing = {name: Value(None, field) for name, field in _EMPTY.items()}
    events = (
        Event.objects.filter(visitor_id=Subquery(visitor.values("pk")), time__gte=Coalesce(until, long_ago))
        .order_by()
        .values_list("kind", "item_id", "time", nothing["excluded"], nothing["segment"], nothing["past"], "basket")
    )
    release = Publication.objects.filter(pk=1).values_list(
        Value(_RELEASE, TextField()),
        "release_id",
        Value(None, models.DateTimeField(null=True)),
        *nothing.values(),
        "release__digest",
    )
    if not capped:
        return own.union(events, release, all=True)
    shown = (
        Impression.objects.filter(visitor_id=Subquery(visitor.values("pk")), time__gte=storable(_SINCE))
        .order_by()
        .values("item__external_id")
        .annotate(seen=Count("pk"), last=Max("clicked"))
        .values_list(
            Value(_IGNORED, TextField()),
            "seen",
            "last",
            nothing["excluded"],
            nothing["segment"],
            nothing["past"],
            "item__external_id",
        )
    )
    return own.union(events, release, shown, all=True)


_EMPTY: dict[str, models.Field[Any, Any]] = {
    "excluded": models.DateTimeField(null=True),
    "segment": models.BigIntegerField(null=True),
    "past": models.BinaryField(null=True),
}
