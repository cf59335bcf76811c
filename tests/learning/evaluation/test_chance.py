from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from ecomrec_django.learning.evaluation.chance import Baskets, chance_hits, staple_items
from ecomrec_django.learning.evaluation.metrics import evaluate
from ecomrec_django.learning.measures import by_chance

SHARE = np.array([0.5, 0.25, 0.125, 0.125])


def arrays(*lists):
    return [np.array(values, np.int64) for values in lists]


def test_an_item_that_every_second_line_is_stands_in_most_baskets():
    assert by_chance(np.array([0.5, 0.5, 0.0]), np.array([1, 3, 9])) == pytest.approx([0.5, 0.875, 0.0])


@given(st.floats(0, 1), st.integers(0, 500))
def test_chance_is_a_probability_that_grows_with_the_basket(share, others):
    smaller, larger = by_chance(np.full(2, share), np.array([others, others + 1]))
    assert 0 <= smaller <= larger <= 1


def test_chance_hits_count_the_block_alone():
    hits = chance_hits(arrays([0, 1], [], [0, 1, 2, 3, 0]), Baskets(SHARE, np.array([1, 4, 1])))
    assert hits == pytest.approx([0.75, 0.0, 1.0])


def test_excess_is_what_popularity_does_not_explain():
    baskets = Baskets(SHARE, np.array([1, 1]))
    scores = evaluate(arrays([0], [3]), arrays([0], [3]), np.array([4, 2, 1, 1]), baskets=baskets)
    assert scores.hits == 1.0
    assert scores.excess == pytest.approx(1 - (0.5 + 0.125) / 2)


def test_offers_drawn_at_random_have_no_excess():
    rng = np.random.default_rng(0)
    cases, others = 20_000, 5
    targets = [np.unique(rng.choice(4, others, p=SHARE)) for _ in range(cases)]
    scores = evaluate(arrays(*[[0, 2]] * cases), targets, SHARE, baskets=Baskets(SHARE, np.full(cases, others)))
    assert scores.hits > 1.3
    assert scores.excess == pytest.approx(0.0, abs=0.02)


def test_own_excess_is_small_for_what_a_shopper_buys_anyway():
    # One shopper has bought item 3 in 900 of 900 lines, the other is new.
    baskets = Baskets(SHARE, np.array([2, 2]), csr_matrix(np.array([[0, 0, 0, 900], [0, 0, 0, 0]])))
    known, new = chance_hits(arrays([3], [3]), baskets, own=True)
    assert known > 0.98
    assert new == pytest.approx(1 - (1 - 0.125) ** 2)


def test_staples_are_bestsellers_that_were_sold():
    assert staple_items(np.array([0, 3, 1, 2])).tolist() == [1, 3, 2]
