"""The diff of two releases, prepared for the release pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.safestring import SafeString

from ...merchandising.diff import ListStatus, ReleaseDiff, list_change
from ...models import Item, OfferList, Publication, Release
from ..base import strategy_label
from .figures import format_number
from .offer_cards import items_by_id
from .thumbnails import thumbnail

SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class ListRow:
    """One list that differs.

    added, removed: image and title of items; the id instead of the title of deleted items
    remaining: number of offers in both lists
    reordered: whether the remaining offers have another order
    """

    offer_list: OfferList
    picture: SafeString
    owner: str
    added: list[tuple[SafeString, str]]
    removed: list[tuple[SafeString, str]]
    remaining: int
    reordered: bool


def compared_with(release: Release, publication: Publication | None, against: str | None) -> Release | None:
    """The release to compare with: the requested one, else the published one, else the one published before."""
    others = Release.objects.filter(complete=True).exclude(pk=release.pk)
    if against and against.isdecimal():
        return others.filter(pk=int(against)).first()
    if publication is None:
        return others.filter(pk__lt=release.pk).order_by("-pk").first()
    if publication.release_id != release.pk:
        return publication.release
    return publication.previous


def lists_per_strategy(release: Release) -> list[tuple[str, str]]:
    """Number of lists by strategy, as counted by the training run."""
    return [
        (name, format_number(figures["lists"]))
        for name, figures in sorted(release.metrics.items())
        if isinstance(figures, dict) and "lists" in figures
    ]


def count_table(diff: ReleaseDiff) -> list[dict[str, Any]]:
    """One row per strategy: its label and the counts of lists by status."""
    return [
        {
            "strategy": row.strategy,
            "label": strategy_label(row.strategy),
            "unchanged": row.unchanged,
            "margin": [_expected(release, row.strategy) for release in (diff.previous, diff.release)],
            "counts": [(status, getattr(row, status.value)) for status in ListStatus],
        }
        for row in diff.strategies
    ]


def _expected(release: Release, strategy: str) -> str:
    figures = release.metrics.get(strategy)
    margin = figures.get("expected_margin") if isinstance(figures, dict) else None
    return "–" if margin is None else format_number(margin, 2)


def changed_lists(lists: QuerySet[OfferList], status: ListStatus) -> list[ListRow]:
    """The lists of one page with anchors, images and changes, in one query for the lists and one for the items."""
    page = list(lists.select_related("anchor", "category").defer("anchor__description"))
    changes = {row.pk: list_change(*_texts(row, status)) for row in page}
    ids = {key for change in changes.values() for key in [*change.added[:SHOWN], *change.removed[:SHOWN]]}
    items = items_by_id(ids)
    return [
        ListRow(
            offer_list=row,
            picture=thumbnail(row.anchor),
            owner=row.owner,
            added=_named(changes[row.pk].added, items),
            removed=_named(changes[row.pk].removed, items),
            remaining=len(changes[row.pk].remaining),
            reordered=changes[row.pk].reordered,
        )
        for row in page
    ]


def _texts(row: Any, status: ListStatus) -> tuple[str, str]:
    if status is ListStatus.GAINED:
        return "[]", row.offers
    if status is ListStatus.LOST:
        return row.offers, "[]"
    return row.before, row.offers


def _named(keys: list[str], items: dict[str, Item]) -> list[tuple[SafeString, str]]:
    return [(thumbnail(items.get(key)), items[key].title if key in items else key) for key in keys[:SHOWN]]
