"""The live anchor of a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.http import HttpRequest

from ..catalog.adapter import Catalog
from ..catalog.language import catalog_language
from ..catalog.validation import customer_price
from ..catalog.values import to_price
from ..errors import DataError
from ..failures import note_failure
from ..learning.amounts import Amount
from ..strategies.base import LiveProduct, Strategy


@dataclass(frozen=True)
class AnchorProduct:
    """The live anchor of a block with the customer's price; read once for all offers, since adapters may query."""

    catalog: Catalog
    product: Any
    price: Decimal | None

    @classmethod
    def of(cls, catalog: Catalog, request: HttpRequest | None, product: Any) -> AnchorProduct | None:
        """None for no product."""
        return None if product is None else cls(catalog, product, live_price(catalog, product, request))

    @cached_property
    def attributes(self) -> Mapping[str, str]:
        """Attributes by name that an upgrade's reason compares; {} where the adapter reads none on pages."""
        return self.catalog.compared_attributes(self.product)

    @cached_property
    def amount(self) -> Amount | None:
        """How much it holds; None if unknown."""
        return live_amount(self.catalog, self.product)

    @cached_property
    def rating(self) -> float | None:
        """Mean rating on the shop's own scale; None without one."""
        return self.catalog.base_rating(self.product)


def live_product(catalog: Catalog, strategy: Strategy, product: Any, known: LiveProduct) -> LiveProduct:
    """``known`` with what the strategy compares of the live ``product``."""
    if product is None or not strategy.same_need:
        return known
    try:
        with catalog_language():
            title, rating = catalog.display_title(product), catalog.base_rating(product)
    except Exception as error:
        note_failure("display_title", error, "An upgrade is not compared by title and rating")
        return known
    return known._replace(title=title, amount=live_amount(catalog, product), rating=rating)


def live_amount(catalog: Catalog, product: Any) -> Amount | None:
    """How much the product holds; None if unknown, or if the shop's adapter fails."""
    try:
        with catalog_language():
            return catalog.product_amount(product)
    except Exception as error:
        note_failure("product_amount", error, "Upgrades are not compared by size")
        return None


def live_price(catalog: Catalog, product: Any, request: HttpRequest | None) -> Decimal | None:
    """What this customer pays; None if unknown, or if what the shop's adapter returns is no price."""
    try:
        return customer_price(catalog, product, request)
    except DataError as error:
        note_failure("price", error, "A product is treated as one without a price")
        return None


def base_price(catalog: Catalog, product: Any) -> Decimal | None:
    """The list price in the base currency, the same for everybody; None if unknown, or if the shop's adapter fails."""
    try:
        return to_price(catalog.base_price(product))
    except Exception as error:
        note_failure("base_price", error, "Rules about prices take a product for one without a price")
        return None
