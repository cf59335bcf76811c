from __future__ import annotations

import numpy as np
import pytest

from ecomrec_django.learning.uplift.features import PairStatistics
from tests.support.histories import baskets, statistics

# Items 1 and 2 are one need, 3 and 4 another, each need an aisle; 5 is alone.
IDS = np.array([1, 2, 3, 4, 5])
NEED = np.array([0, 0, 1, 1, 2])
GROUPS = {"need": NEED, "aisle": NEED, "department": np.zeros(5, np.int64)}
OFFERED = np.ones(5, bool)


def planted(*more):
    """Item 3 goes with 1 in many baskets and with 2 in two; item 5 is bought alone."""
    return statistics(baskets([[1, 3]] * 20 + [[2, 3]] * 2 + [[5]] * 40 + [*more]), IDS)


def pairs_of(found):
    return set(zip(found[0].tolist(), found[1].tolist(), strict=True))


def column(found, name):
    return found.matrix[:, found.names.index(name)]


def test_pairs_of_too_few_customers_are_not_known():
    pairs = PairStatistics(planted(), GROUPS)
    assert pairs.rows(np.array([0, 1]), np.array([2, 2])).tolist() == [0, -1]
    found = pairs.features(np.array([0, 1]), np.array([2, 2]))
    assert column(found, "baskets")[0] == 20
    assert np.isnan(column(found, "baskets")[1])
    assert np.isnan(column(found, "customers")[1])


def test_what_is_bought_with_the_need_is_known_of_each_of_its_items():
    pairs = PairStatistics(planted(), GROUPS)
    found = pairs.features(np.array([0, 1]), np.array([2, 2]))
    # 22 baskets with the need, each with one more item; item 3 is in 22 of 22 baskets of two lines and 40 of one.
    share = pairs.bought.share[2]
    assert 62 - 22 * (1 - share) ** 2 - 40 * (1 - share) == pytest.approx(22)
    expected = 22 * max(share, 22 / 62)
    assert column(found, "with_need_excess") == pytest.approx(np.full(2, (22 - expected) / 22), rel=1e-5)


def test_candidates_are_of_other_aisles_and_offered():
    pairs = PairStatistics(planted([1, 2], [1, 2], [1, 2], [1, 2]), GROUPS)
    assert pairs_of(pairs.candidates(OFFERED)) == {(0, 2), (1, 2), (2, 0)}
    assert pairs_of(pairs.candidates(np.array([False, True, True, True, True]))) == {(0, 2), (1, 2)}


def test_one_customer_adds_no_candidate():
    alone = baskets([[1, 5]] * 30, visitor=900)
    before = PairStatistics(planted(), GROUPS).candidates(OFFERED)
    events = baskets([[1, 3]] * 20 + [[2, 3]] * 2 + [[5]] * 40) + alone
    after = PairStatistics(statistics(events, IDS), GROUPS).candidates(OFFERED)
    assert pairs_of(before) == pairs_of(after)


def test_every_feature_is_a_number_where_it_is_known():
    pairs = PairStatistics(planted(), GROUPS)
    anchor, item = pairs.candidates(OFFERED)
    found = pairs.features(anchor, item)
    assert found.matrix.shape == (len(anchor), len(found.names))
    assert len(set(found.names)) == len(found.names)
    assert not np.isinf(found.matrix).any()
    assert np.isfinite(found.matrix[0]).all()
