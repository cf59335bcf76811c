"""Helpers of strategies that work on ranked candidates as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .base import EVIDENCE_WIDTH, Lists, Reason

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy.sparse import csr_matrix

    from ..learning.pairs import Counts


@dataclass(frozen=True)
class Catalog:
    """The catalog as arrays, sorted by id: item k of every array is the item ``ids[k]``.

    ``aisle``: number of its aisle, an item without a category being an aisle of its own. ``need``: number of its
    leaf category, -1 if none. ``categories``: Category.pk of each need. ``price``: NaN where unknown or not above 0.
    ``cost``: NaN where unknown.
    """

    ids: np.ndarray
    active: np.ndarray
    aisle: np.ndarray
    need: np.ndarray
    categories: np.ndarray
    price: np.ndarray
    cost: np.ndarray
    rating: np.ndarray

    @classmethod
    def of(cls, items: pa.Table) -> Catalog:
        """From an Arrow table of columns ITEMS, sorted by item."""
        ids = items["item"].to_numpy()
        category, aisle = items["category"].to_numpy(), items["aisle"].to_numpy()
        categories, need = np.unique(category, return_inverse=True)
        known = categories != 0
        need = np.where(known, np.cumsum(known) - 1, -1)[need] if len(ids) else np.empty(0, np.int64)
        # Negative ids are free: a primary key is positive.
        aisle = np.where(aisle != 0, aisle, -np.arange(1, len(ids) + 1))
        price = items["price"].to_numpy(zero_copy_only=False).astype(np.float64)
        with np.errstate(invalid="ignore"):
            price = np.where(np.isfinite(price) & (price > 0), price, np.nan)
        return cls(
            ids,
            items["active"].to_numpy(zero_copy_only=False).astype(bool),
            np.unique(aisle, return_inverse=True)[1],
            need,
            categories[known],
            price,
            items["cost"].to_numpy(zero_copy_only=False).astype(np.float64),
            items["rating"].to_numpy(zero_copy_only=False).astype(np.float64),
        )


@dataclass(frozen=True)
class Candidates:
    """Offers before ranking: owner k may offer ``item`` k. Shapes (n,); evidence (n, EVIDENCE_WIDTH)."""

    owner: np.ndarray
    item: np.ndarray
    score: np.ndarray
    reason: np.ndarray
    evidence: np.ndarray

    @classmethod
    def of(
        cls, reason: Reason, owner: np.ndarray, item: np.ndarray, score: np.ndarray, *evidence: np.ndarray
    ) -> Candidates:
        columns = np.full((len(owner), EVIDENCE_WIDTH), np.nan, np.float32)
        for at, values in enumerate(evidence):
            columns[:, at] = values
        return cls(owner, item, np.asarray(score, np.float64), np.full(len(owner), reason, np.int8), columns)

    def take(self, kept: np.ndarray) -> Candidates:
        """The rows of a mask or of an array of places."""
        return Candidates(self.owner[kept], self.item[kept], self.score[kept], self.reason[kept], self.evidence[kept])

    @staticmethod
    def none() -> Candidates:
        nobody = np.empty(0, np.int64)
        return Candidates.of(Reason.POPULAR, nobody, nobody, nobody)

    @staticmethod
    def joined(parts: list[Candidates]) -> Candidates:
        return Candidates(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in Candidates.__annotations__)
        )

    def ranked(self, length: int) -> Candidates:
        """By owner, best first, an item once (as its best), at most ``length`` each; ties by item number."""
        best = self.take(np.lexsort((-self.score, self.item, self.owner)))
        first = np.ones(len(best.owner), bool)
        first[1:] = (best.owner[1:] != best.owner[:-1]) | (best.item[1:] != best.item[:-1])
        best = best.take(first)
        best = best.take(np.lexsort((best.item, -best.score, best.owner)))
        return best.take(place_in_group(best.owner) < length)

    def sorted(self) -> Candidates:
        """By owner, else in the order they have."""
        return self.take(np.argsort(self.owner, kind="stable"))

    def lists(self, owners: np.ndarray, ids: np.ndarray) -> Lists:
        """Ranked rows as Lists; ``owners`` and ``ids`` are the primary keys of owner and item numbers."""
        numbers, starts = np.unique(self.owner, return_index=True)
        return Lists(
            owners[numbers],
            np.append(starts, len(self.owner)).astype(np.int64),
            ids[self.item],
            self.score.astype(np.float32),
            self.reason,
            self.evidence,
        )


def matrix_of(pairs: Counts, values: np.ndarray, size: int) -> csr_matrix:
    """A value above 0 per pair as a sparse matrix, shape (size, size)."""
    from scipy.sparse import csr_matrix

    kept = values > 0
    return csr_matrix((values[kept], (pairs.anchor[kept], pairs.item[kept])), (size, size))


def best_of_each(owner: np.ndarray, score: np.ndarray, length: int) -> np.ndarray:
    """Places of the ``length`` best rows of each ascending owner, best first; scores are 0…1, ties keep their order."""
    order = np.argsort(owner - score, kind="stable")
    return order[place_in_group(owner[order]) < length]


def place_in_group(groups: np.ndarray) -> np.ndarray:
    """Place (0, 1, …) of each row within its run of equal values of the sorted ``groups``."""
    if not len(groups):
        return np.empty(0, np.int64)
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    return np.arange(len(groups)) - np.repeat(starts, np.diff(np.r_[starts, len(groups)]))
