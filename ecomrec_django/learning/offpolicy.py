"""What another way of choosing arms would have earned, from what the present one showed and how probably it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import DataError

# A row counts at most so many times over: else a few rows that were improbable decide alone.
CLIP = 20.0
# Rows' worth of evidence below which nothing is said.
MIN_EFFECTIVE = 200
# Resamples of the interval.
DRAWS = 400
# Rows' worth of trust that an arm does in a segment what it does in all.
PRIOR_ROWS = 50.0
FOLDS = 2


@dataclass(frozen=True)
class Log:
    """What was shown: number of the arm, the chance it had, number of the segment, and what it earned; shape (rows,)
    each. ``visitor``: whose row it is, for rows of one visitor stand together."""

    arm: np.ndarray
    propensity: np.ndarray
    segment: np.ndarray
    reward: np.ndarray
    visitor: np.ndarray


@dataclass(frozen=True)
class Estimate:
    """Earned a row, the ends of the 95 % interval, and how many rows' worth of evidence there are."""

    value: float
    low: float
    high: float
    effective: float


def snips(log: Log, policy: np.ndarray, seed: int = 0) -> Estimate:
    """Of ``policy``, chances of shape (segments, arms): self-normalised inverse propensity score, Σ w r / Σ w.

    A. Swaminathan and T. Joachims, The Self-Normalized Estimator for Counterfactual Learning, 2015. Raises DataError
    below MIN_EFFECTIVE.
    """
    weight, effective = _weighted(log, policy)

    def value(earned: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return earned / np.maximum(weights, 1e-12)

    return _estimate(log, (weight * log.reward, weight), value, effective, seed)


def doubly_robust(log: Log, policy: np.ndarray, seed: int = 0) -> Estimate:
    """The same by what a model expects of ``policy``, corrected by what was seen: mean q(policy) + Σ w (r - q) / Σ w.

    M. Dudík, J. Langford and L. Li, Doubly Robust Policy Evaluation and Learning, 2011; the weights normalised as by
    P. Thomas and E. Brunskill, 2016, so that clipping them does not pull towards the model. That is the mean reward of
    each arm in each segment, drawn towards the arm's own, and learned from the other half of the visitors.
    """
    weight, effective = _weighted(log, policy)
    expected, told = np.empty(len(log.arm)), np.empty(len(log.arm))
    fold = np.unique(log.visitor, return_inverse=True)[1] % FOLDS
    for part in range(FOLDS):
        model = _mean_rewards(log, fold != part, policy.shape)
        here = fold == part
        told[here] = model[log.segment[here], log.arm[here]]
        expected[here] = (policy * model).sum(axis=1)[log.segment[here]]

    def value(model: np.ndarray, rows: np.ndarray, missed: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return model / np.maximum(rows, 1) + missed / np.maximum(weights, 1e-12)

    missed = weight * (log.reward - told)
    return _estimate(log, (expected, np.ones(len(weight)), missed, weight), value, effective, seed)


def _weighted(log: Log, policy: np.ndarray) -> tuple[np.ndarray, float]:
    """How often each row counts, and how many rows that is worth: (Σ w)² / Σ w² (L. Kish 1965)."""
    weight = np.minimum(policy[log.segment, log.arm] / log.propensity, CLIP)
    squares = float((weight**2).sum())
    effective = float(weight.sum()) ** 2 / squares if squares else 0.0
    if effective < MIN_EFFECTIVE:
        raise DataError(
            f"What was shown is worth {effective:.0f} visitor-days of evidence, and {MIN_EFFECTIVE} are needed: wait, "
            "or give the arms that are to be judged a greater share."
        )
    return weight, effective


def _mean_rewards(log: Log, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
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
    log: Log, columns: tuple[np.ndarray, ...], value: Callable[..., np.ndarray], effective: float, seed: int
) -> Estimate:
    """``value`` of the sums of ``columns``, shape (rows,) each, with the interval of DRAWS bootstrap samples.

    In each a visitor counts a Poisson(1) number of times, which is as good as drawing with replacement where there are
    many (D. Chamandy et al., Estimating Uncertainty for Massive Data Streams, 2012).
    """
    ids, own = np.unique(log.visitor, return_inverse=True)
    sums = np.stack([np.bincount(own, column, len(ids)) for column in columns], axis=1)
    times = np.random.default_rng(seed).poisson(1.0, (DRAWS, len(ids)))
    low, high = np.quantile(value(*(times @ sums).T), [0.025, 0.975])
    found = float(value(*sums.sum(axis=0)))
    return Estimate(found, min(float(low), found), max(float(high), found), effective)
