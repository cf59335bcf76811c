"""Helpers for the tests of projects that show offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.test import override_settings

from .catalog.categories import CategoryTree
from .conf import conf
from .models import Category, Item, OfferList, Release, TrainingRun
from .pipeline.publish import publish
from .serving.offer_store import invalidate
from .strategies.base import EVIDENCE, Offer, Reason, encode_offers
from .tracking import omissions
from .tracking.sinks import forget_sinks


def publish_offers(lists: Mapping[str, Mapping[str, Sequence[str | Offer]]]) -> Release:
    """Publish a release with these lists, best offer first: ``publish_offers({"bought_with": {"A": ["B", "C"]}})``.

    A strategy without anchors has lists of categories, and one for everybody under "": ``{"for_you": {"": ["B"],
    "Grocery > Milk": ["C"]}}``. Items that are not in the mirror are made, without a category; so are categories. Give
    an ``Offer`` to choose its score or reason.
    """
    names = {_offer(0, one).item for owned in lists.values() for some in owned.values() for one in some}
    names |= {name for strategy, owned in lists.items() if _needs_anchor(strategy) for name in owned}
    items = {item.external_id: item for item in Item.objects.filter(external_id__in=names).select_related("category")}
    for name in sorted(names - items.keys()):
        items[name] = Item.objects.create(external_id=name, title=name)
    release = Release.objects.create(run=TrainingRun.objects.create(status=TrainingRun.Status.DONE), complete=True)
    tree, catalog = CategoryTree(), conf.CATALOG()
    for strategy, owned in lists.items():
        for name, some in owned.items():
            owner = (
                {"anchor": items[name]}
                if _needs_anchor(strategy)
                else {"category_id": tree.known_pk(catalog.category_path(name))}
            )
            OfferList.objects.create(release=release, strategy=strategy, offers=_encoded(some, items), **owner)
    publish(release)
    # A test's transaction never commits, so the pages would not hear of it.
    invalidate()
    return release


def forget_tracking() -> None:
    """Let tracking start anew, as in a fresh process: no counts that are not written yet, no sink that has given up."""
    omissions.counter.reset()
    forget_sinks()


def override_ecomrec(**settings: Any) -> override_settings:
    """``override_settings`` for some keys of ``ECOMREC``; the others stay as they are."""
    return override_settings(ECOMREC={**conf.given, **settings})


def _needs_anchor(strategy: str) -> bool:
    made = conf.STRATEGIES.get(strategy)
    return made is None or made.needs_anchor


def _encoded(offers: Sequence[str | Offer], items: Mapping[str, Item]) -> str:
    return encode_offers([_offer(rank, one, items) for rank, one in enumerate(offers, 1)])


def _offer(rank: int, given: str | Offer, items: Mapping[str, Item] | None = None) -> Offer:
    if isinstance(given, Offer):
        return given
    category: Category | None = items[given].category if items else None
    aisle = (category.aisle_id or category.pk) if category else 0
    evidence = (None,) * len(EVIDENCE[Reason.TOGETHER])
    return Offer(item=given, score=1 / max(rank, 1), reason=Reason.TOGETHER, aisle=aisle, evidence=evidence)
