"""What shoppers bought after all that a ranker knows: the cases that it is fitted on and tested with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

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
    targets: list[IntArray]

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
        order = np.lexsort((np.arange(len(purchases)), purchases.basket))
        rows: list[tuple[int, int, float, int, int]] = []
        targets: list[IntArray] = []
        for lines in np.split(order, np.flatnonzero(np.diff(purchases.basket[order])) + 1):
            if not len(lines):
                continue
            _, first = np.unique(purchases.item[lines], return_index=True)
            items = purchases.item[lines][np.sort(first)]
            visitor = purchases.visitor[lines[0]]
            position = int(shopper[visitor]) if visitor >= 0 else -1
            day, basket = purchases.time[lines[0]] / DAY, int(purchases.basket[lines[0]])
            for anchor in items if aisle is not None else (-1,):
                bought = items if aisle is None else items[aisle[items] != aisle[anchor]]
                if len(bought):
                    rows.append((position, int(anchor), day, basket, len(items) - (aisle is not None)))
                    targets.append(bought)
        return cls.of_rows(rows, targets)


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
