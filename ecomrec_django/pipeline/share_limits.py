"""Limits to the share of product pages on which one item stands, from the settings and the merchant's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from django.db.models import Q

from ..catalog.successors import successors_of
from ..conf import conf
from ..learning.sparse import positions
from ..learning.types import BoolArray
from ..models import Rule
from ..models.catalog import within
from ..strategies.base import StrategyLists
from ..strategies.page_shares import lists_within

if TYPE_CHECKING:
    import pyarrow as pa

# Items of a strategy whose shares a release stores.
MOST_SHOWN = 20


def limit_shares(
    strategy: str, lists: StrategyLists, items: pa.Table, now: datetime
) -> tuple[StrategyLists, list[tuple[str, float]]]:
    """The lists within the limits in force at ``now``, and the most shown items: external id and share of pages.

    items: Arrow table of columns ITEMS, sorted by item
    """
    default = 1.0 if conf.MAX_SHARE is None else float(conf.MAX_SHARE)
    shares = lists_within(item_limits(strategy, items, now), default, lists, items, conf.LIMIT)
    share = shares.shares()
    most = np.lexsort((shares.items, -share))[:MOST_SHOWN]
    most = most[share[most] > 0]
    names = items["external_id"].take(positions(items["item"].to_numpy(), shares.items[most])).to_pylist()
    return shares.lists, list(zip(names, share[most].round(4).tolist(), strict=True))


def item_limits(strategy: str, items: pa.Table, now: datetime) -> dict[int, float]:
    """The lowest share that a rule allows, by Item.pk, for the items that rules limit."""
    limits: dict[int, float] = {}
    rules = Rule.objects.filter(
        Q(starts=None) | Q(starts__lte=now),
        Q(ends=None) | Q(ends__gt=now),
        action=Rule.Action.LIMIT,
        active=True,
        strategy__in=("", strategy),
        max_share__isnull=False,
    )
    rules = rules.select_related("category", "item")
    successors = successors_of(rule.item.external_id for rule in rules if rule.item is not None)
    for rule in rules:
        for pk in items["item"].to_numpy()[_matches(rule, items, successors)].tolist():
            limits[pk] = min(limits.get(pk, 1.0), rule.max_share or 0.0)
    return limits


def _matches(rule: Rule, items: pa.Table, successors: Mapping[str, Sequence[str]]) -> BoolArray:
    matches = np.ones(items.num_rows, bool)
    if rule.item is not None:
        name = rule.item.external_id
        meant = {name, *successors.get(name, ())}
        matches &= [own in meant for own in items["external_id"].to_pylist()]
    if rule.category is not None:
        path = rule.category.path
        matches &= [within(own or "", path) for own in items["category_path"].to_pylist()]
    if rule.brand:
        matches &= [(own or "").casefold() == rule.brand.casefold() for own in items["brand"].to_pylist()]
    if rule.unmatched_since is not None:
        former = set(rule.matched_items)
        matches |= [own in former for own in items["external_id"].to_pylist()]
    return matches
