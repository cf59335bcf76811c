"""When tastes last changed: how far back the results of an experiment say what arms earn today."""

from __future__ import annotations

import numpy as np

from .arm_results import ArmPrior

# Probability that tastes change from one day to the next.
CHANGE_RATE = 1 / 200


def change_probabilities(figures: np.ndarray, prior: ArmPrior, *, valued: bool) -> np.ndarray:
    """The probability that tastes last changed on each day, shape (days,), sum 1; day 0 stands for never.

    figures: sums of each day and arm as in `Tally.figures`, shape (days, arms, 4).

    All arms change at once, so that they are always compared over the same days. Source: R. Adams and D. MacKay,
    Bayesian Online Changepoint Detection, 2007.
    """
    days = len(figures)
    total = np.concatenate([np.zeros((1, *figures.shape[1:])), figures.cumsum(axis=0)])
    first, last = np.triu_indices(days)
    # Log-likelihood of the days from the first to before the second.
    likelihood = np.zeros((days, days + 1))
    likelihood[first, last + 1] = prior.log_likelihood(total[last + 1] - total[first], valued=valued).sum(axis=1)
    likelihood /= _dispersion(figures)
    probability = np.ones(1)
    for day in range(1, days):
        odds = np.append(probability * (1 - CHANGE_RATE), CHANGE_RATE)
        gain = likelihood[: day + 1, day + 1] - likelihood[: day + 1, day]
        odds *= np.exp(gain - gain.max())
        probability = odds / odds.sum()
    return probability


def _dispersion(figures: np.ndarray) -> float:
    """Variance of success rates from day to day over what chance explains, at least 1.

    Weekends and campaigns move rates without a change of tastes; what persists moves them only once.
    """
    trials, successes = figures[..., 0], figures[..., 1]
    rate = successes.sum() / max(trials.sum(), 1.0)
    both = (trials[1:] > 0) & (trials[:-1] > 0)
    if not both.any() or not 0 < rate < 1:
        return 1.0
    before, after = trials[:-1][both], trials[1:][both]
    change = successes[1:][both] / after - successes[:-1][both] / before
    return max(1.0, float(np.mean(change**2 / (rate * (1 - rate) * (1 / before + 1 / after)))))
