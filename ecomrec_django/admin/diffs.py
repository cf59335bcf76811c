"""The diff of two releases, made ready for the release pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.safestring import SafeString

from ..models import Item, OfferList, Publication, Release
from ..pipeline.diff import Change, ReleaseDiff, list_change
from .base import strategy_label
from .cards import items_by_id
from .evidence import rounded
from .pictures import picture

SHOWN = 8


@dataclass(frozen=True)
class ListRow:
    """One list that differs: its anchor, and the items that enter and leave (by title, or bare id if it is gone)."""

    offer_list: OfferList
    picture: SafeString
    owner: str
    entering: list[tuple[SafeString, str]]
    leaving: list[tuple[SafeString, str]]
    kept: int
    moved: bool


def compared_with(release: Release, publication: Publication | None, against: str | None) -> Release | None:
    """The release to compare with: the one asked for, or the published one, or what was published before it."""
    others = Release.objects.filter(complete=True).exclude(pk=release.pk)
    if against and against.isdecimal():
        return others.filter(pk=int(against)).first()
    if publication is None:
        return others.filter(pk__lt=release.pk).order_by("-pk").first()
    if publication.release_id != release.pk:
        return publication.release
    return publication.previous


def lists_per_strategy(release: Release) -> list[tuple[str, str]]:
    """Strategy and number of lists, as the training run counted them."""
    return [
        (name, number_format(figures["lists"], force_grouping=True))
        for name, figures in sorted(release.metrics.items())
        if isinstance(figures, dict) and "lists" in figures
    ]


def count_table(found: ReleaseDiff) -> list[dict[str, Any]]:
    """One row per strategy: its name for people, and the counts beside the changes that can be looked into."""
    return [
        {
            "strategy": row.strategy,
            "label": strategy_label(row.strategy),
            "unchanged": row.unchanged,
            "margin": [_expected(release, row.strategy) for release in (found.previous, found.release)],
            "counts": [(change, getattr(row, change.value)) for change in Change],
        }
        for row in found.strategies
    ]


def _expected(release: Release, strategy: str) -> str:
    figures = release.metrics.get(strategy)
    worth = figures.get("expected_margin") if isinstance(figures, dict) else None
    return "–" if worth is None else rounded(worth, 2)


def changed_rows(lists: QuerySet[OfferList], change: Change) -> list[ListRow]:
    """The lists of one page with anchors, pictures and moves: one query for the lists, one for the items."""
    page = list(lists.select_related("anchor", "category").defer("anchor__description"))
    moves = {row.pk: list_change(*_texts(row, change)) for row in page}
    shown = {key for move in moves.values() for key in [*move.entering[:SHOWN], *move.leaving[:SHOWN]]}
    items = items_by_id(shown)
    return [
        ListRow(
            offer_list=row,
            picture=picture(row.anchor),
            owner=row.owner,
            entering=_named(moves[row.pk].entering, items),
            leaving=_named(moves[row.pk].leaving, items),
            kept=len(moves[row.pk].kept),
            moved=moves[row.pk].moved,
        )
        for row in page
    ]


def _texts(row: Any, change: Change) -> tuple[str, str]:
    if change is Change.GAINED:
        return "[]", row.offers
    if change is Change.LOST:
        return row.offers, "[]"
    return row.before, row.offers


def _named(keys: list[str], items: dict[str, Item]) -> list[tuple[SafeString, str]]:
    return [(picture(items.get(key)), items[key].title if key in items else key) for key in keys[:SHOWN]]
