"""Bundles: an anchor and its offers, with their total price."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.http import HttpRequest

from ..catalog.adapter import Catalog
from .anchor_product import AnchorProduct


@dataclass(frozen=True)
class Bundle:
    """Products that are bought together.

    items: external ids, the page's product first
    total: the customer's price for one of each
    total_text: ``total`` as the shop formats it
    """

    items: tuple[str, ...]
    total: Decimal
    total_text: str

    @property
    def count(self) -> int:
        """Number of items, the page's product included."""
        return len(self.items)


def bundle_of(
    catalog: Catalog,
    request: HttpRequest | None,
    anchor: tuple[str, AnchorProduct | None] | None,
    offers: Iterable[tuple[str, Decimal | None]],
) -> Bundle | None:
    """The bundle of an anchor and ``offers``; None for fewer than two products, or if one is unavailable or unpriced.

    anchor: external id and live product; None for a cart, whose products are already in it
    offers: external ids and prices
    """
    parts = list(offers)
    if anchor is not None:
        item, anchor_product = anchor
        if anchor_product is None or not catalog.available(anchor_product.product, request):
            return None
        parts.insert(0, (item, anchor_product.price))
    prices = [price for _, price in parts if price is not None]
    if len(prices) < max(len(parts), 2):
        return None
    total = sum(prices[1:], prices[0])
    return Bundle(tuple(item for item, _ in parts), total, catalog.format_price(total, request))
