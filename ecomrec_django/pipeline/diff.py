"""What a release changes: the lists gained, lost and changed against another one, counted by the database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any

from django.core.cache import caches
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from ..conf import conf
from ..models import OfferList, Release
from ..strategies.base import decode_offers

# A list belongs to an item, to a category, or to neither and so to everybody.
OWNED = {
    "anchor": Q(anchor__isnull=False),
    "category": Q(category__isnull=False),
    "": Q(anchor__isnull=True, category__isnull=True),
}
CACHE_SECONDS = 24 * 3600


class Change(StrEnum):
    """What became of a list; a changed one has other offers, another order or new figures."""

    GAINED = "gained"
    LOST = "lost"
    CHANGED = "changed"

    @property
    def label(self) -> Any:
        return {"gained": _("gained"), "lost": _("lost"), "changed": _("changed")}[self.value]


@dataclass(frozen=True)
class StrategyDiff:
    """How many lists of one strategy were gained, lost, changed and left as they were."""

    strategy: str
    gained: int
    lost: int
    changed: int
    unchanged: int


@dataclass(frozen=True)
class ReleaseDiff:
    """The difference of ``release`` to ``previous``, one row per strategy, by name."""

    release: Release
    previous: Release
    strategies: list[StrategyDiff]


@dataclass(frozen=True)
class ListChange:
    """What happens to the offers of one list, as external ids; ``moved`` if those kept change their order."""

    entering: list[str]
    leaving: list[str]
    kept: list[str]
    moved: bool


def diff(release: Release, previous: Release) -> ReleaseDiff:
    """Compare two releases by counts made in the database, whatever their size; no list is loaded.

    Comparing 100,000 texts takes about a second on MariaDB. A complete release never changes, so the figures are kept
    in the cache.
    """
    key = f"ecomrec:diff:{release.pk}:{release.created.timestamp()}:{previous.pk}:{previous.created.timestamp()}"
    cache = caches[conf.CACHE]
    strategies = cache.get(key)
    if strategies is None:
        strategies = _compare(release, previous)
        if release.complete and previous.complete:
            cache.set(key, strategies, CACHE_SECONDS)
    return ReleaseDiff(release, previous, strategies)


def lists_of(release: Release, previous: Release, strategy: str, change: Change) -> QuerySet[OfferList]:
    """The lists of one kind of change, in the order of their anchors; changed ones carry the former text as ``before``.

    Gained and changed lists are rows of ``release``, lost ones rows of ``previous``.
    """
    mine, other = (previous, release) if change is Change.LOST else (release, previous)
    lists = mine.lists.filter(strategy=strategy).order_by("strategy", "anchor_id", "pk")
    counterparts = {key: _counterpart(other, key) for key in OWNED}
    if change is not Change.CHANGED:
        return lists.exclude(reduce(or_, (OWNED[key] & Q(Exists(rows)) for key, rows in counterparts.items())))
    differing = (OWNED[key] & Q(Exists(rows.exclude(offers=OuterRef("offers")))) for key, rows in counterparts.items())
    return lists.filter(reduce(or_, differing)).annotate(
        before=Coalesce(*(Subquery(rows.values("offers")[:1]) for rows in counterparts.values()))
    )


def _compare(release: Release, previous: Release) -> list[StrategyDiff]:
    ours, theirs = _per_strategy(release.lists.all()), _per_strategy(previous.lists.all())
    matched = _per_strategy(release.lists.filter(_has_counterpart(previous)))
    same = _per_strategy(release.lists.filter(_has_counterpart(previous, offers=OuterRef("offers"))))
    return [
        StrategyDiff(
            strategy=name,
            gained=ours[name] - matched[name],
            lost=theirs[name] - matched[name],
            changed=matched[name] - same[name],
            unchanged=same[name],
        )
        for name in sorted(ours | theirs)
    ]


def _has_counterpart(release: Release, **alike: Any) -> Q:
    """Whether ``release`` has a list in the place of an outer row, ``alike`` in other fields as well."""
    return reduce(or_, (owned & Q(Exists(_counterpart(release, key).filter(**alike))) for key, owned in OWNED.items()))


def _counterpart(release: Release, key: str) -> QuerySet[OfferList]:
    """The list of ``release`` for the same strategy, and the same ``key`` if it has one, as an outer row that is OWNED
    alike."""
    same = {key: OuterRef(key)} if key else {}
    return release.lists.filter(OWNED[key], strategy=OuterRef("strategy"), **same)


def _per_strategy(lists: QuerySet[OfferList]) -> Counter[str]:
    return Counter(dict(lists.order_by().values_list("strategy").annotate(Count("pk"))))


def list_change(before: str, after: str) -> ListChange:
    """Compare the stored texts of one list in two releases."""
    old = [offer.item for offer in decode_offers(before)]
    new = [offer.item for offer in decode_offers(after)]
    kept = [item for item in new if item in old]
    return ListChange(
        entering=[item for item in new if item not in old],
        leaving=[item for item in old if item not in new],
        kept=kept,
        moved=kept != [item for item in old if item in new],
    )
