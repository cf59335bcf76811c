"""The one live product that a block stands beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.http import HttpRequest

from ..catalog.adapter import Catalog


@dataclass(frozen=True)
class Beside:
    """A live product and this customer's price of it; asked once for all offers of a block, as a shop may query."""

    catalog: Catalog
    product: Any
    price: Decimal | None

    @classmethod
    def of(cls, catalog: Catalog, request: HttpRequest | None, product: Any) -> Beside | None:
        """None for no product."""
        return None if product is None else cls(catalog, product, catalog.price(product, request))

    @cached_property
    def attributes(self) -> Mapping[str, str]:
        return self.catalog.compared_attributes(self.product)

    @cached_property
    def rating(self) -> float | None:
        return self.catalog.base_rating(self.product)
