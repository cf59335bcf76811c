"""The guard: rules that each offer must meet at the moment it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from ..catalog.language import catalog_language
from ..learning.amounts import title_key
from ..strategies.base import LiveProduct, Offer, Reason, Strategy, Violation, ViolationCode
from .anchor_product import base_price, live_price, live_product
from .page import Page
from .rules import NO_RULES, ActiveRules, LiveValues


class EligibleOffer(NamedTuple):
    """An offer that meets all rules, with its live product and this customer's price."""

    offer: Offer
    product: Any
    price: Decimal | None


class RejectedOffer(NamedTuple):
    """An offer that breaks a rule, and the first one it breaks."""

    offer: Offer
    violation: Violation


class CheckedOffer(NamedTuple):
    """An offer and the rule it breaks, as far as that is known without its live product; otherwise None."""

    offer: Offer
    violation: Violation | None


@dataclass(kw_only=True)
class Guard:
    """Checks the offers of one block, best first.

    The rules, in this order:

    - Without the live product: ``blocked``, ``anchor``, ``in_cart``, ``shown`` (in another block of the page),
      ``same_aisle`` (with several anchors), and the merchant's rules that need no live product.
    - With it: ``missing`` (deleted, or not visible to this customer), ``unavailable``, ``no_price``, the merchant's
      other rules, ``aisle_full`` (except in the block of a category), ``duplicate_title`` (an offer before it has the
      same title), ``out_of_band`` (of an experiment's arm), and the strategy's own rule, for each anchor whose list
      contains the offer.

    Pinned offers are exempt from the strategy's own rule, the rules about aisles and titles, and the band of an arm.

    page: the page with its cart, other blocks and request.
    strategy: the strategy of the block.
    anchors: aisle by external id, 0 if unknown.
    subjects: external ids of all products on the page, including the anchors; none of them is offered.
    lists: items of each anchor's list by external id; empty if there is only one anchor.
    blocked: external ids that a merchant blocked for this block.
    whole_shop: whether the block covers the whole shop, so that one aisle must not fill it.
    rules: the merchant's rules in force for this block.
    band: lowest and highest price as a share of each anchor's, None for no bounds.
    eligible, rejected: the results so far, best offer first.
    """

    page: Page
    strategy: Strategy
    anchors: Mapping[str, int]
    lists: Mapping[str, frozenset[str]]
    subjects: frozenset[str]
    blocked: frozenset[str] = frozenset()
    whole_shop: bool = False
    rules: ActiveRules = NO_RULES
    band: tuple[float, float] | None = None
    eligible: list[EligibleOffer] = field(default_factory=list)
    rejected: list[RejectedOffer] = field(default_factory=list)
    _aisle_counts: Counter[int] = field(default_factory=Counter)
    _titles: set[str] = field(default_factory=set)

    def precheck(self, offers: Iterable[Offer]) -> list[CheckedOffer]:
        """Each offer, and the rule it breaks without regard to its live product."""
        cart, shown = frozenset(self.page.cart), self.page.shown
        excludes_aisles = len(self.anchors) > 1 and self.strategy.per_aisle is not None
        aisles = frozenset(self.anchors.values()) - {0} if excludes_aisles else frozenset()
        checked = []
        for offer in offers:
            violation = None
            if offer.item in self.blocked:
                violation = Violation(ViolationCode.BLOCKED)
            elif offer.item in self.subjects:
                violation = Violation(ViolationCode.ANCHOR)
            elif offer.item in cart:
                violation = Violation(ViolationCode.IN_CART)
            elif offer.item in shown:
                violation = Violation(ViolationCode.SHOWN)
            elif offer.aisle in aisles and offer.reason is not Reason.PINNED:
                violation = Violation(ViolationCode.SAME_AISLE)
            else:
                violation = self.rules.violation(offer.item)
            checked.append(CheckedOffer(offer, violation))
        return checked

    def choose(
        self, candidates: Iterable[CheckedOffer], live: Mapping[str, Any], anchors: Sequence[LiveProduct], limit: int
    ) -> None:
        """Add valid offers to ``eligible`` until it holds ``limit``, and the others to ``rejected``.

        live: live product by external id, for all candidates that have one.
        """
        for offer, violation in candidates:
            if len(self.eligible) >= limit:
                break
            result = violation or self._check(offer, live.get(offer.item), anchors)
            if isinstance(result, EligibleOffer):
                self._aisle_counts[offer.aisle] += 1
                self._titles.add(self._title(result.product))
                self.eligible.append(result)
            else:
                self.rejected.append(RejectedOffer(offer, result))

    def _is_full(self, aisle: int) -> bool:
        """Whether the block already holds as many offers of an aisle as it may."""
        per_aisle = self.strategy.per_aisle
        if per_aisle is None or not aisle or not (self.anchors or self.whole_shop):
            return False
        return self._aisle_counts[aisle] >= per_aisle

    def _title(self, product: Any) -> str:
        """The title without differences in case, punctuation and spaces; "" if there is none."""
        try:
            with catalog_language():
                title = self.page.catalog.display_title(product)
        except Exception:  # counted where the offer is presented
            return ""
        return title_key(title)

    def _check(self, offer: Offer, product: Any, anchors: Sequence[LiveProduct]) -> EligibleOffer | Violation:
        """The offer with its product and price, or the rule it breaks."""
        if product is None:
            return Violation(ViolationCode.MISSING)
        catalog, request = self.page.catalog, self.page.request
        if not catalog.available(product, request):
            return Violation(ViolationCode.UNAVAILABLE)
        price = live_price(catalog, product, request)
        # Shops of articles or adverts have no prices; in others, a product without one cannot be bought.
        if price is None and catalog.price_field is not None:
            return Violation(ViolationCode.NO_PRICE)
        if self.rules.rules:
            # A rule's figures are in the shop's own currency, whatever this customer sees.
            base = base_price(catalog, product) if self.rules.asks_price else None
            live = LiveValues(base, catalog.stock_level(product))
            if violation := self.rules.violation(offer.item, live):
                return violation
        if offer.reason is not Reason.PINNED:
            if self._is_full(offer.aisle):
                return Violation(ViolationCode.AISLE_FULL)
            if (title := self._title(product)) and title in self._titles:
                return Violation(ViolationCode.DUPLICATE_TITLE)
            if self.lists:
                anchors = [anchor for anchor in anchors if offer.item in self.lists[anchor.item]]
            if self.band is not None and not _within_band(self.band, price, anchors):
                return Violation(ViolationCode.OUT_OF_BAND)
            known = LiveProduct(item=offer.item, price=None if price is None else float(price), aisle=offer.aisle)
            known = live_product(catalog, self.strategy, product, known)
            if code := self.strategy.violation(anchors, offer, known):
                return Violation(code)
        return EligibleOffer(offer, product, price)


def _within_band(band: tuple[float, float], price: Decimal | None, anchors: Sequence[LiveProduct]) -> bool:
    low, high = band
    return price is not None and all(
        anchor.price is not None and low * anchor.price <= float(price) <= high * anchor.price for anchor in anchors
    )
