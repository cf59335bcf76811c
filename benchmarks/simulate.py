"""Whether the bandit finds the best arm and what it costs to find it, on shoppers whose tastes are known.

The steady world: 20,000 visitors, 200,000 page views in four weeks and four arms, of which one earns 28 % more than the
next. A view ends in an order in about one of a hundred cases, whose value is log-normal; three segments differ a
little. The drifting world continues it for four more weeks, in which the arms have changed places and another one is
the best. Every hour the bandit's shares are made anew from visitor-days (`bandit.shares_by_segment`), and visitors keep
their arm by hash (`bandit.choose_arm`). Peers see the same shoppers hour by hour: an even split, epsilon-greedy (a
tenth of the views at random), and UCB1. Regret is the expected revenue that the best arm would have brought more.

``best_arm``: its share of the views of the last fifth of the hours. ``coverage``: of the bandit's logs of 14 days (of
the drifting world: a week before and a week after the change), how often the 95 % interval of an off-policy estimate
holds the true value, of four policies that show one arm alone, an even one, and a mixed one.

The constants of the bandit were chosen on seeds from 100 to 129, none of which is reported by default.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from ecomrec_django.errors import DataError
from ecomrec_django.learning.evaluation.off_policy import LoggedExposures, doubly_robust, snips
from ecomrec_django.strategies.bandit import Tally, shares_by_segment

from . import Row
from ._simulated_shoppers import ARMS, HOURS, SEGMENTS, Shoppers, Sticky, Tallies

EPSILON = 0.1
# Share of the hours, at the end, in which the best arm's share is taken.
LAST = 0.2
LOGGED_HOURS = 14 * 24

Shares = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)


def run(options: argparse.Namespace) -> list[Row]:
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    with tqdm(total=2 * len(WAYS) * len(seeds), unit="run") as bar:
        return _rows(seeds, bar, drifting=False) + _rows(seeds, bar, drifting=True)


def _rows(seeds: range, bar: tqdm, *, drifting: bool) -> list[Row]:
    shares: dict[str, list[float]] = {way: [] for way in WAYS}
    regrets: dict[str, list[float]] = {way: [] for way in WAYS}
    covered: dict[str, list[bool]] = {"snips": [], "doubly robust": []}
    for seed in seeds:
        shoppers, sticky = Shoppers.drawn(seed, drifting=drifting), Sticky(seed)
        for way, made in WAYS.items():
            share, regret, log = _live(shoppers, sticky, made, seed)
            shares[way].append(share)
            regrets[way].append(regret)
            if way == "ecomrec":
                _cover(log, covered)
            bar.update()
    world = "drifting" if drifting else "steady"
    rows: list[Row] = [
        {
            "name": f"{world}: {way}",
            "best_arm": float(np.mean(shares[way])),
            "seeds_above_80": sum(share >= 0.8 for share in shares[way]),
            "regret": float(np.mean(regrets[way])),
            "median_regret": float(np.median(regrets[way])),
            "to_ucb1": float(np.mean(regrets[way]) / np.mean(regrets["ucb1"])),
            "to_uniform": float(np.mean(regrets[way]) / np.mean(regrets["uniform"])),
        }
        for way in WAYS
    ]
    return rows + [
        {"name": f"{world}: {name}", "coverage": float(np.mean(hits)), "estimates": len(hits)}
        for name, hits in covered.items()
    ]


class _Log:
    """What was logged, and what each arm would have earned in each row, shape (rows, arms)."""

    def __init__(self) -> None:
        self._parts: list[dict[str, np.ndarray]] = []

    def add(self, **columns: np.ndarray) -> None:
        self._parts.append(columns)

    def __getitem__(self, name: str) -> np.ndarray:
        return np.concatenate([part[name] for part in self._parts])


def _live(shoppers: Shoppers, sticky: Sticky, made: Shares, seed: int) -> tuple[float, float, _Log]:
    """Share of the best arm at the end, regret, and what was logged in LOGGED_HOURS."""
    rng = np.random.default_rng([seed, 1])
    tallies, log = Tallies(shoppers.segment), _Log()
    shares = np.full((SEGMENTS, ARMS), 1 / ARMS)
    hours = len(shoppers.hours)
    logged = range(LOGGED_HOURS) if hours == HOURS else range(HOURS - LOGGED_HOURS // 2, HOURS + LOGGED_HOURS // 2)
    regret, last = 0.0, []
    for hour, visitors in enumerate(shoppers.hours):
        tastes, best = shoppers.tastes[hour // HOURS], shoppers.best[hour // HOURS]
        segment = shoppers.segment[visitors]
        given = shares[segment]
        arm = sticky.arms(visitors, given)
        revenue = tastes.answers(segment, arm, rng)
        worth = tastes.revenue[segment]
        rows = np.arange(len(arm))
        regret += float((worth[:, best] - worth[rows, arm]).sum())
        tallies.add(visitors, arm, revenue, new_day=hour % 24 == 0)
        if hour in logged:
            log.add(
                arm=arm, propensity=given[rows, arm], segment=segment, reward=revenue, visitor=visitors, worth=worth
            )
        if hour >= hours * (1 - LAST):
            last.append(arm == best)
        shares = made(tallies.figures(), rng)
    return float(np.concatenate(last or [np.zeros(1)]).mean()), regret, log


def _thompson(figures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    days = {
        segment + 1: [[Tally(*arm) for arm in day] for day in figures[:, segment].tolist()]
        for segment in range(SEGMENTS)
    }
    found = shares_by_segment(days, rng, valued=True, draws=1_000)
    return np.stack([found[segment + 1] for segment in range(SEGMENTS)])


def _means(figures: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Visitor-days of each arm, its mean revenue by the sums of all, and the spread of one."""
    trials, orders, logs, squares = figures.sum(axis=(0, 1)).T
    mean = logs.sum() / max(orders.sum(), 1)
    variance = max(squares.sum() / max(orders.sum(), 1) - mean**2, 0.0)
    own = np.where(orders > 0, logs / np.maximum(orders, 1), mean)
    return trials, orders / np.maximum(trials, 1) * np.exp(own + variance / 2), float(np.exp(mean + variance))


