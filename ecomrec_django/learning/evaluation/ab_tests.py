"""Comparison of the arms of an experiment, valid however often the results are checked."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite, log, sqrt

import numpy as np

from ..types import FloatArray, IntArray, NumberArray

ALPHA = 0.05
# Arms with fewer visitors are not compared: their mean spend is not normally distributed.
MIN_VISITORS = 200
# Visitors per arm for which `always_valid_interval` is narrowest.
PLANNED = 5_000
# Below this probability, visitors are not split as configured.
MISMATCH = 0.001


@dataclass(frozen=True)
class ArmSample:
    """An outcome of the visitors of an arm.

    count: visitors
    total, squares: sums of the outcome and of its squares
    """

    count: float
    total: float
    squares: float

    @classmethod
    def of(cls, values: NumberArray) -> ArmSample:
        """The sample of ``values``, one outcome per visitor, shape (visitors,)."""
        return cls(len(values), float(values.sum()), float((values**2).sum()))

    @property
    def mean(self) -> float:
        """Mean of the outcome; 0 without visitors."""
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        """Unbiased variance of the outcome."""
        if self.count < 2:
            return 0.0
        return max(self.squares - self.count * self.mean**2, 0.0) / (self.count - 1)

    def __add__(self, other: ArmSample) -> ArmSample:
        return ArmSample(self.count + other.count, self.total + other.total, self.squares + other.squares)


@dataclass(frozen=True)
class Difference:
    """The difference of two means.

    mean: the difference
    low, high: bounds of its 95 % interval
    p: probability of a difference at least as large by chance alone
    """

    mean: float
    low: float
    high: float
    p: float

    @property
    def significant(self) -> bool:
        """Whether the 95 % interval excludes no difference."""
        return self.p < ALPHA


def always_valid_interval(arm: ArmSample, other: ArmSample) -> Difference:
    """``arm`` minus ``other``, valid however often it is checked.

    Mixture sequential probability ratio test (R. Johari, P. Koomen, L. Pekelis and D. Walsh, Always Valid Inference,
    2015, section 5): with V the variance of the difference and a normal mixture of variance T over true differences,

        p = sqrt((V + T) / V) · exp(-T d² / (2 V (V + T)))
        |d - true| < sqrt(2 V (V + T) / T · ln(sqrt((V + T) / V) / α))

    T is four times V with PLANNED visitors per arm, which means differences of two standard errors then. The interval
    is infinite below MIN_VISITORS.
    """
    if min(arm.count, other.count) < MIN_VISITORS:
        return _unknown(arm, other)
    mean = arm.mean - other.mean
    variance = arm.variance / arm.count + other.variance / other.count
    if variance == 0:
        return Difference(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    mixture = 4 * (arm.variance + other.variance) / PLANNED
    both = variance + mixture
    p = min(1.0, sqrt(both / variance) * exp(-mixture * mean**2 / (2 * variance * both)))
    half = sqrt(2 * variance * both / mixture * (log(1 / ALPHA) + 0.5 * log(both / variance)))
    return Difference(mean, mean - half, mean + half, p)


def _unknown(arm: ArmSample, other: ArmSample) -> Difference:
    return Difference(arm.mean - other.mean, float("-inf"), float("inf"), 1.0)


def sample_ratio_mismatch(counts: IntArray, shares: FloatArray) -> float:
    """Probability of a split as uneven as ``counts`` if visitors are split by ``shares``, shape (arms,) each.

    Chi-squared test; below MISMATCH, the experiment is broken and its figures are meaningless (A. Fabijan et al.,
    Diagnosing Sample Ratio Mismatch, 2019).
    """
    from scipy.stats import chi2

    open_arms = shares > 0
    if counts[~open_arms].any():
        return 0.0
    counts, shares = counts[open_arms], shares[open_arms]
    if counts.sum() == 0 or len(counts) < 2:
        return 1.0
    expected = counts.sum() * shares / shares.sum()
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1))


def sample_ratio_mismatch_by_propensity(arm: IntArray, propensity: FloatArray, arms: int) -> float:
    """`sample_ratio_mismatch` for changing shares: arm and propensity of each exposure, shape (exposures,).

    The sum of 1 / propensity over an arm's exposures estimates the number of all exposures, with a variance of the sum
    of (1 - propensity) / propensity². Returns the smallest p of all arms, times their number.
    """
    from scipy.stats import norm

    if not len(arm):
        return 1.0
    estimate = np.bincount(arm, 1 / propensity, arms)
    variance = np.bincount(arm, (1 - propensity) / propensity**2, arms)
    deviation = np.abs(estimate - len(arm)) / np.sqrt(np.maximum(variance, 1e-12))
    with_visitors = np.bincount(arm, minlength=arms) > 0
    p = 2 * norm.sf(deviation[with_visitors])
    return float(min(1.0, p.min() * arms)) if isfinite(p.min()) else 1.0
