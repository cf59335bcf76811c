"""Labels of the features of `ecomrec_django.learning.ranking.features`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

LABELS: dict[str, Any] = {
    "popularity": _("Bestseller"),
    "trend": _("Sales trend"),
    "probability": _("Bought with this item"),
    "reverse_probability": _("This item bought with it"),
    "llr": _("Log-likelihood ratio"),
    "lift": _("Lift"),
    "probability_given_aisle": _("Bought with this aisle"),
    "need_probability": _("Its need bought with this need"),
    "probability_given_need": _("Bought with this need"),
    "own_baskets": _("Shopper's orders with it"),
    "own_share": _("Share of the shopper's orders with it"),
    "own_recent_14": _("Shopper's orders with it, last weeks"),
    "own_recent_45": _("Shopper's orders with it, last months"),
    "own_recent_150": _("Shopper's orders with it, last half-year"),
    "own_latest": _("Share of the shopper's latest orders"),
    "own_skipped": _("Shopper's orders since it was bought"),
    "days_since": _("Days since it was bought"),
    "gap": _("Days between its purchases"),
    "due": _("Due for repurchase"),
    "own_with_anchor": _("Shopper's orders with both"),
    "own_with_anchor_share": _("Bought with this item before"),
    "own_with_anchor_need": _("Bought with this need before"),
    "own_with_anchor_aisle": _("Bought with this aisle before"),
    "own_basket_size": _("Items in the shopper's orders with it"),
    "need_baskets": _("Shopper's orders with its need"),
    "need_share": _("Share of the shopper's orders with its need"),
    "need_recent": _("Shopper's recent orders with its need"),
    "need_skipped": _("Shopper's orders since its need was bought"),
    "need_days_since": _("Days since its need was bought"),
    "need_due": _("Its need due for repurchase"),
    "share_of_need": _("Its share of the shopper's purchases for the need"),
    "neighbour_taste": _("Preferred by similar shoppers"),
    "similar_to_own": _("Similar to past purchases"),
    "similar_to_anchor": _("Similar to this item"),
    "viewed": _("Recently viewed"),
    "viewed_days_ago": _("Days since it was viewed"),
    "similar_to_viewed": _("Viewed together with recently viewed items"),
    "co_viewed": _("Viewed together with this item"),
    "need_interest": _("Interest in its need"),
    "brand_interest": _("Interest in its brand"),
    "content_similarity": _("Description similar to past purchases and views"),
    "content_interest": _("Interest and description combined"),
    "anchor_content_similarity": _("Description similar to this item"),
    "segment_popularity": _("Popular in the shopper's segment"),
    "repeat_rate": _("Repurchase rate of its need"),
    "item_repeat_rate": _("Repurchase rate"),
    "price_fit": _("Distance from the usual price"),
    "basket_size": _("Items in orders with it"),
    "image_similarity": _("Image similar to past purchases and views"),
    "anchor_image_similarity": _("Image similar to this item"),
    "next_item": _("Next-item prediction (sequence model)"),
    "log_price_ratio": _("Price relative to this item"),
    "anchor_basket_size": _("Items in orders with this item"),
    "anchor_own_basket_size": _("Items in the shopper's orders with this item"),
    "anchor_own_share": _("Share of the shopper's orders with this item"),
}


def feature_label(name: str) -> str:
    """A feature's label; an unknown name is returned as it is."""
    return str(LABELS.get(name, name))
