"""A named place on a page: the first strategy of its chain that has enough sound offers fills it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest

from ..conf import conf
from ..db import savepoints
from ..failures import note_failure
from .assignment import slot_assignment
from .offers import OfferBlock, block_of
from .page import page_of


def slot_offers(
    request: HttpRequest | None,
    slot: str,
    anchors: Iterable[Any] | None = None,
    category: Any = None,
    limit: int | None = None,
) -> OfferBlock:
    """The block that fills ``slot``; empty where nothing does. ``anchors`` and ``category`` as `offers` takes them.

    Whatever fails inside is logged and counted, and the block is empty.
    """
    try:
        with savepoints():
            page = page_of(request, conf.CATALOG())
            assignment = slot_assignment(page, slot)
            if assignment is None:
                return OfferBlock(strategy="")
            variant = assignment.variant
            subjects = None if anchors is None else list(anchors)
            for strategy in variant.chain:
                block = block_of(page, strategy, subjects, variant.limit or limit, category, assignment)
                if len(block.offers) >= variant.minimum:
                    page.show(offer.item for offer in block.offers)
                    return block
    except Exception as error:
        note_failure(f"slot {slot}", error)
    return OfferBlock(strategy="")
