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
class Tastes:
    """Probability of an order and the median of its value for each segment and arm, shape (segments, arms)."""

    orders: np.ndarray
    value: np.ndarray

    @property
    def revenue(self) -> np.ndarray:
        """Expected revenue of a view, shape (segments, arms)."""
        return self.orders * self.value * np.exp(SPREAD**2 / 2)

    def answers(self, segment: np.ndarray, arm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Revenue of each view."""
        ordered = rng.random(len(arm)) < self.orders[segment, arm]
        return ordered * self.value[segment, arm] * np.exp(rng.normal(0, SPREAD, len(arm)))


@dataclass(frozen=True)
class Shoppers:
    """The shoppers of one seed.

    segment: of each visitor, shape (visitors,)
    hours: the visitors of each hour's page views
    tastes: in turn, each of HOURS hours
    best: the arm with the highest expected revenue in each of ``tastes``
    """

    segment: np.ndarray
    hours: list[np.ndarray]
    tastes: list[Tastes]
    best: list[int]

    @classmethod
    def drawn(cls, seed: int, *, drifting: bool = False) -> Shoppers:
        """Arms in random order; segments differ a little in what they like, and one in four visitors makes most of the
        views. If ``drifting``, arms change places after HOURS hours, so that another one is the best, and as many
        hours follow."""
        rng = np.random.default_rng(seed)
        arms = rng.permutation(BEHIND)
        # Half of what an arm earns less is fewer orders, the other half smaller ones.
        taste = rng.normal(0, 0.04, (SEGMENTS, ARMS))
        orders = ORDERS * np.sqrt(arms) * np.exp(taste)
        value = VALUE * np.sqrt(arms) * np.exp(rng.normal(0, 0.02, (SEGMENTS, ARMS)))
        activity = rng.pareto(1.5, VISITORS) + 0.2
        segment = rng.integers(SEGMENTS, size=VISITORS)
        visitors = rng.choice(VISITORS, VIEWS, p=activity / activity.sum())
        hours, tastes = np.array_split(visitors, HOURS), [Tastes(orders, value)]
        share = np.bincount(segment[visitors], minlength=SEGMENTS) / VIEWS
        best = [int((share @ tastes[0].revenue).argmax())]
        while drifting and len(tastes) < 2:
            places = rng.permutation(ARMS)
            later = Tastes(orders[:, places], value[:, places])
            if (share @ later.revenue).argmax() != best[0]:
                tastes.append(later)
                best.append(int((share @ later.revenue).argmax()))
                hours += np.array_split(rng.choice(VISITORS, VIEWS, p=activity / activity.sum()), HOURS)
        return cls(segment, hours, tastes, best)


class Sticky:
    """`bandit.choose_arm` for many visitors at once."""

    def __init__(self, seed: int) -> None:
        names = [str(arm) for arm in range(ARMS)]
        hashed = [[bandit._uniform(str(seed), arm, str(visitor)) for arm in names] for visitor in range(VISITORS)]
        self.cost = -np.log(np.array(hashed))

    def arms(self, visitors: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Arm of each view; ``shares`` of its visitor's segment, shape (views, arms)."""
        with np.errstate(divide="ignore"):
            return (self.cost[visitors] / shares).argmin(axis=1)


class Tallies:
    """Results of each day, segment and arm: visitor-days, those with an order, and the logs of their revenue."""

    def __init__(self, segment: np.ndarray) -> None:
        self.segment = segment
        self._days: list[np.ndarray] = []
        self._today = np.empty((3, 0))

    def add(self, visitors: np.ndarray, arm: np.ndarray, revenue: np.ndarray, *, new_day: bool) -> None:
        if new_day:
            self._today = np.empty((3, 0))
            self._days.append(np.empty(0))
        self._today = np.concatenate([self._today, np.stack([visitors, arm, revenue])], axis=1)
        self._days[-1] = self._figures()

    def figures(self) -> np.ndarray:
        """Shape (days, segments, arms, 4), as `Tally.figures`."""
        return np.stack(self._days)

    def _figures(self) -> np.ndarray:
        visitors, arm, revenue = self._today
        days, at = np.unique(visitors * ARMS + arm, return_inverse=True)
        spent = np.bincount(at, revenue, len(days))
        cell = self.segment[(days // ARMS).astype(int)] * ARMS + (days % ARMS).astype(int)
        log = np.log(np.maximum(spent, 1e-9)) * (spent > 0)
        columns = (np.ones(len(days)), spent > 0, log, log**2)
        sums = [np.bincount(cell, column, SEGMENTS * ARMS) for column in columns]
        return np.stack(sums, axis=-1).reshape(SEGMENTS, ARMS, 4)
