"""What was decided beforehand for an anchor: its published list and the merchant's overrides. One query, cached."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import uuid4

from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import connections, models, router, transaction
from django.db.models import F, IntegerField, Q, Subquery, TextField, Value
from django.db.models.functions import Cast

from ..conf import conf
from ..models import Item, OfferList, Override, Publication
from .failures import note_failure

VERSION_KEY = "ecomrec:version"
# A cache that lives in one process does not hear of what another process published.
LOCAL_SECONDS = 5


class Stored(NamedTuple):
    """One anchor's list as JSON text (see ``decode_offers``), its aisle, and its overrides."""

    release: int | None = None
    aisle: int = 0
    offers: str = "[]"
    # (external id, aisle, Segment.pk or 0 for everybody), in the merchant's order.
    pins: tuple[tuple[str, int, int], ...] = ()
    # (external id, Segment.pk or 0 for everybody)
    blocked: tuple[tuple[str, int], ...] = ()
    # Category.pk of the list, where it is that of a category page.
    category: int = 0

    @property
    def asks_segment(self) -> bool:
        """Whether any override depends on whom it is for."""
        return any(segment for *_, segment in (*self.pins, *self.blocked))


Read = Callable[[str, Iterable[str]], "dict[str, Stored]"]


def stored_for(strategy: str, anchors: Sequence[str], general: bool = False) -> tuple[dict[str, Stored], bool]:
    """What is stored for each anchor, and whether the cache knew all of them, which saves the query.

    With ``general`` the anchors are what `read_general` takes.
    """
    if not anchors:
        return {}, True
    read: Read = read_general if general else read_beside
    if not conf.CACHE_SECONDS:
        return read(strategy, anchors), False
    try:
        cache = caches[conf.CACHE]
        version = _version(cache, VERSION_KEY)
        keys = {anchor: _key(version, strategy, anchor, general) for anchor in anchors}
        cached = cache.get_many(keys.values())
        found = {anchor: Stored(*cached[key]) for anchor, key in keys.items() if key in cached}
    except Exception as error:
        note_failure("cache", error, "Offers are read without their cache")
        return read(strategy, anchors), False
    missing = [anchor for anchor in anchors if anchor not in found]
    if not missing:
        return found, True
    fresh = read(strategy, missing)
    try:
        cache.set_many({keys[anchor]: tuple(stored) for anchor, stored in fresh.items()}, seconds_kept())
    except Exception as error:
        note_failure("cache", error, "Offers are not kept in their cache")
    return found | fresh, False


def forget(key: str = VERSION_KEY) -> None:
    """Let every page read anew: a release was published or rolled back, or an override changed."""
    caches[conf.CACHE].set(key, _new_version(), None)


def cache_version(key: str) -> str:
    """Changes with `forget`, in every process that shares the cache; "" without a cache that can be read, which
    `stored_for` notes."""
    try:
        return _version(caches[conf.CACHE], key) if conf.CACHE_SECONDS else ""
    except Exception:
        return ""


def seconds_kept() -> int:
    """For how long what was read may be kept without asking again."""
    if isinstance(caches[conf.CACHE], LocMemCache):
        return min(conf.CACHE_SECONDS, LOCAL_SECONDS)
    return int(conf.CACHE_SECONDS)


def read_general(strategy: str, digests: Iterable[str]) -> dict[str, Stored]:
    """The lists of categories by `Category.digest`, and under "" the list for everybody, from the database."""
    wanted = list(dict.fromkeys(digests))
    published = Subquery(Publication.objects.filter(pk=1).values("release_id"))
    lists = OfferList.objects.filter(release_id=published, strategy=strategy, anchor=None)
    asked = Q(category__digest__in=[digest for digest in wanted if digest])
    if "" in wanted:
        asked |= Q(category=None)
    with _savepoint():
        rows = list(lists.filter(asked).values_list("category__digest", "release_id", "offers", "category_id"))
    found = {
        digest or "": Stored(release, offers=offers, category=category or 0)
        for digest, release, offers, category in rows
    }
    return {digest: found.get(digest, Stored()) for digest in wanted}


