"""Which arm a visitor sees, and how much each arm gets of the next visitors: Thompson sampling with sticky choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import log

import numpy as np

# Share of the visitors that is spread evenly over the arms, whatever they earned.
EXPLORATION = 0.05
# How an arm's chance to be the best turns into its share: at 1 as it is, above it the likelier ones get more.
SHARPNESS = 2.0
# Trials' worth of trust that a segment is like all shoppers together.
PRIOR_TRIALS = 20_000.0
# How far arms of one slot lie apart, before any of them was tried: their chances by so much of the mean one, the logs
# of their values by so much of a unit (one standard deviation each).
CHANCES_APART, VALUES_APART = 0.15, 0.08
# Values' worth of trust in how far the values of all arms spread.
PRIOR_SPREAD = 20.0
# Log values spread at least so much, so that two equal ones do not count as certain.
LEAST_VARIANCE = 0.01
# Of a log-normal mean exp(m + v/2): beyond it says nothing of a shop.
MOST_LOG_MEAN = 50.0


def chosen(shares: Mapping[str, float], salt: str, visitor: str) -> str:
    """The arm of ``visitor``, the same every time: of share / sum of shares of all visitors.

    Weighted rendezvous hashing (D. Thaler and C. Ravishankar 1998; weights after P. Efraimidis and P. Spirakis 2006):
    the arm with the least ``-ln(u) / share``, u being a hash of salt, arm and visitor. A greater share draws visitors
    to its arm and moves no others. At least one share has to be above 0.
    """
    arms = [arm for arm, share in shares.items() if share > 0]
    return min(arms, key=lambda arm: -log(_uniform(salt, arm, visitor)) / shares[arm])


def chance(shares: Mapping[str, float], arm: str) -> float:
    """The share of visitors for whom `chosen` names ``arm``."""
    return shares[arm] / sum(shares.values())


def _uniform(*names: str) -> float:
    """Between 0 and 1, neither included."""
    digest = blake2b("\0".join(names).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / 2**64


@dataclass(frozen=True)
class Tally:
    """What one arm did: trials (a visitor on one day), successes, and the sums of the logs of the successes' values and
    of their squares; 0 where a success has no value."""

    trials: float = 0.0
    successes: float = 0.0
    log_sum: float = 0.0
    log_squares: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(one + two for one, two in zip(self.figures, other.figures, strict=True)))

    def times(self, factor: float) -> Tally:
        return Tally(*(factor * figure for figure in self.figures))

    @property
    def figures(self) -> tuple[float, float, float, float]:
        return self.trials, self.successes, self.log_sum, self.log_squares


def shares(tallies: Sequence[Tally], valued: bool, rng: np.random.Generator, draws: int = 4_000) -> np.ndarray:
    """The share of each arm, shape (arms,), sum 1: how probably it is the best, sharpened, and a part spread evenly.

    An arm's worth is its chance of a success, beta-distributed, and where ``valued`` times the mean of a log-normal
    value, whose parameters are normal-inverse-gamma-distributed (W. R. Thompson 1933; D. Russo et al., A Tutorial on
    Thompson Sampling, 2018). Beforehand arms are taken to be alike, so that few trials do not send visitors about.
    """
    worth = _chances(tallies, rng, draws)
    if valued:
        worth = worth * _values(tallies, rng, draws)
    best = np.bincount(worth.argmax(axis=1), minlength=len(tallies)) ** SHARPNESS
    return (1 - EXPLORATION) * best / best.sum() + EXPLORATION / len(tallies)


def shares_by_segment(
    tallies: Mapping[int, Sequence[Tally]], valued: bool, rng: np.random.Generator
) -> dict[int, np.ndarray]:
    """`shares` for each segment, and under 0 for shoppers of none, who get those of all together.

    What all shoppers did counts for a segment as PRIOR_TRIALS trials of an arm beside its own.
    """
    everybody = [sum(arm, Tally()) for arm in zip(*tallies.values(), strict=True)]
    found = {0: shares(everybody, valued, rng)}
    for segment, own in tallies.items():
        if segment:
            believed = [one + _weighing(whole) for one, whole in zip(own, everybody, strict=True)]
            found[segment] = shares(believed, valued, rng)
    return found


def _weighing(whole: Tally) -> Tally:
    return whole.times(min(1.0, PRIOR_TRIALS / whole.trials)) if whole.trials else whole


def _chances(tallies: Sequence[Tally], rng: np.random.Generator, draws: int) -> np.ndarray:
    """Draws of each arm's chance of a success, shape (draws, arms)."""
    trials, successes, _, _ = np.array([one.figures for one in tallies]).T
    rate = (successes.sum() + 1) / (trials.sum() + 2)
    # Of a beta distribution with this mean and a standard deviation of CHANCES_APART of it.
    trust = (1 - rate) / (rate * CHANCES_APART**2)
    good = successes + trust * rate
    bad = np.maximum(trials - successes, 0.0) + trust * (1 - rate)
    return rng.beta(good, bad, (draws, len(tallies)))


def _values(tallies: Sequence[Tally], rng: np.random.Generator, draws: int) -> np.ndarray:
    """Draws of the mean value of each arm's successes, shape (draws, arms); their logs spread alike in all arms."""
    _, count, total, squares = np.array([one.figures for one in tallies]).T
    many = max(count.sum(), 1.0)
    middle = total.sum() / many
    spread = max(squares.sum() / many - middle**2, LEAST_VARIANCE)
    # Normal-inverse-gamma (A. Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.3).
    variance = spread * (PRIOR_SPREAD + many) / rng.chisquare(PRIOR_SPREAD + many, (draws, 1))
    prior = spread / VALUES_APART**2
    trust = prior + count
    drawn = rng.normal((prior * middle + total) / trust, np.sqrt(variance / trust))
    return np.exp(np.minimum(drawn + variance / 2, MOST_LOG_MEAN))
