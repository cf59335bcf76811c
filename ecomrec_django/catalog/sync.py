"""Mirror the shop's products in Item and Category; only what changed is written."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from django.db import connections, router, transaction
from django.utils import timezone

from ..conf import conf
from ..errors import DataError
from ..models import Checkpoint, Item
from ..models.bulk import LOOKUP, Values, chunks, collector_paused, insert
from .adapter import Catalog, ItemFacts
from .categories import CategoryTree

logger = logging.getLogger(__name__)

CHUNK = 2_000
LOGGED_PRODUCTS = 20
# Checkpoint that tells when the catalog was read last.
CHECKPOINT = "catalog"
LARGEST_PRICE = 10**10
MOST_ATTRIBUTES, LONGEST_ATTRIBUTE = 50, 200
WRITTEN = (
    "title",
    "category",
    "brand",
    "price",
    "cost",
    "rating",
    "image",
    "description",
    "attributes",
    "available",
    "active",
    "fingerprint",
    "synced_at",
)


@dataclass
class SyncReport:
    """Products by what became of them. ``reasons`` counts why some were skipped."""

    created: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def skip(self, product: str, reason: str) -> None:
        self.skipped += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        if self.skipped <= LOGGED_PRODUCTS:
            logger.warning("Product %s was skipped: %s.", product, reason)


@collector_paused()
def sync(progress: Callable[[int, int], None] | None = None) -> SyncReport:
    """Bring Item and Category up to date with ``ECOMREC["CATALOG"]``.

    ``progress`` is called with (products seen, products known before). A product that cannot be read is counted, logged
    and left as it was; one that the shop no longer has becomes inactive, and active again should it come back.
    """
    return _Sync(conf.CATALOG()).run(progress)


class _Sync:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.report = SyncReport()
        self.tree = CategoryTree()
        self.values = Values(Item)
        self.now = self.values.time(timezone.now())
        self.known: dict[str, tuple[int, str, bool]] = {
            external_id: (pk, fingerprint, active)
            for external_id, pk, fingerprint, active in Item.objects.values_list(
                "external_id", "pk", "fingerprint", "active"
            ).iterator(chunk_size=CHUNK)
        }
        # Seen: still in the shop, though perhaps unreadable. Described: read well.
        self.seen: set[str] = set()
        self.described: set[str] = set()

    def run(self, progress: Callable[[int, int], None] | None) -> SyncReport:
        done = 0
        for products in chunks(self.catalog.items(), CHUNK):
            with transaction.atomic():
                self._write(list(self._changed(products)))
            done += len(products)
            if progress:
                progress(done, max(done, len(self.known)))
        self._remove()
        Checkpoint.objects.update_or_create(name=CHECKPOINT, defaults={"position": {"products": done}})
        return self.report

    def _changed(self, products: list[Any]) -> Iterator[Item]:
        for product in products:
            try:
                facts = self.catalog.describe(product)
                _check(facts)
                facts = replace(facts, attributes=_bounded(facts.attributes))
            except Exception as error:  # whatever one product raises must not stop the others
                self._skip(product, error)
                continue
            if facts.external_id in self.described:
                self.report.skip(facts.external_id, "its id was given to another product already")
                continue
            self.seen.add(facts.external_id)
            self.described.add(facts.external_id)
            fingerprint = blake2b(repr(facts).encode(), digest_size=16).hexdigest()
            known = self.known.get(facts.external_id)
            if known and known[1:] == (fingerprint, True):
                self.report.unchanged += 1
                continue
            if known:
                self.report.updated += 1
            else:
                self.report.created += 1
            yield self._item(facts, fingerprint)

    def _skip(self, product: Any, error: Exception) -> None:
        try:
            name = self.catalog.external_id(product)
            self.seen.add(name)
        except Exception:
            name = "without a readable id"
        reason = str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
        self.report.skip(name, reason)

    def _item(self, facts: ItemFacts, fingerprint: str) -> Item:
        return Item(
            external_id=facts.external_id,
            title=facts.title[:255],
            category_id=self.tree.pk(facts.category),
            brand=facts.brand[:255],
            price=facts.price,
            cost=facts.cost,
            rating=facts.rating,
            # Half an address leads nowhere.
            image=facts.image if len(facts.image) <= 500 else "",
            description=facts.description,
            attributes=facts.attributes,
            available=facts.available,
            active=True,
            fingerprint=fingerprint,
        )

    def _write(self, items: list[Item]) -> None:
        if not items:
            return
        new = [item for item in items if item.external_id not in self.known]
        insert(Item, ("external_id", "first_seen", *WRITTEN), [self._row(item) for item in new], ignore=True)
        targeted = connections[router.db_for_write(Item)].features.supports_update_conflicts_with_target
        Item.objects.bulk_create(
            [item for item in items if item.external_id in self.known],
            batch_size=500,
            update_conflicts=True,
            update_fields=WRITTEN,
            unique_fields=["external_id"] if targeted else None,
        )

    def _row(self, item: Item) -> tuple[Any, ...]:
        return (
            item.external_id,
            self.now,
            item.title,
            item.category_id,
            item.brand,
            self.values.price(item.price),
            self.values.price(item.cost),
            item.rating,
            item.image,
            item.description,
            self.values.json(item.attributes),
            item.available,
            item.active,
            item.fingerprint,
            self.now,
        )

    def _remove(self) -> None:
        gone = [pk for name, (pk, _, active) in self.known.items() if active and name not in self.seen]
        with transaction.atomic():
            for some in chunks(gone, LOOKUP):
                Item.objects.filter(pk__in=some).update(active=False)
        self.report.removed = len(gone)


def _check(facts: ItemFacts) -> None:
    if not facts.external_id:
        raise DataError("it has no id")
    if len(facts.external_id) > 128:
        raise DataError("its id is longer than 128 characters")
    if facts.price is not None and not (facts.price.is_finite() and 0 <= facts.price < LARGEST_PRICE):
        raise DataError(f"its price {facts.price} is not a number from 0 to {LARGEST_PRICE}")
    if facts.cost is not None and not (facts.cost.is_finite() and 0 <= facts.cost < LARGEST_PRICE):
        raise DataError(f"its cost {facts.cost} is not a number from 0 to {LARGEST_PRICE}")
    if facts.rating is not None and not math.isfinite(facts.rating):
        raise DataError(f"its rating {facts.rating} is not a finite number")


def _bounded(attributes: Mapping[str, str]) -> dict[str, str]:
    """The first MOST_ATTRIBUTES by name, each a line of at most LONGEST_ATTRIBUTE characters; empty ones left out."""
    lines = {_line(name): _line(value) for name, value in attributes.items()}
    named = sorted((name, value) for name, value in lines.items() if name and value)
    return dict(named[:MOST_ATTRIBUTES])


def _line(text: str) -> str:
    return " ".join(str(text).split())[:LONGEST_ATTRIBUTE]
