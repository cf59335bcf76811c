from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ecomrec_django.catalog.adapter import Catalog, PurchaseLine
from tests.hosts.postgres.models import Garment


class GarmentCatalog(Catalog):
    """Garments by their UUID: the category is an array, brand and attributes lie in JSON."""

    model = "postgres_host.Garment"
    category = "shelf"

    def describe(self, product):
        return replace(super().describe(product), brand=product.facts.get("brand", ""))

    def product_attributes(self, product):
        return {name: str(value) for name, value in product.facts.items() if name != "brand"}

    def purchases(self, since):
        """Forty customers buy boots with socks, forty others a hat with gloves."""
        ids = {garment.sku: self.external_id(garment) for garment in Garment.objects.all()}
        for customer in range(80):
            for sku in ("boot", "sock") if customer % 2 else ("hat", "glove"):
                yield PurchaseLine(
                    line=f"{customer}-{sku}",
                    order=str(customer),
                    user=str(customer),
                    item=ids[sku],
                    quantity=1,
                    price=None,
                    time=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=customer),
                )


class SkuCatalog(GarmentCatalog):
    """The same by a key that ignores case."""

    key = "sku"
