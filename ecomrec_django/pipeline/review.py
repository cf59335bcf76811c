"""Which lists need a merchant's eyes first, and which of their offers wait for approval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log2, sqrt
from typing import Any

from django.db.models import Count, F, Max, Q, QuerySet, TextField, Value

from ..conf import conf
from ..models import Decision, Event, Kind, OfferList, Override, Publication, Release
from ..models.bulk import by_key, chunks
from ..strategies.base import Offer, decode_offers, encode_offers, evidence_of
from .diff import Change, lists_of

MODES = ("auto", "changes", "all")
# Events, the latest, that tell where the traffic is; a shop that tracks no views has its orders.
LATEST_EVENTS = 200_000
VISITS = (Kind.VIEW_ITEM, Kind.ADD_TO_CART, Kind.PURCHASE)
# Where nothing waits for approval: lists of a strategy looked at, those with the most traffic, and kept to be reviewed.
LOOKED_AT = 2_000
QUEUE = 1_000
LISTS_AT_ONCE = 1_000
# What a list belongs to: its strategy, Item.pk and Category.pk.
Owner = tuple[str, int | None, int | None]
_WRITTEN = ["offers", "learned", "waiting", "attention"]


def prepare(release: Release) -> None:
    """Compare a complete release with the published one: its lists get their ``waiting`` offers and ``attention``.

    As ``ECOMREC["REVIEW"]`` says, offers that nobody approved are kept from what pages would show. What was pinned,
    blocked or approved before waits no more. Comparing the same two again costs one query.
    """
    publication = Publication.objects.select_related("release").filter(pk=1).first()
    if publication is not None and publication.release_id == release.pk:
        return
    against = publication.release if publication is not None else None
    holds = conf.REVIEW == "all" or (conf.REVIEW == "changes" and against is not None)
    compared = against.pk if against is not None else 0
    # Another setting asks for another comparison: what was only marked is held then, or the other way round.
    compared = ~compared if holds else compared
    if release.compared == compared:
        return
    _put_back(release)
    traffic = Traffic.latest()
    carried = {owner_of(row): set(row.waiting or ()) for row in _waiting(against)} if against is not None else {}
    found: list[OfferList] = []
    for some in chunks(_to_look_at(release, against, traffic, holds, carried), LISTS_AT_ONCE):
        marked = _marked(some, carried, traffic, holds)
        if holds:
            OfferList.objects.bulk_update(marked, _WRITTEN)
        else:
            found += marked
    found.sort(key=lambda row: -(row.attention or 0.0))
    OfferList.objects.bulk_update(found[:QUEUE], _WRITTEN, batch_size=LISTS_AT_ONCE)
    release.compared = compared
    release.save(update_fields=["compared"])


def owner_of(row: OfferList) -> Owner:
    return row.strategy, row.anchor_id, row.category_id


def hold(row: OfferList, offers: Sequence[Offer], fresh: Iterable[str], traffic: Traffic) -> None:
    """Let a list consist of ``offers``, of which the ``fresh`` ones wait for approval if any have to; not saved.

    What pages show already does not begin to wait, though nobody has looked at it.
    """
    wait = {*fresh, *((row.waiting or ()) if row.learned is not None else ())} if conf.REVIEW != "auto" else set()
    waiting = [offer.item for offer in offers if offer.item in wait]
    if not waiting:
        row.offers, row.learned = encode_offers(offers), None
        return
    row.waiting, row.learned = waiting, encode_offers(offers)
    row.offers = encode_offers([offer for offer in offers if offer.item not in wait])
    row.attention = attention(row, offers, traffic)


@dataclass(frozen=True)
class Traffic:
    """What visitors did lately, by Item.pk; by Category.pk, with one of its items."""

    items: Mapping[int, int] = field(default_factory=dict)
    categories: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def latest(cls) -> Traffic:
        newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
        wanted = Event.objects.filter(pk__gt=newest - LATEST_EVENTS, kind__in=VISITS).order_by()
        items: dict[int, int] = {}
        of_category: defaultdict[int, list[int]] = defaultdict(list)
        for item, category, visits in wanted.values_list("item", "item__category").annotate(Count("pk")):
            items[item] = visits
            of_category[category or 0].append(visits)
        return cls(items, {category: sum(some) // len(some) for category, some in of_category.items()})

    def of(self, row: OfferList) -> int:
        """What was done with the items beside which a list stands; one at least."""
        if row.anchor_id is not None:
            return 1 + self.items.get(row.anchor_id, 0)
        if row.category_id is not None:
            # It stands in where an item has no list of its own: as much as is done with one.
            return 1 + self.categories.get(row.category_id, 0)
        return 1 + sum(self.items.values())

    def busiest(self, most: int) -> list[int]:
        """Item.pks, most visited first."""
        return sorted(self.items, key=lambda item: -self.items[item])[:most]


def attention(row: OfferList, offers: Sequence[Offer], traffic: Traffic) -> float:
    """How much a list needs eyes: traffic · change · uncertainty.

    change: share of the places a block shows, each weighing 1 / log2(1 + place), that ``row.waiting`` offers take ·
    uncertainty: the mean of 1 / √(1 + customers behind the offer) of those.
    """
    waiting = set(row.waiting or ())
    weights = [1 / log2(1 + place) for place in range(1, len(offers) + 1)]
    taken = sum(weight for weight, offer in zip(weights, offers, strict=True) if offer.item in waiting)
    doubts = [1 / sqrt(1 + _customers(offer)) for offer in offers if offer.item in waiting]
    if not doubts:
        return 0.0
    return traffic.of(row) * min(taken / sum(weights[: conf.LIMIT]), 1.0) * sum(doubts) / len(doubts)


def _customers(offer: Offer) -> float:
    evidence = evidence_of(offer)
    return float(evidence.get("customers") or evidence.get("switchers") or 0)


def _put_back(release: Release) -> None:
    """As training left the lists."""
    release.lists.filter(learned__isnull=False).update(offers=F("learned"))
    release.lists.filter(attention__isnull=False).update(learned=None, waiting=None, attention=None)


def _waiting(release: Release) -> QuerySet[OfferList]:
    return release.lists.filter(attention__isnull=False).only("release", "strategy", "anchor", "category", "waiting")


def _to_look_at(
    release: Release, against: Release | None, traffic: Traffic, holds: bool, carried: Mapping[Owner, set[str]]
) -> Iterator[Any]:
    """Lists with their former text as ``before``: those that differ, and those of which something waited before."""
    seen: set[int] = set()
    busy = traffic.busiest(LOOKED_AT)
    strategies = release.lists.order_by().values_list("strategy", flat=True).distinct()
    for strategy in sorted(strategies):
        for lists in _differing(release, against, strategy):
            lists = lists.defer("learned")
            if not holds:
                # The end of a long tail is looked at by nobody.
                lists = lists.filter(Q(anchor=None) | Q(anchor__in=busy)) if busy else lists[:LOOKED_AT]
            for row in by_key(lists, LISTS_AT_ONCE) if holds else lists:
                seen.add(row.pk)
                yield row
    anchors = [anchor for _, anchor, _ in carried if anchor is not None]
    unchanged = [Q(anchor__in=some) for some in chunks(anchors, LISTS_AT_ONCE)]
    if len(anchors) < len(carried):
        unchanged.append(Q(anchor=None))
    for condition in unchanged:
        for row in release.lists.filter(condition).annotate(before=F("offers")).defer("learned"):
            if row.pk not in seen and owner_of(row) in carried:
                yield row


def _differing(release: Release, against: Release | None, strategy: str) -> Sequence[QuerySet[Any]]:
    if against is None:
        nothing = Value("[]", TextField())
        return [release.lists.filter(strategy=strategy).order_by("strategy", "anchor_id").annotate(before=nothing)]
    gained = lists_of(release, against, strategy, Change.GAINED).annotate(before=Value("[]", TextField()))
    return [gained, lists_of(release, against, strategy, Change.CHANGED)]


def _marked(rows: Sequence[Any], carried: Mapping[Owner, set[str]], traffic: Traffic, holds: bool) -> list[OfferList]:
    """The lists with offers that nobody has looked at, those marked in them.

    Of a list that is held, only the held ones: what pages show is not taken from them.
    """
    settled, found = _settled(rows), []
    for row in rows:
        offers, owner = decode_offers(row.offers), owner_of(row)
        shown = {offer.item for offer in decode_offers(row.before)} | settled[owner]
        unseen = carried.get(owner, set()) - settled[owner]
        fresh = [offer.item for offer in offers if offer.item not in shown]
        row.waiting, row.learned = None, None
        if holds and fresh:
            hold(row, offers, fresh, traffic)
        else:
            row.waiting = [offer.item for offer in offers if offer.item not in shown or offer.item in unseen]
            row.attention = attention(row, offers, traffic)
        if row.waiting:
            found.append(row)
    return found


def _settled(rows: Sequence[OfferList]) -> defaultdict[Owner, set[str]]:
    """External ids that a merchant pinned, blocked or approved, by list."""
    found: defaultdict[Owner, set[str]] = defaultdict(set)
    anchors = {row.anchor_id for row in rows if row.anchor_id is not None}
    strategies = {row.strategy for row in rows}
    overrides = Override.objects.filter(strategy__in=strategies, anchor__in=anchors).order_by()
    for strategy, anchor, item in overrides.values_list("strategy", "anchor", "offer__external_id"):
        found[strategy, anchor, None].add(item)
    approved = Decision.objects.filter(
        Q(anchor__in=anchors) | Q(anchor=None), strategy__in=strategies, action=Decision.Action.APPROVE, undone=None
    ).order_by()
    for strategy, anchor, category, items in approved.values_list("strategy", "anchor", "category", "items"):
        found[strategy, anchor, category].update(items)
    return found
