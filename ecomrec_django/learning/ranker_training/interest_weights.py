"""Fit the weights of interests on what visitors buy later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import DataError
from ..interactions import DAY, Interactions
from ..ranking.interests import EVENT_GROUPS, InterestWeights, counts
from ..sparse import positions
from ..types import BoolArray, FloatArray, IntArray

HALF_LIVES = (3.0, 7.0, 14.0, 30.0, 90.0, 180.0)
# Purchases that weights are fitted on, and things not bought that are drawn for each.
MAX_PURCHASES = 100_000
NEGATIVES = 4
HELD_OUT = 1 / 3
# Cases with a group of events that it takes to fit the group's weight.
MIN_CASES = 30
# Standard errors by which held-out visitors must be predicted better than without their events.
MIN_SURPRISE = 3.0
RIDGE = 1e-4


@dataclass(frozen=True)
class FittedInterests:
    """Weights, and what they are good for.

    weights: the defaults where nothing was predicted better than by chance
    skill: share of the log loss on held-out visitors that the weights save, 0…1; 0 for the defaults
    cases: pairs of a visitor and a thing that were looked at
    """

    weights: InterestWeights
    skill: float
    cases: int


def fit_weights(before: Interactions, after: Interactions, thing: IntArray, seed: int = 0) -> FittedInterests:
    """The weights by which events ``before`` predict best what is bought ``after``; ``thing``, shape (items,), numbers
    the thing of each item, -1 for none.

    A logistic regression with weights of 0 and more, on decayed `counts` per group; the half-life is that of HALF_LIVES
    with the least loss. For each thing that a visitor bought there are NEGATIVES that this visitor did not, drawn as
    often as all visitors bought them; how often that is enters the regression too, so that what everybody buys is no
    skill. A group of events in fewer than MIN_CASES cases keeps its default weight. Raises DataError if the two
    histories do not have the same items.
    """
    if len(thing) != len(before.items) or not np.array_equal(before.items.ids, after.items.ids):
        raise DataError("To fit weights, both histories need the same items, with one need or brand per item.")
    rng = np.random.default_rng(seed)
    visitor, number, bought = _cases(before, after, thing, rng)
    defaults = FittedInterests(InterestWeights(), 0.0, len(bought))
    visitors = np.unique(visitor)
    held_out = np.isin(visitor, rng.permutation(visitors)[: round(len(visitors) * HELD_OUT)])
    if any(len(np.unique(bought[part])) < 2 for part in (held_out, ~held_out)):
        return defaults
    popularity = np.log1p(np.bincount(number, bought)[number])[:, None]
    events = _event_rows(before, visitor, number, thing)
    tried = [(half_life, _event_counts(before, events, half_life, len(bought))) for half_life in HALF_LIVES]
    fitted = (tried[0][1][~held_out] != 0).sum(axis=0) >= MIN_CASES
    if not fitted.any():
        return defaults
    losses = [
        _fit(popularity[~held_out], features[~held_out][:, fitted], bought[~held_out])[1] for _, features in tried
    ]
    half_life, features = tried[int(np.argmin(losses))]
    features = features[:, fitted]
    skill = _skill(popularity, features, bought, held_out, visitor)
    coefficients, _ = _fit(popularity, features, bought)
    if skill <= 0 or not coefficients[2:].any():
        return defaults
    return FittedInterests(_weights(coefficients[2:], fitted, half_life), skill, len(bought))


def _cases(
    before: Interactions, after: Interactions, thing: IntArray, rng: np.random.Generator
) -> tuple[IntArray, IntArray, BoolArray]:
    """Visitor (as ``before`` numbers it) and thing of each case, and whether it was bought; shapes (cases,)."""
    sales = after.of_kind("purchase")
    known = before.visitors.numbers(after.visitors.ids)
    sale_visitor, sale_thing = np.append(known, -1)[sales.visitor], thing[sales.item]
    active = np.isin(sale_visitor, before.visitor[thing[before.item] >= 0])
    used = (sale_visitor >= 0) & (sale_thing >= 0) & active
    things = int(thing.max(initial=-1)) + 1
    bought = np.unique(sale_visitor[used] * things + sale_thing[used])
    if not len(bought):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool)
    drawn = rng.permutation(bought)[:MAX_PURCHASES]
    negatives = np.repeat(drawn // things, NEGATIVES) * things + rng.choice(bought % things, len(drawn) * NEGATIVES)
    negatives = negatives[~np.isin(negatives, bought)]
    visitor, number = np.divmod(np.r_[drawn, negatives], things)
    return visitor, number, np.r_[np.ones(len(drawn), bool), np.zeros(len(negatives), bool)]


def _event_rows(
    before: Interactions, visitor: IntArray, number: IntArray, thing: IntArray
) -> tuple[IntArray, IntArray]:
    """Each case's row among the distinct (visitor, thing) pairs, and each event's row, -1 for one of no case."""
    things = int(thing.max()) + 1
    pairs, row = np.unique(visitor * things + number, return_inverse=True)
    event_thing = thing[before.item]
    known = (before.visitor >= 0) & (event_thing >= 0)
    return row, positions(pairs, np.where(known, before.visitor * things + event_thing, -1))


def _event_counts(before: Interactions, rows: tuple[IntArray, IntArray], half_life: float, cases: int) -> FloatArray:
    """Decayed events by group of each case, shape (cases, EVENT_GROUPS), as they were at the end of ``before``."""
    case_row, event_row = rows
    age = (before.time.max() - before.time) / DAY
    numbers, sums = counts(event_row, before.kind, age, before.rating, half_life)
    features = np.zeros((cases, len(EVENT_GROUPS)))
    features[numbers] = sums
    return features[case_row]


def _fit(popularity: FloatArray, features: FloatArray, bought: BoolArray) -> tuple[FloatArray, float]:
    """Offset, coefficient of the ``popularity`` and of the ``features`` (0 and more), and the mean log loss."""
    from scipy.optimize import minimize

    columns = np.hstack([np.ones((len(bought), 1)), popularity, features])
    scale = np.maximum(columns.std(axis=0), 1e-9)
    scale[0] = 1.0
    columns = columns / scale

    def loss(coefficients: FloatArray) -> tuple[float, FloatArray]:
        raw = columns @ coefficients
        slope = (_probability(raw) - bought) / len(bought)
        penalised = coefficients[2:]
        return _losses(raw, bought).mean() + RIDGE * (penalised**2).sum(), columns.T @ slope + np.r_[
            0.0, 0.0, 2 * RIDGE * penalised
        ]

    start = np.zeros(columns.shape[1])
    bounds = [(None, None)] * 2 + [(0.0, None)] * features.shape[1]
    optimum = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return optimum.x / scale, float(optimum.fun)


def _skill(
    popularity: FloatArray, features: FloatArray, bought: BoolArray, held_out: BoolArray, visitor: IntArray
) -> float:
    """Share of the held-out log loss that ``features`` save, added to ``popularity``; 0 if chance might have."""
    raw = [
        np.hstack([np.ones((held_out.sum(), 1)), popularity[held_out], columns[held_out]])
        @ _fit(popularity[~held_out], columns[~held_out], bought[~held_out])[0]
        for columns in (features[:, :0], features)
    ]
    without, with_features = (_losses(values, bought[held_out]) for values in raw)
    # A visitor's cases are not independent: the error is that of the visitors' sums.
    saved = np.bincount(np.unique(visitor[held_out], return_inverse=True)[1], without - with_features)
    if saved.sum() <= MIN_SURPRISE * np.sqrt((saved**2).sum()):
        return 0.0
    return float(saved.sum() / without.sum())


def _weights(coefficients: FloatArray, fitted: BoolArray, half_life: float) -> InterestWeights:
    """Coefficients as weights: together they weigh what their defaults do; the groups not fitted keep theirs."""
    weights = np.array([getattr(InterestWeights, group) for group in EVENT_GROUPS])
    weights[fitted] = coefficients / coefficients.sum() * weights[fitted].sum()
    return InterestWeights(**dict(zip(EVENT_GROUPS, weights.tolist(), strict=True)), half_life=half_life)


def _losses(raw: FloatArray, bought: BoolArray) -> FloatArray:
    return np.logaddexp(0.0, raw) - raw * bought


def _probability(raw: FloatArray) -> FloatArray:
    return 0.5 * (1.0 + np.tanh(raw / 2.0))
