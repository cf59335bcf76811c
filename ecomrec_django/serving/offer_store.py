"""The list that pages show and the merchant's overrides of an anchor, read in one query and cached."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import models
from django.db.models import F, IntegerField, Q, TextField, Value
from django.db.models.functions import Cast

from ..conf import conf
from ..db import PreparedQuery
from ..failures import note_failure
from ..models import Item, OfferList, Override, Publication

VERSION_KEY = "ecomrec:version"
# A cache in the memory of one process is not invalidated by another process.
LOCAL_SECONDS = 5


class StoredList(NamedTuple):
    """One list with its overrides; a tuple, as the cache holds it.

    release: Release.pk of the release whose lists are shown, None for none.
    aisle: Category.pk of the anchor's aisle, 0 where unknown.
    encoded_offers: the offers as JSON text, see `decode_offers`.
    pins: (external id, aisle, Segment.pk or 0 for all shoppers), in the merchant's order.
    blocked: (external id, Segment.pk or 0 for all shoppers).
    category: Category.pk of the list where it is that of a category page, else 0.
    """

    release: int | None = None
    aisle: int = 0
    encoded_offers: str = "[]"
    pins: tuple[tuple[str, int, int], ...] = ()
    blocked: tuple[tuple[str, int], ...] = ()
    category: int = 0

    @property
    def depends_on_segment(self) -> bool:
        """Whether any override is for a segment alone."""
        return any(segment for *_, segment in (*self.pins, *self.blocked))


ListReader = Callable[[str, Iterable[str]], "dict[str, StoredList]"]


def stored_lists(strategy: str, owners: Sequence[str], *, general: bool = False) -> tuple[dict[str, StoredList], bool]:
    """The stored list of each owner, and whether the cache held all of them, so that no query was needed.

    ``owners`` are external ids of anchors; with ``general`` they are what `read_category_lists` takes.
    """
    if not owners:
        return {}, True
    read: ListReader = read_category_lists if general else read_item_lists
    if not conf.CACHE_SECONDS:
        return read(strategy, owners), False
    try:
        cache = caches[conf.CACHE]
        version = _version(cache, VERSION_KEY)
        keys = {owner: _key(version, strategy, owner, general=general) for owner in owners}
        rows = cache.get_many(keys.values())
        cached = {owner: StoredList._make(rows[key]) for owner, key in keys.items() if key in rows}
    except Exception as error:
        note_failure("cache", error, "Offers are read without the cache")
        return read(strategy, owners), False
    missing = [owner for owner in owners if owner not in cached]
    if not missing:
        return cached, True
    fresh = read(strategy, missing)
    try:
        cache.set_many({keys[owner]: tuple(stored) for owner, stored in fresh.items()}, cache_seconds())
    except Exception as error:
        note_failure("cache", error, "Offers are not cached")
    return cached | fresh, False


def invalidate(key: str = VERSION_KEY) -> None:
    """Make every page read the lists again: a release was published or rolled back, or an override changed."""
    caches[conf.CACHE].set(key, _new_version(), None)


def cache_version(key: str) -> str:
    """Changes with `invalidate`, in every process that shares the cache; "" without a cache that can be read, which
    `stored_lists` notes."""
    try:
        return _version(caches[conf.CACHE], key) if conf.CACHE_SECONDS else ""
    except Exception:
        return ""


def cache_seconds() -> int:
    """For how long the lists may be cached."""
    if isinstance(caches[conf.CACHE], LocMemCache):
        return min(conf.CACHE_SECONDS, LOCAL_SECONDS)
    return int(conf.CACHE_SECONDS)


def category_owner(digests: Iterable[str]) -> str:
    """The owner of a category's list, as `read_category_lists` takes it; of the whole shop for no digests."""
    return " ".join(digests)


