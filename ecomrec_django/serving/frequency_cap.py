"""Offers that a shopper has seen and seen again, and left alone, give way to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..conf import conf
from ..strategies.base import Offer, Reason


def demote_ignored(offers: Sequence[Offer], ignored: Mapping[str, int]) -> Sequence[Offer]:
    """The same offers: first those seen fewer times than the cap, then those below twice the cap, and so on.

    ``ignored``: external id -> times seen without a click. Within each round the order stays as it is, so that what
    gave way comes back once the others were seen as often. A pin stays where the merchant put it.
    """
    if not ignored or not conf.FREQUENCY_CAP:
        return offers
    cap = conf.FREQUENCY_CAP["views"]
    return sorted(offers, key=lambda offer: -1 if offer.reason is Reason.PINNED else ignored.get(offer.item, 0) // cap)
