from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.errors import DataError
from ecomrec_django.learning.interactions import KINDS, IdMap, Interactions
from ecomrec_django.learning.interests import Weights, blend, counts, fit_weights, interests, shares

DAY = 86_400
VIEW, CART, UNCART, BUY, REFUND, REVIEW, SHOWN = (
    KINDS.index(kind)
    for kind in ("view_item", "add_to_cart", "remove_from_cart", "purchase", "refund", "review", "view_item_list")
)
WEIGHTS = Weights(view=1.0, cart=2.0, purchase=4.0, review=8.0, half_life=10.0)

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


def test_each_sort_of_event_counts_its_weight_and_halves_at_a_half_life():
    assert of([(3, VIEW, 0, np.nan)]) == {3: 1.0}
    assert of([(3, CART, 10, np.nan)]) == {3: pytest.approx(1.0)}
    assert of([(3, BUY, 20, np.nan), (1, VIEW, 10, np.nan)]) == {1: pytest.approx(0.5), 3: pytest.approx(1.0)}


@pytest.mark.parametrize(("stars", "worth"), [(5, 8.0), (4, 4.0), (3, 0.0), (np.nan, 0.0), (9, 8.0)])
def test_a_review_counts_with_how_good_it_is(stars, worth):
    assert of([(0, BUY, 0, np.nan), (0, REVIEW, 0, stars)]) == {0: 4.0 + worth}


def test_a_bad_review_speaks_against_a_thing_but_never_below_nothing():
    assert of([(0, BUY, 0, np.nan), (0, REVIEW, 0, 2.5)]) == {0: 2.0}
    assert of([(0, BUY, 0, np.nan), (0, REVIEW, 0, 1)]) == {}


def test_what_is_taken_back_no_longer_counts_and_leaves_the_views_alone():
    assert of([(0, VIEW, 0, np.nan), (0, CART, 0, np.nan), (0, UNCART, 0, np.nan)]) == {0: 1.0}
    assert of([(0, VIEW, 0, np.nan), (0, BUY, 50, np.nan), (0, REFUND, 0, np.nan)]) == {0: 1.0}
    assert of([(0, BUY, 0, np.nan), (0, BUY, 0, np.nan), (0, REFUND, 0, np.nan)]) == {0: 4.0}


def test_what_was_merely_shown_and_what_is_no_thing_are_left_out():
    assert of([(0, SHOWN, 0, np.nan), (-1, BUY, 0, np.nan)]) == {}
    assert of([]) == {}


@given(EVENTS, st.randoms(use_true_random=False))
def test_the_order_of_events_never_matters(events, random):
    shuffled = random.sample(events, len(events))
    assert of(shuffled) == pytest.approx(of(events))


@given(EVENTS, SHOWN_INTEREST)
def test_one_more_sign_of_interest_never_lowers_it(events, more):
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


THINGS, VISITORS = 12, 600
ITEM_THING = np.arange(3 * THINGS) // 3


def world(
    seed: int, worth: dict[int, float], rates: dict[int, float], half_life: float = 30.0, popular: float = 0.0
) -> tuple[Interactions, Interactions]:
    """Events of 120 days and the purchases after them: of each thing at a chance of 1 / (1 + e^-(Σ worths - 2)).

    Each event of a kind adds its ``worth``, halved every ``half_life`` days. ``rates``: events of a visitor by kind.
    ``popular``: how much more of the last thing is seen and bought than of the first, by whomever.
    """
    rng = np.random.default_rng(seed)
    taste = np.linspace(0, popular, THINGS)
    share = np.exp(taste) / np.exp(taste).sum()
    rows, strength = [], np.tile(taste - 2.0, (VISITORS, 1))
    for kind, rate in rates.items():
        for visitor, number in enumerate(rng.poisson(rate, VISITORS)):
            things = rng.choice(THINGS, number, p=share)
            ages = rng.uniform(0, 120, number)
            np.add.at(strength[visitor], things, worth.get(kind, 0.0) * 0.5 ** (ages / half_life))
            rows += [
                (visitor, 3 * thing + rng.integers(3), kind, 120 - age) for thing, age in zip(things, ages, strict=True)
            ]
    visitor, thing = np.nonzero(rng.random(strength.shape) < 1 / (1 + np.exp(-strength)))
    later = zip(
        visitor, 3 * thing + rng.integers(0, 3, len(thing)), [BUY] * len(thing), [130] * len(thing), strict=True
    )
    return interactions(rows), interactions(list(later))


