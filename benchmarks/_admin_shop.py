"""A large shop for `admin`: drawn items, lists, events and what a merchant did; nothing in it was bought by anybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from tqdm import tqdm

from ecomrec_django.db import bulk_insert, chunks
from ecomrec_django.models import (
    Category,
    Decision,
    Event,
    Item,
    OfferList,
    Override,
    Publication,
    Release,
    Rule,
    Segment,
    TrainingRun,
    Visitor,
)
from example_shop.models import Category as ShopCategory
from example_shop.models import Product

AISLES, LIST, BASKET = 300, 20, 8
VISITORS_PER_EVENT = 0.1
WAITING, DECIDED, HIDDEN = 1_000, 5_000, 500
AT_ONCE = 20_000
NOW = datetime.now(UTC).replace(microsecond=0, tzinfo=None)


def fill(items: int, events: int) -> None:
    rng = np.random.default_rng(0)
    with transaction.atomic():
        _stock(items)
    _events(rng, items, events)
    runs = [TrainingRun.objects.create(status="done", percent=100, metrics={"items": items}) for _ in range(20)]
    releases = [
        Release.objects.create(
            run=run,
            complete=True,
            metrics={"bought_with": {"lists": items, "category_lists": AISLES, "offers": items * LIST}},
        )
        for run in runs
    ]
    former, release = releases[-2:]
    popular = np.minimum(rng.zipf(1.3, (items, LIST)), items) - 1
    for made, changed in ((former, 0.0), (release, 0.1)):
        _lists(rng, made, popular, changed, items)
    Publication.objects.create(pk=Publication.CURRENT, release=release, previous=former)
    _decide(release, items)
    aisles = [{"aisle": n, "name": f"Aisle {n}", "share": 0.1, "all": 0.05} for n in range(1, 20)]
    features = {"recency": {"mean": 20.0, "all": 10.0}}
    for label in range(9):
        Segment.objects.create(
            label=label, description=f"Segment {label}", size=9, profile={"features": features, "aisles": aisles}
        )


def _stock(items: int) -> None:
    names = [f"Aisle {n}" for n in range(AISLES)]
    shelves = ShopCategory.objects.bulk_create(ShopCategory(name=name, slug=name.replace(" ", "-")) for name in names)
    Category.objects.bulk_create(Category(name=name, path=name, digest=name) for name in names)
    Category.objects.update(aisle_id=None)
    for some in chunks(range(1, items + 1), AT_ONCE):
        Product.objects.bulk_create(
            Product(pk=n, sku=str(n), title=f"Item {n}", category=shelves[n % AISLES], price=n % 50 + 1) for n in some
        )
        Item.objects.bulk_create(
            Item(
                pk=n,
                external_id=str(n),
                title=f"Item {n}",
                category_id=1 + n % AISLES,
                price=n % 50 + 1,
                description="One of the products that this shop has sold for years. " * 5,
                fingerprint="",
            )
            for n in some
        )


def _events(rng: np.random.Generator, items: int, events: int) -> None:
    visitors = max(int(events * VISITORS_PER_EVENT), 1)
    for some in chunks(range(1, visitors + 1), AT_ONCE):
        Visitor.objects.bulk_create(Visitor(pk=n, key=f"{n:064d}") for n in some)
    with tqdm(total=events, unit="event", disable=None) as bar:
        for start in range(0, events, AT_ONCE):
            many = min(AT_ONCE, events - start)
            item = np.minimum(rng.zipf(1.2, many), items).tolist()
            visitor = rng.integers(1, visitors + 1, many).tolist()
            fields = ("kind", "visitor", "item", "time", "quantity", "price", "basket", "session", "policy")
            with transaction.atomic():
                bulk_insert(Event, fields, list(_rows(start, events, item, visitor)))
            bar.update(many)


def _rows(start: int, events: int, item: list[int], visitor: list[int]) -> Iterator[tuple[Any, ...]]:
    """One event in four is a purchase, BASKET of which make an order."""
    for at, (one, who) in enumerate(zip(item, visitor, strict=True), start=start):
        time = NOW - timedelta(seconds=(events - at) * 12)
        if at % 4:
            yield "view_item", who, one, time, 1, None, "", "", "1"
        else:
            order = at // 4 // BASKET
            yield "purchase", 1 + order % max(len(visitor), 1), one, time, 1, "3.00", f"o{order}", "", ""


def _lists(rng: np.random.Generator, release: Release, popular: np.ndarray, changed: float, items: int) -> None:
    shifted = rng.random(items) < changed
    waiting = set(np.flatnonzero(shifted)[:WAITING].tolist())
    fields = ("release", "strategy", "anchor", "offers", "unreviewed", "priority")
    for some in chunks(tqdm(range(items), "lists", disable=None), AT_ONCE):
        rows = []
        for at in some:
            offered = list(dict.fromkeys((popular[at] + at + 1 + bool(shifted[at])) % items + 1))
            text = json.dumps(
                [
                    [str(one), 1 - place / 50, 0, 1 + one % AISLES, 20, 12, 3.1, 6.4, 80.2, 0.01]
                    for place, one in enumerate(map(int, offered))
                ],
                separators=(",", ":"),
            )
            eyes = at in waiting
            rows.append(
                (
                    release.pk,
                    "bought_with",
                    at + 1,
                    text,
                    json.dumps([str(offered[0])]) if eyes else None,
                    at % 97 + 1.0 if eyes else None,
                )
            )
        with transaction.atomic():
            bulk_insert(OfferList, fields, rows)


def _decide(release: Release, items: int) -> None:
    Override.objects.bulk_create(
        Override(strategy="bought_with", anchor_id=n, offer_id=n % items + 1, action="pin" if n % 2 else "block")
        for n in range(1, min(DECIDED, items) + 1)
    )
    Decision.objects.bulk_create(
        Decision(action="pin", strategy="bought_with", anchor_id=n, offer_id=n % items + 1)
        for n in range(1, min(DECIDED, items) + 1)
    )
    Rule.objects.bulk_create(
        Rule(name=f"Never {n}", action="hide", item_id=n) for n in range(1, min(HIDDEN, items) + 1)
    )
