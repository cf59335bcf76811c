"""What every strategy shares: its lists, their compact text form, and the rules a page re-checks.

The web process imports this module; it needs numpy only.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..learning.amounts import Amount
from ..learning.types import FloatArray, IntArray

if TYPE_CHECKING:
    from ..learning.ranking.item_features import ItemFeatures
    from ..learning.ranking.shopper_features import ShopperFeatures
    from ..learning.statistics.training_data import TrainingData

LIST_LENGTH = 20
EVIDENCE_WIDTH = 10
# What learned rankers predict: what is bought with an item, what is bought next, and what shoppers trade up to.
RANKERS = ("bought_with", "for_you", "upgrade_to")
# Scores up to this are of bestsellers that fill a list, and say nothing more.
FILL_SCORE = 1e-6
# Whole numbers below this are exact in float32.
MAX_COUNT = 2**24


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
    Reason.TOGETHER: ("orders", "customers", "expected", "lift", "llr", "substitutability", "probability"),
    Reason.AISLE: ("customers", "probability", "lift"),
    Reason.SIMILAR: ("similarity", "orders"),
    Reason.UPGRADE: (
        *("ratio", "low", "high", "similarity", "switchers", "size", "rating", "brand", "features"),
        "probability",
    ),
    Reason.POPULAR: ("customers",),
    Reason.PINNED: (),
    Reason.AGAIN: ("probability", "baskets", "days", "cycle"),
    Reason.SEEN: ("probability", "days"),
    Reason.TASTE: ("probability", "share"),
    Reason.INTEREST: ("probability", "interest"),
    Reason.ALIKE: ("similarity",),
    Reason.EXTRA: ("ratio",),
}


class ViolationCode(StrEnum):
    """What keeps an offer out of a block. `insights.rule_messages` has the words, the API gives the code."""

    # The guard's, whatever the strategy.
    BLOCKED = "blocked"
    ANCHOR = "anchor"
    IN_CART = "in_cart"
    SHOWN = "shown"
    SAME_AISLE = "same_aisle"
    MISSING = "missing"
    UNAVAILABLE = "unavailable"
    NO_PRICE = "no_price"
    AISLE_FULL = "aisle_full"
    DUPLICATE_TITLE = "duplicate_title"
    OUT_OF_BAND = "out_of_band"
    # Params: name.
    HIDDEN_BY_RULE = "hidden_by_rule"
    # Params: names.
    NOT_ALLOWED_BY_RULES = "not_allowed_by_rules"
    # Why an item is no candidate at all.
    OTHER_NEED = "other_need"
    # Params: orders, customers; none where no order holds both.
    TOO_WEAK = "too_weak"
    # A strategy's, against the anchors.
    SAME_AISLE_AS_ANCHOR = "same_aisle_as_anchor"
    PRICE_UNKNOWN = "price_unknown"
    NOT_MORE_EXPENSIVE = "not_more_expensive"
    BELOW_PRICE_BAND = "below_price_band"
    ABOVE_PRICE_BAND = "above_price_band"
    SAME_TITLE = "same_title"
    SMALLER_AMOUNT = "smaller_amount"
    HIGHER_UNIT_PRICE = "higher_unit_price"
    ABOVE_EXTRA_PRICE = "above_extra_price"


@dataclass(frozen=True)
class Violation:
    """The rule that an offer breaks.

    code: a `ViolationCode`, or the code of a project's own strategy
    params: what its message names; see the comments of `ViolationCode`
    """

    code: str
    params: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Lists:
    """Ranked lists of N offers laid end to end: list k is rows ``starts[k]:starts[k + 1]`` of the offer arrays.

    owners: Item.pk or Category.pk of each list, shape (lists,) int64
    starts: the first row of each list, and N, shape (lists + 1,) int64
    items: Item.pk, shape (N,) int64
    scores: shape (N,) float32
    reasons: of `Reason`, shape (N,) int8
    evidence: shape (N, EVIDENCE_WIDTH) float32, NaN where a reason has no such column
    """

    owners: IntArray
    starts: IntArray
    items: IntArray
    scores: FloatArray
    reasons: IntArray
    evidence: FloatArray

    @classmethod
    def empty(cls) -> Lists:
        """No list at all, with arrays of the right types."""
        return cls(
            owners=np.empty(0, np.int64),
            starts=np.zeros(1, np.int64),
            items=np.empty(0, np.int64),
            scores=np.empty(0, np.float32),
            reasons=np.empty(0, np.int8),
            evidence=np.empty((0, EVIDENCE_WIDTH), np.float32),
        )


@dataclass(frozen=True)
class StrategyLists:
    """What one strategy made.

    by_item: lists owned by items
    by_category: fall-back lists owned by categories
    for_all: one list for everybody, whose owner means nothing
    """

    by_item: Lists
    by_category: Lists = field(default_factory=Lists.empty)
    for_all: Lists = field(default_factory=Lists.empty)


class Offer(NamedTuple):
    """One stored offer; a tuple, because a page decodes many.

    item: the shop's id
    score: by which the list is ranked
    reason: why the item stands in the list
    aisle: Category.pk of its aisle, 0 where unknown
    evidence: the columns EVIDENCE of the reason; None where unknown
    """

    item: str
    score: float
    reason: Reason
    aisle: int
    evidence: tuple[float | None, ...]


class LiveProduct(NamedTuple):
    """What a page knows now of an offered product, or of one that a block stands beside.

    item: the shop's id
    price: this shopper's; None where unknown
    aisle: Category.pk of its aisle, 0 where unknown
    title, amount, rating: read for strategies of the `same_need` alone, else "" and None
    """

    item: str
    price: float | None
    aisle: int
    title: str = ""
    amount: Amount | None = None
    rating: float | None = None


def encode_offers(offers: Sequence[Offer]) -> str:
    """Compact JSON ``[[item, score, reason, aisle, evidence…], …]``; numbers as `round_for_json` writes them."""
    return json.dumps(
        [
            [
                offer.item,
                round_for_json(offer.score),
                int(offer.reason),
                offer.aisle,
                *map(round_for_json, offer.evidence),
            ]
            for offer in offers
        ],
        separators=(",", ":"),
    )


def decode_offers(text: str) -> list[Offer]:
    """The offers of `encode_offers`."""
    # By keyword this would take an eighth longer, for each block of a page.
    return [
        Offer._make((item, score, Reason(reason), aisle, tuple(evidence)))
        for item, score, reason, aisle, *evidence in json.loads(text)
    ]


def round_for_json(number: float | None) -> float | int | None:
    """A count as it is, any other number with four significant digits; None for what is not finite."""
    if number is None or not math.isfinite(number):
        return None
    value = float(number)
    if abs(value) >= MAX_COUNT or not value.is_integer():
        value = float(f"{value:.4g}")
    return int(value) if value.is_integer() else value


def gettext_noop(message: str) -> str:
    """Mark ``message`` for the message catalogue, as Django's function of this name does, without Django."""
    return message


