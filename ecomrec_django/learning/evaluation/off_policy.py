"""Off-policy estimates: the reward of another assignment of arms, from exposures with logged propensities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...errors import DataError
from ..types import BoolArray, FloatArray, IntArray

# Maximum weight of a row, so that a few improbable rows do not decide alone.
CLIP = 20.0
# Minimum effective sample size, in rows.
MIN_EFFECTIVE = 200
# Bootstrap samples of an interval.
DRAWS = 400
# Weight, in rows, of an arm's overall mean in the mean of a segment.
PRIOR_ROWS = 50.0
FOLDS = 2


@dataclass(frozen=True, kw_only=True)
class LoggedExposures:
    """Logged exposures and their rewards, arrays of shape (rows,).

    arm: number of the arm
    propensity: probability with which it was assigned
    segment: number of the visitor's segment
    reward: outcome
    visitor: number of the visitor; the rows of a visitor are resampled together
    """

    arm: IntArray
    propensity: FloatArray
    segment: IntArray
    reward: FloatArray
    visitor: IntArray


@dataclass(frozen=True)
class Estimate:
    """Estimated reward of a policy.

    value: mean reward of a row
    low, high: bounds of the 95 % interval
    effective: effective sample size, in rows
    """

    value: float
    low: float
    high: float
    effective: float


def snips(log: LoggedExposures, policy: FloatArray, seed: int = 0) -> Estimate:
    """The self-normalised inverse propensity score of ``policy``, Σ w r / Σ w.

    policy: probability of each arm, shape (segments, arms).
    Source: A. Swaminathan and T. Joachims, The Self-Normalized Estimator for Counterfactual Learning, 2015.
    Raises DataError below MIN_EFFECTIVE.
    """
    weight, effective = _weights(log, policy)

    def value(rewards: FloatArray, weights: FloatArray) -> FloatArray:
        return rewards / np.maximum(weights, 1e-12)

    return _estimate(log, (weight * log.reward, weight), value, effective, seed)


def doubly_robust(log: LoggedExposures, policy: FloatArray, seed: int = 0) -> Estimate:
    """The doubly robust estimate of ``policy``: mean q(policy) + Σ w (r - q) / Σ w, with a model q of the reward.

    The model is the mean reward of the arm in the segment, shrunk towards the arm's mean, and estimated on the other
    half of the visitors. Weights are normalised as in P. Thomas and E. Brunskill, 2016, so that clipping does not bias
    the estimate towards the model.

    policy: probability of each arm, shape (segments, arms).
    Source: M. Dudík, J. Langford and L. Li, Doubly Robust Policy Evaluation and Learning, 2011.
    Raises DataError below MIN_EFFECTIVE.
    """
    weight, effective = _weights(log, policy)
    expected, predicted = np.empty(len(log.arm)), np.empty(len(log.arm))
    fold = np.unique(log.visitor, return_inverse=True)[1] % FOLDS
    for part in range(FOLDS):
        model = _mean_rewards(log, fold != part, policy.shape)
        in_part = fold == part
        predicted[in_part] = model[log.segment[in_part], log.arm[in_part]]
        expected[in_part] = (policy * model).sum(axis=1)[log.segment[in_part]]

    def value(model: FloatArray, rows: FloatArray, residuals: FloatArray, weights: FloatArray) -> FloatArray:
        return model / np.maximum(rows, 1) + residuals / np.maximum(weights, 1e-12)

    residuals = weight * (log.reward - predicted)
    return _estimate(log, (expected, np.ones(len(weight)), residuals, weight), value, effective, seed)


def _weights(log: LoggedExposures, policy: FloatArray) -> tuple[FloatArray, float]:
    """The weight of each row, and the effective sample size (Σ w)² / Σ w² (L. Kish 1965)."""
    weight = np.minimum(policy[log.segment, log.arm] / log.propensity, CLIP)
    squares = float((weight**2).sum())
    effective = float(weight.sum()) ** 2 / squares if squares else 0.0
    if effective < MIN_EFFECTIVE:
        raise DataError(
            f"Not enough evidence: {effective:.0f} effective visitor-days, but {MIN_EFFECTIVE} are needed. Wait, or "
            "give the evaluated arms a larger share."
        )
    return weight, effective


def _mean_rewards(log: LoggedExposures, rows: BoolArray, shape: tuple[int, ...]) -> FloatArray:
    """Mean reward by segment and arm, shape (segments, arms)."""
    segments, arms = shape
    arm, reward = log.arm[rows], log.reward[rows]
    cell = log.segment[rows] * arms + arm
    count = np.bincount(cell, minlength=segments * arms).reshape(shape)
    total = np.bincount(cell, reward, segments * arms).reshape(shape)
    mean = reward.mean() if len(reward) else 0.0
    by_arm = (total.sum(axis=0) + PRIOR_ROWS * mean) / (count.sum(axis=0) + PRIOR_ROWS)
    return (total + PRIOR_ROWS * by_arm) / (count + PRIOR_ROWS)


def _estimate(
    log: LoggedExposures, columns: tuple[FloatArray, ...], value: Callable[..., FloatArray], effective: float, seed: int
) -> Estimate:
    """``value`` of the sums of ``columns``, shape (rows,) each, with the interval of DRAWS bootstrap samples.

    In each, a visitor counts a Poisson(1) number of times, which approximates drawing with replacement (D. Chamandy et
    al., Estimating Uncertainty for Massive Data Streams, 2012).
    """
    ids, visitor = np.unique(log.visitor, return_inverse=True)
    sums = np.stack([np.bincount(visitor, column, len(ids)) for column in columns], axis=1)
    times = np.random.default_rng(seed).poisson(1.0, (DRAWS, len(ids)))
    low, high = np.quantile(value(*(times @ sums).T), [0.025, 0.975])
    mean = float(value(*sums.sum(axis=0)))
    return Estimate(mean, min(float(low), mean), max(float(high), mean), effective)
