"""What every strategy shares: its lists, their compact text form, and the rules a page re-checks.

The web process imports this module; it needs numpy only.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ..learning.training_data import TrainingData

LIST_LENGTH = 20
EVIDENCE_WIDTH = 6
# Whole numbers below this are exact in float32.
COUNTED = 2**24


class Reason(IntEnum):
    """Why an item stands in a list; each has its own evidence columns."""

    TOGETHER = 0  # bought by the same customers
    AISLE = 1  # bought beside the anchor's aisle
    SIMILAR = 2  # cold item: bought with a product like it
    UPGRADE = 3  # a better, pricier answer to the same need
    POPULAR = 4  # the bestsellers
    PINNED = 5  # the merchant's choice
    AGAIN = 6  # this shopper buys it again and again
    SEEN = 7  # this shopper looked at it lately
    TASTE = 8  # shoppers like this one buy it
    INTEREST = 9  # of a kind that this shopper cares for
    ALIKE = 10  # another answer to the same need
    EXTRA = 11  # of another kind, at the price of an extra


EVIDENCE: dict[Reason, tuple[str, ...]] = {
    Reason.TOGETHER: ("orders", "customers", "expected", "lift", "llr", "substitutability"),
    Reason.AISLE: ("customers", "chance"),
    Reason.SIMILAR: ("similarity", "orders"),
    Reason.UPGRADE: ("ratio", "low", "high", "similarity", "switchers"),
    Reason.POPULAR: ("customers",),
    Reason.PINNED: (),
    Reason.AGAIN: ("chance", "baskets", "days", "cycle"),
    Reason.SEEN: ("chance", "days"),
    Reason.TASTE: ("chance", "share"),
    Reason.INTEREST: ("chance", "interest"),
    Reason.ALIKE: ("similarity",),
    Reason.EXTRA: ("ratio",),
}


@dataclass(frozen=True)
class Lists:
    """Ranked lists laid end to end: list k is rows ``starts[k]:starts[k + 1]`` of the offer arrays.

    Shapes: owners (L,) int64 · starts (L + 1,) int64 · items (N,) int64 · scores (N,) float32 · reasons (N,) int8 ·
    evidence (N, EVIDENCE_WIDTH) float32, NaN where a reason has no such column.
    """

    owners: np.ndarray
    starts: np.ndarray
    items: np.ndarray
    scores: np.ndarray
    reasons: np.ndarray
    evidence: np.ndarray

    @classmethod
    def empty(cls) -> Lists:
        return cls(
            np.empty(0, np.int64),
            np.zeros(1, np.int64),
            np.empty(0, np.int64),
            np.empty(0, np.float32),
            np.empty(0, np.int8),
            np.empty((0, EVIDENCE_WIDTH), np.float32),
        )


@dataclass(frozen=True)
class StrategyLists:
    """What one strategy made: lists owned by items, fall-back lists owned by categories, and one list for everybody
    (whose owner says nothing)."""

    by_item: Lists
    by_category: Lists = field(default_factory=Lists.empty)
    for_all: Lists = field(default_factory=Lists.empty)


class Offer(NamedTuple):
    """One stored offer. ``item`` is the shop's id; ``aisle`` the id of its Category aisle, 0 where unknown."""

    item: str
    score: float
    reason: Reason
    aisle: int
    evidence: tuple[float | None, ...]


class Anchor(NamedTuple):
    """What a page knows now of a product for which a block is asked."""

    item: str
    price: float | None
    aisle: int


def encode_offers(offers: Sequence[Offer]) -> str:
    """Compact JSON ``[[item, score, reason, aisle, evidence…], …]``; numbers as `short` writes them."""
    return json.dumps(
        [[o.item, short(o.score), int(o.reason), o.aisle, *map(short, o.evidence)] for o in offers],
        separators=(",", ":"),
    )


def decode_offers(text: str) -> list[Offer]:
    return [
        Offer(item, score, Reason(reason), aisle, tuple(evidence))
        for item, score, reason, aisle, *evidence in json.loads(text)
    ]


def short(number: float | None) -> float | int | None:
    """A count as it is, any other number with four significant digits; None for what is not finite."""
    if number is None or not math.isfinite(number):
        return None
    value = float(number)
    if abs(value) >= COUNTED or not value.is_integer():
        value = float(f"{value:.4g}")
    return int(value) if value.is_integer() else value


class Strategy(ABC):
    """One kind of offer: how its lists are made (in a worker) and which rules a page re-checks (in the web process)."""

    name: str
    # Most offers of one aisle in one block; None for no bound.
    per_aisle: int | None = None
    # The learned ranker that orders its offers for one shopper; "" for none.
    task = ""
    # Whether a shopper's own candidates join its lists; if not, the ranker only sways their order.
    adds = True
    # Whether its offers are bought together with what they stand beside.
    bundles = False
    # Whether its offers answer the same need as what they stand beside.
    same_need = False
    # Whether it offers something beside items; if not, it is asked for a category or the whole shop.
    needs_anchor = True

    @abstractmethod
    def make(self, data: TrainingData) -> StrategyLists:
        """Learn the lists. Import learners inside: the web process imports this module for its rules alone."""

    def violation(self, anchors: Sequence[Anchor], offer: Offer, price: float | None) -> str | None:
        """The rule that ``offer``, at its live ``price`` for this customer, breaks beside these anchors; None: none."""
        return None


def evidence_of(offer: Offer) -> dict[str, Any]:
    """Evidence by name, as the admin and the API show it."""
    return dict(zip(EVIDENCE[offer.reason], offer.evidence, strict=False))
