"""What a product and the offers beside it cost together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.http import HttpRequest

from ..catalog.adapter import Catalog
from .beside import Beside


@dataclass(frozen=True)
class Bundle:
    """External ids of what is bought together, the page's product first, and what one of each costs this customer."""

    items: tuple[str, ...]
    total: Decimal
    total_text: str

    @property
    def count(self) -> int:
        return len(self.items)


def bundle_of(
    catalog: Catalog,
    request: HttpRequest | None,
    anchor: tuple[str, Beside | None] | None,
    offers: Iterable[tuple[str, Decimal | None]],
) -> Bundle | None:
    """Of the page's product (external id and live product; None beside a cart, which has its own already) and the
    offers (external id and price). None for fewer than two, where the product cannot be bought, and where a price is
    unknown.
    """
    parts = list(offers)
    if anchor is not None:
        item, beside = anchor
        if beside is None or not catalog.available(beside.product, request):
            return None
        parts.insert(0, (item, beside.price))
    prices = [price for _, price in parts if price is not None]
    if len(prices) < max(len(parts), 2):
        return None
    total = sum(prices[1:], prices[0])
    return Bundle(tuple(item for item, _ in parts), total, catalog.format_price(total, request))
