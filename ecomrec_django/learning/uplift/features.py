"""What the statistics say of a pair of items, as one matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..measures import MIN_CUSTOMERS
from ..sparse import expand_ranges, positions, rank_in_group, sum_by_key, unique_sorted
from ..statistics.cooccurrence import Statistics
from ..types import BoolArray, FloatArray, IntArray

# Baskets' worth of doubt in what is said of whole groups of items.
GROUP_DOUBT = 5.0
# Candidates of an anchor: its own strongest pairs, with and without caution in `own_score`, and what is bought with its
# need and with its aisle.
OWN_CANDIDATES, GROUP_CANDIDATES = ((0.0, 80), (1.0, 40)), 40


@dataclass(frozen=True)
class PairFeatures:
    """Features of pairs.

    names: of the columns
    matrix: float32, shape (pairs, features), NaN where too few customers say anything
    """

    names: tuple[str, ...]
    matrix: FloatArray


class PairStatistics:
    """What enough customers bought together, of items and of groups of items, at one moment.

    bought: of the items
    pairs: of items, rows by (anchor, item)
    groups: "need", "aisle" and "department": number (0, 1, …) of each item's group, shape (items,)
    group_pairs: of "need" and "aisle" with items
    """

    def __init__(self, statistics: Statistics, groups: Mapping[str, IntArray]) -> None:
        purchases = statistics.purchases()
        pairs = statistics.pairs(purchases)
        self.bought, self.groups = statistics.items(purchases), groups
        self.pairs = pairs.where(pairs.customers >= MIN_CUSTOMERS)
        self.group_pairs = {name: statistics.aisle_pairs(purchases, groups[name]) for name in ("need", "aisle")}
        self.expected = self.bought.expected_baskets(self.pairs.anchor, self.pairs.item)
        self._items = np.arange(len(self.bought.baskets))
        self._keys = self.pairs.anchor * len(self._items) + self.pairs.item
        self._sums = dict(self._group_sums())

    def rows(self, anchor: IntArray, item: IntArray) -> IntArray:
        """Of the pairs among `pairs`, -1 for one that too few customers bought."""
        return positions(self._keys, anchor * len(self._items) + item)

    def group_rows(self, name: str, anchor: IntArray, item: IntArray) -> IntArray:
        """Of the pairs of the anchors' groups among `group_pairs`, -1 where too few customers bought them."""
        together, size = self.group_pairs[name], len(self._items)
        return positions(together.aisle * size + together.item, self.groups[name][anchor] * size + item)

    def own_score(self, caution: float) -> FloatArray:
        """(c - E) / n - caution·√(E of baskets) / (baskets of the anchor), of all `pairs`.

        c: weight of the baskets with both items
        E: what of it popularity and basket size explain
        n: weight of the anchor's baskets
        """
        anchor, item = self.pairs.anchor, self.pairs.item
        excess = self.pairs.weight - self.bought.expected_weight(anchor, item)
        deviation = np.sqrt(self.expected) / np.maximum(self.bought.baskets[anchor], 1.0)
        return excess / np.maximum(self.bought.weight[anchor], 1e-9) - caution * deviation

    def candidates(self, offered: BoolArray) -> tuple[IntArray, IntArray]:
        """Anchors and items of the pairs worth scoring, by (anchor, item), whose item is ``offered``, shape (items,).

        Of different aisles; what is bought with a group is a candidate of its items that enough customers bought.
        """
        aisle, size = self.groups["aisle"], len(self._items)
        rows = np.flatnonzero(offered[self.pairs.item] & (aisle[self.pairs.anchor] != aisle[self.pairs.item]))
        found = [
            self._keys[rows[_strongest(self.pairs.anchor[rows], self.own_score(caution)[rows], count)]]
            for caution, count in OWN_CANDIDATES
        ]
        anchors = np.flatnonzero(self.bought.known)
        for name, together in self.group_pairs.items():
            usable = np.flatnonzero(offered[together.item])
            score = (together.baskets - together.expected) / together.aisle_baskets
            usable = usable[_strongest(together.aisle[usable], score[usable], GROUP_CANDIDATES)]
            usable = usable[np.argsort(together.aisle[usable], kind="stable")]
            group = self.groups[name][anchors]
            start = np.searchsorted(together.aisle[usable], group)
            count = np.searchsorted(together.aisle[usable], group, "right") - start
            item = together.item[usable[expand_ranges(start, count)]]
            anchor = np.repeat(anchors, count)
            other = aisle[anchor] != aisle[item]
            found.append((anchor * size + item)[other])
        anchor, item = np.divmod(unique_sorted(np.concatenate(found)), size)
        return anchor, item

    def features(self, anchor: IntArray, item: IntArray) -> PairFeatures:
        """Of the pairs of ``anchor`` and ``item``, shape (pairs,) each."""
        columns = {
            **self._item_columns(anchor, item),
            **self._own_columns(anchor, item),
            **self._group_pair_columns(anchor, item),
            **self._group_columns(anchor, item),
        }
        return PairFeatures(tuple(columns), np.column_stack([*columns.values()]).astype(np.float32))

    def _item_columns(self, anchor: IntArray, item: IntArray) -> dict[str, FloatArray]:
        bought = self.bought
        trend = np.log((bought.weight + 1) / (bought.baskets + 1))
        columns = {
            "anchor_customers": bought.customers[anchor],
            "item_customers": bought.customers[item],
            "anchor_others": bought.others[anchor],
            "item_others": bought.others[item],
            "anchor_baskets": bought.baskets[anchor],
            "item_baskets": bought.baskets[item],
            "anchor_weight": bought.weight[anchor],
            "item_weight": bought.weight[item],
            "anchor_trend": trend[anchor],
            "item_trend": trend[item],
            "expected_share": bought.expected_baskets(anchor, item) / np.maximum(bought.baskets[anchor], 1.0),
        }
        for name, group in self.groups.items():
            share = bought.baskets / np.maximum(np.bincount(group, bought.baskets), 1.0)[group]
            columns |= {f"anchor_share_of_{name}": share[anchor], f"item_share_of_{name}": share[item]}
        return columns

    def _own_columns(self, anchor: IntArray, item: IntArray) -> dict[str, FloatArray]:
        bought, row = self.bought, self.rows(anchor, item)
        columns = {"customers": _at(self.pairs.customers, row)}
        for name, together, expected, total in (
            ("baskets", self.pairs.baskets, bought.expected_baskets(anchor, item), bought.baskets),
            ("weight", self.pairs.weight, bought.expected_weight(anchor, item), bought.weight),
        ):
            both = _at(together, row)
            columns |= {
                name: both,
                f"{name}_expected": expected,
                f"{name}_excess": (both - expected) / np.maximum(total[anchor], 1e-9),
                f"{name}_reverse_excess": (both - expected) / np.maximum(total[item], 1e-9),
                f"{name}_probability": both / np.maximum(total[anchor], 1e-9),
                f"{name}_lift": np.log((both + 1) / (expected + 1)),
                f"{name}_deviation": (both - expected) / np.sqrt(expected + 0.1),
            }
        return columns

    def _group_pair_columns(self, anchor: IntArray, item: IntArray) -> dict[str, FloatArray]:
        columns: dict[str, FloatArray] = {}
        for name, together in self.group_pairs.items():
            row = self.group_rows(name, anchor, item)
            both, expected = _at(together.baskets, row), _at(together.expected, row)
            columns |= {
                f"with_{name}_excess": (both - expected) / _at(together.aisle_baskets, row),
                f"with_{name}_lift": np.log((both + 1) / (expected + 1)),
                f"with_{name}_probability": _at(together.probability, row),
                f"with_{name}_customers": _at(together.customers, row),
            }
        return columns

    def _group_sums(self) -> Iterator[tuple[tuple[str, str], tuple[IntArray, FloatArray, FloatArray]]]:
        """Of each two kinds of groups: their keys, baskets and expected baskets, summed over their pairs."""
        for kind, (first, second) in self._kinds().items():
            key = first[self.pairs.anchor] * (second.max(initial=0) + 1) + second[self.pairs.item]
            keys, baskets = sum_by_key(key, self.pairs.baskets)
            yield kind, (keys, baskets, sum_by_key(key, self.expected)[1])

    def _kinds(self) -> dict[tuple[str, str], tuple[IntArray, IntArray]]:
        kinds: dict[tuple[str, str], tuple[IntArray, IntArray]] = {}
        for name, group in self.groups.items():
            kinds |= {
                (name, "item"): (group, self._items),
                ("item", name): (self._items, group),
                (name, name): (group, group),
            }
        return kinds

    def _group_columns(self, anchor: IntArray, item: IntArray) -> dict[str, FloatArray]:
        columns = {}
        for (first, second), (anchors, items) in self._kinds().items():
            keys, together, expected = self._sums[first, second]
            row = positions(keys, anchors[anchor] * (items.max(initial=0) + 1) + items[item])
            both, by_chance = (np.nan_to_num(_at(values, row)) for values in (together, expected))
            total = np.maximum(np.bincount(anchors, self.bought.baskets), 1.0)[anchors[anchor]]
            columns[f"{first}_{second}_lift"] = np.log((both + GROUP_DOUBT) / (by_chance + GROUP_DOUBT))
            columns[f"{first}_{second}_excess"] = (both - by_chance) / total
        return columns


def _strongest(group: IntArray, score: FloatArray, count: int) -> IntArray:
    """Positions of the ``count`` highest scores of each group."""
    order = np.lexsort((-score, group))
    return order[rank_in_group(group[order]) < count]


def _at(values: FloatArray, row: IntArray) -> FloatArray:
    """NaN where a row is -1."""
    return np.where(row >= 0, values.take(row, mode="clip"), np.nan) if len(values) else np.full(len(row), np.nan)
