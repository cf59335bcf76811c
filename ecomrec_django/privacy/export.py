"""Everything that is stored of one person, page by page, so that a heavy user takes no more memory than a light one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import models
from django.db.models import Q

from ..models import Event, GuestOrder, HeldEvent, Impression, Visitor

PAGE = 2_000


class Section(NamedTuple):
    """One kind of rows: the model, what a row is sorted by, and its columns by their names in the export."""

    model: type[models.Model]
    order: str
    columns: dict[str, str]


SECTIONS = {
    "events": Section(
        Event,
        "time",
        {
            "kind": "kind",
            "item": "item__external_id",
            "title": "item__title",
            "time": "time",
            "quantity": "quantity",
            "price": "price",
            "rating": "rating",
            "order": "basket",
            "session": "session",
            "policy": "policy",
        },
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
            "item": "item__external_id",
            "title": "item__title",
            "beside": "anchor__external_id",
            "strategy": "strategy",
            "release": "release",
            "arm": "arm",
            "position": "position",
            "time": "time",
            "clicked": "clicked",
            "policy": "policy",
        },
    ),
    "guest_orders": Section(GuestOrder, "order", {"order": "order"}),
}


def sections(visitor: Visitor | None) -> Iterator[tuple[str, Iterator[list[dict[str, Any]]]]]:
    """(name, pages of rows) of each section, for ``visitor`` and those who joined them; no pages for nobody."""
    visitors = [] if visitor is None else [visitor.pk, *visitor.merged.order_by("pk").values_list("pk", flat=True)]
    for name, section in SECTIONS.items():
        yield name, (page for pk in visitors for page in _pages(section, pk))


def _pages(section: Section, visitor: int) -> Iterator[list[dict[str, Any]]]:
    """One query a page, each begun where the last one ended, along the index on (visitor, time)."""
    model, order, columns = section
    rows = model._default_manager.filter(visitor=visitor).order_by(order, "pk")
    page = rows
    while found := list(page.values_list(order, "pk", *columns.values())[:PAGE]):
        yield [dict(zip(columns, values, strict=True)) for _, _, *values in found]
        last, pk, *_ = found[-1]
        page = rows.filter(Q(**{f"{order}__gte": last}), Q(**{f"{order}__gt": last}) | Q(pk__gt=pk))
