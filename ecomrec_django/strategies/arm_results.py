"""Results of the arms of an experiment, and what is known about arms before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# Weight, in values, of the prior variance of values.
PRIOR_VALUES = 20.0
# Minimum variance of log values, so that two equal values do not count as certain.
LEAST_VARIANCE = 0.01
# Upper bound of the log mean m + v/2 of values; no shop has larger ones.
MOST_LOG_MEAN = 50.0


@dataclass(frozen=True)
class Tally:
    """Results of one arm.

    trials: visitors, each counted once a day
    successes: trials that reached the objective
    log_sum, log_squares: sums of the logs of the successes' values and of their squares; 0 without values
    """

    trials: float = 0.0
    successes: float = 0.0
    log_sum: float = 0.0
    log_squares: float = 0.0

    @property
    def figures(self) -> tuple[float, float, float, float]:
        """All four sums, in the order of the fields."""
        return self.trials, self.successes, self.log_sum, self.log_squares


class Spread(NamedTuple):
    """Standard deviation between the arms of a slot: of success rates, relative to their mean, and of log values."""

    rates: float
    values: float


DEFAULT_SPREAD = Spread(0.08, 0.05)
# Weight, in arms, of the default spread against that of earlier experiments.
PRIOR_ARMS = 6.0
LEAST_SPREAD = 0.02


@dataclass(frozen=True, kw_only=True)
class ArmPrior:
    """What is expected of an arm of an experiment before its own results.

    rate: mean success rate of all arms
    trials: weight of ``rate``, in trials
    log_mean: mean log value of all successes
    log_variance: variance of the log values of one arm
    successes: number of values behind ``log_variance``
    values: weight of ``log_mean``, in values
    """

    rate: float
    trials: float
    log_mean: float
    log_variance: float
    successes: float
    values: float

    @classmethod
    def of(cls, figures: np.ndarray, spread: Spread) -> ArmPrior:
        """From the sums of all arms and days, shape (4,), and how much arms are expected to differ."""
        trials, successes, log_sum, log_squares = figures.tolist()
        rate = (successes + 1) / (trials + 2)
        log_mean = log_sum / max(successes, 1.0)
        log_variance = max(log_squares / max(successes, 1.0) - log_mean**2, LEAST_VARIANCE)
        return cls(
            rate=rate,
            # Weight of a beta distribution with this mean and standard deviation.
            trials=(1 - rate) / (rate * spread.rates**2),
            log_mean=log_mean,
            log_variance=log_variance,
            successes=max(successes, 1.0),
            values=log_variance / spread.values**2,
        )

    def rewards(self, figures: np.ndarray, rng: np.random.Generator, *, valued: bool) -> np.ndarray:
        """A draw of each arm's reward a trial for each row of ``figures``, shape (draws, arms, 4) -> (draws, arms).

        Success rates are beta-distributed; log values are normal with a normal-inverse-gamma prior and one variance
        (A. Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.3).
        """
        trials, successes, log_sum, _ = np.moveaxis(figures, -1, 0)
        rate = rng.beta(
            successes + self.trials * self.rate, np.maximum(trials - successes, 0.0) + self.trials * (1 - self.rate)
        )
        if not valued:
            return rate
        degrees = PRIOR_VALUES + self.successes
        variance = self.log_variance * degrees / rng.chisquare(degrees, (len(figures), 1))
        weight = self.values + successes
        log_mean = rng.normal((self.values * self.log_mean + log_sum) / weight, np.sqrt(variance / weight))
        return np.asarray(rate * np.exp(np.minimum(log_mean + variance / 2, MOST_LOG_MEAN)))

    def log_likelihood(self, figures: np.ndarray, *, valued: bool) -> np.ndarray:
        """How well one success rate and one mean value explain results, shape (rows, arms, 4) -> (rows, arms).

        Up to terms that add up over any split of the results, such as that of their own squares.
        """
        trials, successes, log_sum, _ = np.moveaxis(figures, -1, 0)
        failures = np.maximum(trials - successes, 0.0)
        alpha, beta = self.trials * self.rate, self.trials * (1 - self.rate)
        result = _rising(alpha, successes) + _rising(beta, failures) - _rising(self.trials, successes + failures)
        if valued:
            weight = self.values + successes
            total = self.values * self.log_mean + log_sum
            squares = total**2 / weight - self.values * self.log_mean**2
            result += (squares / self.log_variance - np.log(weight / self.values)) / 2
        return np.asarray(result)


def _rising(start: float, count: np.ndarray) -> np.ndarray:
    """log Γ(start + count) - log Γ(start)."""
    return _log_gamma(start + count) - _log_gamma(np.array(start))


def _log_gamma(x: np.ndarray) -> np.ndarray:
    """Logarithm of the gamma function of numbers above 0, by Stirling's series from 8 up."""
    shift = sum(np.log(x + step) for step in range(8))
    y = x + 8
    series = 1 / (12 * y) - 1 / (360 * y**3) + 1 / (1260 * y**5)
    return np.asarray((y - 0.5) * np.log(y) - y + 0.5 * np.log(2 * np.pi) + series - shift)


def learned_spread(experiments: Iterable[Sequence[Tally]]) -> Spread:
    """How much arms differ, from the results of each arm of earlier experiments; few of them stay near the default.

    The variance of log rates and log values between arms less what chance explains (R. DerSimonian and N. Laird,
    Meta-analysis in Clinical Trials, 1986, with equal weights).
    """
    arms = PRIOR_ARMS
    rates, values = (PRIOR_ARMS * default**2 for default in DEFAULT_SPREAD)
    for tallies in experiments:
        figures = np.array([tally.figures for tally in tallies if tally.successes >= 1], np.float64)
        if len(figures) < 2:
            continue
        trials, successes, log_sum, log_squares = figures.T
        arms += len(figures) - 1
        rates += _between(np.log(successes / trials), (1 - successes / trials) / successes)
        means = log_sum / successes
        within = max(float((log_squares - successes * means**2).sum() / successes.sum()), LEAST_VARIANCE)
        values += _between(means, within / successes) if log_squares.any() else DEFAULT_SPREAD.values**2
    return Spread(*(max(float(np.sqrt(max(total, 0.0) / arms)), LEAST_SPREAD) for total in (rates, values)))


def _between(means: np.ndarray, variances: np.ndarray) -> float:
    """Sum of squares of ``means`` around their mean, less the share that their ``variances`` explain."""
    return float(((means - means.mean()) ** 2).sum() - (variances * (1 - 1 / len(means))).sum())
