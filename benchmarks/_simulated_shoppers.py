"""Shoppers whose tastes are known, and who answer an arm of an experiment by a stated model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecomrec_django.strategies import bandit

VISITORS, VIEWS, HOURS = 20_000, 200_000, 28 * 24
ARMS, SEGMENTS = 4, 3
# Orders a view and the middle value of one, of the best arm; the others earn so much less a view.
ORDERS, VALUE, SPREAD = 0.012, 30.0, 0.6
BEHIND = np.array([1.0, 0.78, 0.74, 0.7])


@dataclass(frozen=True)
class Shoppers:
    """Segment of each visitor, shape (visitors,); the chance of an order and the middle of its value for each segment
    and arm, shape (segments, arms); the visitors of each hour's page views."""

    segment: np.ndarray
    orders: np.ndarray
    value: np.ndarray
    hours: list[np.ndarray]
    best: int

    @classmethod
    def drawn(cls, seed: int) -> Shoppers:
        """Arms in random order; segments differ a little in what they like, and one in four visitors makes most of the
        views."""
        rng = np.random.default_rng(seed)
        arms = rng.permutation(BEHIND)
        # Half of what an arm earns less is fewer orders, the other half smaller ones.
        taste = rng.normal(0, 0.04, (SEGMENTS, ARMS))
        orders = ORDERS * np.sqrt(arms) * np.exp(taste)
        value = VALUE * np.sqrt(arms) * np.exp(rng.normal(0, 0.02, (SEGMENTS, ARMS)))
        activity = rng.pareto(1.5, VISITORS) + 0.2
        segment = rng.integers(SEGMENTS, size=VISITORS)
        visitors = rng.choice(VISITORS, VIEWS, p=activity / activity.sum())
        worth = (orders * value)[segment[visitors]].mean(axis=0)
        return cls(segment, orders, value, np.array_split(visitors, HOURS), int(worth.argmax()))

    def worth(self, visitors: np.ndarray, arm: np.ndarray) -> np.ndarray:
        """Expected revenue of each view under its arm."""
        segment = self.segment[visitors]
        return (self.orders * self.value)[segment, arm] * np.exp(SPREAD**2 / 2)

    def answers(self, visitors: np.ndarray, arm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Revenue of each view."""
        segment = self.segment[visitors]
        ordered = rng.random(len(visitors)) < self.orders[segment, arm]
        return ordered * self.value[segment, arm] * np.exp(rng.normal(0, SPREAD, len(visitors)))


class Sticky:
    """`bandit.chosen` for many visitors at once."""

    def __init__(self, seed: int) -> None:
        names = [str(arm) for arm in range(ARMS)]
        hashed = [[bandit._uniform(str(seed), arm, str(visitor)) for arm in names] for visitor in range(VISITORS)]
        self.cost = -np.log(np.array(hashed))

    def arms(self, visitors: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Arm of each view; ``shares`` of its visitor's segment, shape (views, arms)."""
        with np.errstate(divide="ignore"):
            return (self.cost[visitors] / shares).argmin(axis=1)


class Tallies:
    """What each arm did in each segment: visitor-days, those with an order, and the logs of their revenue."""

    def __init__(self) -> None:
        self.closed = np.zeros((SEGMENTS, ARMS, 4))
        self.today = np.empty((3, 0))

    def add(self, visitors: np.ndarray, arm: np.ndarray, revenue: np.ndarray, new_day: bool) -> None:
        if new_day:
            self.closed += self._figures()
            self.today = np.empty((3, 0))
        self.today = np.concatenate([self.today, np.stack([visitors, arm, revenue])], axis=1)

    def figures(self) -> np.ndarray:
        return self.closed + self._figures()

    def _figures(self) -> np.ndarray:
        visitors, arm, revenue = self.today
        days, at = np.unique(visitors * ARMS + arm, return_inverse=True)
        spent = np.bincount(at, revenue, len(days)) if len(days) else np.empty(0)
        cell = self.segment[(days // ARMS).astype(int)] * ARMS + (days % ARMS).astype(int)
        log = np.log(np.maximum(spent, 1e-9)) * (spent > 0)
        columns = (np.ones(len(days)), spent > 0, log, log**2)
        sums = [np.bincount(cell, column, SEGMENTS * ARMS) for column in columns]
        return np.stack(sums, axis=-1).reshape(SEGMENTS, ARMS, 4)

    segment: np.ndarray = np.empty(0, int)
