"""Whether one arm of an experiment does better than another, however often somebody looks."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite, log, sqrt

import numpy as np

ALPHA = 0.05
# Visitors of an arm below which nothing is said: what few of them spend is not normally distributed.
MIN_VISITORS = 200
# Visitors of an arm for which `always_valid` is made sharpest.
PLANNED = 5_000
# Below this probability the split of visitors is not the one that was asked for.
MISMATCH = 0.001


@dataclass(frozen=True)
class Sample:
    """Visitors of an arm, and the sums of an outcome of theirs and of its squares."""

    count: float
    total: float
    squares: float

    @classmethod
    def of(cls, values: np.ndarray) -> Sample:
        return cls(len(values), float(values.sum()), float((values**2).sum()))

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        """Of the outcome, unbiased."""
        if self.count < 2:
            return 0.0
        return max(self.squares - self.count * self.mean**2, 0.0) / (self.count - 1)

    def __add__(self, other: Sample) -> Sample:
        return Sample(self.count + other.count, self.total + other.total, self.squares + other.squares)


@dataclass(frozen=True)
class Difference:
    """How much greater one mean is than another, the ends of its 95 % interval, and how probable a difference at least
    so great is by chance alone."""

    mean: float
    low: float
    high: float
    p: float

    @property
    def sure(self) -> bool:
        return self.p < ALPHA


def welch(one: Sample, other: Sample) -> Difference:
    """``one`` minus ``other`` where it is looked at once (B. L. Welch 1947)."""
    from scipy.stats import t

    if min(one.count, other.count) < 2:
        return _unknown(one, other)
    parts = one.variance / one.count, other.variance / other.count
    error = sqrt(sum(parts))
    mean = one.mean - other.mean
    if error == 0:
        return Difference(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / (one.count - 1) + parts[1] ** 2 / (other.count - 1))
    half = float(t.ppf(1 - ALPHA / 2, degrees)) * error
    return Difference(mean, mean - half, mean + half, float(2 * t.sf(abs(mean) / error, degrees)))


def always_valid(one: Sample, other: Sample) -> Difference:
    """``one`` minus ``other`` however often it is looked at.

    Mixture sequential probability ratio test (R. Johari, P. Koomen, L. Pekelis and D. Walsh, Always Valid Inference,
    2015, section 5): with V the variance of the difference and a normal mixture of variance T over true differences,

        p = sqrt((V + T) / V) · exp(-T d² / (2 V (V + T)))
        |d - true| < sqrt(2 V (V + T) / T · ln(sqrt((V + T) / V) / α))

    T is what V would be with PLANNED visitors an arm, times 4: differences of two standard errors then.
    Below MIN_VISITORS nothing is known.
    """
    if min(one.count, other.count) < MIN_VISITORS:
        return _unknown(one, other)
    mean = one.mean - other.mean
    variance = one.variance / one.count + other.variance / other.count
    if variance == 0:
        return Difference(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    mixture = 4 * (one.variance + other.variance) / PLANNED
    both = variance + mixture
    p = min(1.0, sqrt(both / variance) * exp(-mixture * mean**2 / (2 * variance * both)))
    half = sqrt(2 * variance * both / mixture * (log(1 / ALPHA) + 0.5 * log(both / variance)))
    return Difference(mean, mean - half, mean + half, p)


def _unknown(one: Sample, other: Sample) -> Difference:
    return Difference(one.mean - other.mean, float("-inf"), float("inf"), 1.0)


def mismatch(counts: np.ndarray, shares: np.ndarray) -> float:
    """How probable a split as uneven as ``counts`` is if each visitor had the chances ``shares``; shape (arms,) each.

    Chi-squared; below MISMATCH the experiment is broken and its figures mean nothing (A. Fabijan et al., Diagnosing
    Sample Ratio Mismatch, 2019).
    """
    from scipy.stats import chi2

    asked = shares > 0
    if counts[~asked].any():
        return 0.0
    counts, shares = counts[asked], shares[asked]
    if counts.sum() == 0 or len(counts) < 2:
        return 1.0
    expected = counts.sum() * shares / shares.sum()
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1))


def mismatch_by_propensity(arm: np.ndarray, propensity: np.ndarray, arms: int) -> float:
    """The same where the shares changed: ``arm`` number and chance of each exposure, shape (exposures,).

    The sum of 1 / chance over an arm's exposures is the number of all exposures, give or take the root of the sum of
    (1 - chance) / chance². The least of the arms' probabilities, times their number.
    """
    from scipy.stats import norm

    if not len(arm):
        return 1.0
    told = np.bincount(arm, 1 / propensity, arms)
    variance = np.bincount(arm, (1 - propensity) / propensity**2, arms)
    apart = np.abs(told - len(arm)) / np.sqrt(np.maximum(variance, 1e-12))
    seen = np.bincount(arm, minlength=arms) > 0
    probable = 2 * norm.sf(apart[seen])
    return float(min(1.0, probable.min() * arms)) if isfinite(probable.min()) else 1.0
