"""When the shoppers of `benchmarks.shoppers` come and what they come for, whatever they will be offered then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ecomrec_django.learning.interactions import DAY

from ._shoppers_world import SCROLLS, Visit, World, partner

# When the shop begins to make offers.
START = datetime(2026, 3, 2, tzinfo=UTC)
PAST_WEEKS, DAYS = 40, 28
# Visits of a shopper before, on average.
PAST_VISITS = 24
# Chance that a visit is to buy; that what is used up is bought as it was the last time; that what goes with it is
# bought too, times how much that is wanted.
BUYS, LOYAL, PAIRED = 0.4, 0.6, 3.0
# Opening hours, in which people come.
OPENS, CLOSES = 8 * 3_600, 22 * 3_600
MEMBERS, CONSENTING = 0.6, 0.9


@dataclass(frozen=True)
class Plans:
    """``past`` and ``coming`` visits in the order of time; who is a ``member``, with an account, and who is
    ``consenting`` to be recorded, shape (shoppers,) both."""

    past: list[Visit]
    coming: list[Visit]
    member: np.ndarray
    consenting: np.ndarray

    @classmethod
    def drawn(cls, world: World, visits: int, rng: np.random.Generator) -> Plans:
        shoppers = len(world.taste)
        activity = rng.gamma(3.0, 1.0, shoppers)
        calendar = [
            (shopper, time)
            for days, count in (((-7 * PAST_WEEKS, 0), PAST_VISITS * shoppers), ((0, DAYS), visits))
            for shopper, time in zip(
                rng.choice(shoppers, count, p=activity / activity.sum()).tolist(),
                _times(*days, count, rng).tolist(),
                strict=True,
            )
        ]
        needs = _Needs(world, rng)
        made = [
            needs.visit(number, shopper, time) for number, (shopper, time) in enumerate(sorted(calendar, key=_by_time))
        ]
        begins = START.timestamp()
        return cls(
            [visit for visit in made if visit.time < begins],
            [visit for visit in made if visit.time >= begins],
            rng.random(shoppers) < MEMBERS,
            rng.random(shoppers) < CONSENTING,
        )


def _times(first: int, last: int, count: int, rng: np.random.Generator) -> np.ndarray:
    return START.timestamp() + DAY * rng.integers(first, last, count) + rng.uniform(OPENS, CLOSES, count)


def _by_time(entry: tuple[int, float]) -> float:
    return entry[1]


class _Needs:
    """What each shopper planned to buy last of each category, and when: what they need next follows from it."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self._world = world
        self._rng = rng
        shape = world.taste.shape
        # As many have some of what is used up as will have later.
        earlier = START.timestamp() - DAY * (7 * PAST_WEEKS + rng.uniform(0, np.maximum(world.cycle, 1), shape))
        self._last = np.where(world.cycle > 0, earlier, -np.inf)
        self._bought = np.full(shape, -1)

    def visit(self, number: int, shopper: int, time: float) -> Visit:
        world, rng = self._world, self._rng
        due = world.due((time - self._last[shopper]) / DAY)
        wanted = world.taste[shopper] * due
        category = int(rng.choice(len(wanted), p=wanted / wanted.sum()))
        anchor = self._choice(shopper, category)
        plan = []
        if rng.random() < BUYS:
            plan.append(self._taken(shopper, category, anchor, time))
            beside = int(partner(np.array(category)))
            if rng.random() < PAIRED * wanted[beside]:
                products, chances = world.choices(shopper, beside, anchor)
                plan.append(self._taken(shopper, beside, int(rng.choice(products, p=chances)), time))
        return Visit(number, shopper, time, anchor, tuple(plan), due, bool(rng.random() < SCROLLS))

    def _choice(self, shopper: int, category: int) -> int:
        last = int(self._bought[shopper, category])
        if last >= 0 and self._world.cycle[category] > 0 and self._rng.random() < LOYAL:
            return last
        products, chances = self._world.choices(shopper, category)
        return int(self._rng.choice(products, p=chances))

    def _taken(self, shopper: int, category: int, product: int, time: float) -> int:
        self._last[shopper, category], self._bought[shopper, category] = time, product
        return product
