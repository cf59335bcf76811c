"""The rules every offer has to keep at the moment it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from ..catalog.adapter import Catalog
from ..strategies.base import Anchor, Offer, Reason, Strategy
from .page import Page
from .rulebook import NO_TERMS
from .terms import Live, Terms


class Kept(NamedTuple):
    """An offer that keeps every rule, with its live product and this customer's price."""

    offer: Offer
    product: Any
    price: Decimal | None


class LeftOut(NamedTuple):
    """An offer that does not, and the first rule it breaks."""

    offer: Offer
    rule: str


class Candidate(NamedTuple):
    """An offer, and the rule it breaks whatever its live product is like; None if the product has to be looked at."""

    offer: Offer
    rule: str | None


@dataclass
class Guard:
    """Checks offers, best first.

    Rules, in order: ``blocked`` · ``anchor`` · ``in_cart`` · ``shown`` (in another block of the page) · ``same_aisle``
    (beside several anchors) · the merchant's that need no live product, as none of these does; then ``missing`` (gone,
    or not visible to this customer) · ``unavailable`` · ``no_price`` · the merchant's others · ``aisle_full`` (beside
    several anchors, or none) · ``out_of_band`` (of the arm of an experiment) · the strategy's own, beside those anchors
    whose lists hold the offer. A pin is the merchant's word: neither the strategy's rules nor the aisles nor an arm's
    band bind it.
    """

    page: Page
    strategy: Strategy
    # External id -> aisle, 0 where unknown.
    anchors: Mapping[str, int]
    # External id of an anchor -> the items of its list; empty where there is but one anchor.
    lists: Mapping[str, frozenset[str]]
    blocked: frozenset[str] = frozenset()
    # Whether a block is of the whole shop, so that one shelf must not fill it.
    whole_shop: bool = False
    # The merchant's rules that hold here.
    terms: Terms = NO_TERMS
    # Lowest and highest price against each anchor's.
    band: tuple[float, float] | None = None
    kept: list[Kept] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    _in_aisle: Counter[int] = field(default_factory=Counter)

    def sift(self, offers: Iterable[Offer]) -> list[Candidate]:
        """Each offer with what can be said of it without its live product."""
        cart, shown = frozenset(self.page.cart), self.page.shown
        aisles = frozenset(self.anchors.values()) - {0} if self._bounds_aisles else frozenset()
        found = []
        for offer in offers:
            rule = None
            if offer.item in self.blocked:
                rule = "blocked"
            elif offer.item in self.anchors:
                rule = "anchor"
            elif offer.item in cart:
                rule = "in_cart"
            elif offer.item in shown:
                rule = "shown"
            elif offer.aisle in aisles and offer.reason is not Reason.PINNED:
                rule = "same_aisle"
            else:
                rule = self.terms.broken(offer.item)
            found.append(Candidate(offer, rule))
        return found

    def choose(
        self, candidates: Iterable[Candidate], live: Mapping[str, Any], beside: Sequence[Anchor], limit: int
    ) -> None:
        """Add sound offers to ``kept`` until they are ``limit``; what is passed over goes to ``left_out``."""
        for offer, rule in candidates:
            if len(self.kept) >= limit:
                break
            found = rule or self._check(offer, live.get(offer.item), beside)
            if isinstance(found, str):
                self.left_out.append(LeftOut(offer, found))
            else:
                self._in_aisle[offer.aisle] += 1
                self.kept.append(found)

    @property
    def _bounds_aisles(self) -> bool:
        return (len(self.anchors) > 1 or self.whole_shop) and self.strategy.per_aisle is not None

    def _check(self, offer: Offer, product: Any, beside: Sequence[Anchor]) -> Kept | str:
        """The offer with its product and price, or the rule it breaks."""
        if product is None:
            return "missing"
        catalog, request = self.page.catalog, self.page.request
        if not catalog.available(product, request):
            return "unavailable"
        price = catalog.price(product, request)
        # A shop of articles or adverts has no prices; elsewhere none means that it cannot be bought.
        if price is None and catalog.price_field is not None:
            return "no_price"
        if self.terms.rules and (broken := self.terms.broken(offer.item, live_of(catalog, product, price))):
            return broken
        if offer.reason is not Reason.PINNED:
            if self._bounds_aisles and offer.aisle and self._in_aisle[offer.aisle] >= (self.strategy.per_aisle or 0):
                return "aisle_full"
            if self.lists:
                beside = [anchor for anchor in beside if offer.item in self.lists[anchor.item]]
            if self.band is not None and not self._within_band(price, beside):
                return "out_of_band"
            if broken := self.strategy.violation(beside, offer, None if price is None else float(price)):
                return broken
        return Kept(offer, product, price)

    def _within_band(self, price: Decimal | None, beside: Sequence[Anchor]) -> bool:
        assert self.band is not None
        low, high = self.band
        return price is not None and all(
            anchor.price is not None and low * anchor.price <= float(price) <= high * anchor.price for anchor in beside
        )


def live_of(catalog: Catalog, product: Any, price: Decimal | None) -> Live:
    """A live product as the merchant's rules see it; they ask for its stock, too."""
    return Live(price, catalog.stock_level(product))