def interactions(rows) -> Interactions:
    rows = sorted(rows, key=lambda row: row[3])
    visitor, item, kind, day = (np.array(column) for column in zip(*rows, strict=True))
    nobody = IdMap.of(visitor)
    unknown = np.full(len(rows), np.nan)
    none = np.full(len(rows), -1)
    return Interactions(
        nobody,
        IdMap(np.arange(len(ITEM_THING))),
        nobody.numbers(visitor),
        item.astype(np.int64),
        kind.astype(np.int8),
        np.ones(len(rows)),
        (day * DAY).astype(np.int64),
        none,
        none,
        unknown,
        np.where(kind == REVIEW, 5.0, np.nan),
    )


def test_carts_that_foretell_three_times_better_than_views_weigh_about_three_times_more():
    found = fit_weights(*world(0, {VIEW: 0.8, CART: 2.4}, {VIEW: 12, CART: 6}), ITEM_THING)
    assert found.skill > 0.03
    assert found.cases > 1_000
    assert 2 < found.weights.cart / found.weights.view < 4.5
    assert 14 <= found.weights.half_life <= 90
    # Neither purchases nor reviews occurred.
    assert (found.weights.purchase, found.weights.review) == (Weights().purchase, Weights().review)


def test_views_that_foretell_better_than_carts_weigh_more():
    weights = fit_weights(*world(1, {VIEW: 2.4, CART: 0.3}, {VIEW: 8, CART: 8}), ITEM_THING).weights
    assert weights.view > 3 * weights.cart


def test_a_taste_of_the_last_days_gets_a_short_half_life():
    found = fit_weights(*world(2, {VIEW: 4.0}, {VIEW: 30}, half_life=4.0), ITEM_THING)
    assert found.weights.half_life <= 7


def test_a_sort_of_event_that_foretells_nothing_weighs_next_to_nothing():
    weights = fit_weights(*world(3, {CART: 2.0}, {VIEW: 12, CART: 6, REVIEW: 2}), ITEM_THING).weights
    assert weights.view < 0.15 * weights.cart
    assert weights.review < 0.2 * weights.cart


@pytest.mark.parametrize("seed", range(5))
def test_purchases_that_have_nothing_to_do_with_the_events_show_no_skill(seed):
    """Even where all see and buy the same bestsellers most."""
    found = fit_weights(*world(seed, {}, {VIEW: 12, CART: 6}, popular=2.5), ITEM_THING)
    assert (found.weights, found.skill) == (Weights(), 0.0)
    assert found.cases > 1_000


def test_shuffling_who_bought_takes_the_skill_away():
    before, after = world(0, {VIEW: 0.8, CART: 2.4}, {VIEW: 12, CART: 6})
    others = np.random.default_rng(0).permutation(len(after.visitors))
    assert fit_weights(before, after, ITEM_THING).skill > 0
    shuffled = replace(after, visitor=others[after.visitor])
    assert fit_weights(before, shuffled, ITEM_THING).skill == 0


def test_the_same_seed_gives_the_same_weights():
    histories = world(0, {CART: 2.0}, {VIEW: 6, CART: 6})
    assert fit_weights(*histories, ITEM_THING, seed=4) == fit_weights(*histories, ITEM_THING, seed=4)


def test_nothing_to_learn_from_gives_the_defaults():
    before, after = world(0, {CART: 2.0}, {VIEW: 6, CART: 6})
    empty = before.where(np.zeros(len(before), bool))
    for past, future, thing in (
        (empty, after, ITEM_THING),
        (before, after.where(np.zeros(len(after), bool)), ITEM_THING),
        (before, after, np.full_like(ITEM_THING, -1)),
        (before, after, np.zeros_like(ITEM_THING)),
    ):
        found = fit_weights(past, future, thing)
        assert (found.weights, found.skill) == (Weights(), 0.0)


def test_histories_of_different_items_are_refused():
    before, after = world(0, {}, {VIEW: 2})
    with pytest.raises(DataError, match="same items"):
        fit_weights(before, after, ITEM_THING[:-1])


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
