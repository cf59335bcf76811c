"""What a web process evaluates needs numpy and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.test_architecture import WORKER_LIBRARIES

STORY = """
import sys
import numpy as np
from ecomrec_django.learning.facts import Facts
from ecomrec_django.learning.fusion import Ranker, ranked
from ecomrec_django.learning.interests import Weights, blend, interests
from ecomrec_django.learning.neighbours import Rows
from ecomrec_django.learning.past import PURCHASE, Past
from ecomrec_django.learning.recurrent import Recurrent
from ecomrec_django.learning.replenishment import bought_for_good, due, own_cycle
from ecomrec_django.learning.sessions import Decay, SessionNeighbours
from ecomrec_django.learning.shoppers import Shopper
from ecomrec_django.learning.signals import NAMES
from ecomrec_django.learning.trees import Trees

one, none = np.ones(3), Rows.empty(3)
facts = Facts(
    aisle=np.arange(3), need=np.arange(3), baskets=one, recent=one, total=3.0, recent_total=3.0, price=one, pairs=none,
    beside=none, needs=none, by_need=none, alike=none, rate=one, cycle=one, repeats=one > 0, item_rate=one, size=one,
    popular=np.arange(3), brand=np.arange(3), offered=one > 0, co_seen=none, content=none, segments=none,
    weights=Weights(),
)
events = np.array([1, 2]), np.array([PURCHASE, PURCHASE]), np.array([5.0, 5.0]), np.array([7, 7]), np.full(2, np.nan)
shopper = Shopper.of(Past.unpacked(Past.of(*events).packed()), facts)
leaf = np.zeros(1, np.int64)
trees = Trees(leaf, leaf - 1, one[:1], leaf > 0, leaf, leaf, one[:1], 0.0, 0)
ranker = Ranker(trees, 1.0, 0.0, 0.5)
found = ranked(ranker, facts, shopper, [0], 6.0, 0.5)
assert found.items.tolist() == [1, 2] and ranker.contributions(found.matrix).shape == (2, len(NAMES))
own = shopper.items
assert bought_for_good(one[:2] > 0, own.baskets).tolist() == [False, False]
assert not due(6.0 - own.last[0], own_cycle(own.gap, own.baskets, np.full(2, 9.0))[0])
past = SessionNeighbours.of(np.array([0, 0]), np.array([0, 1]), np.array([0.0, 1.0]), 2, Decay())
assert past.next(np.array([0]), 1.0)[0].tolist() == [0, 1]
shapes = (3, 2), (8, 1), (12, 1), (1, 3), (1, 3), (2, 3)
names = ("items", "kinds", "gaps", "kernel", "recurrent", "bias")
network = Recurrent.stored({name: np.ones(shape, np.float32) for name, shape in zip(names, shapes)})
assert network.scores(network.visitor(np.array([0, 1]), np.zeros(2, int), np.zeros(2))).shape == (2,)
days = np.zeros(1)
cared_for = interests(np.array([4]), np.zeros(1, np.int8), days, days, Weights())
assert blend(cared_for[1], one[:1]).tolist() == [0.5]
print(*{name.split(".")[0] for name in sys.modules})
"""


def test_personal_offers_are_ranked_without_a_training_library():
    run = subprocess.run(
        [sys.executable, "-c", STORY],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.split())
    assert "numpy" in loaded
    assert not loaded & (WORKER_LIBRARIES | {"pandas"})
