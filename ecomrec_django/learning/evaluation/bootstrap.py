"""Confidence intervals of means, by bootstrap over customers."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ..types import FloatArray, IntArray

DRAWS = 2_000
CONFIDENCE = 0.95
# Standard errors to either side of a mean that hold CONFIDENCE of a normal distribution.
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
# Weights in memory at once: 32 MB of them.
CHUNK = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its 95 % confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """The standard error of the mean, if it is normally distributed."""
        return (self.high - self.low) / (2 * Z)


def intervals(values: FloatArray, groups: IntArray, seed: int = 0) -> list[Interval]:
    """Of the mean of each column of ``values``, shape (cases, columns), at least one case.

    ``groups``, shape (cases,), says whose case each is. Percentile bootstrap over whole groups (A. C. Davison and
    D. V. Hinkley, Bootstrap Methods and their Application, 1997, sections 2.4 and 3.8): each of DRAWS draws takes as
    many groups as there are, with replacement, each with all of its cases. The draws are the same for all columns, and
    for all calls with the same ``seed`` and number of groups.
    """
    ids, group = np.unique(groups, return_inverse=True)
    count = len(ids)
    columns = [*values.T, np.ones(len(values))]
    sums = np.stack([np.bincount(group, column, count) for column in columns], axis=1)
    random = np.random.default_rng(seed)
    step = max(CHUNK // count, 1)
    totals = np.concatenate(
        [_weights(random, min(step, DRAWS - start), count) @ sums for start in range(0, DRAWS, step)]
    )
    tails = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    low, high = np.quantile(totals[:, :-1] / totals[:, -1:], tails, axis=0)
    mean = values.mean(axis=0)
    # Where all cases are equal, rounding can put the ends on the same side of the mean.
    ends = mean, np.minimum(low, mean), np.maximum(high, mean)
    return [Interval(*column) for column in np.stack(ends, axis=1).tolist()]


def _weights(random: np.random.Generator, draws: int, count: int) -> FloatArray:
    """How often each of ``count`` groups is drawn, shape (draws, count): multinomial, a draw summing to ``count``."""
    drawn = random.integers(count, size=(draws, count)) + count * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * count).reshape(draws, count).astype(np.float64)
