"""An offer list as the merchant sees it: the pins first, then the learned offers, with blocked ones marked in place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..models import Item, OfferList, Override
from ..strategies.base import Offer, Reason, decode_offers
from .evidence import Figure, figures, reason_label
from .pictures import picture


@dataclass(frozen=True)
class Card:
    """One offer. ``item`` is None if the mirror no longer knows it; ``override`` is the merchant's word on the pair."""

    external_id: str
    item: Item | None
    reason: str
    figures: list[Figure] = field(default_factory=list)
    rank: int | None = None
    override: Override | None = None
    # Nobody has looked at it yet.
    waiting: bool = False

    @property
    def picture(self) -> SafeString:
        return picture(self.item, 96)

    @property
    def thumbnail(self) -> SafeString:
        return picture(self.item, 48)

    @property
    def pinned(self) -> bool:
        return self.override is not None and self.override.action == Override.Action.PIN

    @property
    def blocked(self) -> bool:
        return self.override is not None and self.override.action == Override.Action.BLOCK


def cards_of(offer_list: OfferList) -> list[Card]:
    """The cards of one list in two queries: its pair's overrides, and the items offered."""
    overrides = {override.offer.external_id: override for override in overrides_of(offer_list)}
    learned = offer_list.learned or offer_list.offers
    offers = {offer.item: (rank, offer) for rank, offer in enumerate(decode_offers(learned), start=1)}
    items = items_by_id([*offers, *overrides])
    pins = [external_id for external_id, override in overrides.items() if override.action == Override.Action.PIN]
    unlisted_blocks = [
        external_id for external_id in overrides if external_id not in offers and external_id not in pins
    ]
    order = [*pins, *(external_id for external_id in offers if external_id not in pins), *unlisted_blocks]
    waiting = set(offer_list.waiting or ())
    return [_card(key, items.get(key), offers.get(key), overrides.get(key), key in waiting) for key in order]


def overrides_of(offer_list: OfferList) -> QuerySet[Override]:
    """The merchant's pins and blocks for this strategy and anchor, pins in their order; none for a category's list."""
    return (
        Override.objects.filter(strategy=offer_list.strategy, anchor__isnull=False, anchor=offer_list.anchor_id)
        .select_related("offer", "segment", "created_by")
        .defer("offer__description", "segment__profile", "segment__centre")
        .order_by("position", "pk")
    )


def items_by_id(external_ids: Iterable[str]) -> dict[str, Item]:
    found = Item.objects.filter(external_id__in=set(external_ids)).defer("description")
    return {item.external_id: item for item in found}


def _card(
    external_id: str,
    item: Item | None,
    ranked: tuple[int, Offer] | None,
    override: Override | None,
    waiting: bool,
) -> Card:
    if ranked is None:
        pinned = override is not None and override.action == Override.Action.PIN
        reason = reason_label(Reason.PINNED) if pinned else str(_("Not in this list"))
        return Card(external_id, item, reason, override=override)
    rank, offer = ranked
    return Card(external_id, item, reason_label(offer.reason), figures(offer), rank, override, waiting)
