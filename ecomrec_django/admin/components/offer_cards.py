"""The offers of a list as cards: pins first, then trained offers, with blocked ones marked in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from django.db.models import QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ...models import Item, OfferList, Override
from ...strategies.base import Offer, Reason, decode_offers
from .evidence import Figure, figures, reason_label
from .thumbnails import thumbnail


@dataclass(frozen=True, kw_only=True)
class Card:
    """One offer as shown to staff.

    external_id: id of the item
    item: its mirror row; None if it is gone
    reason, figures, rank: reason, evidence and rank in the trained list
    override: the pin or block of this pair, if any
    unreviewed: whether nobody has reviewed it
    """

    external_id: str
    item: Item | None
    reason: str
    figures: list[Figure] = field(default_factory=list)
    rank: int | None = None
    override: Override | None = None
    unreviewed: bool = False

    @property
    def picture(self) -> SafeString:
        """The image on the list's page."""
        return thumbnail(self.item, 96)

    @property
    def thumbnail(self) -> SafeString:
        """The image in a panel."""
        return thumbnail(self.item, 48)

    @property
    def pinned(self) -> bool:
        """Whether staff pinned the offer."""
        return self.override is not None and self.override.action == Override.Action.PIN

    @property
    def blocked(self) -> bool:
        """Whether staff blocked the offer."""
        return self.override is not None and self.override.action == Override.Action.BLOCK


def cards_of(lists: Sequence[OfferList]) -> list[list[Card]]:
    """The cards of each list of one anchor, in two queries: one for overrides and one for items."""
    overrides: dict[str, dict[str, Override]] = {row.strategy: {} for row in lists}
    for override in _overrides_of(lists):
        overrides[override.strategy][override.offer.external_id] = override
    offers = [
        {offer.item: (rank, offer) for rank, offer in enumerate(decode_offers(row.proposed or row.offers), start=1)}
        for row in lists
    ]
    items = items_by_id([*chain.from_iterable(offers), *chain.from_iterable(overrides.values())])
    return [_cards(row, by_id, overrides[row.strategy], items) for row, by_id in zip(lists, offers, strict=True)]


def _cards(
    row: OfferList, offers: dict[str, tuple[int, Offer]], overrides: dict[str, Override], items: dict[str, Item]
) -> list[Card]:
    """Pins in their order, then trained offers, then blocked items that are not in the list."""
    pins = [key for key, override in overrides.items() if override.action == Override.Action.PIN]
    order = dict.fromkeys([*pins, *offers, *overrides])
    unreviewed = set(row.unreviewed or ())
    return [
        _card(key, items.get(key), offers.get(key), overrides.get(key), unreviewed=key in unreviewed) for key in order
    ]


def _overrides_of(lists: Sequence[OfferList]) -> QuerySet[Override]:
    """The pins and blocks of these strategies and their anchor, pins in their order; none for lists of categories."""
    strategies, anchors = {row.strategy for row in lists}, {row.anchor_id for row in lists if row.anchor_id is not None}
    return (
        Override.objects.filter(strategy__in=strategies, anchor__in=anchors)
        .select_related("offer", "segment", "created_by")
        .defer("offer__description", "segment__profile", "segment__centre")
        .order_by("position", "pk")
    )


def items_by_id(external_ids: Iterable[str]) -> dict[str, Item]:
    """Items by external id, without descriptions; unknown ids are omitted."""
    items = Item.objects.filter(external_id__in=set(external_ids)).defer("description")
    return {item.external_id: item for item in items}


def _card(
    external_id: str,
    item: Item | None,
    ranked: tuple[int, Offer] | None,
    override: Override | None,
    *,
    unreviewed: bool,
) -> Card:
    if ranked is None:
        pinned = override is not None and override.action == Override.Action.PIN
        reason = reason_label(Reason.PINNED) if pinned else str(_("Not in this list"))
        return Card(external_id=external_id, item=item, reason=reason, override=override)
    rank, offer = ranked
    return Card(
        external_id=external_id,
        item=item,
        reason=reason_label(offer.reason),
        figures=figures(offer),
        rank=rank,
        override=override,
        unreviewed=unreviewed,
    )
