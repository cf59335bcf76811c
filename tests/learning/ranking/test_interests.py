"""Interests from events: weights, decay, shares and blends."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.errors import DataError
from ecomrec_django.learning.interactions import KINDS
from ecomrec_django.learning.ranking.interests import InterestWeights, blend, counts, interests, shares

VIEW, CART, UNCART, BUY, REFUND, REVIEW, SHOWN = (
    KINDS.index(kind)
    for kind in ("view_item", "add_to_cart", "remove_from_cart", "purchase", "refund", "review", "view_item_list")
)
WEIGHTS = InterestWeights(view=1.0, cart=2.0, purchase=4.0, review=8.0, half_life=10.0)

EVENTS = st.lists(
    st.tuples(
        st.integers(-1, 4),
        st.integers(0, len(KINDS) - 1),
        st.floats(0, 400),
        st.one_of(st.just(float("nan")), st.floats(1, 5)),
    ),
    max_size=30,
)
SHOWN_INTEREST = st.tuples(
    st.integers(0, 4), st.sampled_from([VIEW, CART, BUY, REVIEW]), st.floats(0, 400), st.floats(3, 5)
)


def of(events, weights=WEIGHTS) -> dict[int, float]:
    """Interests by thing, of events (thing, kind, age in days, stars)."""
    thing, kind, age, rating = (np.array([event[at] for event in events]) for at in range(4))
    found = interests(thing.astype(np.int64), kind.astype(np.int8), age.astype(float), rating.astype(float), weights)
    return dict(zip(found[0].tolist(), found[1].tolist(), strict=True))


def test_events_are_weighted_and_decay_by_half_lives():
    assert of([(3, VIEW, 0, np.nan)]) == {3: 1.0}
    assert of([(3, CART, 10, np.nan)]) == {3: pytest.approx(1.0)}
    assert of([(3, BUY, 20, np.nan), (1, VIEW, 10, np.nan)]) == {1: pytest.approx(0.5), 3: pytest.approx(1.0)}


@pytest.mark.parametrize(("stars", "worth"), [(5, 8.0), (4, 4.0), (3, 0.0), (np.nan, 0.0), (9, 8.0)])
def test_a_review_counts_with_how_good_it_is(stars, worth):
    assert of([(0, BUY, 0, np.nan), (0, REVIEW, 0, stars)]) == {0: 4.0 + worth}


def test_a_bad_review_speaks_against_a_thing_but_never_below_nothing():
    assert of([(0, BUY, 0, np.nan), (0, REVIEW, 0, 2.5)]) == {0: 2.0}
    assert of([(0, BUY, 0, np.nan), (0, REVIEW, 0, 1)]) == {}


def test_returned_items_do_not_count_but_views_do():
    assert of([(0, VIEW, 0, np.nan), (0, CART, 0, np.nan), (0, UNCART, 0, np.nan)]) == {0: 1.0}
    assert of([(0, VIEW, 0, np.nan), (0, BUY, 50, np.nan), (0, REFUND, 0, np.nan)]) == {0: 1.0}
    assert of([(0, BUY, 0, np.nan), (0, BUY, 0, np.nan), (0, REFUND, 0, np.nan)]) == {0: 4.0}


def test_impressions_and_unknown_items_are_ignored():
    assert of([(0, SHOWN, 0, np.nan), (-1, BUY, 0, np.nan)]) == {}
    assert of([]) == {}


@given(EVENTS, st.randoms(use_true_random=False))
def test_the_order_of_events_never_matters(events, random):
    shuffled = random.sample(events, len(events))
    assert of(shuffled) == pytest.approx(of(events))


@given(EVENTS, SHOWN_INTEREST)
def test_more_events_never_lower_an_interest(events, more):
    before, after = of(events), of([*events, more])
    assert after.get(more[0], 0.0) >= before.get(more[0], 0.0) - 1e-9
    assert {thing: score for thing, score in after.items() if thing != more[0]} == pytest.approx(
        {thing: score for thing, score in before.items() if thing != more[0]}
    )


@given(st.lists(SHOWN_INTEREST, max_size=20), st.lists(SHOWN_INTEREST, max_size=20), st.floats(0, 100))
def test_new_events_are_added_to_what_the_old_ones_have_faded_to(old, new, days):
    aged = [(thing, kind, age + days, stars) for thing, kind, age, stars in old]
    faded = {thing: score * 0.5 ** (days / WEIGHTS.half_life) for thing, score in of(old).items()}
    fresh = of(new)
    summed = {thing: faded.get(thing, 0.0) + fresh.get(thing, 0.0) for thing in faded | fresh}
    whole = of([*aged, *new])
    assert {thing: whole.get(thing, 0.0) for thing in summed} == pytest.approx(summed)


def test_three_hundred_events_are_summed_within_a_page():
    rng = np.random.default_rng(0)
    given = (
        rng.integers(-1, 40, 300),
        rng.integers(0, len(KINDS), 300).astype(np.int8),
        rng.uniform(0, 90, 300),
        rng.uniform(1, 5, 300),
    )
    seconds = []
    for _ in range(50):
        began = time.perf_counter()
        interests(*given, WEIGHTS)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.001


def test_shares_are_parts_of_the_whole():
    assert shares(np.array([1.0, 3.0])).tolist() == [0.25, 0.75]
    assert shares(np.zeros(2)).tolist() == [0.0, 0.0]
    assert shares(np.empty(0)).tolist() == []


def test_a_blend_is_half_the_harmonic_mean():
    found = blend(np.array([0.5, 0.0, 0.0, 1.0]), np.array([0.5, 0.7, 0.0, 1.0]))
    assert found.tolist() == [0.25, 0.0, 0.0, 0.5]


@pytest.mark.parametrize("wrong", [{"view": -1.0}, {"half_life": 0.0}, {"cart": float("nan")}])
def test_weights_that_cannot_be_are_refused(wrong):
    with pytest.raises(DataError, match="Weights must be"):
        replace(WEIGHTS, **wrong)


def test_counts_are_by_sort():
    things, sums = counts(
        np.array([2, 2, 0, 2]),
        np.array([VIEW, VIEW, BUY, CART], np.int8),
        np.array([0.0, 10.0, 0.0, 20.0]),
        np.full(4, np.nan),
        10.0,
    )
    assert things.tolist() == [0, 2]
    assert sums.tolist() == [[0, 0, 1, 0], [1.5, 0.25, 0, 0]]
