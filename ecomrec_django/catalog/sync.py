"""Mirrors the shop's products in Item and Category; only changes are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from django.db import connections, router, transaction
from django.utils import timezone

from ..conf import conf
from ..db import MAX_LOOKUP_IDS, DriverValues, bulk_insert, chunks, gc_paused
from ..errors import DataError
from ..failures import RecordLog, Remark
from ..learning.progress import Progress, no_progress
from ..models import Checkpoint, Item
from .adapter import Catalog, ItemFacts
from .categories import CategoryTree
from .language import catalog_language
from .plain_text import plain_text
from .validation import check_product, clean_facts

CHUNK = 2_000
# Share of the products that may be gone at once, unless these are FEW_PRODUCTS.
LARGEST_LOSS = 0.5
FEW_PRODUCTS = 20
# The checkpoint of the last sync.
CHECKPOINT = "catalog"
WRITTEN = (
    "title",
    "category",
    "brand",
    "price",
    "cost",
    "rating",
    "amount",
    "unit",
    "image",
    "description",
    "attributes",
    "available",
    "sellable",
    "replaces",
    "active",
    "fingerprint",
    "synced_at",
)


@dataclass(kw_only=True)
class SyncReport:
    """Number of products by outcome.

    created, updated, removed, unchanged: compared with the mirror before
    skipped: products that could not be read
    withheld: products that the shop no longer has, but which stay, since they are too many to be gone
    reasons: why products were skipped, the most frequent first
    successors: (id of the product whose place another took, id of that), as far as that is new
    unmatched_rules: names of the rules that match no product
    """

    created: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: int = 0
    withheld: int = 0
    reasons: list[Remark] = field(default_factory=list)
    successors: list[tuple[str, str]] = field(default_factory=list)
    unmatched_rules: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raises DataError where every product was skipped, a mistake in the adapter, or where most have gone."""
        if self.skipped and not (self.created or self.updated or self.unchanged):
            raise DataError(
                f"All products were skipped: {self.reasons[0]} manage.py ecomrec_doctor examines the adapter."
            )
        if self.withheld:
            raise DataError(
                f"{self.withheld} products are gone from the shop, more than {LARGEST_LOSS:.0%} of the catalog: they "
                "were kept. If the shop really sells them no longer, run manage.py ecomrec_sync --force; otherwise "
                "correct the adapter's products()."
            )


@gc_paused()
def sync(progress: Progress = no_progress, *, force: bool = False) -> SyncReport:
    """Bring Item and Category up to date with ``ECOMREC["CATALOG"]``.

    ``progress`` is called with (products read, products known before). Products that cannot be read are counted, logged
    and left unchanged. Products that the shop no longer has become inactive until they return, unless they are more
    than LARGEST_LOSS of the catalog and ``force`` is not set: an empty table or a failed import is the likelier reason.
    """
    # The same names whoever starts it: a shop may translate them.
    with catalog_language():
        return _Sync(conf.CATALOG()).run(progress, force=force)


class _Sync:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.report = SyncReport()
        self.log = RecordLog("Product")
        self.tree = CategoryTree()
        self.values = DriverValues(Item)
        self.now = self.values.time(timezone.now())
        self.known: dict[str, tuple[int, str, bool]] = {
            external_id: (pk, fingerprint, active)
            for external_id, pk, fingerprint, active in Item.objects.values_list(
                "external_id", "pk", "fingerprint", "active"
            ).iterator(chunk_size=CHUNK)
        }
        self.replaced = dict(Item.objects.filter(replaces__gt="").values_list("external_id", "replaces"))
        # seen: still in the shop, though perhaps unreadable. described: read successfully.
        self.seen: set[str] = set()
        self.described: set[str] = set()

    def run(self, progress: Progress, *, force: bool) -> SyncReport:
        done = 0
        for products in chunks(self.catalog.items(), CHUNK):
            # Outside of the transaction, which an error of the adapter's own queries would end on PostgreSQL.
            changed = list(self._changed(products))
            with transaction.atomic():
                self._write([self._item(facts, fingerprint) for facts, fingerprint in changed])
            done += len(products)
            progress(done, max(done, len(self.known)))
        self._remove(force=force)
        with transaction.atomic():
            self.tree.finish()
        self.report.skipped, self.report.reasons = self.log.skipped, self.log.reasons
        Checkpoint.objects.update_or_create(name=CHECKPOINT, defaults={"position": {"products": done}})
        return self.report

    def _changed(self, products: list[Any]) -> Iterator[tuple[ItemFacts, str]]:
        """Facts and fingerprint of each product that is new or has changed."""
        for product in products:
            try:
                facts = self._facts(product)
            except Exception as error:  # an error in one product must not stop the others
                self._skip(product, error)
                continue
            self.seen.add(facts.external_id)
            self.described.add(facts.external_id)
            fingerprint = blake2b(repr(facts).encode(), digest_size=16).hexdigest()
            known = self.known.get(facts.external_id)
            if known and known[1:] == (fingerprint, True):
                self.report.unchanged += 1
                continue
            if facts.replaces and self.replaced.get(facts.external_id) != facts.replaces:
                self.report.successors.append((facts.replaces, facts.external_id))
            if known:
                self.report.updated += 1
            else:
                self.report.created += 1
            yield facts, fingerprint

    def _facts(self, product: Any) -> ItemFacts:
        check_product(self.catalog, product)
        facts = clean_facts(self.catalog, self.catalog.describe(product))
        if facts.external_id in self.described:
            key = f"{type(self.catalog).__name__}.key"
            raise DataError(f"another product has the same id: {key} has to name a unique field.")
        return facts

    def _skip(self, product: Any, error: Exception) -> None:
        try:
            name = self.catalog.external_id(product)
            self.seen.add(name)
        except Exception:
            name = "without a readable id"
        self.log.skip(name, error)

    def _item(self, facts: ItemFacts, fingerprint: str) -> Item:
        return Item(
            external_id=facts.external_id,
            title=facts.title[:255],
            category_id=self.tree.pk(facts.category, facts.category_keys),
            brand=facts.brand[:255],
            price=facts.price,
            cost=facts.cost,
            rating=facts.rating,
            amount=facts.amount,
            unit=facts.unit,
            # A truncated address would be useless.
            image=facts.image if len(facts.image) <= 500 else "",
            description=plain_text(facts.description),
            attributes=facts.attributes,
            available=facts.available,
            sellable=facts.sellable,
            replaces=facts.replaces,
            active=True,
            fingerprint=fingerprint,
        )

    def _write(self, items: list[Item]) -> None:
        if not items:
            return
        new = [item for item in items if item.external_id not in self.known]
        bulk_insert(Item, ("external_id", "first_seen", *WRITTEN), [self._row(item) for item in new], ignore=True)
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
            item.amount,
            item.unit,
            item.image,
            item.description,
            self.values.json(item.attributes),
            item.available,
            item.sellable,
            item.replaces,
            item.active,
            item.fingerprint,
            self.now,
        )

    def _remove(self, *, force: bool) -> None:
        before = sum(active for _, _, active in self.known.values())
        removed = [pk for name, (pk, _, active) in self.known.items() if active and name not in self.seen]
        if not force and len(removed) > max(LARGEST_LOSS * before, FEW_PRODUCTS):
            self.report.withheld = len(removed)
            return
        with transaction.atomic():
            for chunk in chunks(removed, MAX_LOOKUP_IDS):
                Item.objects.filter(pk__in=chunk).update(active=False)
        self.report.removed = len(removed)
