"""A planted shop of 60 items in 6 aisles, whose visitors have staples of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ecomrec_django.learning.facts import Facts, Goods, shoppers, tastes
from ecomrec_django.learning.fusion import Cases, Slice
from ecomrec_django.learning.interactions import KINDS, IdMap, Interactions
from ecomrec_django.learning.pairs import Beside, Pairs
from ecomrec_django.learning.past import DAY
from ecomrec_django.learning.recurrent import Recurrent
from ecomrec_django.learning.shoppers import Shopper

ITEMS, AISLES, VISITORS = 60, 6, 120
AISLE = np.arange(ITEMS) * AISLES // ITEMS
WEEKS, HELD_OUT = 20, 4
START = 17_000


@dataclass(frozen=True)
class Shop:
    staples: np.ndarray
    facts: Facts
    shoppers: list[Shopper]
    cases: Cases

    def slice(self) -> Slice:
        return Slice(self.cases, self.facts, self.shoppers)


def shop(seed: int = 0, shuffled: bool = False) -> Shop:
    """Each visitor takes most of its four staples, of four aisles, and two other items every week.

    The last HELD_OUT weeks are the cases. Shuffled: every line is of any item instead.
    """
    rng = np.random.default_rng(seed)
    aisles = np.array([rng.choice(AISLES, 4, replace=False) for _ in range(VISITORS)])
    staples = aisles * (ITEMS // AISLES) + rng.integers(0, ITEMS // AISLES, aisles.shape)
    rows = []
    for week in range(WEEKS):
        for visitor in range(VISITORS):
            taken = np.r_[staples[visitor][rng.random(4) < 0.8], rng.integers(0, ITEMS, 2)]
            if shuffled:
                taken = rng.integers(0, ITEMS, len(taken))
            rows += [(visitor, item, START + 7 * week, week * VISITORS + visitor) for item in np.unique(taken)]
    lines = purchases(*np.array(rows).T)
    past = lines.time < (START + 7 * (WEEKS - HELD_OUT)) * DAY
    facts = facts_of(lines.where(past))
    known = shoppers(lines.where(past), facts, tastes(lines.where(past), ITEMS))
    return Shop(staples, facts, known, Cases.of(lines.where(~past), np.arange(VISITORS), AISLE))


def purchases(visitor: np.ndarray, item: np.ndarray, day: np.ndarray, basket: np.ndarray) -> Interactions:
    order = np.argsort(day, kind="stable")
    visitor, item, day, basket = (values[order].astype(np.int64) for values in (visitor, item, day, basket))
    return Interactions(
        IdMap(np.arange(VISITORS)),
        IdMap(np.arange(ITEMS)),
        visitor,
        item,
        np.full(len(item), KINDS.index("purchase"), np.int8),
        np.ones(len(item)),
        day * DAY,
        basket,
        np.full(len(item), -1),
        np.full(len(item), np.nan),
        np.full(len(item), np.nan),
    )


def facts_of(lines: Interactions) -> Facts:
    """With pairs counted here, so that no engine is needed."""
    baskets, number = np.unique(lines.basket, return_inverse=True)
    held = np.zeros((len(baskets), ITEMS))
    held[number, lines.item] = 1
    together = held.T @ held
    np.fill_diagonal(together, 0)
    anchor, item = np.nonzero(together)
    count = together[anchor, item]
    of_aisle = np.zeros((AISLES, ITEMS))
    np.add.at(of_aisle, AISLE, together)
    aisle, beside = np.nonzero(of_aisle)
    chance = of_aisle[aisle, beside] / of_aisle.max()
    return Facts.of(
        lines,
        Goods.plain(AISLE, AISLE, np.linspace(1, 9, ITEMS)),
        Pairs(anchor, item, count, count, count),
        Beside(aisle, beside, count[: len(aisle)], chance),
    )


def seeing(facts: Facts) -> Facts:
    """The same items, with pictures of some and a network that foretells the item after the last."""
    items, looks = len(facts.need), np.zeros((len(facts.need), 2), np.float16)
    looks[[0, 10, 20]] = [[1, 0], [0.6, 0.8], [0, 1]]
    vectors = np.zeros((items + 1, 5), np.float32)
    vectors[:items, -1] = np.arange(items) / 10
    shapes = {"kinds": (8, 4), "gaps": (12, 4), "kernel": (4, 12), "recurrent": (4, 12), "bias": (2, 12)}
    parts = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    return replace(facts, looks=looks, network=Recurrent(vectors, **parts))
