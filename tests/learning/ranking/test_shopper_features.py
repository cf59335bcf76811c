"""What is computed for one shopper by a few numpy calls is what plain loops compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import random as random_matrix

from ecomrec_django.learning.ranking.features import _content_similarities
from ecomrec_django.learning.ranking.shopper_features import HALF_LIVES, LATEST, _habit
from ecomrec_django.learning.sparse import SparseRows, lookup_sorted, unique_sorted


@given(
    pairs=st.sets(st.tuples(st.integers(0, 6), st.integers(0, 9)), max_size=40),
    steps=st.lists(st.floats(0, 50), min_size=10, max_size=10),
)
@settings(max_examples=60, deadline=None)
def test_a_habit_counts_the_baskets_of_each_thing(pairs, steps):
    baskets = sorted({basket for _, basket in pairs})
    held = [sorted({thing for thing, of in pairs if of == basket}) for basket in baskets]
    days = np.cumsum(steps)[: len(baskets)]
    lines = [(thing, number) for number, things in enumerate(held) for thing in things]
    thing, basket = np.array(lines, np.int64).reshape(-1, 2).T
    habit = _habit(thing, basket, days)
    assert habit.things.tolist() == sorted({thing for things in held for thing in things})
    weights = [[0.5 ** ((days[-1] - day) / half_life) for half_life in HALF_LIVES] for day in days]
    for row, thing in enumerate(habit.things.tolist()):
        own = [number for number, things in enumerate(held) if thing in things]
        assert habit.baskets[row] == len(own)
        assert habit.last[row] == days[own[-1]]
        assert habit.skipped[row] == len(held) - 1 - own[-1]
        late = sum(number >= len(held) - LATEST for number in own)
        assert habit.latest[row] == pytest.approx(late / min(len(held), LATEST))
        shares = np.array(weights)[own].sum(axis=0) / np.array(weights).sum(axis=0)
        assert habit.recent[row] == pytest.approx(shares)
        gap = (days[own[-1]] - days[own[0]]) / (len(own) - 1) if len(own) > 1 else np.nan
        assert habit.gap[row] == pytest.approx(gap, nan_ok=True)


@given(seed=st.integers(0, 10_000), density=st.floats(0, 0.4), known=st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_the_likeness_of_content_is_a_dot_product(seed, density, known):
    rng = np.random.default_rng(seed)
    content = random_matrix(12, 50, density, "csr", random_state=rng, dtype=np.float32)
    items = np.flatnonzero(rng.random(12) < 0.6)
    features = np.sort(rng.permutation(50)[:known]).astype(np.int32)
    weights = rng.random(known)
    vector = np.zeros(50)
    vector[features] = weights
    nothing = (np.empty(0, np.int64), np.empty(0))
    found = _content_similarities(
        SparseRows.of(content), items, [(features, weights), nothing, (features[::2], weights[::2])]
    )
    assert found[0] == pytest.approx(content[items].toarray() @ vector, abs=1e-6)
    assert not found[1].any()
    vector[features[1::2]] = 0
    assert found[2] == pytest.approx(content[items].toarray() @ vector, abs=1e-6)
    assert _content_similarities(SparseRows.of(content), items, [nothing])[0].tolist() == [0.0] * len(items)


@given(st.lists(st.integers(-5, 5)))
@settings(max_examples=40, deadline=None)
def test_keys_are_unique_and_sorted(keys):
    assert unique_sorted(np.array(keys, np.int64)).tolist() == sorted(set(keys))


@pytest.mark.parametrize("keys", [np.int32, np.int64])
@pytest.mark.parametrize("wanted", [np.int32, np.int64])
def test_a_value_is_looked_up_whatever_the_width_of_its_number(keys, wanted):
    found = lookup_sorted(
        np.array([2, 5, 9], keys), np.array([0.2, 0.5, 0.9]), np.array([9, 3, -1, 2, 10], wanted), -7.0
    )
    assert found.tolist() == [0.9, -7.0, -7.0, 0.2, -7.0]
