"""All that is known of items and shoppers at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..interactions import DAY, Interactions
from ..items import active_items, category_groups, known_prices
from ..measures import MIN_CUSTOMERS
from ..ranking.item_features import ItemFeatures, ItemTable
from ..ranking.shopper_features import ShopperFeatures
from ..ranking.shopper_history import ShopperHistory
from ..segmentation.clustering import KnownCluster, Segmentation, fit_segments, popularity
from ..segmentation.features import visitor_features
from ..similarity.content import content_vectors
from ..similarity.neighbours import top_k
from ..sparse import SparseRows, positions
from ..statistics.cooccurrence import Statistics
from ..types import IntArray
from .cases import BasketCases, EvaluationSlice, ShopperList
from .item_statistics import build_item_features
from .neighbour_tastes import NeighbourTastes
from .trade_ups import trade_ups, upgrade_candidates

if TYPE_CHECKING:
    import pyarrow as pa

    from ..ranking.interests import InterestWeights

# Items viewed together with an item that are kept.
CO_VIEWED = 50
SHOPPERS_AT_ONCE = 1_000


def item_table(items: pa.Table) -> ItemTable:
    """Of an Arrow table of columns ITEMS, sorted by item; one without a category is a need and an aisle by itself."""
    brands, brand = np.unique(np.array(items["brand"].to_pylist(), object).astype(str), return_inverse=True)
    price = known_prices(items)
    return ItemTable(
        aisle=np.unique(category_groups(items, "aisle"), return_inverse=True)[1],
        need=np.unique(category_groups(items, "category"), return_inverse=True)[1],
        brand=np.where(brands[brand] == "", -1, brand),
        price=price,
        offered=active_items(items),
        content=SparseRows.of(content_vectors(items, price)),
    )


@dataclass(frozen=True)
class EventsByVisitor:
    """Where each visitor's events are: those of visitor v are ``order[starts[v]:starts[v + 1]]``, by time."""

    order: IntArray
    starts: IntArray

    @classmethod
    def of(cls, events: Interactions) -> EventsByVisitor:
        """Of events in the order of time."""
        order = np.argsort(events.visitor, kind="stable")
        return cls(order, np.searchsorted(events.visitor[order], np.arange(len(events.visitors) + 1)))


def shopper_histories(
    events: Interactions,
    by_visitor: EventsByVisitor,
    tastes: NeighbourTastes,
    segment: IntArray,
    visitors: IntArray,
) -> Iterator[ShopperHistory]:
    """The `ShopperHistory` of each of the ``visitors`` (numbers), by item number.

    segment: label of each visitor
    """
    neighbour_items = tastes.rows(visitors)
    for row, visitor in enumerate(visitors.tolist()):
        rows = by_visitor.order[by_visitor.starts[visitor] : by_visitor.starts[visitor + 1]]
        yield ShopperHistory.of(
            events.item[rows],
            events.kind[rows],
            events.time[rows] / DAY,
            events.basket[rows],
            events.rating[rows],
            neighbour_items.row(row),
            max(int(segment[visitor]), 0),
        )


def shopper_features(events: Interactions, item_features: ItemFeatures, tastes: NeighbourTastes) -> ShopperList:
    """One `ShopperFeatures` per visitor number."""
    visitors = np.arange(len(events.visitors))
    histories = shopper_histories(events, EventsByVisitor.of(events), tastes, np.zeros(len(visitors), int), visitors)
    return ShopperList(ShopperFeatures.of(history, item_features) for history in histories)


