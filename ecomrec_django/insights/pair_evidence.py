"""Evidence for a pair of items: the orders with both, their similarities, and the ranker's contributions."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from time import time
from typing import NamedTuple

import numpy as np
from django.db.models.functions import Coalesce
from django.utils import timezone

from ..db import to_aware
from ..learning.ranking.features import ANCHOR_FEATURES, FEATURE_NAMES, feature_matrix
from ..learning.ranking.model import Model
from ..learning.ranking.ranker import unknown_shopper
from ..models import Event, Item, Kind, Release
from ..serving.model_cache import cached_model

# The latest purchases of either item that are read.
LATEST_LINES = 1_000
LATEST_ORDERS = 50
MONTHS = 12
# Features of the two items alone.
PAIR_FEATURES = {
    *("popularity", "trend", "repeat_rate", "item_repeat_rate", "basket_size"),
    *(name for name in ANCHOR_FEATURES if not name.startswith(("own_", "anchor_own"))),
}


class OrderWithBoth(NamedTuple):
    """An order with both items."""

    order: str
    time: datetime


class Month(NamedTuple):
    """Orders of a month with the anchor, and how many of them contain the offer as well."""

    first: date
    anchor: int
    both: int


@dataclass(frozen=True, kw_only=True)
class PairEvidence:
    """Evidence for an anchor and an offer.

    orders: orders with both items
    customers: distinct customers among those orders
    anchor_orders, offer_orders: orders with each of them; only the latest if ``capped``
    months: the last MONTHS with the anchor
    latest: orders with both, newest first
    similarities: "content_similarity", "image_similarity" and "co_viewed", 0…1, as far as known
    contributions: what each feature adds to the ranker's log-odds, strongest first; "" stands for all features of
        shoppers
    """

    orders: int
    customers: int
    anchor_orders: int
    offer_orders: int
    capped: bool
    months: list[Month]
    latest: list[OrderWithBoth]
    similarities: dict[str, float] = field(default_factory=dict)
    contributions: list[tuple[str, float]] = field(default_factory=list)


def pair_evidence(anchor: Item, offer: Item, release: Release, task: str) -> PairEvidence:
    """Evidence for ``offer`` with ``anchor``; ``task`` names the learned ranker, if any.

    Orders are counted as in training, without refunded lines and without shoppers who withdrew consent. It makes two
    queries, whatever the size of the shop.
    """
    anchor_orders, anchor_capped = _orders_with(anchor)
    offer_orders, offer_capped = _orders_with(offer)
    both = sorted(anchor_orders.keys() & offer_orders.keys(), key=lambda order: anchor_orders[order][0], reverse=True)
    customers = {anchor_orders[order][1] or order for order in both}
    model = cached_model(release.pk, release.digest, wait=True)
    numbers = model.ids.numbers(np.array([anchor.pk, offer.pk])) if model is not None else np.array([-1, -1])
    contributions: list[tuple[str, float]] = []
    similarities: dict[str, float] = {}
    if model is not None and (numbers >= 0).all():
        anchor_number, offer_number = numbers.tolist()
        similarities = _similarities(model, anchor_number, offer_number)
        contributions = _contributions(model, anchor_number, offer_number, task)
    return PairEvidence(
        orders=len(both),
        customers=len(customers),
        anchor_orders=len(anchor_orders),
        offer_orders=len(offer_orders),
        capped=anchor_capped or offer_capped,
        months=_months(anchor_orders, set(both)),
        latest=[OrderWithBoth(order, anchor_orders[order][0]) for order in both[:LATEST_ORDERS]],
        similarities=similarities,
        contributions=contributions,
    )


def orders_with_both(anchor: Item, offer: Item) -> tuple[int, int]:
    """Numbers of the latest orders with both items, and of their customers."""
    anchor_orders, offer_orders = _orders_with(anchor)[0], _orders_with(offer)[0]
    both = anchor_orders.keys() & offer_orders.keys()
    return len(both), len({anchor_orders[order][1] or order for order in both})


def _orders_with(item: Item) -> tuple[dict[str, tuple[datetime, int]], bool]:
    """Time and Visitor.pk (0 for a guest) by order, and whether there are more lines than were read."""
    excluded = Coalesce("visitor__merged_into__excluded_until", "visitor__excluded_until")
    rows = list(
        Event.objects.filter(item=item.pk, kind__in=(Kind.PURCHASE, Kind.REFUND))
        .order_by("-pk")
        .annotate(excluded=excluded, person=Coalesce("visitor__merged_into", "visitor"))
        .values_list("basket", "kind", "quantity", "time", "person", "excluded")[:LATEST_LINES]
    )
    pieces: dict[str, int | Decimal] = defaultdict(int)
    placed: dict[str, tuple[datetime, int]] = {}
    for order, kind, quantity, moment, person, until in rows:
        if not order or (until is not None and moment < until):
            continue
        pieces[order] += quantity if kind == Kind.PURCHASE else -quantity
        if kind == Kind.PURCHASE:
            placed[order] = to_aware(moment), person or 0
    orders = {order: placing for order, placing in placed.items() if pieces[order] > 0}
    return orders, len(rows) == LATEST_LINES


def _months(anchor_orders: dict[str, tuple[datetime, int]], both: set[str]) -> list[Month]:
    """The last MONTHS in which the anchor was bought, oldest first."""
    anchor, together = Counter[date](), Counter[date]()
    for order, (moment, _) in anchor_orders.items():
        first = timezone.localdate(moment).replace(day=1)
        anchor[first] += 1
        together[first] += order in both
    return [Month(first, anchor[first], together[first]) for first in sorted(anchor)[-MONTHS:]]


def _similarities(model: Model, anchor: int, offer: int) -> dict[str, float]:
    features = model.item_features
    similarities = {"co_viewed": float(features.co_viewed.at(anchor, np.array([offer]))[0])}
    anchor_terms, anchor_weights = features.content.row(anchor)
    offer_terms, offer_weights = features.content.row(offer)
    if len(anchor_terms) and len(offer_terms):
        _, first, second = np.intersect1d(anchor_terms, offer_terms, assume_unique=True, return_indices=True)
        similarities["content_similarity"] = float(anchor_weights[first] @ offer_weights[second])
    if model.image_vectors.shape[1] and model.image_vectors[anchor].any() and model.image_vectors[offer].any():
        similarities["image_similarity"] = float(
            model.image_vectors[anchor].astype(np.float32) @ model.image_vectors[offer].astype(np.float32)
        )
    return similarities


def _contributions(model: Model, anchor: int, offer: int, task: str) -> list[tuple[str, float]]:
    ranker = model.rankers.get(task)
    if ranker is None or not ranker.useful:
        return []
    day = float(model.day(time()))
    matrix = feature_matrix(
        model.item_features, unknown_shopper(model.item_features), [anchor], day, np.array([offer])
    )[0]
    contributions = Counter[str]()
    for name, value in zip(FEATURE_NAMES, ranker.contributions(matrix)[0].tolist(), strict=True):
        contributions[name if name in PAIR_FEATURES else ""] += value
    return sorted(((name, value) for name, value in contributions.items() if value), key=lambda pair: -abs(pair[1]))
