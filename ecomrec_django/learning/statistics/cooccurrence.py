"""The shared statistics of items and pairs of items, as arrays.

Items are numbered by their position in the sorted ids, ``0 … len(ids) - 1``; pairs are rows sorted by (anchor, item).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from ..interactions import (
    KINDS,
    MAX_OTHER_EVENTS,
    SUCCESSORS,
    VISITORS,
    IdMap,
    Interactions,
    kind_numbers,
    schema,
    to_floats,
    to_seconds,
)
from ..measures import MIN_CUSTOMERS, chance_shares, expected_together
from ..sparse import positions
from ..types import AnyArray, BoolArray, FloatArray, IntArray, NumberArray
from .engine import Engine, statement
from .item_counts import ItemCounts

if TYPE_CHECKING:
    import pyarrow as pa

Answer = TypeVar("Answer")

HALF_LIFE_DAYS = 180.0
BASKET_SIZE = 50
# So many orders of guests who cannot be told apart are one customer's, see purchases.sql.
GUEST_ORDERS = 10.0
PARTNERS = 200
MIN_BASKETS = 2
# Viewers who shrink the cosine of a pair of items towards 0.
PRIOR_VIEWERS = 10.0
# What a visitor without a purchase who came on one day only counts for, beside items that few people know.
NEWCOMER_WEIGHT = 0.1
ENOUGH_PEOPLE = 20


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Items bought together, per directed pair, shape (pairs,) each.

    anchor, item: item numbers
    customers: a lower bound of the distinct ones, never above 60
    orders: baskets with both items
    baskets: the shares of these that count
    weight: sum of the baskets' weights
    """

    anchor: IntArray
    item: IntArray
    customers: FloatArray
    orders: FloatArray
    baskets: FloatArray
    weight: FloatArray

    def where(self, selection: BoolArray | IntArray) -> Pairs:
        """The pairs of a boolean mask or of an array of positions."""
        return replace(self, **{name: values[selection] for name, values in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class AislePairs:
    """What is bought together with an aisle, rows by (aisle, item), shape (rows,) each.

    aisle: number of the aisle
    item: item number
    customers: as in `Pairs`
    baskets: with both
    expected: baskets with both that popularity and basket size explain
    aisle_baskets: with the aisle
    probability: 0…1, that a basket with the aisle holds the item as well
    """

    aisle: IntArray
    item: IntArray
    customers: FloatArray
    baskets: FloatArray
    expected: FloatArray
    aisle_baskets: FloatArray
    probability: FloatArray

    def where(self, mask: BoolArray) -> AislePairs:
        """The rows of the items of a boolean mask, shape (items,)."""
        return self.rows(mask[self.item])

    def rows(self, selection: BoolArray | IntArray) -> AislePairs:
        """The rows of a boolean mask or of an array of positions."""
        return replace(self, **{name: values[selection] for name, values in vars(self).items()})


@dataclass(frozen=True)
class PairCounts:
    """Sparse counts per directed pair, shape (pairs,) each.

    anchor, item: item numbers
    count: of distinct visitors
    """

    anchor: IntArray
    item: IntArray
    count: NumberArray

    def at_least(self, count: float) -> PairCounts:
        """The pairs of so many visitors or more."""
        enough = self.count >= count
        return PairCounts(self.anchor[enough], self.item[enough], self.count[enough])


class Statistics:
    """Answers the SQL texts for one training, each in item numbers.

    engine: runs the texts
    events: a folder of Parquet files or an Arrow table, columns HISTORY
    ids: Item.pk of the items that matter, sorted; other items of the history are left out of the answers
    visitors: an Arrow table, columns VISITORS; None where nobody joined an account or withdrew consent
    successors: an Arrow table, columns SUCCESSORS; None where no item took another's place
    unsellable: Item.pk of fees and the like, whose events are ignored; None for none
    until: only events before this moment count; None for all
    """

    def __init__(
        self,
        engine: Engine,
        events: str | pa.Table,
        ids: IntArray,
        *,
        visitors: pa.Table | None = None,
        successors: pa.Table | None = None,
        unsellable: IntArray | None = None,
        until: datetime | None = None,
    ) -> None:
        self.engine = engine
        self.events = events
        self.ids = ids
        self.visitors = schema(VISITORS).empty_table() if visitors is None else visitors
        self.successors = schema(SUCCESSORS).empty_table() if successors is None else successors
        self.unsellable = np.empty(0, np.int64) if unsellable is None else unsellable
        self.parameters = _parameters(until)
        self._answers: dict[str, tuple[tuple[object, ...], object]] = {}

    def purchases(self) -> pa.Table:
        """Kept purchase lines: basket, customer, item (Item.pk), price, time, share, weight."""
        return self._memo("purchases", lambda: self._query_history("purchases"))

    def interactions(self, purchases: pa.Table) -> Interactions:
        """The kept purchase lines, and what visitors did besides; a guest's basket has no visitor."""
        others = self._query_history("other_events")
        customer = purchases["customer"].to_numpy()
        basket = np.unique(purchases["basket"].to_numpy(), return_inverse=True)[1]
        visitor = np.r_[np.where(customer > 0, customer, 0), others["visitor"].to_numpy()]
        kind = np.r_[np.full(len(customer), KINDS.index("purchase")), kind_numbers(others["kind"])]
        item, known = self._numbers(np.r_[purchases["item"].to_numpy(), others["item"].to_numpy()])
        time = np.r_[to_seconds(purchases["time"]), to_seconds(others["time"])]
        rows = np.flatnonzero(known)
        rows = rows[np.lexsort((item[rows], visitor[rows], time[rows]))]
        visitors = IdMap.of(visitor[rows][visitor[rows] > 0])
        return Interactions(
            visitors=visitors,
            items=IdMap(self.ids),
            visitor=visitors.numbers(visitor[rows]),
            item=item[rows],
            kind=kind[rows].astype(np.int8),
            value=np.ones(len(rows)),
            time=time[rows],
            basket=np.r_[basket, np.full(others.num_rows, -1)][rows],
            session=np.full(len(rows), -1),
            price=np.r_[to_floats(purchases["price"]), np.full(others.num_rows, np.nan)][rows],
            rating=np.r_[np.full(len(customer), np.nan), to_floats(others["rating"])][rows],
        )

    def baskets(self, purchases: pa.Table) -> float:
        """Baskets in all."""
        import pyarrow.compute as pc

        return float(pc.count_distinct(purchases["basket"]).as_py())

    def items(self, purchases: pa.Table) -> ItemCounts:
        """Customers and baskets of each item."""
        return self._memo("items", lambda: self._items(purchases), purchases)

    def _items(self, purchases: pa.Table) -> ItemCounts:
        answer = self._query("items", purchases=purchases)
        numbers, known = self._numbers(answer["item"])
        columns = {}
        for name in (each.name for each in fields(ItemCounts) if each.name not in ("share", "frequency")):
            columns[name] = np.zeros(len(self.ids))
            columns[name][numbers[known]] = answer[name].to_numpy()[known]
        _, first, sizes = np.unique(purchases["basket"].to_numpy(), return_index=True, return_counts=True)
        shares = to_floats(purchases["share"])[first]
        return ItemCounts(
            **columns,
            share=chance_shares(columns["baskets"], sizes, shares),
            frequency=columns["baskets"] / max(float(shares.sum()), 1e-9),
        )

    def pairs(self, purchases: pa.Table) -> Pairs:
        """Pairs bought together in at least MIN_BASKETS baskets, the PARTNERS strongest of each anchor."""
        return self._memo("pairs", lambda: self._pairs(purchases), purchases)

    def _pairs(self, purchases: pa.Table) -> Pairs:
        answer = self._query("pairs", purchases=purchases)
        anchor, item, rows = self._pair_rows(answer)
        return Pairs(
            anchor=anchor,
            item=item,
            customers=to_floats(answer["customers"])[rows],
            orders=to_floats(answer["orders"])[rows],
            baskets=to_floats(answer["baskets"])[rows],
            weight=to_floats(answer["weight"])[rows],
        )

    def aisle_pairs(self, purchases: pa.Table, aisle: IntArray) -> AislePairs:
        """What at least MIN_CUSTOMERS bought together with each aisle; ``aisle``, shape (items,): that of each item."""
        key = f"aisle_pairs {hash(aisle.tobytes())}"
        return self._memo(key, lambda: self._aisle_pairs(purchases, aisle), purchases)

    def _aisle_pairs(self, purchases: pa.Table, aisle: IntArray) -> AislePairs:
        import pyarrow as pa

        shelves = pa.table({"item": self.ids, "aisle": aisle.astype(np.int64)})
        answer = self._query("aisle_pairs", purchases=purchases, shelves=shelves)
        item, _ = self._numbers(answer["item"])
        bought = self.items(purchases)
        aisle_baskets = to_floats(answer["aisle_baskets"])
        by_size = expected_together(aisle_baskets, to_floats(answer["others"]), bought.share[item])
        return AislePairs(
            aisle=answer["aisle"].to_numpy(),
            item=item,
            customers=to_floats(answer["customers"]),
            baskets=to_floats(answer["baskets"]),
            expected=np.maximum(by_size, aisle_baskets * bought.frequency[item]),
            aisle_baskets=aisle_baskets,
            probability=to_floats(answer["probability"]),
        )

    def viewers(self) -> tuple[FloatArray, FloatArray]:
        """Distinct viewers per item, shape (items,): regulars and newcomers, see co_views.sql."""
        return self._memo("viewers", self._viewers)

    def _viewers(self) -> tuple[FloatArray, FloatArray]:
        answer = self._query_history("viewers", "views")
        numbers, known = self._numbers(answer["item"])
        columns = []
        for name in ("viewers", "newcomers"):
            columns.append(np.zeros(len(self.ids)))
            columns[-1][numbers[known]] = to_floats(answer[name])[known]
        return columns[0], columns[1]

    def co_views(self) -> PairCounts:
        """Distinct visitors who viewed both in one session, newcomers by their small weight."""
        return self._co_viewed()[0]

    def co_view_cosines(self) -> FloatArray:
        """Cosine of the sets of viewers of each pair of `co_views`, 0…1, shape (pairs,); shrunk, 0 for few viewers."""
        return self._co_viewed()[1]

    def _co_viewed(self) -> tuple[PairCounts, FloatArray]:
        return self._memo("co_views", self._count_co_views)

    def _count_co_views(self) -> tuple[PairCounts, FloatArray]:
        answer = self._query_history("co_views", "views")
        anchor, item, rows = self._pair_rows(answer)
        regulars, newcomers = self.viewers()
        # Where customers and regulars say enough, newcomers say nothing: whoever invents them moves no list.
        quiet = np.maximum(self.items(self.purchases()).customers, regulars) < ENOUGH_PEOPLE
        share = np.where(quiet[anchor] & quiet[item], NEWCOMER_WEIGHT, 0.0)
        count = to_floats(answer["viewers"])[rows] + share * to_floats(answer["newcomers"])[rows]
        of_anchor = regulars[anchor] + share * newcomers[anchor]
        of_item = regulars[item] + share * newcomers[item]
        cosine = np.minimum(count / np.sqrt(np.maximum(of_anchor * of_item, 1e-9)), 1.0)
        cosine *= count / (count + PRIOR_VIEWERS)
        return PairCounts(anchor, item, count), np.where(count >= MIN_CUSTOMERS, cosine, 0.0)

    def switches(self) -> PairCounts:
        """Distinct visitors who viewed ``anchor`` and then bought ``item`` instead."""
        return self._counts("switches", "switchers")

    def _counts(self, name: str, column: str) -> PairCounts:
        answer = self._query_history(name)
        anchor, item, rows = self._pair_rows(answer)
        return PairCounts(anchor, item, to_floats(answer[column])[rows])

    def _memo(self, name: str, compute: Callable[[], Answer], *sources: object) -> Answer:
        """An answer that several learners ask for, computed for the first; ``sources``: the objects it follows from.

        Another object, though equal, has it computed again.
        """
        memo = self._answers.get(name)
        if memo is None or not all(source is known for source, known in zip(sources, memo[0], strict=True)):
            memo = self._answers[name] = sources, compute()
        return cast("Answer", memo[1])

    def _query_history(self, name: str, *views: str) -> pa.Table:
        """A text over ``history``, the events that may be learned from, and over other ``views`` of these."""
        import pyarrow as pa

        unsellable = pa.table({"item": self.unsellable})
        tables = {
            "events": self.events,
            "visitors": self.visitors,
            "successors": self.successors,
            "unsellable": unsellable,
            "parameters": self.parameters,
        }
        return self.engine.run(statement(name), tables, {view: statement(view) for view in ("history", *views)})

    def _query(self, name: str, **tables: str | pa.Table) -> pa.Table:
        return self.engine.run(statement(name), {**tables, "parameters": self.parameters})

    def _numbers(self, column: pa.ChunkedArray | AnyArray) -> tuple[IntArray, BoolArray]:
        """Item numbers, and which of them are known items."""
        numbers = positions(self.ids, np.asarray(column))
        return numbers, numbers >= 0

    def _pair_rows(self, answer: pa.Table) -> tuple[IntArray, IntArray, IntArray]:
        """Anchor and item numbers of the pairs of known items, sorted by them, and the rows of ``answer`` they are."""
        anchor, known_anchor = self._numbers(answer["anchor"])
        item, known_item = self._numbers(answer["item"])
        rows = np.flatnonzero(known_anchor & known_item)
        rows = rows[np.lexsort((item[rows], anchor[rows]))]
        return anchor[rows], item[rows], rows


def _parameters(until: datetime | None) -> pa.Table:
    import pyarrow as pa

    # Past the last moment that pandas knows nobody trains, and Arrow, DuckDB and Spark all can hold it.
    until = until or datetime(2200, 1, 1, tzinfo=UTC)
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return pa.table(
        {
            "until": pa.array([until], pa.timestamp("us", tz="UTC")),
            "half_life": [HALF_LIFE_DAYS],
            "basket_size": [BASKET_SIZE],
            "guest_orders": [GUEST_ORDERS],
            "partners": [PARTNERS],
            "acts": [MAX_OTHER_EVENTS],
            "min_baskets": [MIN_BASKETS],
            "min_customers": [MIN_CUSTOMERS],
        }
    )
