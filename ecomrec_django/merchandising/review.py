"""The review queue: which lists a merchant should review first, and which offers are held back for approval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log2, sqrt
from typing import Any

from django.db.models import Count, F, Max, Q, QuerySet, TextField, Value

from ..conf import conf
from ..db import chunks, iterate_by_key
from ..models import Decision, Event, Kind, OfferList, Override, Publication, Release
from ..strategies.base import Offer, decode_offers, encode_offers, evidence_of
from .diff import ListStatus, read_lists

MODES = ("auto", "changes", "all")
# Traffic is counted in this many latest events; in shops that track no views, from their orders.
LATEST_EVENTS = 200_000
VISITS = (Kind.VIEW_ITEM, Kind.ADD_TO_CART, Kind.PURCHASE)
# If nothing is held back: the busiest lists per strategy that are compared, and the length of the queue.
MAX_CANDIDATES = 2_000
MAX_QUEUE = 1_000
LISTS_AT_ONCE = 1_000
# Owner of a list: its strategy, Item.pk and Category.pk.
Owner = tuple[str, int | None, int | None]
_REVIEW_FIELDS = ["offers", "proposed", "unreviewed", "priority"]


def queue_for_review(release: Release) -> None:
    """Compare a complete release with the published one, and store ``unreviewed`` offers and ``priority`` of its lists.

    Depending on ``ECOMREC["REVIEW"]``, unapproved offers are held back from pages, except those that were pinned,
    blocked or approved before. Comparing the same two releases again costs one query.
    """
    publication = Publication.objects.current().select_related("release").first()
    if publication is not None and publication.release_id == release.pk:
        return
    published = publication.release if publication is not None else None
    holds_back = conf.REVIEW == "all" or (conf.REVIEW == "changes" and published is not None)
    baseline = published.pk if published is not None else 0
    # A change of the setting requires a new comparison: marked offers are held back then, or vice versa.
    baseline = ~baseline if holds_back else baseline
    if release.review_baseline == baseline:
        return
    _release_held(release)
    traffic = Traffic.latest()
    carried = (
        {list_owner(row): set(row.unreviewed or ()) for row in _queued_lists(published)}
        if published is not None
        else {}
    )
    queue: list[OfferList] = []
    for chunk in chunks(_lists_to_review(release, published, traffic, carried, holds_back=holds_back), LISTS_AT_ONCE):
        marked = _mark_unreviewed(chunk, carried, traffic, holds_back=holds_back)
        if holds_back:
            OfferList.objects.bulk_update(marked, _REVIEW_FIELDS)
        else:
            queue += marked
    queue.sort(key=lambda row: -(row.priority or 0.0))
    OfferList.objects.bulk_update(queue[:MAX_QUEUE], _REVIEW_FIELDS, batch_size=LISTS_AT_ONCE)
    release.review_baseline = baseline
    release.save(update_fields=["review_baseline"])


def list_owner(row: OfferList) -> Owner:
    """The owner of a list: its strategy, anchor and category."""
    return row.strategy, row.anchor_id, row.category_id


def hold_back(row: OfferList, offers: Sequence[Offer], fresh: Iterable[str], traffic: Traffic) -> None:
    """Set the ``offers`` of a list, with the ``fresh`` ones held back if the review mode requires it; does not save.

    Offers that pages already show are not held back, even if nobody has reviewed them.
    """
    pending = set(row.unreviewed or ()) if row.proposed is not None else set()
    held_back = {*fresh, *pending} if conf.REVIEW != "auto" else set()
    unreviewed = [offer.item for offer in offers if offer.item in held_back]
    if not unreviewed:
        row.offers, row.proposed = encode_offers(offers), None
        return
    row.unreviewed, row.proposed = unreviewed, encode_offers(offers)
    row.offers = encode_offers([offer for offer in offers if offer.item not in held_back])
    row.priority = priority(row, offers, traffic)


@dataclass(frozen=True)
class Traffic:
    """Recent visits.

    items: by Item.pk
    categories: mean visits of a category's visited items, by Category.pk
    """

    items: Mapping[int, int] = field(default_factory=dict)
    categories: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def latest(cls) -> Traffic:
        """Visits among the LATEST_EVENTS latest events of the database."""
        newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
        visits_by_item = Event.objects.filter(pk__gt=newest - LATEST_EVENTS, kind__in=VISITS).order_by()
        items: dict[int, int] = {}
        by_category: defaultdict[int, list[int]] = defaultdict(list)
        for item, category, visits in visits_by_item.values_list("item", "item__category").annotate(Count("pk")):
            items[item] = visits
            by_category[category or 0].append(visits)
        return cls(items, {category: sum(visits) // len(visits) for category, visits in by_category.items()})

    def of(self, row: OfferList) -> int:
        """Visits of the pages that show a list; at least 1."""
        if row.anchor_id is not None:
            return 1 + self.items.get(row.anchor_id, 0)
        if row.category_id is not None:
            # It replaces the list of one item.
            return 1 + self.categories.get(row.category_id, 0)
        return 1 + sum(self.items.values())

    def busiest(self, most: int) -> list[int]:
        """Item.pk of the ``most`` visited items, most visited first."""
        return sorted(self.items, key=lambda item: -self.items[item])[:most]


def priority(row: OfferList, offers: Sequence[Offer], traffic: Traffic) -> float:
    """Urgency of a review: traffic · change · uncertainty.

    change: share of ``row.unreviewed`` offers in the positions of a block, weighted by 1 / log2(1 + position)
    uncertainty: mean of 1 / √(1 + customers behind the offer) over the unreviewed offers
    """
    unreviewed = set(row.unreviewed or ())
    weights = [1 / log2(1 + place) for place in range(1, len(offers) + 1)]
    change = sum(weight for weight, offer in zip(weights, offers, strict=True) if offer.item in unreviewed)
    doubts = [1 / sqrt(1 + _customers(offer)) for offer in offers if offer.item in unreviewed]
    if not doubts:
        return 0.0
    return traffic.of(row) * min(change / sum(weights[: conf.LIMIT]), 1.0) * sum(doubts) / len(doubts)


def _customers(offer: Offer) -> float:
    evidence = evidence_of(offer)
    return float(evidence.get("customers") or evidence.get("switchers") or 0)


def _release_held(release: Release) -> None:
    """Restore the lists as trained."""
    release.lists.filter(proposed__isnull=False).update(offers=F("proposed"))
    release.lists.filter(priority__isnull=False).update(proposed=None, unreviewed=None, priority=None)


def _queued_lists(release: Release) -> QuerySet[OfferList]:
    lists = OfferList.objects.filter(release.shown(), priority__isnull=False)
    return lists.only("release", "strategy", "anchor", "category", "unreviewed")


def _lists_to_review(
    release: Release,
    published: Release | None,
    traffic: Traffic,
    carried: Mapping[Owner, set[str]],
    *,
    holds_back: bool,
) -> Iterator[Any]:
    """Lists that differ from the published ones or have offers that are still unreviewed there, with ``before``."""
    seen: set[int] = set()
    busy = traffic.busiest(MAX_CANDIDATES)
    strategies = release.lists.order_by().values_list("strategy", flat=True).distinct()
    for strategy in sorted(strategies):
        for lists in _changed_lists(release, published, strategy):
            lists = lists.defer("proposed")
            if not holds_back:
                # Lists of categories and of the whole shop come first. The long tail is not reviewed.
                lists = lists.order_by("strategy", F("anchor_id").asc(nulls_first=True), "pk")
                lists = lists.filter(Q(anchor=None) | Q(anchor__in=busy)) if busy else lists[:MAX_CANDIDATES]
            for row in iterate_by_key(lists, LISTS_AT_ONCE) if holds_back else lists:
                seen.add(row.pk)
                yield row
    anchors = [anchor for _, anchor, _ in carried if anchor is not None]
    unchanged = [Q(anchor__in=chunk) for chunk in chunks(anchors, LISTS_AT_ONCE)]
    if len(anchors) < len(carried):
        unchanged.append(Q(anchor=None))
    for condition in unchanged:
        for row in release.lists.filter(condition).annotate(before=F("offers")).defer("proposed"):
            if row.pk not in seen and list_owner(row) in carried:
                yield row


def _changed_lists(release: Release, published: Release | None, strategy: str) -> Sequence[QuerySet[Any]]:
    if published is None:
        nothing = Value("[]", TextField())
        return [release.lists.filter(strategy=strategy).order_by("strategy", "anchor_id").annotate(before=nothing)]
    gained = read_lists(release, published, strategy, ListStatus.GAINED).annotate(before=Value("[]", TextField()))
    return [gained, read_lists(release, published, strategy, ListStatus.CHANGED)]


def _mark_unreviewed(
    rows: Sequence[Any], carried: Mapping[Owner, set[str]], traffic: Traffic, *, holds_back: bool
) -> list[OfferList]:
    """Mark the unreviewed offers of lists; returns the lists that have any.

    If offers are held back, only those are marked: offers that pages already show stay.
    """
    decided, marked = _decided_items(rows), []
    for row in rows:
        offers, owner = decode_offers(row.offers), list_owner(row)
        shown = {offer.item for offer in decode_offers(row.before)} | decided[owner]
        unseen = carried.get(owner, set()) - decided[owner]
        fresh = [offer.item for offer in offers if offer.item not in shown]
        row.unreviewed, row.proposed = None, None
        if holds_back and fresh:
            hold_back(row, offers, fresh, traffic)
        else:
            row.unreviewed = [offer.item for offer in offers if offer.item not in shown or offer.item in unseen]
            row.priority = priority(row, offers, traffic)
        if row.unreviewed:
            marked.append(row)
    return marked


def _decided_items(rows: Sequence[OfferList]) -> defaultdict[Owner, set[str]]:
    """External ids that were pinned, blocked or approved, by owner of the list."""
    decided: defaultdict[Owner, set[str]] = defaultdict(set)
    anchors = {row.anchor_id for row in rows if row.anchor_id is not None}
    strategies = {row.strategy for row in rows}
    overrides = Override.objects.filter(strategy__in=strategies, anchor__in=anchors).order_by()
    for strategy, anchor, item in overrides.values_list("strategy", "anchor", "offer__external_id"):
        decided[strategy, anchor, None].add(item)
    approved = Decision.objects.filter(
        Q(anchor__in=anchors) | Q(anchor=None), strategy__in=strategies, action=Decision.Action.APPROVE, undone_at=None
    ).order_by()
    for strategy, anchor, category, items in approved.values_list("strategy", "anchor", "category", "items"):
        decided[strategy, anchor, category].update(items)
    return decided