def _greedy(figures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    _, worth, _ = _means(figures)
    shares = np.full(ARMS, EPSILON / ARMS)
    shares[rng.choice(np.flatnonzero(worth == worth.max()))] += 1 - EPSILON
    return np.tile(shares, (SEGMENTS, 1))


def _ucb(figures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    trials, worth, scale = _means(figures)
    bound = worth + 0.1 * scale * np.sqrt(2 * np.log(max(trials.sum(), 2)) / np.maximum(trials, 1))
    # A share of 0 is never chosen, and nearly so is this.
    shares = np.full(ARMS, 1e-12)
    shares[bound.argmax()] = 1.0
    return np.tile(shares / shares.sum(), (SEGMENTS, 1))


def _even(figures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.full((SEGMENTS, ARMS), 1 / ARMS)


def _cover(log: _Log, covered: dict[str, list[bool]]) -> None:
    policies = [np.tile(np.eye(ARMS)[arm], (SEGMENTS, 1)) for arm in range(ARMS)]
    policies += [np.full((SEGMENTS, ARMS), 1 / ARMS), np.tile([0.4, 0.3, 0.2, 0.1], (SEGMENTS, 1))]
    logged = LoggedExposures(**{name: log[name] for name in ("arm", "propensity", "segment", "reward", "visitor")})
    worth = log["worth"]
    for policy in policies:
        true = float((policy[logged.segment] * worth).sum(axis=1).mean())
        for name, estimator in (("snips", snips), ("doubly robust", doubly_robust)):
            try:
                found = estimator(logged, policy)
            except DataError:
                continue
            covered[name].append(found.low <= true <= found.high)


WAYS: dict[str, Shares] = {"ecomrec": _thompson, "epsilon-greedy": _greedy, "ucb1": _ucb, "uniform": _even}
