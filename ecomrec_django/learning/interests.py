"""How much a shopper cares for a thing (a need, an aisle, a brand, a price level), from events that fade with time."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ..errors import DataError
from .interactions import KINDS, Interactions

# Columns of `counts`, in the order of the weights.
SORTS = ("view", "cart", "purchase", "review")
# kind -> its column, and what one event adds to it; a review adds how good it is.
_ADDS = {
    "view_item": ("view", 1.0),
    "add_to_cart": ("cart", 1.0),
    "remove_from_cart": ("cart", -1.0),
    "purchase": ("purchase", 1.0),
    "refund": ("purchase", -1.0),
    "review": ("review", 1.0),
}
_COLUMN = np.array([SORTS.index(_ADDS[kind][0]) if kind in _ADDS else -1 for kind in KINDS])
_SIGN = np.array([_ADDS[kind][1] if kind in _ADDS else 0.0 for kind in KINDS])
_REVIEW = KINDS.index("review")
# Stars that say neither good nor bad, and how many more make the best.
NEUTRAL_STARS, STARS_ABOVE = 3.0, 2.0

HALF_LIVES = (3.0, 7.0, 14.0, 30.0, 90.0, 180.0)
# Purchases that weights are fitted on, and things not bought that stand beside each.
MOST_PURCHASES = 100_000
OTHERS = 4
HELD_OUT = 1 / 3
# Cases with a sort of event that it takes to judge that sort.
MIN_CASES = 30
# Standard errors by which held-out visitors must be foretold better than without their events.
MIN_SURPRISE = 3.0
RIDGE = 1e-4


@dataclass(frozen=True)
class Weights:
    """What one event of a sort is worth, and the days after which it is worth half."""

    view: float = 1.0
    cart: float = 3.0
    purchase: float = 5.0
    review: float = 3.0
    half_life: float = 30.0

    def __post_init__(self) -> None:
        values = [getattr(self, field.name) for field in fields(self)]
        if not np.isfinite(values).all() or min(values) < 0 or self.half_life == 0:
            raise DataError(f"Weights must be finite and 0 or more, and a half-life above 0, not {self}.")


@dataclass(frozen=True)
class Fitted:
    """``skill``: share of the log loss on held-out visitors that the weights save, 0…1; 0: nothing was foretold better
    than by chance, and the weights are the defaults. ``cases``: pairs of a visitor and a thing that were
    looked at.
    """

    weights: Weights
    skill: float
    cases: int


def counts(
    thing: np.ndarray, kind: np.ndarray, age: np.ndarray, rating: np.ndarray, half_life: float
) -> tuple[np.ndarray, np.ndarray]:
    """Things with events, ascending, and their decayed events by sort, shape (things, SORTS).

    Arguments as of `interests`. What was taken back is not counted, so that views, carts and purchases are never below
    0; a sum of reviews lies below 0 where they are bad.
    """
    column = _COLUMN[kind]
    used = np.flatnonzero((thing >= 0) & (column >= 0))
    kind, column = kind[used], column[used]
    things, place = np.unique(thing[used], return_inverse=True)
    amount = _SIGN[kind] * 0.5 ** (np.maximum(age[used], 0.0) / half_life)
    reviews = np.flatnonzero(kind == _REVIEW)
    if len(reviews):
        stars = rating[used[reviews]]
        # A review without stars says nothing of good or bad.
        good = np.where(np.isnan(stars), 0.0, (stars - NEUTRAL_STARS) / STARS_ABOVE)
        amount[reviews] *= np.minimum(np.maximum(good, -1.0), 1.0)
    # Of nothing, bincount makes whole numbers.
    sums = np.bincount(place * len(SORTS) + column, amount, len(things) * len(SORTS)).astype(np.float64, copy=False)
    sums = sums.reshape(-1, len(SORTS))
    np.maximum(sums[:, :-1], 0.0, out=sums[:, :-1])
    return things, sums


def interests(
    thing: np.ndarray, kind: np.ndarray, age: np.ndarray, rating: np.ndarray, weights: Weights
) -> tuple[np.ndarray, np.ndarray]:
    """The things one shopper cares for, ascending, and how much: Σ weight(kind) · 0.5^(age / half-life), all above 0.

    Per event, shape (events,) each, in any order: ``thing`` a number, -1 for none · ``kind`` a place in KINDS · ``age``
    in days · ``rating`` stars 1…5 of a review, of which 3 count nothing, 5 the whole weight and 1 as much against it;
    NaN for unknown. ``remove_from_cart`` takes a cart's weight back, ``refund`` a purchase's, as far as there is any.

    Scores add up: those of old events, times 0.5^(days since / half-life), and those of new ones are the scores of all,
    unless one part takes back, or judges badly, what the other holds; then sum anew.
    """
    things, sums = counts(thing, kind, age, rating, weights.half_life)
    scores = sums @ np.array([weights.view, weights.cart, weights.purchase, weights.review])
    kept = scores > 0
    return things[kept], scores[kept]


def shares(scores: np.ndarray) -> np.ndarray:
    """Each score's part of the shopper's whole, 0…1, shape as given."""
    whole = scores.sum()
    return scores / whole if whole > 0 else np.zeros(np.shape(scores))


def blend(interest: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """interest·similarity / (interest + similarity), half their harmonic mean; 0 where both are 0. None is below 0."""
    whole = np.asarray(interest + similarity, np.float64)
    return np.divide(interest * similarity, whole, out=np.zeros(whole.shape), where=whole > 0)


def fit_weights(before: Interactions, after: Interactions, thing: np.ndarray, seed: int = 0) -> Fitted:
    """The weights by which events ``before`` foretell best what is bought ``after``; ``thing``, shape (items,), numbers
    the thing of each item, -1 for none.

    A logistic regression with weights of 0 and more, on decayed `counts` per sort; the half-life is that of HALF_LIVES
    with the least loss. Beside each thing that a visitor bought stand OTHERS that this visitor did not, drawn as often
    as all visitors bought them; how often that is stands in the regression too, so that what everybody buys is no
    skill. A sort of event in fewer than MIN_CASES cases keeps its default weight. Raises DataError if the two histories
    do not have the same items.
    """
    if len(thing) != len(before.items) or not np.array_equal(before.items.ids, after.items.ids):
        raise DataError("To fit weights, both histories need the same items, and each item its thing.")
    rng = np.random.default_rng(seed)
    visitor, number, bought = _cases(before, after, thing, rng)
    nothing = Fitted(Weights(), 0.0, len(bought))
    visitors = np.unique(visitor)
    held_out = np.isin(visitor, rng.permutation(visitors)[: round(len(visitors) * HELD_OUT)])
    if any(len(np.unique(bought[part])) < 2 for part in (held_out, ~held_out)):
        return nothing
    popular = np.log1p(np.bincount(number, bought)[number])[:, None]
    events = _events(before, visitor, number, thing)
    tried = [(half_life, _features(before, events, half_life, len(bought))) for half_life in HALF_LIVES]
    judged = (tried[0][1][~held_out] != 0).sum(axis=0) >= MIN_CASES
    if not judged.any():
        return nothing
    losses = [_fit(popular[~held_out], each[~held_out][:, judged], bought[~held_out])[1] for _, each in tried]
    half_life, features = tried[int(np.argmin(losses))]
    features = features[:, judged]
    skill = _skill(popular, features, bought, held_out, visitor)
    worth, _ = _fit(popular, features, bought)
    if skill <= 0 or not worth[2:].any():
        return nothing
    return Fitted(_weights(worth[2:], judged, half_life), skill, len(bought))


def _cases(
    before: Interactions, after: Interactions, thing: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Visitor (as ``before`` numbers it) and thing of each case, and whether it was bought; shapes (cases,)."""
    sales = after.of_kind("purchase")
    known = before.visitors.numbers(after.visitors.ids)
    who = np.append(known, -1)[sales.visitor]
    what = thing[sales.item]
    kept = (who >= 0) & (what >= 0) & np.isin(who, before.visitor[thing[before.item] >= 0])
    things = int(thing.max(initial=-1)) + 1
    bought = np.unique(who[kept] * things + what[kept])
    if not len(bought):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool)
    chosen = rng.permutation(bought)[:MOST_PURCHASES]
    others = np.repeat(chosen // things, OTHERS) * things + rng.choice(bought % things, len(chosen) * OTHERS)
    others = others[~np.isin(others, bought)]
    visitor, number = np.divmod(np.r_[chosen, others], things)
    return visitor, number, np.r_[np.ones(len(chosen), bool), np.zeros(len(others), bool)]


def _events(
    before: Interactions, visitor: np.ndarray, number: np.ndarray, thing: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each case's row among the distinct (visitor, thing) pairs, and each event's row, -1 for one of no case."""
    things = int(thing.max()) + 1
    pairs, row = np.unique(visitor * things + number, return_inverse=True)
    of = thing[before.item]
    key = np.where((before.visitor >= 0) & (of >= 0), before.visitor * things + of, -1)
    at = np.minimum(np.searchsorted(pairs, key), len(pairs) - 1)
    return row, np.where(pairs[at] == key, at, -1)


def _features(before: Interactions, events: tuple[np.ndarray, np.ndarray], half_life: float, cases: int) -> np.ndarray:
    """Decayed events by sort of each case, shape (cases, SORTS), as they were at the end of ``before``."""
    row, of = events
    age = (before.time.max() - before.time) / 86_400.0
    found, sums = counts(of, before.kind, age, before.rating, half_life)
    features = np.zeros((cases, len(SORTS)))
    features[found] = sums
    return features[row]


def _fit(popular: np.ndarray, features: np.ndarray, bought: np.ndarray) -> tuple[np.ndarray, float]:
    """Offset, worth of ``popular`` and worths of the ``features`` (0 and more), and the mean log loss they reach."""
    from scipy.optimize import minimize

    columns = np.hstack([np.ones((len(bought), 1)), popular, features])
    scale = np.maximum(columns.std(axis=0), 1e-9)
    scale[0] = 1.0
    columns = columns / scale

    def loss(worth: np.ndarray) -> tuple[float, np.ndarray]:
        raw = columns @ worth
        slope = (_chance(raw) - bought) / len(bought)
        return _losses(raw, bought).mean() + RIDGE * (worth[2:] ** 2).sum(), columns.T @ slope + np.r_[
            0.0, 0.0, 2 * RIDGE * worth[2:]
        ]

    start = np.zeros(columns.shape[1])
    bounds = [(None, None)] * 2 + [(0.0, None)] * features.shape[1]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x / scale, float(found.fun)


def _skill(
    popular: np.ndarray, features: np.ndarray, bought: np.ndarray, held_out: np.ndarray, visitor: np.ndarray
) -> float:
    """Share of the held-out log loss that ``features`` save beside ``popular`` alone; 0 if chance might have."""
    nothing = features[:, :0]
    raw = [
        np.hstack([np.ones((held_out.sum(), 1)), popular[held_out], known[held_out]])
        @ _fit(popular[~held_out], known[~held_out], bought[~held_out])[0]
        for known in (nothing, features)
    ]
    base, own = (_losses(each, bought[held_out]) for each in raw)
    # A visitor's cases are not independent: the error is that of the visitors' sums.
    saved = np.bincount(np.unique(visitor[held_out], return_inverse=True)[1], base - own)
    if saved.sum() <= MIN_SURPRISE * np.sqrt((saved**2).sum()):
        return 0.0
    return float(saved.sum() / base.sum())


def _weights(worth: np.ndarray, judged: np.ndarray, half_life: float) -> Weights:
    """Worths as weights: together they weigh what their defaults do; the sorts not judged keep theirs."""
    weights = np.array([getattr(Weights, sort) for sort in SORTS])
    weights[judged] = worth / worth.sum() * weights[judged].sum()
    return Weights(**dict(zip(SORTS, weights.tolist(), strict=True)), half_life=half_life)


def _losses(raw: np.ndarray, bought: np.ndarray) -> np.ndarray:
    return np.logaddexp(0.0, raw) - raw * bought


def _chance(raw: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(raw / 2.0))
