"""Everything that is stored of one person, page by page, so that a heavy user takes no more memory than a light one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Prefetch, Q

from ..models import Conversion, Event, Exposure, GuestOrder, HeldEvent, Impression, Item, Profile, Visitor

PAGE = 2_000


@dataclass(frozen=True, kw_only=True)
class Section:
    """One kind of rows in the export.

    model: of the rows
    order: field that sorts them
    columns: attribute paths by column name
    items: paths to related items
    others: paths to other related rows
    owner: path to the visitor
    """

    model: type[models.Model]
    order: str
    columns: dict[str, str]
    items: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    owner: str = "visitor"


SECTIONS = {
    "events": Section(
        model=Event,
        order="time",
        columns={
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
        items=("item",),
    ),
    "held_events": Section(
        model=HeldEvent,
        order="time",
        columns={
            "kind": "kind",
            "item": "external_id",
            "time": "time",
            "quantity": "quantity",
            "rating": "rating",
            "policy": "policy",
        },
    ),
    "impressions": Section(
        model=Impression,
        order="time",
        columns={
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
        items=("item", "anchor"),
    ),
    "exposures": Section(
        model=Exposure,
        order="time",
        columns={"experiment": "arm.experiment.name", "arm": "arm.name", "time": "time", "propensity": "propensity"},
        others=("arm__experiment",),
    ),
    # Without the margin, which would tell what an item costs the shop.
    "conversions": Section(
        model=Conversion,
        order="event__time",
        columns={
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
        items=("event__item",),
        others=("impression",),
        owner="event__visitor",
    ),
    "guest_orders": Section(model=GuestOrder, order="order", columns={"order": "order"}),
    # What else a profile holds is the events above, as a page reads them.
    "profiles": Section(model=Profile, order="until", columns={"segment": "segment.description", "until": "until"}),
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
    model, order, owner = section.model, section.order, section.owner
    titles = Item.objects.only("external_id", "title")
    related: list[Any] = [*section.others, *(Prefetch(name, titles) for name in section.items)]
    index = model._default_manager.filter(**{owner: visitor}).order_by(order, "pk").values_list(order, "pk")
    page = index
    while keys := list(page[:PAGE]):
        rows = model._default_manager.prefetch_related(*related).in_bulk([pk for _, pk in keys])
        yield [_row(rows[pk], section.columns) for _, pk in keys if pk in rows]
        last, pk = keys[-1]
        page = index.filter(Q(**{f"{order}__gte": last}), Q(**{f"{order}__gt": last}) | Q(pk__gt=pk))


def _row(row: models.Model, columns: dict[str, str]) -> dict[str, Any]:
    values = {name: _value(row, path) for name, path in columns.items()}
    # A number, unlike money, which is text.
    return {name: float(value) if name == "quantity" else value for name, value in values.items()}


def _value(row: Any, path: str) -> Any:
    for name in path.split("."):
        row = getattr(row, name, None)
    return row
