"""What shoppers bought after all that a ranker knows: the cases that it is fitted on and tested with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, overload

import numpy as np

from ..interactions import DAY
from ..ranking.features import candidate_items
from ..ranking.item_features import ItemFeatures
from ..ranking.shopper_features import ShopperFeatures
from ..types import FloatArray, IntArray

if TYPE_CHECKING:
    from ..interactions import Interactions


@dataclass(frozen=True, kw_only=True)
class BasketCases:
    """What shoppers with an anchor in a basket also bought; a row per (basket, anchor), or per basket without anchors.

    shopper: position in a list of shoppers, -1 for one unknown, int64, shape (cases,), as the next four
    anchor: item number, -1 for none, int64
    day: days since 1970, float64
    basket: its number, whose cases are held out together, int64
    others: items of the basket beside the anchor, int64
    targets: item numbers, of other aisles than the anchor's, one array per case
    """

    shopper: IntArray
    anchor: IntArray
    day: FloatArray
    basket: IntArray
    others: IntArray
    targets: Sequence[IntArray]

    def __len__(self) -> int:
        return len(self.anchor)

    @classmethod
    def of_rows(cls, rows: Sequence[tuple[int, int, float, int, int]], targets: list[IntArray]) -> BasketCases:
        """From (shopper, anchor, day, basket, others) of each case."""
        shopper, anchor, day, basket, others = np.array(rows, np.float64).reshape(-1, 5).T
        return cls(
            shopper=shopper.astype(np.int64),
            anchor=anchor.astype(np.int64),
            day=day,
            basket=basket.astype(np.int64),
            others=others.astype(np.int64),
            targets=targets,
        )

    def where(self, rows: IntArray) -> BasketCases:
        """The cases of some row numbers."""
        return BasketCases(
            shopper=self.shopper[rows],
            anchor=self.anchor[rows],
            day=self.day[rows],
            basket=self.basket[rows],
            others=self.others[rows],
            targets=[self.targets[row] for row in rows],
        )

    @classmethod
    def of(cls, purchases: Interactions, shopper: IntArray, aisle: IntArray | None) -> BasketCases:
        """All of the purchases that follow the training's; ``shopper`` maps their visitor numbers to positions, or -1.

        Anchors without a target are left out. With ``aisle`` None: whole baskets, without an anchor.
        """
        lines = np.lexsort((np.arange(len(purchases)), purchases.basket))
        size = int(purchases.item.max(initial=0)) + 1
        # Of an item on two lines of a basket, the first.
        first = np.unique(purchases.basket[lines] * size + purchases.item[lines], return_index=True)[1]
        lines = lines[np.sort(first)]
        basket, item = purchases.basket[lines], purchases.item[lines]
        starts = np.flatnonzero(np.r_[True, basket[1:] != basket[:-1]]) if len(lines) else np.empty(0, np.int64)
        sizes = np.diff(np.r_[starts, len(lines)])
        number = np.repeat(np.arange(len(starts)), sizes)
        if aisle is None:
            chosen, anchor = starts, np.full(len(starts), -1)
        else:
            _, group, same = np.unique(
                number * (int(aisle.max(initial=0)) + 1) + aisle[item], return_inverse=True, return_counts=True
            )
            chosen = np.flatnonzero(same[group] < sizes[number])
            anchor = item[chosen]
        visitor = purchases.visitor[lines[starts]][number[chosen]]
        return cls(
            shopper=np.where(visitor >= 0, shopper[visitor], -1) if len(shopper) else np.full(len(chosen), -1),
            anchor=anchor,
            day=purchases.time[lines[starts]][number[chosen]] / DAY,
            basket=basket[chosen],
            others=sizes[number[chosen]] - (aisle is not None),
            targets=_BasketTargets(
                item=item, starts=starts[number[chosen]], sizes=sizes[number[chosen]], anchor=anchor, aisle=aisle
            ),
        )


@dataclass(frozen=True, kw_only=True)
class _BasketTargets(Sequence[IntArray]):
    """What each case's basket holds of other aisles than the anchor's, looked up when it is asked for.

    item: of all baskets, one after the other, shape (lines,)
    starts, sizes: of the case's basket in ``item``, shape (cases,)
    anchor: of each case, -1 for none, shape (cases,)
    aisle: of each item; None for no anchors
    """

    item: IntArray
    starts: IntArray
    sizes: IntArray
    anchor: IntArray
    aisle: IntArray | None

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, case: int) -> IntArray: ...

    @overload
    def __getitem__(self, case: slice) -> list[IntArray]: ...

    def __getitem__(self, case: int | slice) -> IntArray | list[IntArray]:
        if isinstance(case, slice):
            return [self[number] for number in range(*case.indices(len(self)))]
        held = self.item[self.starts[case] : self.starts[case] + self.sizes[case]]
        return held if self.aisle is None else held[self.aisle[held] != self.aisle[self.anchor[case]]]


class ShopperLookup(Protocol):
    """Shoppers by their positions."""

    def __getitem__(self, position: int, /) -> ShopperFeatures: ...

    def among(self, positions: IntArray) -> ShopperLookup:
        """The same, if only those at ``positions``, ascending, will be asked for."""


class ShopperList(list[ShopperFeatures]):
    """Shoppers that are all at hand."""

    def among(self, positions: IntArray) -> ShopperList:  # noqa: ARG002
        """All of them."""
        return self


@dataclass(frozen=True)
class EvaluationSlice:
    """Cases that came after all that is known.

    cases: what was bought
    item_features: of before
    shoppers: of before, by the positions in ``cases``
    candidates: gives the items that a case may rank
    """

    cases: BasketCases
    item_features: ItemFeatures
    shoppers: ShopperLookup
    candidates: Callable[[ItemFeatures, ShopperFeatures, Sequence[int]], IntArray] = candidate_items

    def where(self, rows: IntArray) -> EvaluationSlice:
        """The same for the cases of some row numbers."""
        cases = self.cases.where(rows)
        positions = np.unique(cases.shopper[cases.shopper >= 0])
        return replace(self, cases=cases, shoppers=self.shoppers.among(positions))
