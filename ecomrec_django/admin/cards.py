"""An offer list as the merchant sees it: the pins first, then the learned offers, with blocked ones marked in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def cards_of(lists: Sequence[OfferList]) -> list[list[Card]]:
    """The cards of each of some lists of one anchor, in two queries: their pairs' overrides, and the items offered."""
    overrides: dict[str, dict[str, Override]] = {row.strategy: {} for row in lists}
    for override in _overrides_of(lists):
        overrides[override.strategy][override.offer.external_id] = override
    offers = [
        {offer.item: (rank, offer) for rank, offer in enumerate(decode_offers(row.learned or row.offers), start=1)}
        for row in lists
    ]
    items = items_by_id(
        [*(key for some in offers for key in some), *(key for some in overrides.values() for key in some)]
    )
    return [_cards(row, own, overrides[row.strategy], items) for row, own in zip(lists, offers, strict=True)]


def _cards(
    row: OfferList, offers: dict[str, tuple[int, Offer]], overrides: dict[str, Override], items: dict[str, Item]
) -> list[Card]:
    """Pins in their order, then the offers, then what is blocked and not listed."""
    pins = [key for key, override in overrides.items() if override.action == Override.Action.PIN]
    order = dict.fromkeys([*pins, *offers, *overrides])
    waiting = set(row.waiting or ())
    return [_card(key, items.get(key), offers.get(key), overrides.get(key), key in waiting) for key in order]


def _overrides_of(lists: Sequence[OfferList]) -> QuerySet[Override]:
    """The merchant's pins and blocks for these strategies and their anchor, pins in their order; none for those of
    categories."""
    strategies, anchors = {row.strategy for row in lists}, {row.anchor_id for row in lists if row.anchor_id is not None}
    return (
        Override.objects.filter(strategy__in=strategies, anchor__in=anchors)
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
