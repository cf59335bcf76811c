"""The lists that a replay compares: bestsellers, a shopper's own, a strategy's and a ranker's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..conf import conf
from ..learning.evaluation.chance import Baskets
from ..learning.evaluation.metrics import Task, per_case
from ..learning.ranker_training.cases import EvaluationSlice
from ..learning.ranking.ranker import Ranker, by_uplift, rank, rank_own, unknown_shopper
from ..learning.sparse import rank_in_group
from ..learning.types import FloatArray, IntArray
from ..strategies.base import Strategy, StrategyLists
from ..strategies.for_you import PER_NEED

if TYPE_CHECKING:
    import pyarrow as pa

    from ..learning.ranking.item_features import ItemTable

# Offers of a list that count.
K = 10


@dataclass(frozen=True, kw_only=True)
class ReplayMethods:
    """Lists of the K best for each case of a slice, by each method."""

    slice: EvaluationSlice
    table: ItemTable
    ids: IntArray
    items: pa.Table
    by_uplift: bool = False

    def where(self, rows: IntArray) -> ReplayMethods:
        """The same for some of the cases."""
        return replace(self, slice=self.slice.where(rows))

    def popular(self) -> list[IntArray]:
        """Bestsellers, the same for all shoppers, under the rules of the offers that they are compared with.

        Of other aisles than each case's anchor; without one, at most PER_NEED of one need.
        """
        item_features = self.slice.item_features
        bestsellers = item_features.bestsellers
        # Beyond these, which may all be of few needs.
        ranked = np.argsort(-item_features.baskets, kind="stable")
        ranked = ranked[item_features.offered[ranked]]
        spread = ranked[_rank_among_equals(self.table.need[ranked]) < PER_NEED]
        return [
            self._other_aisles(bestsellers, anchor)[:K] if anchor >= 0 else spread[:K]
            for anchor in self.slice.cases.anchor
        ]

    def bestsellers(self) -> list[IntArray]:
        """Of each case's candidates."""
        item_features, lists = self.slice.item_features, []
        for anchor in self.slice.cases.anchor.tolist():
            items = self.slice.candidates(item_features, unknown_shopper(item_features), [anchor])
            lists.append(items[np.argsort(-item_features.baskets[items], kind="stable")][:K])
        return lists

    def own(self) -> list[IntArray]:
        """What the shopper bought most, then bestsellers."""
        lists, nobody = [], unknown_shopper(self.slice.item_features)
        for place, anchor in zip(self.slice.cases.shopper, self.slice.cases.anchor, strict=True):
            habit = (self.slice.shoppers[place] if place >= 0 else nobody).items
            most = habit.things[np.argsort(-habit.baskets, kind="stable")]
            rest = self.slice.item_features.bestsellers[~np.isin(self.slice.item_features.bestsellers, most)]
            lists.append(self._other_aisles(np.r_[most, rest], anchor)[:K])
        return lists

    def personal(self, ranker: Ranker) -> tuple[list[IntArray], list[tuple[str, float]]]:
        """As a page ranks them; and how much each feature added to the log-odds of the offers, as a mean size."""
        lists, added, offers = [], np.zeros(len(ranker.feature_names)), 0
        item_features, nobody, cases = (
            self.slice.item_features,
            unknown_shopper(self.slice.item_features),
            self.slice.cases,
        )
        for place, anchor, day in zip(cases.shopper, cases.anchor, cases.day, strict=True):
            shopper = self.slice.shoppers[place] if place >= 0 else nobody
            anchors = [int(anchor)] if anchor >= 0 else []
            items = self.slice.candidates(item_features, shopper, anchors)
            ranked = rank(ranker, item_features, shopper, anchors, float(day), conf.DISCOVERY, items)
            if self.by_uplift:
                ranked = by_uplift(ranked, item_features, shopper, anchors, conf.DISCOVERY)
            lists.append(ranked.items[:K])
            if len(lists) % 10 == 0:
                added += np.abs(ranker.contributions(ranked.features(K))).sum(axis=0)
                offers += len(ranked.items[:K])
        mean = added / max(offers, 1)
        order = np.argsort(-mean, kind="stable")
        return lists, [
            (ranker.feature_names[index], round(float(mean[index]), 4)) for index in order if mean[index] > 0
        ]

    def own_items(self, strategy: Strategy, ranker: Ranker | None) -> list[IntArray]:
        """What a strategy for known shoppers alone picks of their own items, as a page ranks it."""
        item_features, cases = self.slice.item_features, self.slice.cases
        lists: list[IntArray] = []
        for place, day in zip(cases.shopper, cases.day.tolist(), strict=True):
            if place < 0:
                lists.append(np.empty(0, np.int64))
                continue
            shopper = self.slice.shoppers[place]
            items = strategy.shopper_items(item_features, shopper, day)
            lists.append(rank_own(ranker, item_features, shopper, day, items).items[:K] if len(items) else items)
        return lists

    def baskets(self, share: FloatArray) -> Baskets:
        """The baskets of the cases; ``share``: of each item, see `chance_shares`, shape (items,)."""
        from scipy.sparse import csr_matrix

        cases, nobody = self.slice.cases, unknown_shopper(self.slice.item_features)
        own = [(self.slice.shoppers[place] if place >= 0 else nobody).items for place in cases.shopper]
        starts = np.cumsum([0, *(len(habit.things) for habit in own)])
        things = np.concatenate([np.empty(0, np.int64), *(habit.things for habit in own)])
        lines = np.concatenate([np.empty(0), *(habit.baskets for habit in own)])
        return Baskets(share, cases.others, csr_matrix((lines, things, starts), (len(cases), len(share))))

    def ndcg(self, ranker: Ranker) -> float:
        """The mean over the cases, 0 without any."""
        if not len(self.slice.cases):
            return 0.0
        lists, _ = self.personal(ranker)
        weights = np.ones(len(self.table.need))
        return float(per_case(lists, self.slice.cases.targets, weights, K)["ndcg"].mean())

    def listed(self, made: StrategyLists) -> list[IntArray]:
        """What a strategy's lists offer to everybody; an anchor without a list takes its category's, as a page does."""
        by_item = {int(owner): row for row, owner in enumerate(made.by_item.owners)}
        by_category = {int(owner): row for row, owner in enumerate(made.by_category.owners)}
        needs = self.items["category"].to_numpy()
        lists: list[IntArray] = []
        for anchor in self.slice.cases.anchor:
            source, row = made.by_item, by_item.get(int(self.ids[anchor])) if anchor >= 0 else None
            if anchor < 0:
                source, row = made.for_all, 0 if len(made.for_all.owners) else None
            elif row is None:
                source, row = made.by_category, by_category.get(int(needs[anchor]))
            offered = source.items[source.starts[row] : source.starts[row + 1]] if row is not None else self.ids[:0]
            lists.append(np.searchsorted(self.ids, offered)[:K])
        return lists

    def _other_aisles(self, items: IntArray, anchor: int) -> IntArray:
        return items[self.table.aisle[items] != self.table.aisle[anchor]] if anchor >= 0 else items


