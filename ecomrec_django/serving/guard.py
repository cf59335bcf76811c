"""The rules every offer has to keep at the moment it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from django.http import HttpRequest

from ..catalog.adapter import Catalog
from ..strategies.base import Anchor, Offer, Reason, Strategy


class Kept(NamedTuple):
    """An offer that keeps every rule, with its live product and this customer's price."""

    offer: Offer
    product: Any
    price: Decimal


class LeftOut(NamedTuple):
    """An offer that does not, and the first rule it breaks."""

    offer: Offer
    rule: str


@dataclass
class Guard:
    """Checks candidates, best first, against live products.

    Rules, in order: ``blocked`` · ``anchor`` · ``in_cart`` · ``shown`` (in another block of the page) · ``missing``
    (gone, or not visible to this customer) · ``unavailable`` · ``no_price`` · ``same_aisle`` and ``aisle_full``
    (several anchors) · the strategy's own. A pin is the merchant's word: the strategy's rules and the aisles do not
    bind it.
    """

    catalog: Catalog
    request: HttpRequest | None
    strategy: Strategy
    anchors: Sequence[Anchor]
    products: Mapping[str, Any]
    blocked: frozenset[str] = frozenset()
    in_cart: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    _aisles: Counter[int] = field(default_factory=Counter)

    def choose(self, candidates: Iterable[Offer], limit: int) -> tuple[list[Kept], list[LeftOut]]:
        """The first ``limit`` sound offers, and what was left out on the way."""
        kept: list[Kept] = []
        left_out: list[LeftOut] = []
        for offer in candidates:
            if len(kept) == limit:
                break
            found = self.check(offer)
            if isinstance(found, str):
                left_out.append(LeftOut(offer, found))
            else:
                self._aisles[offer.aisle] += 1
                kept.append(found)
        return kept, left_out

    def check(self, offer: Offer) -> Kept | str:
        """The offer with its product and price, or the rule it breaks."""
        item = offer.item
        if item in self.blocked:
            return "blocked"
        if any(item == anchor.item for anchor in self.anchors):
            return "anchor"
        if item in self.in_cart:
            return "in_cart"
        if item in self.shown:
            return "shown"
        product = self.products.get(item)
        if product is None:
            return "missing"
        if not self.catalog.available(product, self.request):
            return "unavailable"
        price = self.catalog.price(product, self.request)
        if price is None:
            return "no_price"
        rule = None if offer.reason is Reason.PINNED else self._beside_anchors(offer, price)
        return rule or Kept(offer, product, price)

    def _beside_anchors(self, offer: Offer, price: Decimal) -> str | None:
        bound = self.strategy.per_aisle
        if len(self.anchors) > 1 and bound is not None and offer.aisle:
            if any(offer.aisle == anchor.aisle for anchor in self.anchors):
                return "same_aisle"
            if self._aisles[offer.aisle] >= bound:
                return "aisle_full"
        return self.strategy.violation(self.anchors, offer, float(price))