def read_beside(strategy: str, anchors: Iterable[str]) -> dict[str, Stored]:
    """The lists and overrides of items from the database, in one query."""
    ids = list(dict.fromkeys(anchors))
    own: dict[str, str] = {}
    fallback: dict[str, str] = {}
    aisles: dict[str, int] = {}
    pins: dict[str, list[tuple[int, str, int, int]]] = {}
    blocked: dict[str, list[tuple[str, int]]] = {}
    release = None
    with _savepoint():
        for kind, anchor, aisle, number, text, segment in _rows_of(strategy, ids):
            if kind == "item":
                # MariaDB answers with a Decimal, since the other rows' positions are unsigned.
                aisles[anchor], release = aisle or 0, int(number) if number else release
            elif kind == "list":
                # One whose offers all wait for approval stands aside.
                own[anchor] = "" if text == "[]" else text
            elif kind == "category":
                fallback[anchor] = text
            elif kind == Override.Action.PIN:
                pins.setdefault(anchor, []).append((number, text, aisle or 0, segment or 0))
            else:
                blocked.setdefault(anchor, []).append((text, segment or 0))
    return {
        anchor: Stored(
            release,
            aisles.get(anchor, 0),
            own.get(anchor) or fallback.get(anchor) or "[]",
            tuple(pin[1:] for pin in sorted(pins.get(anchor, ()))),
            tuple(blocked.get(anchor, ())),
        )
        for anchor in ids
    }


def _rows_of(strategy: str, ids: list[str]) -> Sequence[tuple[Any, ...]]:
    """The rows of ``_query``; its SQL is put together once, which takes longer than running it."""
    using = router.db_for_read(OfferList)
    sql, template = _compiled(using, connections[using].vendor, len(ids))
    values = {_STRATEGY: strategy, **{_anchor(at): item for at, item in enumerate(ids)}}
    with connections[using].cursor() as cursor:
        cursor.execute(sql, [values.get(value, value) for value in template])
        return cursor.fetchall()


# Stand in a compiled query for what changes from call to call; no shop's id holds a NUL.
_STRATEGY = "\0strategy"


def _anchor(at: int) -> str:
    return f"\0{at}"


@lru_cache(maxsize=64)
def _compiled(using: str, vendor: str, anchors: int) -> tuple[str, tuple[Any, ...]]:
    """SQL and parameters of ``_query`` for so many anchors, with stand-ins."""
    return _query(_STRATEGY, [_anchor(at) for at in range(anchors)]).using(using).query.get_compiler(using).as_sql()


def _query(strategy: str, ids: list[str]) -> models.QuerySet[Any, Any]:
    """Rows (kind, anchor, aisle, release or position, text, segment): items, their lists, fall-backs and overrides."""
    published = Subquery(Publication.objects.filter(pk=1).values("release_id"))
    lists = OfferList.objects.filter(release_id=published, strategy=strategy)
    items = Item.objects.filter(external_id__in=ids)
    nothing = Value("", TextField())
    parts = [
        _rows(items, "item", F("external_id"), F("category__aisle_id"), published, nothing),
        _rows(
            lists.filter(anchor__external_id__in=ids),
            "list",
            F("anchor__external_id"),
            Value(0),
            Value(0),
            F("offers"),
        ),
        _rows(
            lists.filter(category__items__external_id__in=ids),
            "category",
            F("category__items__external_id"),
            Value(0),
            Value(0),
            F("offers"),
        ),
        _rows(
            Override.objects.filter(strategy=strategy, anchor__external_id__in=ids),
            F("action"),
            F("anchor__external_id"),
            F("offer__category__aisle_id"),
            F("position"),
            F("offer__external_id"),
            F("segment_id"),
        ),
    ]
    return parts[0].union(*parts[1:], all=True)


def _rows(rows: models.QuerySet[Any, Any], kind: Any, *columns: Any) -> models.QuerySet[Any, Any]:
    anchor, aisle, number, text, *segment = columns
    return rows.order_by().values_list(
        Value(kind) if isinstance(kind, str) else kind,
        anchor,
        Cast(aisle, IntegerField()) if isinstance(aisle, Value) else aisle,
        number,
        text,
        segment[0] if segment else Cast(Value(0), IntegerField()),
    )


def _savepoint() -> AbstractContextManager[Any]:
    """Where a failed SELECT would spoil the host's open transaction (not on SQLite and MySQL), a savepoint."""
    using = router.db_for_read(OfferList)
    connection = connections[using]
    spoils = connection.in_atomic_block and connection.vendor not in {"sqlite", "mysql"}
    return transaction.atomic(using=using) if spoils else nullcontext()


def _key(version: str, strategy: str, anchor: str, general: bool) -> str:
    sort = "general" if general else "beside"
    # An external id may hold what a cache key may not.
    return f"ecomrec:{version}:{strategy}:{sort}:{hashlib.md5(anchor.encode(), usedforsecurity=False).hexdigest()}"


def _version(cache: Any, key: str) -> str:
    return str(cache.get_or_set(key, _new_version, None))


def _new_version() -> str:
    return uuid4().hex
