"""Offers on a page: stored lists, re-checked against the live shop. Two queries; never an exception."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.http import HttpRequest

from ..catalog.adapter import Catalog
from ..conf import conf
from ..db import savepoints
from ..failures import note_failure
from .anchor_product import AnchorProduct
from .bundle import Bundle, bundle_of
from .page import Page, page_of
from .presentation import BlockOffer, presented
from .registry import strategy_named
from .selection import SELECTION, Selection, anchors_by_id, examine
from .tokens import seal_block
from .variants import NO_ASSIGNMENT, SlotAssignment

# What stands in where there is no anchor.
FALLBACK = "for_you"


@dataclass(frozen=True, kw_only=True)
class OfferBlock:
    """The offers of one strategy; empty if nothing sound is left.

    strategy: its name in the settings, "" where a slot shows nothing.
    release: Release.pk of the published release, None for none.
    offers: best first.
    anchor: external id of the one product that the block stands beside, see `tokens.SealedBlock`.
    assignment: how the slot is filled.
    bundle: what the product and its offers cost together, None where that is not to be said.
    visitor: Visitor.key of who alone may report the block, "" for one that a cache may show to others.
    """

    strategy: str
    release: int | None = None
    offers: list[BlockOffer] = field(default_factory=list)
    anchor: str = ""
    assignment: SlotAssignment = NO_ASSIGNMENT
    bundle: Bundle | None = None
    visitor: str = ""

    def __bool__(self) -> bool:
        return bool(self.offers)

    @cached_property
    def token(self) -> str:
        """What a browser reports this block with; "" for an empty one."""
        if not self.offers:
            return ""
        items = [offer.item for offer in self.offers]
        arm, slot = self.assignment.arm, self.assignment.slot
        return seal_block(self.strategy, self.release, self.anchor, items, arm=arm, slot=slot, visitor=self.visitor)


def offers(
    request: HttpRequest | None,
    strategy: str,
    anchors: Iterable[Any] | None = None,
    limit: int | None = None,
    category: Any = None,
) -> OfferBlock:
    """The block of ``strategy`` beside ``anchors`` (external ids or live products; None: the customer's cart).

    A strategy without anchors offers what is of ``category`` (what `Catalog.category_path` takes), or of the whole shop
    if None. Beside an empty cart the block is one "for you". Whatever fails inside is logged and counted, and the block
    is empty.
    """
    try:
        with savepoints():
            page = page_of(request, conf.CATALOG())
            if strategy_named(strategy).needs_anchor and anchors is None and not page.cart:
                strategy = FALLBACK if FALLBACK in conf.STRATEGIES else strategy
            block = block_of(page, strategy, anchors, limit, category)
            page.show(offer.item for offer in block.offers)
    except Exception as error:
        note_failure(strategy, error)
        return OfferBlock(strategy=strategy)
    return block


def block_of(
    page: Page,
    strategy: str,
    anchors: Iterable[Any] | None,
    limit: int | None,
    category: Any = None,
    assignment: SlotAssignment = NO_ASSIGNMENT,
    selection: Selection = SELECTION,
) -> OfferBlock:
    """As `offers`, but raising what fails (except for the presentation of a single offer), and without claiming its
    offers for the page."""
    catalog, request = page.catalog, page.request
    subjects = page.cart if anchors is None else list(anchors)
    limit = conf.LIMIT if limit is None else limit
    examination = examine(page, strategy, subjects, limit, category, assignment, selection)
    anchor = "" if anchors is None else _only_anchor(catalog, subjects)
    anchor_product = AnchorProduct.of(catalog, request, examination.anchors.get(anchor))
    block_offers = presented(catalog, request, examination.eligible, anchor_product, strategy)
    bundle = None
    if strategy_named(strategy).bundles and (anchor or anchors is None):
        prices = [(offer.item, offer.price) for offer in block_offers]
        bundle = bundle_of(catalog, request, (anchor, anchor_product) if anchor else None, prices)
    return OfferBlock(
        strategy=strategy,
        release=examination.release,
        offers=block_offers,
        anchor=anchor,
        assignment=assignment,
        bundle=bundle,
        visitor=page.sealed_for,
    )


def _only_anchor(catalog: Catalog, anchors: Iterable[Any]) -> str:
    """External id of the one anchor; "" if there are several."""
    first, *others = anchors_by_id(catalog, anchors) or [""]
    return "" if others else first
