from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.learning.measures import chance_shares, excess_log_likelihood_ratio, expected_together

SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=40)


@given(SIZES, st.floats(0, 0.99))
def test_shares_explain_how_many_baskets_hold_an_item(sizes, part):
    baskets = np.array([part * len(sizes)])
    (share,) = chance_shares(baskets, np.array(sizes))
    assert 0 <= share <= 1
    assert (1 - (1 - share) ** np.array(sizes)).sum() == pytest.approx(baskets[0], rel=1e-3, abs=1e-6)


@given(SIZES, st.floats(0, 0.9), st.floats(0.1, 5))
def test_the_unit_of_the_weights_does_not_matter(sizes, part, unit):
    baskets, weights = np.array([part * len(sizes)]), np.full(len(sizes), unit)
    plain, weighted = chance_shares(baskets, np.array(sizes)), chance_shares(unit * baskets, np.array(sizes), weights)
    assert weighted == pytest.approx(plain, rel=1e-6)


def test_independent_items_are_together_as_often_as_expected():
    rng = np.random.default_rng(0)
    # Three staples among many items.
    chance = np.r_[0.6, 0.3, 0.3, np.full(150, 0.03)]
    held = rng.random((20_000, len(chance))) < chance
    held = held[held.any(axis=1)]
    sizes, baskets = held.sum(axis=1), held.sum(axis=0)
    share = chance_shares(baskets, sizes)
    for anchor in range(4):
        others = (sizes[held[:, anchor]] - 1).mean()
        together = held[held[:, anchor]].sum(axis=0)[:3]
        expected = expected_together(np.full(3, baskets[anchor]), np.full(3, others), share[:3])
        assert np.abs(together / expected - 1)[np.arange(3) != anchor].max() < 0.12


def test_a_ratio_has_the_sign_of_the_excess():
    count, expected = np.array([12.0, 2.0, 0.0, 3.0, 40.0]), np.array([2.0, 12.0, 5.0, 3.0, 26.0])
    ratio = excess_log_likelihood_ratio(count, expected, np.full(5, 40.0))
    assert ratio[0] > 10.8
    assert ratio[1] < -10.8
    assert ratio[2] == pytest.approx(2 * 40 * np.log(35 / 40))
    assert ratio[3] == 0
    assert ratio[4] == pytest.approx(2 * 40 * np.log(40 / 26))