class Strategy(ABC):
    """One kind of offer: how its lists are made (in a worker) and which rules a page re-checks (in the web process).

    Its name is its key in ``ECOMREC["STRATEGIES"]``.
    """

    # The heading of its blocks, for shoppers; "" for that of the shipped strategy of its name, or else of "for you".
    # Whoever shows it translates it.
    title = ""
    # Its name for the staff, likewise; "" for its name in words.
    label = ""
    # Most offers of one aisle in one block; None for no bound.
    per_aisle: int | None = None
    # The learned ranker, one of RANKERS, that orders its offers for one shopper; "" for none. Strategies may share one,
    # whose evaluation compares it with the lists of the first of them in ``ECOMREC["STRATEGIES"]``.
    ranker = ""
    # Whether a shopper's own candidates join its lists; if not, the ranker changes their order alone.
    personal_candidates = True
    # Whether a shopper's offers are ranked by what the anchors add, instead of by how probably they are bought at all.
    by_uplift = False
    # What its offers may be ranked by, of `objectives.Objective`; the stored scores are those of the first. None: these
    # alone.
    objectives: tuple[str, ...] = ()
    # Exponent of what an offer is worth in scores of revenue and margin.
    worth_exponent = 1.0
    # Whether its offers are bought together with what they stand beside.
    bundles = False
    # Whether its offers answer the same need as what they stand beside.
    same_need = False
    # Whether it offers something beside items; if not, it is asked for a category or the whole shop.
    needs_anchor = True
    # Whether only a known shopper is offered anything: their own items, see `shopper_items`. Its lists are empty.
    personal_only = False

    @abstractmethod
    def make(self, data: TrainingData) -> StrategyLists:
        """Learn the lists. Import learners inside: the web process imports this module for its rules alone."""

    def shopper_items(self, item_features: ItemFeatures, shopper: ShopperFeatures, day: float) -> IntArray:
        """Item numbers, ascending, that a strategy with ``personal_only`` may offer a shopper on ``day``, since 1970.

        They are of the shopper's own, and are ranked by ``ranker``.
        """
        return shopper.items.things

    def violation(self, anchors: Sequence[LiveProduct], offer: Offer, live: LiveProduct) -> str | None:
        """The code of the rule that ``offer``, whose product is ``live`` now, breaks against these anchors.

        A `ViolationCode`, or a code of the strategy's own, which is shown to the staff as it is; None: it breaks none.
        """
        return None


def evidence_of(offer: Offer) -> dict[str, Any]:
    """Evidence by name, as the admin and the API show it."""
    return dict(zip(EVIDENCE[offer.reason], offer.evidence, strict=False))