@dataclass(frozen=True)
class Snapshot:
    """All that is known at one moment.

    events: of all kinds, that may be learned from
    item_features: of all items
    tastes: of the visitors' neighbours
    segments: of the visitors
    """

    events: Interactions
    item_features: ItemFeatures
    tastes: NeighbourTastes
    segments: Segmentation

    @classmethod
    def of(
        cls, statistics: Statistics, items: ItemTable, weights: InterestWeights, known: Sequence[KnownCluster] = ()
    ) -> Snapshot:
        """From the shared ``statistics``, which tell of which moment, of the ``items`` in the order of their ids.

        ``known``: segments found before, to be recognised.
        """
        lines = statistics.purchases()
        events = statistics.interactions(lines)
        purchases = events.of_kind("purchase")
        segments = fit_segments(visitor_features(events, items.aisle, items.need, items.price), known)
        item_features = build_item_features(
            purchases,
            items=items,
            pairs=statistics.pairs(lines),
            aisle_pairs=statistics.aisle_pairs(lines, items.aisle),
            co_viewed=_co_viewed(statistics, len(items.need)),
            segments=popularity(segments.labels, purchases, len(items.need)),
            weights=weights,
        )
        return cls(events, item_features, NeighbourTastes.of(purchases, len(items.need)), segments)

    def histories(self, visitors: IntArray) -> Iterator[ShopperHistory]:
        """The `ShopperHistory` of each of the ``visitors`` (numbers), by item number."""
        return shopper_histories(self.events, self._by_visitor, self.tastes, self.segments.labels, visitors)

    @cached_property
    def _by_visitor(self) -> EventsByVisitor:
        return EventsByVisitor.of(self.events)

    def evaluation_slice(self, after: Interactions, *, with_anchor: bool) -> EvaluationSlice:
        """The cases of purchases ``after`` all that is known, with the shoppers that they need."""
        position, shoppers = self._shoppers(after)
        aisle = self.item_features.aisle if with_anchor else None
        return EvaluationSlice(BasketCases.of(after, position, aisle), self.item_features, shoppers)

    def trade_up_slice(self, after: Interactions) -> EvaluationSlice:
        """The `trade_ups` of purchases ``after`` all that is known."""
        position, shoppers = self._shoppers(after)
        cases = trade_ups(self.events.of_kind("purchase"), after, self.item_features, position)
        return EvaluationSlice(cases, self.item_features, shoppers, upgrade_candidates)

    def _shoppers(self, after: Interactions) -> tuple[IntArray, _LazyShoppers]:
        """Positions of the visitors of ``after`` by visitor number, -1 for who is not known, and their shoppers."""
        number = self.events.visitors.numbers(after.visitors.ids)
        visitors = np.unique(number[number >= 0])
        return positions(visitors, number), _LazyShoppers(self, visitors)


class _LazyShoppers:
    """Shoppers by position, made when they are asked for: few of a large shop's visitors are in the cases of a slice.

    With the one that is asked for, the next ones of ``expected`` positions are made, as many at once cost little more.
    """

    def __init__(self, snapshot: Snapshot, visitors: IntArray, expected: IntArray | None = None) -> None:
        self._snapshot = snapshot
        self._visitors = visitors
        self._expected = np.arange(len(visitors)) if expected is None else expected
        self._shoppers: dict[int, ShopperFeatures] = {}

    def __len__(self) -> int:
        return len(self._visitors)

    def __getitem__(self, position: int) -> ShopperFeatures:
        if position not in self._shoppers:
            start = int(self._expected.searchsorted(position))
            self._make(np.union1d(position, self._expected[start : start + SHOPPERS_AT_ONCE]))
        return self._shoppers[position]

    def among(self, positions: IntArray) -> _LazyShoppers:
        """The same shoppers, of whom those at ``positions`` will be asked for."""
        found = _LazyShoppers(self._snapshot, self._visitors, positions)
        found._shoppers = self._shoppers
        return found

    def _make(self, positions: IntArray) -> None:
        missing = np.array([position for position in positions.tolist() if position not in self._shoppers])
        histories = self._snapshot.histories(self._visitors[missing])
        for position, history in zip(missing.tolist(), histories, strict=True):
            self._shoppers[position] = ShopperFeatures.of(history, self._snapshot.item_features)


def split_time(events: Interactions, share: float) -> int:
    """The moment (seconds since 1970) by which so many of the purchase lines, 0…1, had been bought."""
    times = events.of_kind("purchase").time
    return int(times[min(int(len(times) * share), len(times) - 1)])


def newest_day(events: Interactions) -> float:
    """Days since 1970 of the last event, 0 without any."""
    return float(events.time[-1]) / DAY if len(events) else 0.0


def _co_viewed(statistics: Statistics, items: int) -> SparseRows:
    """Cosines of items that at least MIN_CUSTOMERS viewed in one session, shape (items, items)."""
    from scipy.sparse import csr_matrix

    views = statistics.co_views()
    enough = views.count >= MIN_CUSTOMERS
    pairs = (views.anchor[enough], views.item[enough])
    return SparseRows.of(top_k(csr_matrix((statistics.co_view_cosines()[enough], pairs), (items, items)), CO_VIEWED))
