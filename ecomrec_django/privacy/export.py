"""Everything that is stored of one person, page by page, so that a heavy user takes no more memory than a light one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import models
from django.db.models import Prefetch, Q

from ..models import Conversion, Event, Exposure, GuestOrder, HeldEvent, Impression, Item, Profile, Visitor

PAGE = 2_000


class Section(NamedTuple):
    """One kind of rows: the model, what a row is sorted by, its columns by their names in the export, its items, what
    else it names, and whose it is."""

    model: type[models.Model]
    order: str
    columns: dict[str, str]
    items: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    owner: str = "visitor"


SECTIONS = {
    "events": Section(
        Event,
        "time",
        {
            "kind": "kind",
            "item": "item.external_id",
            "title": "item.title",
            "time": "time",
            "quantity": "quantity",
            "price": "price",
            "rating": "rating",
            "order": "basket",
            "session": "session",
            "policy": "policy",
        },
        ("item",),
    ),
    "held_events": Section(
        HeldEvent,
        "time",
        {
            "kind": "kind",
            "item": "external_id",
            "time": "time",
            "quantity": "quantity",
            "rating": "rating",
            "policy": "policy",
        },
    ),
    "impressions": Section(
        Impression,
        "time",
        {
            "item": "item.external_id",
            "title": "item.title",
            "beside": "anchor.external_id",
            "slot": "slot",
            "strategy": "strategy",
            "release": "release",
            "arm": "arm",
            "position": "position",
            "time": "time",
            "clicked": "clicked",
            "policy": "policy",
        },
        ("item", "anchor"),
    ),
    "exposures": Section(
        Exposure,
        "time",
        {"experiment": "arm.experiment.name", "arm": "arm.name", "time": "time", "propensity": "propensity"},
        others=("arm__experiment",),
    ),
    # Without the margin, which would tell what an item costs the shop.
    "conversions": Section(
        Conversion,
        "event__time",
        {
            "kind": "event.kind",
            "item": "event.item.external_id",
            "title": "event.item.title",
            "time": "time",
            "order": "event.basket",
            "quantity": "quantity",
            "revenue": "revenue",
            "after": "touch",
            "slot": "impression.slot",
            "strategy": "impression.strategy",
            "arm": "impression.arm",
            "seen": "impression.time",
            "clicked": "impression.clicked",
        },
        ("event__item",),
        ("impression",),
        "event__visitor",
    ),
    "guest_orders": Section(GuestOrder, "order", {"order": "order"}),
    # What else a profile holds is the events above, as a page reads them.
    "profiles": Section(Profile, "until", {"segment": "segment.described", "until": "until"}),
}


def sections(visitor: Visitor | None) -> Iterator[tuple[str, Iterator[list[dict[str, Any]]]]]:
    """(name, pages of rows) of each section, for ``visitor`` and those who joined them; no pages for nobody."""
    visitors = [] if visitor is None else [visitor.pk, *visitor.merged.order_by("pk").values_list("pk", flat=True)]
    for name, section in SECTIONS.items():
        yield name, (page for pk in visitors for page in _pages(section, pk))


def _pages(section: Section, visitor: int) -> Iterator[list[dict[str, Any]]]:
    """Each page is found in the index on (visitor, time), from where the last one ended, and then read by key.

    No join of items: for one over many pages, MariaDB goes through all events of each item.
    """
    model, order, columns, items, others, owner = section
    facts: list[Any] = [*others, *(Prefetch(name, Item.objects.only("external_id", "title")) for name in items)]
    index = model._default_manager.filter(**{owner: visitor}).order_by(order, "pk").values_list(order, "pk")
    page = index
    while keys := list(page[:PAGE]):
        rows = model._default_manager.prefetch_related(*facts).in_bulk([pk for _, pk in keys])
        yield [_row(rows[pk], columns) for _, pk in keys if pk in rows]
        last, pk = keys[-1]
        page = index.filter(Q(**{f"{order}__gte": last}), Q(**{f"{order}__gt": last}) | Q(pk__gt=pk))


def _row(row: models.Model, columns: dict[str, str]) -> dict[str, Any]:
    return {name: _value(row, path) for name, path in columns.items()}


def _value(row: Any, path: str) -> Any:
    for name in path.split("."):
        row = getattr(row, name, None)
    return row
