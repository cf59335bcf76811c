"""A planted shop of 60 items in 6 aisles, whose visitors have staples of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ecomrec_django.learning.interactions import DAY, KINDS, IdMap, Interactions
from ecomrec_django.learning.ranker_training.cases import BasketCases, EvaluationSlice, ShopperList
from ecomrec_django.learning.ranker_training.item_statistics import build_item_features
from ecomrec_django.learning.ranker_training.neighbour_tastes import NeighbourTastes
from ecomrec_django.learning.ranker_training.snapshot import shopper_features
from ecomrec_django.learning.ranking.item_features import ItemFeatures, ItemTable
from ecomrec_django.learning.sequences.gru import GRUModel
from ecomrec_django.learning.statistics.cooccurrence import AislePairs, Pairs

ITEMS, AISLES, VISITORS = 60, 6, 120
AISLE = np.arange(ITEMS) * AISLES // ITEMS
WEEKS, HELD_OUT = 20, 4
START = 17_000
# When the held-out baskets begin, in days since 1970.
NOW = START + 7.0 * (WEEKS - HELD_OUT)


@dataclass(frozen=True)
class Shop:
    staples: np.ndarray
    item_features: ItemFeatures
    shoppers: ShopperList
    cases: BasketCases

    def evaluation_slice(self) -> EvaluationSlice:
        return EvaluationSlice(self.cases, self.item_features, self.shoppers)


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
    before = lines.time < (START + 7 * (WEEKS - HELD_OUT)) * DAY
    known = lines.where(before)
    item_features = features_of(known)
    shoppers = shopper_features(known, item_features, NeighbourTastes.of(known, ITEMS))
    cases = BasketCases.of(lines.where(~before), np.arange(VISITORS), AISLE)
    return Shop(staples=staples, item_features=item_features, shoppers=shoppers, cases=cases)


def every_other_basket(planted: Shop) -> EvaluationSlice:
    """The cases of the baskets with an odd number."""
    return planted.evaluation_slice().where(np.flatnonzero(planted.cases.basket % 2))


def purchases(visitor: np.ndarray, item: np.ndarray, day: np.ndarray, basket: np.ndarray) -> Interactions:
    order = np.argsort(day, kind="stable")
    visitor, item, day, basket = (values[order].astype(np.int64) for values in (visitor, item, day, basket))
    return Interactions(
        visitors=IdMap(np.arange(VISITORS)),
        items=IdMap(np.arange(ITEMS)),
        visitor=visitor,
        item=item,
        kind=np.full(len(item), KINDS.index("purchase"), np.int8),
        value=np.ones(len(item)),
        time=day * DAY,
        basket=basket,
        session=np.full(len(item), -1),
        price=np.full(len(item), np.nan),
        rating=np.full(len(item), np.nan),
    )


def features_of(lines: Interactions) -> ItemFeatures:
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
    return build_item_features(
        lines,
        items=ItemTable.plain(AISLE, AISLE, np.linspace(1, 9, ITEMS)),
        pairs=Pairs(anchor=anchor, item=item, customers=count, orders=count, baskets=count, weight=count),
        aisle_pairs=AislePairs(
            aisle=aisle,
            item=beside,
            customers=of_aisle[aisle, beside],
            baskets=of_aisle[aisle, beside],
            expected=np.ones(len(aisle)),
            aisle_baskets=np.full(len(aisle), of_aisle.max()),
            probability=chance,
        ),
    )


def with_networks(item_features: ItemFeatures) -> ItemFeatures:
    """The same items, with images of some and a network that predicts the item after the last."""
    items = len(item_features.need)
    images = np.zeros((items, 2), np.float16)
    images[[0, 10, 20]] = [[1, 0], [0.6, 0.8], [0, 1]]
    vectors = np.zeros((items + 1, 5), np.float32)
    vectors[:items, -1] = np.arange(items) / 10
    shapes = {"kinds": (8, 4), "gaps": (12, 4), "kernel": (4, 12), "recurrent": (4, 12), "bias": (2, 12)}
    parts = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    return replace(item_features, image_vectors=images, network=GRUModel(items=vectors, **parts))
