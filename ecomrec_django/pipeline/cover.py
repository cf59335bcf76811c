"""Offers for and of items that came after the training: until the next one, the most similar known item stands in."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from ..models import Item, OfferList, Publication
from ..models.bulk import chunks
from ..strategies.base import LIST_LENGTH, Offer, Reason, decode_offers
from ..strategies.bought_with import COLD_PER_ITEM, COLD_SHARE, BoughtWith
from ..strategies.rules import Catalog
from .looks import looks_of
from .review import Traffic, hold
from .train import items_table

logger = logging.getLogger(__name__)

# New items of one transaction, which holds the pointer to the published release.
ITEMS_AT_ONCE = 50
# What is known of a pair that customers bought; no other reason says that something like it is bought as well.
BOUGHT = (Reason.TOGETHER, Reason.AISLE)
# Nobody has looked at what is new.
NOBODY = Traffic()


@dataclass
class CoverReport:
    """New items that got a list of their own, and the offers of new items added to other lists."""

    items: int = 0
    offers: int = 0


class _Newcomer(NamedTuple):
    """A new item and its twin, the most similar known one of its need (a key and the shop's id each)."""

    item: int
    name: str
    aisle: int
    # Where its need has prices, a page shows no offer without one.
    offered: bool
    twin: int
    twin_name: str
    similarity: float


def cover_new_items() -> CoverReport:
    """Bring items that the published release does not know into its "bought with" lists, without a training.

    A new item takes the list of its twin, and stands beside it, at COLD_SHARE times their similarity of its score, in
    the lists of those it is bought with. Items without a twin keep the list of their category. Running it twice changes
    nothing; a release that is published meanwhile stays as it is. Where nothing is new, it costs one query.
    """
    report = CoverReport()
    for (release, newest, need), rows in groupby(_new_items(), itemgetter(0, 1, 2)):
        newcomers = _with_twins(release, newest, need, [pk for *_, pk in rows])
        for some in chunks(newcomers, ITEMS_AT_ONCE):
            if not _cover(release, some, report):
                return report
    if report.items:
        logger.info("%s new items got offers; %s offers of them were added.", report.items, report.offers)
    return report


def _new_items() -> Iterable[tuple[int, int, int, int]]:
    """(release, its newest item, need, item) of the items that the published release does not know."""
    published = Publication.objects.filter(pk=1)
    release = Subquery(published.values("release_id"))
    newest = Subquery(published.values("release__newest_item"))
    own = OfferList.objects.filter(release_id=release, strategy=BoughtWith.name, anchor=OuterRef("pk"))
    return list(
        Item.objects.filter(~Exists(own), pk__gt=newest, active=True)
        # What has no category may look like one.
        .annotate(release=release, newest=newest, need=Coalesce("category", "picture__category"))
        .filter(need__isnull=False)
        .order_by("need", "pk")
        .values_list("release", "newest", "need", "pk")
    )


def _with_twins(release: int, newest: int, need: int, new: Sequence[int]) -> list[_Newcomer]:
    """The ``new`` items of one need that have a twin with a list of its own, the most similar first."""
    lists = OfferList.objects.filter(release=release, strategy=BoughtWith.name, anchor__category=need)
    known = list(lists.filter(anchor__active=True, anchor__lte=newest).values_list("anchor", flat=True))
    if not known:
        return []
    from ..learning.content import nearest

    items = items_table(Item.objects.filter(Q(category=need) | Q(pk__in=new), active=True))
    catalog = Catalog.of(items)
    priced = np.isfinite(catalog.price)
    names, aisles = items["external_id"].to_pylist(), items["aisle"].to_pylist()
    wanting, twins = np.isin(catalog.ids, new), np.isin(catalog.ids, known)
    found = nearest(items, catalog.price, catalog.need, wanting, twins, looks_of(items)[0])
    newcomers = [
        _Newcomer(
            int(catalog.ids[one]),
            names[one],
            aisles[one],
            bool(priced[one] or not priced.any()),
            int(catalog.ids[twin]),
            names[twin],
            float(similarity),
        )
        for one, twin, similarity in zip(*found, strict=True)
    ]
    return sorted(newcomers, key=lambda one: (-one.similarity, one.item))


def _cover(release: int, newcomers: Sequence[_Newcomer], report: CoverReport) -> bool:
    """Write the lists of some new items; False if another release is published by now."""
    with transaction.atomic():
        publication = Publication.objects.select_for_update().filter(pk=1, release=release).first()
        if publication is None:
            return False
        lists = OfferList.objects.filter(release=release, strategy=BoughtWith.name)
        # Another sync may have been here since.
        covered = set(lists.filter(anchor__in=[one.item for one in newcomers]).values_list("anchor", flat=True))
        twins = lists.filter(anchor__in={one.twin for one in newcomers})
        learned = twins.values_list("anchor", Coalesce("learned", "offers"))
        of_twin = {anchor: decode_offers(text) for anchor, text in learned}
        beside = _Lists(lists, {offer.item for offers in of_twin.values() for offer in offers})
        own = []
        for one in newcomers:
            if one.item in covered or one.twin not in of_twin:
                continue
            inherited = [_inherited(offer, one.similarity) for offer in of_twin[one.twin]]
            row = OfferList(release_id=release, strategy=BoughtWith.name, anchor_id=one.item)
            hold(row, inherited, [offer.item for offer in inherited], NOBODY)
            own.append(row)
            if one.offered:
                report.offers += sum(beside.add(offer.item, one) for offer in inherited)
        OfferList.objects.bulk_create(own)
        OfferList.objects.bulk_update(beside.changed(), ["offers", "learned", "waiting", "attention"])
        report.items += len(own)
        if own:
            # Pages forget what they hold once the pointer is saved.
            publication.save()
    return True


class _Lists:
    """The lists of some anchors (the shop's ids) while new items are put into them."""

    def __init__(self, lists: QuerySet[OfferList], anchors: set[str]) -> None:
        rows = lists.filter(anchor__external_id__in=anchors).annotate(name=F("anchor__external_id"))
        self.rows = {row.name: row for row in rows}
        self.offers = {name: decode_offers(row.learned or row.offers) for name, row in self.rows.items()}
        # By anchor: the new items put there.
        self.touched: dict[str, list[str]] = {}

    def add(self, anchor: str, one: _Newcomer) -> bool:
        """Offer a new item beside its twin; False where the twin is not, or better ones have taken the places."""
        offers = self.offers.get(anchor, [])
        twin = next((offer for offer in offers if offer.item == one.twin_name and offer.reason in BOUGHT), None)
        if twin is None or any(offer.item == one.name for offer in offers):
            return False
        score = COLD_SHARE * one.similarity * twin.score
        of_aisle = [offer for offer in offers if offer.aisle == one.aisle]
        stand_ins = [offer for offer in of_aisle if offer.reason is Reason.SIMILAR]
        # As many as a training takes, and as there the most alike.
        if len(stand_ins) >= COLD_PER_ITEM * sum(offer.reason in BOUGHT for offer in of_aisle):
            if stand_ins[-1].score >= score:
                return False
            offers.remove(stand_ins[-1])
        place = bisect_right([-offer.score for offer in offers], -score)
        if place >= LIST_LENGTH:
            return False
        offers.insert(place, Offer(one.name, score, Reason.SIMILAR, one.aisle, (one.similarity, _orders(twin))))
        del offers[LIST_LENGTH:]
        self.touched.setdefault(anchor, []).append(one.name)
        return True

    def changed(self) -> list[OfferList]:
        for name, added in self.touched.items():
            hold(self.rows[name], self.offers[name], added, NOBODY)
        return [self.rows[name] for name in sorted(self.touched)]


def _inherited(offer: Offer, similarity: float) -> Offer:
    """An offer of the twin as one of the new item, of which no customer has bought anything yet."""
    if offer.reason is not Reason.TOGETHER:
        return offer
    return offer._replace(reason=Reason.SIMILAR, evidence=(similarity, _orders(offer)))


def _orders(offer: Offer) -> float | None:
    return offer.evidence[0] if offer.reason is Reason.TOGETHER else None
