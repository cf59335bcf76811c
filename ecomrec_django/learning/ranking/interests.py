"""How much a shopper cares for a thing (a need, an aisle, a brand, a price level), from events that fade with time."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ...errors import DataError
from ..interactions import KINDS
from ..types import FloatArray, IntArray

# Columns of `counts`, in the order of the weights.
EVENT_GROUPS = ("view", "cart", "purchase", "review")
# kind -> its column, and what one event adds to it; a review adds how good it is.
_ADDS = {
    "view_item": ("view", 1.0),
    "add_to_cart": ("cart", 1.0),
    "remove_from_cart": ("cart", -1.0),
    "purchase": ("purchase", 1.0),
    "refund": ("purchase", -1.0),
    "review": ("review", 1.0),
}
_COLUMN = np.array([EVENT_GROUPS.index(_ADDS[kind][0]) if kind in _ADDS else -1 for kind in KINDS])
_SIGN = np.array([_ADDS[kind][1] if kind in _ADDS else 0.0 for kind in KINDS])
_REVIEW = KINDS.index("review")
# Stars that say neither good nor bad, and how many more make the best.
NEUTRAL_STARS, STARS_ABOVE = 3.0, 2.0


@dataclass(frozen=True, kw_only=True)
class InterestWeights:
    """What one event of each group is worth, 0 and more. Raises DataError for other numbers.

    view, cart, purchase, review: weights of the EVENT_GROUPS
    half_life: days after which an event is worth half, above 0
    """

    view: float = 1.0
    cart: float = 3.0
    purchase: float = 5.0
    review: float = 3.0
    half_life: float = 30.0

    def __post_init__(self) -> None:
        values = [getattr(self, field.name) for field in fields(self)]
        if not np.isfinite(values).all() or min(values) < 0 or self.half_life == 0:
            raise DataError(f"Weights must be finite and 0 or more, and a half-life above 0, not {self}.")


def counts(
    thing: IntArray, kind: IntArray, age: FloatArray, rating: FloatArray, half_life: float
) -> tuple[IntArray, FloatArray]:
    """Things with events, ascending, and their decayed events by group, shape (things, EVENT_GROUPS).

    Arguments as of `interests`. What was taken back is not counted, so that views, carts and purchases are never below
    0; a sum of reviews lies below 0 where they are bad.
    """
    column = _COLUMN[kind]
    used = np.flatnonzero((thing >= 0) & (column >= 0))
    kind, column = kind[used], column[used]
    things, position = np.unique(thing[used], return_inverse=True)
    amount = _SIGN[kind] * 0.5 ** (np.maximum(age[used], 0.0) / half_life)
    reviews = np.flatnonzero(kind == _REVIEW)
    if len(reviews):
        stars = rating[used[reviews]]
        # A review without stars says nothing of good or bad.
        good = np.where(np.isnan(stars), 0.0, (stars - NEUTRAL_STARS) / STARS_ABOVE)
        amount[reviews] *= np.minimum(np.maximum(good, -1.0), 1.0)
    # Of nothing, bincount makes whole numbers.
    sums = np.bincount(position * len(EVENT_GROUPS) + column, amount, len(things) * len(EVENT_GROUPS)).astype(
        np.float64, copy=False
    )
    sums = sums.reshape(-1, len(EVENT_GROUPS))
    np.maximum(sums[:, :-1], 0.0, out=sums[:, :-1])
    return things, sums


def interests(
    thing: IntArray, kind: IntArray, age: FloatArray, rating: FloatArray, weights: InterestWeights
) -> tuple[IntArray, FloatArray]:
    """The things one shopper cares for, ascending, and how much: Σ weight(kind) · 0.5^(age / half-life), all above 0.

    Per event, shape (events,) each, in any order:

    thing: a number, -1 for none
    kind: a place in KINDS
    age: in days
    rating: stars 1…5 of a review, of which 3 count nothing, 5 the whole weight and 1 as much against it; NaN for
        unknown

    ``remove_from_cart`` takes a cart's weight back, ``refund`` a purchase's, as far as there is any.

    Scores add up: those of old events, times 0.5^(days since / half-life), and those of new ones are the scores of all,
    unless one part takes back, or judges badly, what the other holds; then sum anew.
    """
    things, sums = counts(thing, kind, age, rating, weights.half_life)
    scores = sums @ np.array([weights.view, weights.cart, weights.purchase, weights.review])
    positive = scores > 0
    return things[positive], scores[positive]


def shares(scores: FloatArray) -> FloatArray:
    """Each score's part of the shopper's whole, 0…1, shape as given."""
    total = scores.sum()
    return scores / total if total > 0 else np.zeros(np.shape(scores))


def blend(interest: FloatArray, similarity: FloatArray) -> FloatArray:
    """interest·similarity / (interest + similarity), half their harmonic mean; 0 where both are 0. None is below 0."""
    total = np.asarray(interest + similarity, np.float64)
    return np.divide(interest * similarity, total, out=np.zeros(total.shape), where=total > 0)
