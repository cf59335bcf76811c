"""Sticky assignment of visitors to arms, and the arms' shares of visitors: top-two Thompson sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from math import log

import numpy as np

from .arm_results import DEFAULT_SPREAD, ArmPrior, Spread, Tally
from .change_points import change_probabilities

# Share of visitors that is always split evenly between all arms.
LEAST_EXPLORATION = 0.01
# Share of visitors that goes to challengers while nothing is known; it shrinks as the best arm becomes certain.
MOST_EXPLORATION = 0.1
# Exponent by which an arm's probability to be the best becomes its share; above 1, likelier arms get more.
SHARPNESS = 2.0
# Weight, in trials, of all shoppers in the estimates of a segment.
PRIOR_TRIALS = 20_000.0
# Days that are told apart; the results of earlier ones count as those of one day.
MAX_DAYS = 90

# Tallies of each day, oldest first, and of each arm.
DailyTallies = Sequence[Sequence[Tally]]


def choose_arm(shares: Mapping[str, float], salt: str, visitor: str) -> str:
    """The arm of ``visitor``, always the same; each arm gets visitors in proportion to its share.

    Weighted rendezvous hashing (D. Thaler and C. Ravishankar 1998; weights after P. Efraimidis and P. Spirakis 2006):
    the arm with the smallest ``-ln(u) / share``, where u is a hash of salt, arm and visitor. An arm whose share grows
    gains visitors, and no others move. At least one share must be above 0.
    """
    arms = [arm for arm, share in shares.items() if share > 0]
    return min(arms, key=lambda arm: -log(_uniform(salt, arm, visitor)) / shares[arm])


def arm_probability(shares: Mapping[str, float], arm: str) -> float:
    """The probability with which `choose_arm` returns ``arm``."""
    return shares[arm] / sum(shares.values())


def _uniform(*names: str) -> float:
    """A number between 0 and 1, both excluded, from a hash of ``names``."""
    digest = blake2b("\0".join(names).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / 2**64


def shares(
    days: DailyTallies,
    rng: np.random.Generator,
    *,
    valued: bool,
    spread: Spread = DEFAULT_SPREAD,
    draws: int = 4_000,
) -> np.ndarray:
    """The share of each arm, shape (arms,), sum 1, from its results.

    An arm's reward is its success rate, beta-distributed, and if ``valued`` times the mean of a log-normal value (W. R.
    Thompson 1933; D. Russo et al., A Tutorial on Thompson Sampling, 2018). Each draw trusts the results since one day
    alone, by the probability that tastes last changed then. ``spread``: how much the arms are expected to differ.
    """
    return shares_by_segment({0: days}, rng, valued=valued, spread=spread, draws=draws)[0]


def shares_by_segment(
    days: Mapping[int, DailyTallies],
    rng: np.random.Generator,
    *,
    valued: bool,
    spread: Spread = DEFAULT_SPREAD,
    draws: int = 4_000,
) -> dict[int, np.ndarray]:
    """`shares` for each segment; key 0 has those of all shoppers, for shoppers without a segment.

    ``days`` of all segments cover the same days. The results of all shoppers count for a segment with the weight of up
    to PRIOR_TRIALS trials per arm.
    """
    figures = {segment: _figures(tallies) for segment, tallies in days.items()}
    overall = np.sum(list(figures.values()), axis=0)
    prior = ArmPrior.of(overall.sum(axis=(0, 1)), spread)
    changes = change_probabilities(overall, prior, valued=valued)
    since = _since(overall)
    results = {0: since}
    for segment, own in figures.items():
        if segment:
            results[segment] = _since(own) + since * np.minimum(1.0, PRIOR_TRIALS / np.maximum(since[..., :1], 1.0))
    start = rng.choice(len(overall), draws, p=changes)
    return {segment: _shares(prior.rewards(tallies[start], rng, valued=valued)) for segment, tallies in results.items()}


def _figures(days: DailyTallies) -> np.ndarray:
    """The sums of each day and arm, shape (days, arms, 4), at most MAX_DAYS of them."""
    figures = np.array([[tally.figures for tally in arms] for arms in days], np.float64)
    early = len(figures) - MAX_DAYS + 1
    return figures if early <= 1 else np.concatenate([figures[:early].sum(axis=0, keepdims=True), figures[early:]])


def _since(figures: np.ndarray) -> np.ndarray:
    """The sums of each day and all later ones, shape as given."""
    return figures[::-1].cumsum(axis=0)[::-1]


def _shares(rewards: np.ndarray) -> np.ndarray:
    """The share of each arm, shape (arms,), from draws of their rewards, shape (draws, arms).

    By the probability to be the best, sharpened; beside that the more for challengers, the less certain the best arm
    is. A challenger is what is best if the best arm is not (D. Russo, Simple Bayesian Algorithms for Best-Arm
    Identification, 2020).
    """
    draws, arms = rewards.shape
    wins = np.bincount(rewards.argmax(axis=1), minlength=arms)
    share = wins**SHARPNESS / (wins**SHARPNESS).sum()
    if arms > 1:
        best = (wins + 1) / (draws + arms)
        odds = best / (1 - best)
        challenger = best * (odds.sum() - odds)
        exploration = MOST_EXPLORATION * (1 - best.max())
        share = (1 - exploration) * share + exploration * challenger
    return (1 - LEAST_EXPLORATION) * share + LEAST_EXPLORATION / arms
