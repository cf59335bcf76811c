"""What a web process evaluates needs numpy and nothing else."""

from __future__ import annotations

from tests.support.processes import WORKER_LIBRARIES, libraries_loaded_by

STORY = """
import numpy as np
from ecomrec_django.learning.ranking.item_features import ItemFeatures
from ecomrec_django.learning.ranking.ranker import Ranker, rank
from ecomrec_django.learning.ranking.interests import InterestWeights, blend, interests
from ecomrec_django.learning.sparse import SparseRows
from ecomrec_django.learning.ranking.shopper_history import PURCHASE, ShopperHistory
from ecomrec_django.learning.sequences.gru import GRUModel
from ecomrec_django.learning.ranking.replenishment import bought_for_good, due_scores, own_cycle
from ecomrec_django.learning.ranking.shopper_features import ShopperFeatures
from ecomrec_django.learning.ranking.features import FEATURE_NAMES
from ecomrec_django.learning.ranking.trees import Trees

one, none = np.ones(3), SparseRows.empty(3)
item_features = ItemFeatures(
    aisle=np.arange(3), need=np.arange(3), baskets=one, recent_baskets=one, total_baskets=3.0,
    recent_total=3.0, price=one, pairs=none,
    aisle_pairs=none, need_pairs=none, need_items=none, similar_items=none, repeat_rate=one, cycle=one,
    repeats=one > 0, item_repeat_rate=one, basket_size=one, bestsellers=np.arange(3), brand=np.arange(3),
    offered=one > 0, co_viewed=none, content=none, segment_popularity=none, interest_weights=InterestWeights(),
)
events = np.array([1, 2]), np.array([PURCHASE, PURCHASE]), np.array([5.0, 5.0]), np.array([7, 7]), np.full(2, np.nan)
shopper = ShopperFeatures.of(ShopperHistory.from_bytes(ShopperHistory.of(*events).to_bytes()), item_features)
leaf = np.zeros(1, np.int64)
trees = Trees(
    roots=leaf, feature=leaf - 1, threshold=one[:1], missing_left=leaf > 0, left=leaf, right=leaf, value=one[:1],
    base=0.0, depth=0,
)
ranker = Ranker(trees=trees, slope=1.0, offset=0.0, skill=0.5)
found = rank(ranker, item_features, shopper, [0], 6.0, 0.5)
assert found.items.tolist() == [1, 2] and ranker.contributions(found.matrix).shape == (2, len(FEATURE_NAMES))
own = shopper.items
assert bought_for_good(one[:2] > 0, own.baskets).tolist() == [False, False]
assert not due_scores(6.0 - own.last[0], own_cycle(own.gap, own.baskets, np.full(2, 9.0))[0])
shapes = (3, 2), (8, 1), (12, 1), (1, 3), (1, 3), (2, 3)
names = ("items", "kinds", "gaps", "kernel", "recurrent", "bias")
network = GRUModel.stored({name: np.ones(shape, np.float32) for name, shape in zip(names, shapes)})
assert network.scores(network.visitor(np.array([0, 1]), np.zeros(2, int), np.zeros(2))).shape == (2,)
days = np.zeros(1)
cared_for = interests(np.array([4]), np.zeros(1, np.int8), days, days, InterestWeights())
assert blend(cared_for[1], one[:1]).tolist() == [0.5]
"""


def test_personal_offers_are_ranked_without_a_training_library():
    loaded = libraries_loaded_by(STORY)
    assert "numpy" in loaded
    assert not loaded & (WORKER_LIBRARIES | {"pandas"})
