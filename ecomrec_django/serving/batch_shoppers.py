"""What is known of many shoppers at once, without a request: for offers in bulk."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, Q
from django.http import HttpRequest

from ..conf import conf
from ..db import MAX_LOOKUP_IDS, chunks, to_aware, to_db_time
from ..learning.ranking.shopper_history import ShopperHistory
from ..models import Event, Impression, Publication, StrategyVerdict, Visitor
from ..privacy.erasure import erasure_times
from ..tracking.visitors import named_token, token_key, user_key
from .shopper_context import KIND_NUMBERS, ShopperContext, cap_start, seconds_of

_KEY = re.compile(r"[0-9a-f]{64}")


class Audience(StrEnum):
    """How a shopper is treated."""

    # Offers are ranked for them.
    PERSONAL = "personal"
    # Nothing is known of them: offers for everybody.
    UNKNOWN = "unknown"
    # Known from their orders alone: offers for everybody.
    NOT_AGREED = "not_agreed"
    # They withdrew consent, or were erased: no offers.
    EXCLUDED = "excluded"


class Shopper(NamedTuple):
    """One shopper of a batch; ``context`` is None unless their offers are personal."""

    audience: Audience
    context: ShopperContext | None = None


class _Row(NamedTuple):
    """What the table of visitors and their profile say."""

    pk: int
    key: str
    merged_into: int | None
    created: datetime
    excluded: datetime | None
    until: datetime | None
    segment: int | None
    history: bytes | None


@dataclass(frozen=True)
class PublishedModel:
    """The number of the published release and the digest of its model, 0 and "" without one; and of those that are
    shown instead for strategies that it holds back, see `ShopperContext`.
    """

    release: int = 0
    digest: str = ""
    held_back: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def current(cls) -> PublishedModel:
        """Of what pages show now."""
        publication = Publication.objects.current().select_related("release").first()
        if publication is None:
            return cls()
        release = publication.release
        held_back = {
            verdict.strategy: (verdict.source_id or 0, verdict.source.digest if verdict.source is not None else "")
            for verdict in release.verdicts.filter(outcome=StrategyVerdict.Outcome.HELD).select_related("source")
        }
        return cls(release.pk, release.digest, held_back)


def visitor_keys(name: str) -> list[str]:
    """The Visitor.keys that ``name`` may stand for, the likeliest first: the primary key of an account, a visitor's key
    as the admin shows it, a visitor token or the value of the cookie."""
    if _KEY.fullmatch(name):
        return [name]
    keys = [token_key(named_token(name))]
    try:
        return [user_key(get_user_model()._meta.pk.to_python(name)), *keys]
    except ValidationError:
        return keys


def shoppers_by_name(names: Iterable[str], published: PublishedModel) -> dict[str, Shopper]:
    """Shoppers by the names in a file, see `visitor_keys`; a handful of queries for each MAX_LOOKUP_IDS keys."""
    keys = {name: visitor_keys(name) for name in dict.fromkeys(names)}
    rows = _visitors({key for of_name in keys.values() for key in of_name})
    erased = {
        key: time
        for chunk in chunks(sorted({key for of_name in keys.values() for key in of_name}), MAX_LOOKUP_IDS)
        for key, time in erasure_times(chunk).items()
    }
    row_of = {name: next((rows[key] for key in of_name if key in rows), None) for name, of_name in keys.items()}
    excluded = {
        name
        for name, of_name in keys.items()
        if _is_excluded(row_of[name], max((erased[key] for key in of_name if key in erased), default=None))
    }
    usable = {row.pk: row for name, row in row_of.items() if row is not None and name not in excluded}
    agreed = _agreed(usable)
    contexts = _contexts([row for pk, row in usable.items() if pk in agreed], published)
    shoppers = {}
    for name, row in row_of.items():
        if name in excluded:
            shoppers[name] = Shopper(Audience.EXCLUDED)
        elif row is None:
            shoppers[name] = Shopper(Audience.UNKNOWN)
        elif row.pk not in agreed:
            shoppers[name] = Shopper(Audience.NOT_AGREED)
        elif context := contexts.get(row.pk):
            shoppers[name] = Shopper(Audience.PERSONAL, context)
        else:
            shoppers[name] = Shopper(Audience.UNKNOWN)
    return shoppers


def _visitors(keys: set[str]) -> dict[str, _Row]:
    """Rows by key, that of the account for a cookie that has joined one."""
    rows = {row.key: row for chunk in chunks(sorted(keys), MAX_LOOKUP_IDS) for row in _rows(Q(key__in=chunk))}
    accounts = sorted({row.merged_into for row in rows.values() if row.merged_into is not None})
    by_pk = {row.pk: row for chunk in chunks(accounts, MAX_LOOKUP_IDS) for row in _rows(Q(pk__in=chunk))}
    return {key: row if row.merged_into is None else by_pk.get(row.merged_into, row) for key, row in rows.items()}


def _rows(condition: Q) -> Iterable[_Row]:
    columns = ("pk", "key", "merged_into_id", "created", "excluded_until")
    profile = ("profile__until", "profile__segment_id", "profile__history")
    return map(_Row._make, Visitor.objects.filter(condition).order_by().values_list(*columns, *profile))


def _is_excluded(row: _Row | None, erased: datetime | None) -> bool:
    if row is None:
        return erased is not None
    if row.excluded is not None and to_aware(row.excluded) > datetime.now(UTC):
        return True
    # The erasure has not reached the row yet.
    return erased is not None and to_aware(row.created) <= erased


def _agreed(rows: Mapping[int, _Row]) -> set[int]:
    """Visitor.pks of those who agreed: their pages recorded something since they last withdrew.

    Everybody who has not withdrawn where ``ECOMREC["CONSENT"]`` holds for somebody who has answered nothing.
    """
    if _holds_by_default():
        return set(rows)
    agreed: set[int] = set()
    for chunk in chunks(rows, MAX_LOOKUP_IDS):
        recorded = Event.objects.filter(visitor__in=chunk).exclude(policy="").order_by()
        for pk, latest in recorded.values_list("visitor").annotate(Max("time")):
            excluded = rows[pk].excluded
            if excluded is None or latest >= excluded:
                agreed.add(pk)
    return agreed


def _holds_by_default() -> bool:
    try:
        return bool(conf.CONSENT(HttpRequest()))
    except Exception:  # it asks for more than a request has before the middleware
        return False


def _contexts(rows: Sequence[_Row], published: PublishedModel) -> dict[int, ShopperContext]:
    """What is known of visitors, by Visitor.pk."""
    since = _events_since(rows)
    ignored = _ignored([row.pk for row in rows])
    contexts = {}
    for row in rows:
        context = ShopperContext(
            past=ShopperHistory.empty() if row.history is None else ShopperHistory.from_bytes(bytes(row.history)),
            since=since.get(row.pk, []),
            segment=row.segment,
            release=published.release,
            digest=published.digest,
            held_back=published.held_back,
            ignored=ignored.get(row.pk, {}),
        ).usable(row.until, row.excluded)
        if context is not None:
            contexts[row.pk] = context
    return contexts


def _events_since(rows: Sequence[_Row]) -> dict[int, list[tuple[int, int, float, str]]]:
    """Events after each visitor's profile, as of `ShopperContext`, by Visitor.pk."""
    until = {row.pk: row.until for row in rows}
    events: defaultdict[int, list[tuple[int, int, float, str]]] = defaultdict(list)
    for chunk in chunks(rows, MAX_LOOKUP_IDS):
        moments = [row.until for row in chunk if row.until is not None]
        condition = Q(visitor__in=[row.pk for row in chunk if row.until is None])
        if moments:
            condition |= Q(visitor__in=[row.pk for row in chunk if row.until is not None], time__gte=min(moments))
        found = Event.objects.filter(condition, kind__in=KIND_NUMBERS).order_by()
        for pk, kind, item, time, basket in found.values_list("visitor_id", "kind", "item_id", "time", "basket"):
            known = until[pk]
            if known is None or time >= known:
                events[pk].append((item, KIND_NUMBERS[kind], seconds_of(time), basket))
    return events


def _ignored(visitors: Sequence[int]) -> dict[int, dict[str, int]]:
    """How often each offer was seen without a click within the days of the frequency cap, by Visitor.pk."""
    cap: Any = conf.FREQUENCY_CAP
    ignored: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for chunk in chunks(visitors, MAX_LOOKUP_IDS) if cap else ():
        seen = Impression.objects.filter(visitor__in=chunk, time__gte=to_db_time(cap_start(cap["days"]))).order_by()
        counts = seen.values_list("visitor_id", "item__external_id").annotate(Count("pk"), Max("clicked"))
        for pk, item, count, clicked in counts:
            if clicked is None:
                ignored[pk][item] = count
    return ignored
