"""All that is known of items and shoppers at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .behaviour import features
from .content import content_vectors
from .facts import ByVisitor, Facts, Goods, pasts, tastes
from .fusion import Cases, Slice
from .interactions import Interactions
from .moves import dearer, moves_up
from .neighbours import Rows, top_k
from .pairs import MIN_CUSTOMERS, Statistics
from .past import DAY
from .segments import Labelled, Segments, find, popularity
from .shoppers import Shopper

if TYPE_CHECKING:
    import pyarrow as pa

    from .interests import Weights
    from .past import Past

# Items seen beside an item that are kept.
SEEN_BESIDE = 50


def goods_of(items: pa.Table) -> Goods:
    """Of an Arrow table of columns ITEMS, sorted by item; one without a category is a need and an aisle by itself."""
    brands, brand = np.unique(np.array(items["brand"].to_pylist(), object).astype(str), return_inverse=True)
    price = items["price"].to_numpy(zero_copy_only=False).astype(np.float64)
    with np.errstate(invalid="ignore"):
        price = np.where(price > 0, price, np.nan)
    return Goods(
        np.unique(grouped(items, "aisle"), return_inverse=True)[1],
        np.unique(grouped(items, "category"), return_inverse=True)[1],
        np.where(brands[brand] == "", -1, brand),
        price,
        items["active"].to_numpy(zero_copy_only=False).astype(bool),
        Rows.of(content_vectors(items, price)),
    )


def grouped(items: pa.Table, column: str) -> np.ndarray:
    """Category.pk of the items' needs or aisles, below 0 for one that is its own, shape (items,)."""
    category = items[column].to_numpy()
    return np.where(category == 0, -np.arange(1, len(category) + 1), category)


@dataclass(frozen=True)
class Knowledge:
    """``events``: what may be learned from, of all kinds · ``liked``: `tastes` · ``segments``: of its visitors."""

    events: Interactions
    facts: Facts
    liked: Rows
    segments: Segments

    @classmethod
    def of(cls, statistics: Statistics, goods: Goods, weights: Weights, known: Sequence[Labelled] = ()) -> Knowledge:
        """From the shared ``statistics``, which tell of which moment, of the ``goods`` in the order of their ids.

        ``known``: segments found before, to be recognised.
        """
        lines = statistics.purchases()
        events = statistics.interactions(lines)
        purchases = events.of_kind("purchase")
        segments = find(features(events, goods.aisle, goods.need, goods.price), known)
        facts = Facts.of(
            purchases,
            goods,
            statistics.pairs(lines),
            statistics.beside(lines, goods.aisle),
            _co_seen(statistics, len(goods.need)),
            popularity(segments.labels, purchases, len(goods.need)),
            weights,
        )
        return cls(events, facts, tastes(purchases, len(goods.need)), segments)

    def pasts(self, wanted: np.ndarray) -> Iterator[Past]:
        """The `Past` of each ``wanted`` visitor number, by item number."""
        return pasts(self.events, self._where, self.liked, self.segments.labels, wanted)

    @cached_property
    def _where(self) -> ByVisitor:
        return ByVisitor.of(self.events)

    def slice(self, after: Interactions, with_anchor: bool) -> Slice:
        """The cases of purchases ``after`` all that is known, with the shoppers that they need."""
        place, shoppers = self._shoppers(after)
        return Slice(Cases.of(after, place, self.facts.aisle if with_anchor else None), self.facts, shoppers)

    def moves_up(self, after: Interactions) -> Slice:
        """The `moves.moves_up` of purchases ``after`` all that is known."""
        place, shoppers = self._shoppers(after)
        cases = moves_up(self.events.of_kind("purchase"), after, self.facts, place)
        return Slice(cases, self.facts, shoppers, dearer)

    def _shoppers(self, after: Interactions) -> tuple[np.ndarray, _Shoppers]:
        """Shoppers of the visitors of ``after``, and their places by visitor number, -1 for who is not known."""
        known = self.events.visitors.numbers(after.visitors.ids)
        wanted = np.unique(known[known >= 0])
        return np.where(known >= 0, np.searchsorted(wanted, known), -1), _Shoppers(self, wanted)


class _Shoppers:
    """Shoppers by place, made when they are asked for: few of a large shop's visitors are in the cases of a slice."""

    def __init__(self, knowledge: Knowledge, visitors: np.ndarray) -> None:
        self._knowledge = knowledge
        self._visitors = visitors
        self._made: dict[int, Shopper] = {}

    def __len__(self) -> int:
        return len(self._visitors)

    def __getitem__(self, place: int) -> Shopper:
        if place not in self._made:
            (past,) = self._knowledge.pasts(self._visitors[place : place + 1])
            self._made[place] = Shopper.of(past, self._knowledge.facts)
        return self._made[place]


def split(events: Interactions, share: float) -> int:
    """The moment (seconds since 1970) by which so many of the purchase lines, 0…1, had been bought."""
    times = events.of_kind("purchase").time
    return int(times[min(int(len(times) * share), len(times) - 1)])


def newest_day(events: Interactions) -> float:
    return float(events.time[-1]) / DAY if len(events) else 0.0


def _co_seen(statistics: Statistics, items: int) -> Rows:
    """Cosines of what MIN_CUSTOMERS at least looked at in one session."""
    from scipy.sparse import csr_matrix

    seen = statistics.co_views()
    enough = seen.count >= MIN_CUSTOMERS
    pairs = (seen.anchor[enough], seen.item[enough])
    return Rows.of(top_k(csr_matrix((statistics.co_view_cosines()[enough], pairs), (items, items)), SEEN_BESIDE))
