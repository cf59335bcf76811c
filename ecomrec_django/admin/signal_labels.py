"""What each signal of `ecomrec_django.learning.signals` is called."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

LABELS: dict[str, Any] = {
    "popularity": _("Bestseller"),
    "trend": _("Selling better lately"),
    "chance": _("Bought with this item"),
    "back_chance": _("This item bought with it"),
    "llr": _("Sure to belong together"),
    "lift": _("Together beyond chance"),
    "aisle_chance": _("Bought beside this aisle"),
    "need_chance": _("Its need bought with this need"),
    "chance_by_need": _("Bought beside this need"),
    "own_baskets": _("Own orders with it"),
    "own_share": _("Share of own orders with it"),
    "own_recent_14": _("Own orders with it, last weeks"),
    "own_recent_45": _("Own orders with it, last months"),
    "own_recent_150": _("Own orders with it, last half year"),
    "own_latest": _("Share of the latest own orders"),
    "own_skipped": _("Own orders since it was bought"),
    "days_since": _("Days since it was bought"),
    "gap": _("Days between its purchases"),
    "due": _("Due again"),
    "own_beside": _("Own orders with both"),
    "own_beside_share": _("Bought with this item before"),
    "own_beside_need": _("Bought with this need before"),
    "own_beside_aisle": _("Bought with this aisle before"),
    "own_size": _("Items in own orders with it"),
    "need_baskets": _("Own orders with its need"),
    "need_share": _("Share of own orders with its need"),
    "need_recent": _("Own orders with its need lately"),
    "need_skipped": _("Own orders since its need was bought"),
    "need_days_since": _("Days since its need was bought"),
    "need_due": _("Its need due again"),
    "share_of_need": _("Its share of own purchases for the need"),
    "taste": _("Taste of similar shoppers"),
    "near": _("Like what was bought before"),
    "near_anchor": _("Like this item"),
    "seen": _("Looked at lately"),
    "seen_days": _("Days since it was looked at"),
    "seen_near": _("Looked at beside what was looked at"),
    "seen_beside": _("Looked at beside this item"),
    "need_interest": _("Interest in its need"),
    "brand_interest": _("Interest in its brand"),
    "content": _("Described like what was bought or looked at"),
    "content_interest": _("Interest and description together"),
    "content_anchor": _("Described like this item"),
    "segment": _("Liked by the shopper's segment"),
    "repeat_rate": _("How often its need is bought again"),
    "item_repeat_rate": _("How often it is bought again"),
    "price_fit": _("Distance from the usual price"),
    "size": _("Items in orders with it"),
    "looks": _("Looks like what was bought or looked at"),
    "looks_anchor": _("Looks like this item"),
    "next": _("Comes next, after what was done last"),
    "dearer": _("Price against this item's"),
    "anchor_size": _("Items in orders with this item"),
    "anchor_own_size": _("Items in own orders with this item"),
    "anchor_own": _("Share of own orders with this item"),
}


def signal_label(name: str) -> str:
    """A signal's name for people; one that is not known here is shown as it is."""
    return str(LABELS.get(name, name))
