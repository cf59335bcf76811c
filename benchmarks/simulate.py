"""Whether the bandit finds the best arm and what it costs to find it, on shoppers whose tastes are known.

Ten seeds of 20,000 visitors, 200,000 page views and four arms, of which one earns 28 % more than the next: a view ends
in an order in about one of a hundred cases, whose value is log-normal; three segments differ a little. Every
hour the bandit's shares are made anew from visitor-days (`bandit.shares_by_segment`), and visitors keep their arm by
hash (`bandit.chosen`). Peers see the same shoppers hour by hour: an even split, epsilon-greedy (a tenth of the views at
random), and UCB1. Regret is the expected revenue that the best arm would have brought more.

``coverage``: of the bandit's logs of 14 days, how often the 95 % interval of an off-policy estimate holds the true
value, of four policies that show one arm alone, an even one, and a mixed one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from ecomrec_django.errors import DataError
from ecomrec_django.learning.offpolicy import Log, doubly_robust, snips
from ecomrec_django.strategies.bandit import Tally, shares_by_segment

from . import Row
from ._simulated_shoppers import ARMS, HOURS, SEGMENTS, Shoppers, Sticky, Tallies

EPSILON = 0.1
# Views of the end in which the best arm's share is taken.
LAST = 0.2
LOGGED_HOURS = 14 * 24

Shares = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=10)


def run(options: argparse.Namespace) -> list[Row]:
    ways: dict[str, Shares] = {"ecomrec": _thompson, "epsilon-greedy": _greedy, "ucb1": _ucb, "uniform": _even}
    shares = {way: np.empty(options.seeds) for way in ways}
    regrets = {way: np.empty(options.seeds) for way in ways}
    covered: dict[str, list[bool]] = {"snips": [], "doubly robust": []}
    with tqdm(total=options.seeds * len(ways), unit="run") as bar:
        for seed in range(options.seeds):
            shoppers, sticky = Shoppers.drawn(seed), Sticky(seed)
            for way, made in ways.items():
                shares[way][seed], regrets[way][seed], log = _live(shoppers, sticky, made, seed)
                if way == "ecomrec":
                    _cover(shoppers, log, covered)
                bar.update()
    rows: list[Row] = [
        {
            "name": way,
            "best_arm": float(shares[way].mean()),
            "seeds_above_80": int((shares[way] >= 0.8).sum()),
            "regret": float(regrets[way].mean()),
            "to_epsilon_greedy": float(regrets[way].mean() / regrets["epsilon-greedy"].mean()),
            "to_uniform": float(regrets[way].mean() / regrets["uniform"].mean()),
        }
        for way in ways
    ]
    rows += [
        {"name": f"ecomrec: {name}", "coverage": float(np.mean(hits)), "estimates": len(hits)}
        for name, hits in covered.items()
    ]
    return rows


def _live(shoppers: Shoppers, sticky: Sticky, made: Shares, seed: int) -> tuple[float, float, Log]:
    """Share of the best arm at the end, regret, and what was logged in the first LOGGED_HOURS."""
    rng = np.random.default_rng([seed, 1])
    tallies = Tallies()
    tallies.segment = shoppers.segment
    shares = np.full((SEGMENTS, ARMS), 1 / ARMS)
    regret, logged, last = 0.0, [], []
    for hour, visitors in enumerate(shoppers.hours):
        given = shares[shoppers.segment[visitors]]
        arm = sticky.arms(visitors, given)
        revenue = shoppers.answers(visitors, arm, rng)
        best = shoppers.worth(visitors, np.full(len(visitors), shoppers.best))
        regret += float((best - shoppers.worth(visitors, arm)).sum())
        tallies.add(visitors, arm, revenue, hour % 24 == 0)
        if hour < LOGGED_HOURS:
            chance = given[np.arange(len(arm)), arm]
            logged.append((arm, chance, shoppers.segment[visitors], revenue, visitors))
        if hour >= HOURS * (1 - LAST):
            last.append(arm == shoppers.best)
        shares = made(tallies.figures(), rng)
    return (
        float(np.concatenate(last).mean()),
        regret,
        Log(*(np.concatenate(column) for column in zip(*logged, strict=True))),
    )


def _thompson(figures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    tallies = {segment + 1: [Tally(*arm) for arm in figures[segment].tolist()] for segment in range(SEGMENTS)}
    found = shares_by_segment(tallies, True, rng)
    return np.stack([found[segment + 1] for segment in range(SEGMENTS)])


def _means(figures: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Visitor-days of each arm, its mean revenue by the sums of all, and the spread of one."""
    trials, orders, logs, squares = figures.sum(axis=0).T
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


def _cover(shoppers: Shoppers, log: Log, covered: dict[str, list[bool]]) -> None:
    policies = [np.tile(np.eye(ARMS)[arm], (SEGMENTS, 1)) for arm in range(ARMS)]
    policies += [np.full((SEGMENTS, ARMS), 1 / ARMS), np.tile([0.4, 0.3, 0.2, 0.1], (SEGMENTS, 1))]
    everyone = np.arange(ARMS)
    for policy in policies:
        worth = np.stack([shoppers.worth(log.visitor, np.full(len(log.arm), arm)) for arm in everyone], axis=1)
        true = float((policy[log.segment] * worth).sum(axis=1).mean())
        for name, estimator in (("snips", snips), ("doubly robust", doubly_robust)):
            try:
                found = estimator(log, policy)
            except DataError:
                continue
            covered[name].append(found.low <= true <= found.high)
