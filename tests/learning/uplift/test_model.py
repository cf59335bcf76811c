from __future__ import annotations

import numpy as np

from ecomrec_django.learning.uplift.features import PairStatistics
from ecomrec_django.learning.uplift.model import Uplift, fit_uplift
from ecomrec_django.learning.uplift.page_views import PageViews
from tests.support.histories import baskets, statistics

ITEMS = 40
IDS = np.arange(1, ITEMS + 1)
# Ten aisles of four items; an aisle is a need.
AISLE = np.arange(ITEMS) // 4
GROUPS = {"need": AISLE, "aisle": AISLE, "department": np.zeros(ITEMS, np.int64)}
OFFERED = np.ones(ITEMS, bool)


def partner(item):
    """Each item goes with the one of its number in the next aisle but one."""
    return (item - 1 + 8) % ITEMS + 1


def world(seed, count):
    """Baskets of an item, often its partner, and staples (items 1 to 4) whatever else is bought."""
    rng = np.random.default_rng(seed)
    found = []
    for item in rng.integers(1, ITEMS + 1, count).tolist():
        basket = {item, *rng.integers(1, 5, 3).tolist(), *rng.integers(1, ITEMS + 1, 3).tolist()}
        if rng.random() < 0.5:
            basket.add(partner(item))
        found.append(sorted(basket))
    return found


def known(events):
    each = statistics(events, IDS)
    return each, PairStatistics(each, GROUPS)


def later(contents):
    each = statistics(baskets(contents), IDS)
    return PageViews.of(each.purchases(), IDS)


def test_a_shop_with_few_orders_ranks_by_plain_excess():
    _, pairs = known(baskets(world(0, 300)))
    uplift = fit_uplift(pairs, OFFERED, later(world(1, 30)))
    assert uplift.trees is None
    assert uplift.caution > 0
    assert "trees" not in uplift.report


def test_nothing_is_fitted_without_later_orders():
    _, pairs = known(baskets(world(0, 300)))
    assert fit_uplift(pairs, OFFERED, later([])) == Uplift()


def test_planted_partners_rank_above_staples():
    _, pairs = known(baskets(world(0, 3_000)))
    uplift = fit_uplift(pairs, OFFERED, later(world(1, 1_000)))
    anchor, item = pairs.candidates(OFFERED)
    scores = uplift.scores(pairs, anchor, item)
    first = {}
    for row in np.lexsort((item, -scores, anchor)):
        first.setdefault(int(anchor[row]) + 1, int(item[row]) + 1)
    right = sum(first.get(each) in (partner(each), (each - 1 - 8) % ITEMS + 1) for each in range(5, ITEMS + 1))
    assert right >= 0.9 * (ITEMS - 4)


def test_trees_are_used_only_where_customers_they_do_not_know_gain():
    _, pairs = known(baskets(world(0, 3_000)))
    uplift = fit_uplift(pairs, OFFERED, later(world(1, 1_500)))
    assert {"default", "trees"} <= set(uplift.report)
    if uplift.trees is not None:
        assert uplift.report["trees"] > uplift.report["default"]


def test_shuffled_baskets_teach_nothing():
    rng = np.random.default_rng(3)
    contents = [rng.choice(IDS, 4, replace=False).tolist() for _ in range(3_000)]
    _, pairs = known(baskets(contents[:2_000]))
    uplift = fit_uplift(pairs, OFFERED, later(contents[2_000:]))
    assert max(uplift.report.values()) < 0.02