def own_item_tasks(
    strategies: Mapping[str, Strategy], judged: Task, methods: ReplayMethods, ranker: Ranker | None, share: FloatArray
) -> Iterator[Task]:
    """Of each strategy for known shoppers alone whose ranker is that of ``judged``: its cases with any offer.

    The methods that it is compared with offer no more than it does. ``share``: as in `ReplayMethods.baskets`.
    """
    for name, strategy in strategies.items():
        if not strategy.personal_only or strategy.ranker != judged.name:
            continue
        picked = methods.own_items(strategy, ranker)
        rows = [row for row, items in enumerate(picked) if len(items)]
        if not rows:
            continue
        here, shown = methods.where(np.array(rows)), judged.offers[f"{judged.name}:personal"]
        lists = {
            name: [picked[row] for row in rows],
            f"{name}:popularity": here.popular(),
            f"{name}:own": here.own(),
            f"{name}:{judged.name}": [shown[row] for row in rows],
        }
        yield Task(
            offers={
                method: [items[: len(picked[row])] for items, row in zip(offers, rows, strict=True)]
                for method, offers in lists.items()
            },
            targets=here.slice.cases.targets,
            customers=judged.customers[rows],
            baskets=here.baskets(share),
        )


def _rank_among_equals(groups: IntArray) -> IntArray:
    """How many of the same group come before each, shape as given."""
    order = np.argsort(groups, kind="stable")
    rank = np.empty_like(order)
    rank[order] = rank_in_group(groups[order])
    return rank
