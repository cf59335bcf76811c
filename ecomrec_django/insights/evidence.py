"""All that is known of one pair of items: the orders that hold both, and what the published model sees in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from time import time
from typing import NamedTuple

import numpy as np
from django.db.models.functions import Coalesce
from django.utils import timezone

from ..learning.artifact import Model
from ..learning.fusion import unknown
from ..learning.signals import NAMES, OF_ANCHOR, signals
from ..models import Event, Item, Kind, Release
from ..models.bulk import aware
from ..serving.learned import model_of

# Purchases of either item that are looked at, the latest.
LATEST_LINES = 1_000
LATEST_ORDERS = 50
MONTHS = 12
# Signals that turn on the two items alone.
OF_PAIR = {
    *("popularity", "trend", "repeat_rate", "item_repeat_rate", "size"),
    *(name for name in OF_ANCHOR if not name.startswith(("own_", "anchor_own"))),
}


class OrderWithBoth(NamedTuple):
    """An order of the shop that holds both items."""

    order: str
    time: datetime


class Month(NamedTuple):
    """Orders with the anchor that began in a month, and how many of them hold the other item as well."""

    first: date
    anchor: int
    both: int


@dataclass(frozen=True)
class PairEvidence:
    """``orders``: with both, of the ``anchor_orders`` and ``offer_orders`` that were looked at, which are all of them
    unless ``capped`` · ``customers``: different ones among those orders · ``latest``: newest first · ``likeness``: by
    "content", "looks" or "co_seen", 0…1, for what is known · ``contributions``: what each signal of the pair and the
    item adds to the ranker's log-odds, strongest first; "" stands for all that is known of shoppers."""

    orders: int
    customers: int
    anchor_orders: int
    offer_orders: int
    capped: bool
    months: list[Month]
    latest: list[OrderWithBoth]
    likeness: dict[str, float] = field(default_factory=dict)
    contributions: list[tuple[str, float]] = field(default_factory=list)


def pair_evidence(anchor: Item, offer: Item, release: Release, task: str) -> PairEvidence:
    """What is known of ``offer`` beside ``anchor``; ``task``: of the learned ranker, "" for none.

    Orders are counted as a training counts them: lines that were given back, and people who want nothing to be learned
    of them, are left out. Two queries, whatever the size of the shop.
    """
    ours, capped = _bought(anchor)
    theirs, capped_too = _bought(offer)
    both = sorted(ours.keys() & theirs.keys(), key=lambda order: ours[order][0], reverse=True)
    people = {ours[order][1] or order for order in both}
    model = model_of(release.pk, release.digest, wait=True)
    numbers = model.ids.numbers(np.array([anchor.pk, offer.pk])) if model is not None else np.array([-1, -1])
    contributions: list[tuple[str, float]] = []
    likeness: dict[str, float] = {}
    if model is not None and (numbers >= 0).all():
        one, other = numbers.tolist()
        likeness = _likeness(model, one, other)
        contributions = _contributions(model, one, other, task)
    return PairEvidence(
        len(both),
        len(people),
        len(ours),
        len(theirs),
        capped or capped_too,
        _months(ours, set(both)),
        [OrderWithBoth(order, ours[order][0]) for order in both[:LATEST_ORDERS]],
        likeness,
        contributions,
    )


def orders_with_both(anchor: Item, offer: Item) -> tuple[int, int]:
    """How many of the latest orders hold both, and of how many customers."""
    ours, theirs = _bought(anchor)[0], _bought(offer)[0]
    both = ours.keys() & theirs.keys()
    return len(both), len({ours[order][1] or order for order in both})


def _bought(item: Item) -> tuple[dict[str, tuple[datetime, int]], bool]:
    """Order -> when it was placed and Visitor.pk (0 for a guest), and whether there are more lines than were read."""
    excluded = Coalesce("visitor__merged_into__excluded_until", "visitor__excluded_until")
    rows = list(
        Event.objects.filter(item=item.pk, kind__in=(Kind.PURCHASE, Kind.REFUND))
        .order_by("-pk")
        .annotate(excluded=excluded, person=Coalesce("visitor__merged_into", "visitor"))
        .values_list("basket", "kind", "quantity", "time", "person", "excluded")[:LATEST_LINES]
    )
    pieces: Counter[str] = Counter()
    placed: dict[str, tuple[datetime, int]] = {}
    for order, kind, quantity, moment, person, until in rows:
        if not order or (until is not None and moment < until):
            continue
        pieces[order] += quantity if kind == Kind.PURCHASE else -quantity
        if kind == Kind.PURCHASE:
            placed[order] = aware(moment), person or 0
    kept = {order: found for order, found in placed.items() if pieces[order] > 0}
    return kept, len(rows) == LATEST_LINES


def _months(ours: dict[str, tuple[datetime, int]], both: set[str]) -> list[Month]:
    """The last MONTHS in which the anchor was bought, oldest first."""
    anchor, together = Counter[date](), Counter[date]()
    for order, (moment, _) in ours.items():
        first = timezone.localdate(moment).replace(day=1)
        anchor[first] += 1
        together[first] += order in both
    return [Month(first, anchor[first], together[first]) for first in sorted(anchor)[-MONTHS:]]


def _likeness(model: Model, one: int, other: int) -> dict[str, float]:
    facts = model.facts
    found = {"co_seen": float(facts.co_seen.at(one, np.array([other]))[0])}
    (ours, our_weights), (theirs, their_weights) = facts.content.row(one), facts.content.row(other)
    _, at, of = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    if len(ours) and len(theirs):
        found["content"] = float(our_weights[at] @ their_weights[of])
    if model.looks.shape[1] and model.looks[one].any() and model.looks[other].any():
        found["looks"] = float(model.looks[one].astype(np.float32) @ model.looks[other].astype(np.float32))
    return found


def _contributions(model: Model, one: int, other: int, task: str) -> list[tuple[str, float]]:
    ranker = model.rankers.get(task)
    if ranker is None or not ranker.useful:
        return []
    day = float(model.day(time()))
    matrix = signals(model.facts, unknown(model.facts), [one], day, np.array([other]))[0]
    added = Counter[str]()
    for name, value in zip(NAMES, ranker.contributions(matrix)[0].tolist(), strict=True):
        added[name if name in OF_PAIR else ""] += value
    return sorted(((name, value) for name, value in added.items() if value), key=lambda pair: -abs(pair[1]))
