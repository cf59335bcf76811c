"""The shared statistics of items and pairs of items, as arrays.

Items are numbered by their place in the sorted ids, ``0 … len(ids) - 1``; pairs are rows sorted by (anchor, item).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from .engine import statement
from .interactions import KINDS, VISITORS, IdMap, Interactions, kind_numbers, schema
from .past import MOST_ACTS

if TYPE_CHECKING:
    import pyarrow as pa

    from .training_data import TrainingData

HALF_LIFE_DAYS = 180.0
BASKET_SIZE = 50
# Baskets with one item that one customer adds to a weight; past them, more of the same says no more.
CUSTOMER_BOUND = 50.0
PARTNERS = 200
MIN_BASKETS = 2
# Fewer would show what one customer bought, and let one customer move a list.
MIN_CUSTOMERS = 3


@dataclass(frozen=True)
class Items:
    """Per item, shape (items,): distinct ``customers``, ``baskets``, and the sum of their weights (purchases.sql)."""

    customers: np.ndarray
    baskets: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Pairs:
    """Per directed pair, shape (pairs,): item numbers ``anchor`` and ``item``, baskets with both and their weight.

    ``customers`` is a lower bound: at least so many different ones, never above 60.
    """

    anchor: np.ndarray
    item: np.ndarray
    customers: np.ndarray
    baskets: np.ndarray
    weight: np.ndarray

    def where(self, kept: np.ndarray) -> Pairs:
        """The pairs of a boolean mask or of an array of places."""
        return replace(self, **{name: values[kept] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Beside:
    """What is bought beside an aisle, rows by (aisle, item): ``customers`` as in Pairs, ``chance`` 0…1."""

    aisle: np.ndarray
    item: np.ndarray
    customers: np.ndarray
    chance: np.ndarray

    def where(self, offered: np.ndarray) -> Beside:
        """The rows of the items of a boolean mask, shape (items,)."""
        return replace(self, **{name: values[offered[self.item]] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Counts:
    """Sparse counts per directed pair, shape (pairs,) each."""

    anchor: np.ndarray
    item: np.ndarray
    count: np.ndarray


class Statistics:
    """Answers the SQL texts for one training, each in item numbers.

    ``ids``: Item.pk of the items that matter, sorted; whatever else the history names is left out of the answers.
    """

    def __init__(self, data: TrainingData, ids: np.ndarray) -> None:
        self.data = data
        self.ids = ids
        self.parameters = _parameters(data.until)
        self._known: dict[str, tuple[tuple[Any, ...], Any]] = {}

    def purchases(self) -> pa.Table:
        """Kept purchase lines: basket, customer, item (Item.pk), price, time, weight."""
        return self._once("purchases", lambda: self._ask_history("purchases"))

    def interactions(self, purchases: pa.Table) -> Interactions:
        """The kept purchase lines, and what visitors did besides; a guest's basket has no visitor."""
        acts = self._ask_history("acts")
        customer = purchases["customer"].to_numpy()
        baskets = np.unique(purchases["basket"].to_numpy(), return_inverse=True)[1]
        visitor = np.r_[np.where(customer > 0, customer, 0), acts["visitor"].to_numpy()]
        kind = np.r_[np.full(len(customer), KINDS.index("purchase")), kind_numbers(acts["kind"])]
        item, known = self._numbers(np.r_[purchases["item"].to_numpy(), acts["item"].to_numpy()])
        time = np.r_[
            *(table["time"].to_numpy().astype("datetime64[s]").astype(np.int64) for table in (purchases, acts))
        ]
        rows = np.flatnonzero(known)
        rows = rows[np.lexsort((item[rows], visitor[rows], time[rows]))]
        nothing, none = np.full(acts.num_rows, np.nan), np.full(acts.num_rows, -1)
        visitors = IdMap.of(visitor[rows][visitor[rows] > 0])
        return Interactions(
            visitors,
            IdMap(self.ids),
            visitors.numbers(visitor[rows]),
            item[rows],
            kind[rows].astype(np.int8),
            np.ones(len(rows)),
            time[rows],
            np.r_[baskets, none][rows],
            np.full(len(rows), -1),
            np.r_[_floats(purchases["price"]), nothing][rows],
            np.r_[np.full(len(customer), np.nan), _floats(acts["rating"])][rows],
        )

    def baskets(self, purchases: pa.Table) -> float:
        """Baskets in all."""
        import pyarrow.compute as pc

        return float(pc.count_distinct(purchases["basket"]).as_py())

    def items(self, purchases: pa.Table) -> Items:
        return self._once("items", lambda: self._items(purchases), purchases)

    def _items(self, purchases: pa.Table) -> Items:
        answer = self._ask("items", purchases=purchases)
        numbers, known = self._numbers(answer["item"])
        columns = {}
        for name in ("customers", "baskets", "weight"):
            columns[name] = np.zeros(len(self.ids))
            columns[name][numbers[known]] = answer[name].to_numpy()[known]
        return Items(**columns)

    def pairs(self, purchases: pa.Table) -> Pairs:
        """Pairs bought together in at least MIN_BASKETS baskets, the PARTNERS strongest of each anchor."""
        return self._once("pairs", lambda: self._pairs(purchases), purchases)

    def _pairs(self, purchases: pa.Table) -> Pairs:
        answer = self._ask("pairs", purchases=purchases)
        anchor, item, known, order = self._ends(answer)
        counts = (answer[name].to_numpy()[known][order] for name in ("customers", "baskets", "weight"))
        return Pairs(anchor, item, *(values.astype(np.float64) for values in counts))

    def beside(self, purchases: pa.Table, aisle: np.ndarray) -> Beside:
        """What at least MIN_CUSTOMERS bought beside each aisle; ``aisle`` numbers the items' aisles, shape (items,)."""
        return self._once(f"beside {hash(aisle.tobytes())}", lambda: self._beside(purchases, aisle), purchases)

    def _beside(self, purchases: pa.Table, aisle: np.ndarray) -> Beside:
        import pyarrow as pa

        shelves = pa.table({"item": self.ids, "aisle": aisle.astype(np.int64)})
        answer = self._ask("aisles", purchases=purchases, shelves=shelves)
        item, _ = self._numbers(answer["item"])
        columns = (answer[name].to_numpy().astype(np.float64) for name in ("customers", "chance"))
        return Beside(answer["aisle"].to_numpy(), item, *columns)

    def viewers(self) -> np.ndarray:
        """Distinct viewers per item, shape (items,)."""
        return self._once("viewers", self._viewers)

    def _viewers(self) -> np.ndarray:
        answer = self._ask_history("viewers")
        numbers, known = self._numbers(answer["item"])
        viewers = np.zeros(len(self.ids))
        viewers[numbers[known]] = answer["viewers"].to_numpy()[known]
        return viewers

    def co_views(self) -> Counts:
        """Distinct visitors who viewed both in one session."""
        return self._once("co_views", lambda: self._counts("co_views", "viewers"))

    def co_view_cosines(self) -> np.ndarray:
        """Cosine of the sets of viewers of each pair of `co_views`, 0…1, shape (pairs,)."""
        seen, viewers = self.co_views(), np.maximum(self.viewers(), 1.0)
        return np.minimum(seen.count / np.sqrt(viewers[seen.anchor] * viewers[seen.item]), 1.0)

    def up_moves(self) -> Counts:
        """Distinct visitors who viewed ``anchor`` and then bought ``item`` instead."""
        return self._counts("up_moves", "switchers")

    def _counts(self, name: str, column: str) -> Counts:
        answer = self._ask_history(name)
        anchor, item, known, order = self._ends(answer)
        return Counts(anchor, item, answer[column].to_numpy()[known][order].astype(np.float64))

    def _once(self, name: str, make: Callable[[], Any], *of: Any) -> Any:
        """What several learners ask for is computed for the first of them; ``of``: the very objects it follows from."""
        known = self._known.get(name)
        if known is None or not all(one is other for one, other in zip(known[0], of, strict=True)):
            known = self._known[name] = of, make()
        return known[1]

    def _ask_history(self, name: str) -> pa.Table:
        """A text over ``history``: the events that may be learned from."""
        visitors = schema(VISITORS).empty_table() if self.data.visitors is None else self.data.visitors
        tables = {"events": self.data.events, "visitors": visitors, "parameters": self.parameters}
        return self.data.engine.run(statement(name), tables, {"history": statement("history")})

    def _ask(self, name: str, **tables: str | pa.Table) -> pa.Table:
        return self.data.engine.run(statement(name), {**tables, "parameters": self.parameters})

    def _numbers(self, column: pa.ChunkedArray | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Item numbers, and which of them are known items."""
        if not len(self.ids):
            return np.zeros(len(column), np.int64), np.zeros(len(column), bool)
        values = np.asarray(column)
        numbers = np.minimum(np.searchsorted(self.ids, values), len(self.ids) - 1)
        return numbers, self.ids[numbers] == values

    def _ends(self, answer: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Anchor and item numbers of the known pairs in order, the mask of known ones, and the order."""
        anchor, knows_anchor = self._numbers(answer["anchor"])
        item, knows_item = self._numbers(answer["item"])
        known = knows_anchor & knows_item
        anchor, item = anchor[known], item[known]
        order = np.lexsort((item, anchor))
        return anchor[order], item[order], known, order


def _seconds(column: pa.ChunkedArray) -> np.ndarray:
    """Since 1970, int64."""
    return column.to_numpy().astype("datetime64[s]").astype(np.int64)


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy().astype(np.float64)


def log_likelihood_ratio(both: np.ndarray, one: np.ndarray, other: np.ndarray, total: float) -> np.ndarray:
    """Dunning's signed log-likelihood ratio of pairs, shape as given.

    ``both`` of ``total`` baskets hold both items, ``one`` and ``other`` hold each. Positive: more often together than
    by chance; 10.8 is passed by chance once in a thousand. Source: T. Dunning, Accurate Methods for the Statistics of
    Surprise and Coincidence, Computational Linguistics 19 (1993).
    """
    cells = [both, one - both, other - both, total - one - other + both]
    expected = [one * other, one * (total - other), other * (total - one), (total - one) * (total - other)]
    ratio = np.zeros(np.shape(both))
    with np.errstate(divide="ignore", invalid="ignore"):
        for cell, chance in zip(cells, expected, strict=True):
            seen = np.maximum(cell, 0.0)
            ratio += np.where((seen > 0) & (chance > 0), seen * np.log(seen * total / chance), 0.0)
    return np.sign(both * total - one * other) * 2.0 * np.maximum(ratio, 0.0)


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
            "customer_bound": [CUSTOMER_BOUND],
            "partners": [PARTNERS],
            "acts": [MOST_ACTS],
            "min_baskets": [MIN_BASKETS],
            "min_customers": [MIN_CUSTOMERS],
        }
    )
