"""Offers for and of items that came after the training: until the next one, the nearest known item stands in."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from ..db import chunks
from ..merchandising.review import Traffic, hold_back
from ..models import Item, OfferList, Publication, Release
from ..strategies.base import LIST_LENGTH, Offer, Reason, decode_offers
from ..strategies.bought_with import COLD_PER_ITEM, COLD_SHARE
from ..strategies.candidates import OfferTable
from .dataset import items_table
from .image_vectors import load_image_vectors

logger = logging.getLogger(__name__)

# The strategy whose lists new items join.
BOUGHT_WITH = "bought_with"
# New items of one transaction, which holds the pointer to the published release.
ITEMS_AT_ONCE = 50
# Reasons of a pair that customers bought; no other says that a similar item is bought as well.
BOUGHT = (Reason.TOGETHER, Reason.AISLE)
# Nobody has viewed what is new.
NO_TRAFFIC = Traffic()


@dataclass
class ColdStartReport:
    """New items that got a list of their own, and the offers of new items added to other lists."""

    items: int = 0
    offers: int = 0


@dataclass(frozen=True, kw_only=True)
class _ColdItem:
    """A new item and the nearest known one of its need, or the one whose place it takes.

    item: Item.pk.
    external_id: the shop's id.
    aisle: Category.pk of its aisle.
    offered: whether it may be offered: where its need has prices, a page shows no offer without one.
    nearest: Item.pk of the nearest known item.
    nearest_id: the shop's id of the nearest known item.
    similarity: of the two, 0…1.
    replaces: whether it takes the place of that one, which is gone.
    """

    item: int
    external_id: str
    aisle: int
    offered: bool
    nearest: int
    nearest_id: str
    similarity: float
    replaces: bool = False


def add_new_items() -> ColdStartReport:
    """Bring items that the published release does not know into its "bought with" lists, without a training.

    An item that takes the place of another takes its list and its places. Any other takes the list of the nearest known
    item, and joins it in the lists of the items that one is bought with, with COLD_SHARE times their similarity of its
    score. Items without a nearest item keep the list of their category.
    Running it twice changes nothing; a release that is published meanwhile stays as it is. Where nothing is new, it
    costs one query.
    """
    report = ColdStartReport()
    for (release, newest, need), rows in groupby(_new_items(), itemgetter(0, 1, 2)):
        new = [pk for *_, pk in rows]
        successors = _successors(release, new)
        others = [] if need is None else sorted(set(new) - {cold.item for cold in successors})
        similar = _with_nearest(release, newest, need or 0, others) if others else []
        for chunk in chunks([*successors, *similar], ITEMS_AT_ONCE):
            if not _add(release, chunk, report):
                return report
    if report.items:
        logger.info("%s new items have offers now; %s offers of new items were added.", report.items, report.offers)
    return report


def _new_items() -> Iterable[tuple[int, int, int | None, int]]:
    """(release, its newest item, need, item) of the items that the published release does not know."""
    release = Publication.objects.shown_release(BOUGHT_WITH)
    newest = Subquery(Release.objects.filter(pk=release).order_by().values("newest_item")[:1])
    own = OfferList.objects.filter(release_id=release, strategy=BOUGHT_WITH, anchor=OuterRef("pk"))
    return list(
        Item.objects.filter(~Exists(own), pk__gt=newest, active=True)
        # What has no category may look like one.
        .annotate(release=release, newest=newest, need=Coalesce("category", "picture__category"))
        .filter(Q(need__isnull=False) | Q(replaces__gt=""))
        .order_by("need", "pk")
        .values_list("release", "newest", "need", "pk")
    )


def _successors(release: int, new: Sequence[int]) -> list[_ColdItem]:
    """The ``new`` items that take the place of one with a list of its own."""
    items = list(Item.objects.filter(pk__in=new, replaces__gt="").select_related("category").defer("description"))
    if not items:
        return []
    lists = OfferList.objects.filter(release=release, strategy=BOUGHT_WITH)
    known = {
        old.external_id: old
        for old in Item.objects.filter(
            external_id__in={item.replaces for item in items}, pk__in=lists.values("anchor")
        ).defer("description")
    }
    return [
        _ColdItem(
            item=item.pk,
            external_id=item.external_id,
            aisle=item.category.aisle_id or 0 if item.category is not None else 0,
            offered=item.price is not None or old.price is None,
            nearest=old.pk,
            nearest_id=old.external_id,
            similarity=1.0,
            replaces=not old.active,
        )
        for item in items
        if (old := known.get(item.replaces)) is not None
    ]


def _with_nearest(release: int, newest: int, need: int, new: Sequence[int]) -> list[_ColdItem]:
    """The ``new`` items of one need that have a nearest known item with a list of its own, the most similar first."""
    lists = OfferList.objects.filter(release=release, strategy=BOUGHT_WITH, anchor__category=need)
    known = list(lists.filter(anchor__active=True, anchor__lte=newest).values_list("anchor", flat=True))
    if not known:
        return []
    from ..learning.similarity.content import nearest_in_need

    items = items_table(Item.objects.filter(Q(category=need) | Q(pk__in=new), active=True))
    catalog = OfferTable.of(items)
    priced = np.isfinite(catalog.price)
    external_ids, aisles = items["external_id"].to_pylist(), items["aisle"].to_pylist()
    nearest = nearest_in_need(
        items,
        catalog.price,
        catalog.need,
        np.isin(catalog.ids, new),
        np.isin(catalog.ids, known),
        load_image_vectors(items)[0],
    )
    cold_items = [
        _ColdItem(
            item=int(catalog.ids[row]),
            external_id=external_ids[row],
            aisle=aisles[row],
            offered=bool(priced[row] or not priced.any()),
            nearest=int(catalog.ids[nearest_row]),
            nearest_id=external_ids[nearest_row],
            similarity=float(similarity),
        )
        for row, nearest_row, similarity in zip(*nearest, strict=True)
    ]
    return sorted(cold_items, key=lambda cold: (-cold.similarity, cold.item))


def _add(release: int, cold_items: Sequence[_ColdItem], report: ColdStartReport) -> bool:
    """Write the lists of some new items; False if another release is published by now."""
    with transaction.atomic():
        publication = Publication.objects.current().select_for_update().first()
        if publication is None or publication.release.shown_release(BOUGHT_WITH) != release:
            return False
        lists = OfferList.objects.filter(release=release, strategy=BOUGHT_WITH)
        # Another sync may have been here since.
        present = set(lists.filter(anchor__in=[cold.item for cold in cold_items]).values_list("anchor", flat=True))
        stored = lists.filter(anchor__in={cold.nearest for cold in cold_items})
        offers_of = {
            anchor: decode_offers(text) for anchor, text in stored.values_list("anchor", Coalesce("proposed", "offers"))
        }
        other_lists = _Lists(lists, {offer.item for offers in offers_of.values() for offer in offers})
        new_lists = []
        for cold in cold_items:
            if cold.item in present or cold.nearest not in offers_of:
                continue
            # Its customers are those of the one whose place it takes.
            offers = offers_of[cold.nearest]
            inherited = offers if cold.replaces else [_inherited(offer, cold.similarity) for offer in offers]
            row = OfferList(release_id=release, strategy=BOUGHT_WITH, anchor_id=cold.item)
            hold_back(row, inherited, [offer.item for offer in inherited], NO_TRAFFIC)
            new_lists.append(row)
            if cold.offered:
                report.offers += sum(other_lists.add(offer.item, cold) for offer in inherited)
        OfferList.objects.bulk_create(new_lists)
        OfferList.objects.bulk_update(other_lists.changed(), ["offers", "proposed", "unreviewed", "priority"])
        report.items += len(new_lists)
        if new_lists:
            # Pages drop what they cached once the pointer is saved.
            publication.save()
    return True


class _Lists:
    """The lists of some anchors (the shop's ids) while new items are put into them."""

    def __init__(self, lists: QuerySet[OfferList], anchors: set[str]) -> None:
        rows = lists.filter(anchor__external_id__in=anchors).annotate(external_id=F("anchor__external_id"))
        self.rows = {row.external_id: row for row in rows}
        self.offers = {anchor: decode_offers(row.proposed or row.offers) for anchor, row in self.rows.items()}
        # By anchor: the new items put there.
        self.added: dict[str, list[str]] = {}

    def add(self, anchor: str, cold: _ColdItem) -> bool:
        """Offer a new item where its nearest item is offered; False where that is not, or better ones fill the list."""
        offers = self.offers.get(anchor, [])
        nearest = next((offer for offer in offers if offer.item == cold.nearest_id and offer.reason in BOUGHT), None)
        if nearest is None or any(offer.item == cold.external_id for offer in offers):
            return False
        if cold.replaces:
            offers[offers.index(nearest)] = nearest._replace(item=cold.external_id, aisle=cold.aisle)
            self.added.setdefault(anchor, []).append(cold.external_id)
            return True
        score = COLD_SHARE * cold.similarity * nearest.score
        of_aisle = [offer for offer in offers if offer.aisle == cold.aisle]
        similar = [offer for offer in of_aisle if offer.reason is Reason.SIMILAR]
        # As many as a training takes, and as there the most similar.
        if len(similar) >= COLD_PER_ITEM * sum(offer.reason in BOUGHT for offer in of_aisle):
            if similar[-1].score >= score:
                return False
            offers.remove(similar[-1])
        index = bisect_right([-offer.score for offer in offers], -score)
        if index >= LIST_LENGTH:
            return False
        evidence = (cold.similarity, _orders(nearest))
        offers.insert(
            index,
            Offer(item=cold.external_id, score=score, reason=Reason.SIMILAR, aisle=cold.aisle, evidence=evidence),
        )
        del offers[LIST_LENGTH:]
        self.added.setdefault(anchor, []).append(cold.external_id)
        return True

    def changed(self) -> list[OfferList]:
        for anchor, added in self.added.items():
            hold_back(self.rows[anchor], self.offers[anchor], added, NO_TRAFFIC)
        return [self.rows[anchor] for anchor in sorted(self.added)]


def _inherited(offer: Offer, similarity: float) -> Offer:
    """An offer of the nearest item as one of the new item, of which no customer has bought anything yet."""
    if offer.reason is not Reason.TOGETHER:
        return offer
    return offer._replace(reason=Reason.SIMILAR, evidence=(similarity, _orders(offer)))


def _orders(offer: Offer) -> float | None:
    return offer.evidence[0] if offer.reason is Reason.TOGETHER else None
