"""Releases planted by hand: which offers stand beside what, and what became of them in a review."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ecomrec_django.catalog.categories import CategoryTree
from ecomrec_django.models import Event, Item, OfferList, Release, TrainingRun
from ecomrec_django.strategies.base import Offer, Reason, decode_offers, encode_offers

# Customers behind each planted offer, so that what is doubted by 1 / √(1 + customers) is doubted by a third.
CUSTOMERS = 8


class Seen(NamedTuple):
    """A list as a merchant has it: the offers that pages show, and those that nobody has looked at. ``held``: whether
    these wait for approval."""

    shown: str
    unreviewed: str = ""
    held: bool = False


def item(name: str) -> Item:
    return Item.objects.get_or_create(external_id=name, defaults={"title": f"Title {name}", "price": 5})[0]


def offer(name: str, customers: float = CUSTOMERS, score: float = 1.0) -> Offer:
    return Offer(
        item=name, score=score, reason=Reason.TOGETHER, aisle=0, evidence=(customers, customers, 1.0, 2.0, 3.0, 0.0)
    )


def encoded(names: str) -> str:
    return encode_offers([offer(name, score=1 / place) for place, name in enumerate(names.split(), 1)])


def release(lists: Mapping[str, str], strategy: str = "bought_with", complete: bool = True) -> Release:
    """``{"a": "b c"}``: b and c beside the item a · ``{"/Tents": "b"}``: in a category · ``{"": "b"}``: everywhere."""
    made = Release.objects.create(run=TrainingRun.objects.create(status="done", percent=100), complete=complete)
    for owner, names in lists.items():
        for name in names.split():
            item(name)
        category = CategoryTree().pk(tuple(owner[1:].split("/"))) if owner.startswith("/") else None
        OfferList.objects.create(
            release=made,
            strategy=strategy,
            anchor=item(owner) if owner and category is None else None,
            category_id=category,
            offers=encoded(names),
        )
    return made


def list_of(release: Release, owner: str, strategy: str = "bought_with") -> OfferList:
    lists = release.lists.filter(strategy=strategy)
    if owner.startswith("/"):
        return lists.get(category__path=owner[1:].replace("/", " > "))
    return lists.get(anchor__external_id=owner) if owner else lists.get(anchor=None, category=None)


def seen(release: Release, owner: str, strategy: str = "bought_with") -> Seen:
    row = list_of(release, owner, strategy)
    assert (row.priority is None) == (not row.unreviewed)
    if row.proposed is not None:
        learned = [one.item for one in decode_offers(row.proposed)]
        assert set(learned) == {one.item for one in decode_offers(row.offers)} | set(row.unreviewed)
    return Seen(
        " ".join(one.item for one in decode_offers(row.offers)),
        " ".join(row.unreviewed or ()),
        row.proposed is not None,
    )


def fields(release: Release) -> list[tuple]:
    """All that a review writes."""
    return list(release.lists.order_by("pk").values_list("pk", "offers", "proposed", "unreviewed", "priority"))


def looked_through(release: Release) -> Release:
    """As if everything in it had been looked at, without a word about it."""
    release.lists.update(unreviewed=None, priority=None)
    return release


def visits(of: Item, count: int, kind: str = "view_item") -> None:
    from django.utils import timezone

    Event.objects.bulk_create(Event(kind=kind, item=of, time=timezone.now()) for _ in range(count))