def read_category_lists(strategy: str, owners: Iterable[str]) -> dict[str, StoredList]:
    """The lists of categories and of the whole shop by `category_owner`, from the database.

    A category is known by its `Category.digest`, else by the path that it had at the last sync.
    """
    wanted = {owner: owner.split() for owner in owners}
    digests = {digest for given in wanted.values() for digest in given}
    shown = Publication.objects.shown_release(strategy)
    lists = OfferList.objects.filter(release_id=shown, strategy=strategy, anchor=None)
    condition = Q(category__digest__in=digests) | Q(category__path_digest__in=digests)
    if "" in wanted:
        condition |= Q(category=None)
    rows = lists.filter(condition).order_by("-category_id")
    by_digest: dict[str, StoredList] = {}
    by_path: dict[str, StoredList] = {}
    for digest, path_digest, release, offers, category in rows.values_list(
        "category__digest", "category__path_digest", "release_id", "offers", "category_id"
    ):
        stored = StoredList(release=release, encoded_offers=offers, category=category or 0)
        by_digest[digest or ""] = by_path[path_digest or ""] = stored
    return {
        owner: next(
            (known[digest] for known in (by_digest, by_path) for digest in given or [""] if digest in known),
            StoredList(),
        )
        for owner, given in wanted.items()
    }


def read_item_lists(strategy: str, anchors: Iterable[str]) -> dict[str, StoredList]:
    """The lists and overrides of items from the database, in one query."""
    ids = list(dict.fromkeys(anchors))
    own: dict[str, str] = {}
    fallback: dict[str, str] = {}
    aisles: dict[str, int] = {}
    pins: dict[str, list[tuple[int, str, int, int]]] = {}
    blocked: dict[str, list[tuple[str, int]]] = {}
    release = None
    for kind, anchor, aisle, number, text, segment in _rows_of(strategy, ids):
        if kind == "item":
            # MariaDB answers with a Decimal, since the other rows' positions are unsigned.
            aisles[anchor], release = aisle or 0, int(number) if number else release
        elif kind == "list":
            # A list whose offers all wait for approval is not used.
            own[anchor] = "" if text == "[]" else text
        elif kind == "category":
            fallback[anchor] = text
        elif kind == Override.Action.PIN:
            pins.setdefault(anchor, []).append((number, text, aisle or 0, segment or 0))
        else:
            blocked.setdefault(anchor, []).append((text, segment or 0))
    return {
        anchor: StoredList(
            release=release,
            aisle=aisles.get(anchor, 0),
            encoded_offers=own.get(anchor) or fallback.get(anchor) or "[]",
            pins=tuple(pin[1:] for pin in sorted(pins.get(anchor, ()))),
            blocked=tuple(blocked.get(anchor, ())),
        )
        for anchor in ids
    }


def _rows_of(strategy: str, ids: list[str]) -> Sequence[tuple[Any, ...]]:
    """The rows of `_query` for these anchors."""
    return _ITEM_LISTS.rows(
        {_STRATEGY: strategy, **{_anchor(index): item for index, item in enumerate(ids)}}, anchors=len(ids)
    )


# Placeholders of a prepared query for what changes from call to call; no shop's id contains a NUL.
_STRATEGY = "\0strategy"


def _anchor(index: int) -> str:
    return f"\0{index}"


def _query(anchors: int) -> models.QuerySet[Any, Any]:
    """Rows (kind, anchor, aisle, release or position, text, segment): items, their lists, fall-backs and overrides.

    ``anchors``: how many there are.
    """
    strategy, ids = _STRATEGY, [_anchor(index) for index in range(anchors)]
    shown = Publication.objects.shown_release(strategy)
    lists = OfferList.objects.filter(release_id=shown, strategy=strategy)
    items = Item.objects.filter(external_id__in=ids)
    nothing = Value("", TextField())
    parts = [
        _rows(items, "item", F("external_id"), F("category__aisle_id"), shown, nothing),
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


_ITEM_LISTS = PreparedQuery(OfferList, _query)


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


def _key(version: str, strategy: str, owner: str, *, general: bool) -> str:
    kind = "general" if general else "beside"
    # An external id may contain characters that a cache key may not.
    return f"ecomrec:{version}:{strategy}:{kind}:{hashlib.md5(owner.encode(), usedforsecurity=False).hexdigest()}"


def _version(cache: Any, key: str) -> str:
    return str(cache.get_or_set(key, _new_version, None))


def _new_version() -> str:
    return uuid4().hex
