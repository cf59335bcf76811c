"""Helpers of strategies that work on ranked candidates as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..learning.amounts import title_key
from ..learning.interactions import to_floats
from ..learning.items import active_items, category_groups, known_prices
from ..learning.sparse import rank_in_group
from ..learning.types import BoolArray, FloatArray, IntArray, NumberArray
from .base import EVIDENCE_WIDTH, Lists, Reason

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy.sparse import csr_matrix

    from ..learning.statistics.cooccurrence import PairCounts


@dataclass(frozen=True, kw_only=True)
class OfferTable:
    """The catalog as arrays, sorted by id; shape (items,) where nothing else is said.

    ids: Item.pk
    active: whether it may be offered
    aisle: number of its aisle, an item without a category being an aisle of its own
    need: number of its leaf category, -1 if none
    categories: Category.pk of each need, shape (needs,)
    price: NaN where unknown or not above 0
    cost: NaN where unknown
    rating: mean stars, NaN where unknown
    amount: how much it holds in its ``unit``, NaN where unknown
    unit: number of its unit, -1 where unknown
    brand: number of its brand, -1 where unknown
    title: equal for items whose titles read the same
    """

    ids: IntArray
    active: BoolArray
    aisle: IntArray
    need: IntArray
    categories: IntArray
    price: FloatArray
    cost: FloatArray
    rating: FloatArray
    amount: FloatArray
    unit: IntArray
    brand: IntArray
    title: IntArray

    @classmethod
    def of(cls, items: pa.Table) -> OfferTable:
        """From an Arrow table of columns ITEMS, sorted by item."""
        ids = items["item"].to_numpy()
        categories, need = np.unique(items["category"].to_numpy(), return_inverse=True)
        known = categories != 0
        need = np.where(known, np.cumsum(known) - 1, -1)[need] if len(ids) else np.empty(0, np.int64)
        return cls(
            ids=ids,
            active=active_items(items),
            aisle=np.unique(category_groups(items, "aisle"), return_inverse=True)[1],
            need=need,
            categories=categories[known],
            price=known_prices(items),
            cost=to_floats(items["cost"]),
            rating=to_floats(items["rating"]),
            amount=to_floats(items["amount"]),
            unit=_numbers(items["unit"].to_pylist()),
            brand=_numbers(items["brand"].to_pylist()),
            title=_numbers([title_key(title or "") for title in items["title"].to_pylist()]),
        )


def _numbers(texts: list[str | None]) -> IntArray:
    """Numbers of the different texts, -1 for an empty one; shape (texts,)."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) if text else -1 for text in texts], np.int64)


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Offers before ranking, shape (candidates,) where nothing else is said.

    owner: number of the item or category whose list it may join
    item: number of the item it offers
    score: float64
    reason: of `Reason`, int8
    evidence: shape (candidates, EVIDENCE_WIDTH) float32, NaN where a reason has no such column
    """

    owner: IntArray
    item: IntArray
    score: FloatArray
    reason: IntArray
    evidence: FloatArray

    @classmethod
    def of(
        cls, reason: Reason, owner: IntArray, item: IntArray, score: NumberArray, *evidence: NumberArray
    ) -> Candidates:
        """Candidates of one ``reason``, with the columns EVIDENCE of it."""
        columns = np.full((len(owner), EVIDENCE_WIDTH), np.nan, np.float32)
        for column, values in enumerate(evidence):
            columns[:, column] = values
        return cls(
            owner=owner,
            item=item,
            score=np.asarray(score, np.float64),
            reason=np.full(len(owner), reason, np.int8),
            evidence=columns,
        )

    def take(self, rows: BoolArray | IntArray) -> Candidates:
        """The rows of a mask or of an array of positions."""
        return Candidates(
            owner=self.owner[rows],
            item=self.item[rows],
            score=self.score[rows],
            reason=self.reason[rows],
            evidence=self.evidence[rows],
        )

    @staticmethod
    def none() -> Candidates:
        """No candidates, for strategies without data."""
        nothing = np.empty(0, np.int64)
        return Candidates.of(Reason.POPULAR, nothing, nothing, nothing)

    @staticmethod
    def joined(parts: list[Candidates]) -> Candidates:
        """``parts`` laid end to end, at least one; duplicates stay until `ranked`."""
        return Candidates(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in Candidates.__annotations__}
        )

    def ranked(self, length: int) -> Candidates:
        """By owner, best first, an item once (as its best), at most ``length`` each; ties by item number."""
        best = self.take(np.lexsort((-self.score, self.item, self.owner)))
        first = np.ones(len(best.owner), bool)
        first[1:] = (best.owner[1:] != best.owner[:-1]) | (best.item[1:] != best.item[:-1])
        best = best.take(first)
        best = best.take(np.lexsort((best.item, -best.score, best.owner)))
        return best.take(rank_in_group(best.owner) < length)

    def sorted(self) -> Candidates:
        """By owner, else in the order they have."""
        return self.take(np.argsort(self.owner, kind="stable"))

    def lists(self, owners: IntArray, ids: IntArray) -> Lists:
        """Ranked rows as Lists; ``owners`` and ``ids`` are the primary keys of owner and item numbers."""
        numbers, starts = np.unique(self.owner, return_index=True)
        return Lists(
            owners=owners[numbers],
            starts=np.append(starts, len(self.owner)).astype(np.int64),
            items=ids[self.item],
            scores=self.score.astype(np.float32),
            reasons=self.reason,
            evidence=self.evidence,
        )


def matrix_of(pairs: PairCounts, values: FloatArray, size: int) -> csr_matrix:
    """A value above 0 per pair as a sparse matrix, shape (size, size)."""
    from scipy.sparse import csr_matrix

    positive = values > 0
    return csr_matrix((values[positive], (pairs.anchor[positive], pairs.item[positive])), (size, size))


def best_of_each(owner: IntArray, score: FloatArray, length: int) -> IntArray:
    """Positions of the ``length`` best rows of each ascending owner, best first; scores are 0…1, ties stay in order."""
    order = np.argsort(owner - score, kind="stable")
    return order[rank_in_group(owner[order]) < length]
