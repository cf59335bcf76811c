"""Interest weights fitted on what is bought after the events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.errors import DataError
from ecomrec_django.learning.interactions import DAY, KINDS, IdMap, Interactions
from ecomrec_django.learning.ranker_training.interest_weights import fit_weights
from ecomrec_django.learning.ranking.interests import InterestWeights

VIEW, CART, BUY, REVIEW = (KINDS.index(kind) for kind in ("view_item", "add_to_cart", "purchase", "review"))
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
        visitors=nobody,
        items=IdMap(np.arange(len(ITEM_THING))),
        visitor=nobody.numbers(visitor),
        item=item.astype(np.int64),
        kind=kind.astype(np.int8),
        value=np.ones(len(rows)),
        time=(day * DAY).astype(np.int64),
        basket=none,
        session=none,
        price=unknown,
        rating=np.where(kind == REVIEW, 5.0, np.nan),
    )


def test_carts_three_times_as_predictive_weigh_three_times_as_much():
    found = fit_weights(*world(0, {VIEW: 0.8, CART: 2.4}, {VIEW: 12, CART: 6}), ITEM_THING)
    assert found.skill > 0.03
    assert found.cases > 1_000
    assert 2 < found.weights.cart / found.weights.view < 4.5
    assert 14 <= found.weights.half_life <= 90
    # Neither purchases nor reviews occurred.
    assert (found.weights.purchase, found.weights.review) == (InterestWeights().purchase, InterestWeights().review)


def test_views_more_predictive_than_carts_weigh_more():
    weights = fit_weights(*world(1, {VIEW: 2.4, CART: 0.3}, {VIEW: 8, CART: 8}), ITEM_THING).weights
    assert weights.view > 3 * weights.cart


def test_a_short_lived_interest_gets_a_short_half_life():
    found = fit_weights(*world(2, {VIEW: 4.0}, {VIEW: 30}, half_life=4.0), ITEM_THING)
    assert found.weights.half_life <= 7


def test_an_event_kind_without_predictive_value_weighs_almost_nothing():
    weights = fit_weights(*world(3, {CART: 2.0}, {VIEW: 12, CART: 6, REVIEW: 2}), ITEM_THING).weights
    assert weights.view < 0.15 * weights.cart
    assert weights.review < 0.2 * weights.cart


@pytest.mark.parametrize("seed", range(5))
def test_purchases_independent_of_events_show_no_skill(seed):
    """Even where all see and buy the same bestsellers most."""
    found = fit_weights(*world(seed, {}, {VIEW: 12, CART: 6}, popular=2.5), ITEM_THING)
    assert (found.weights, found.skill) == (InterestWeights(), 0.0)
    assert found.cases > 1_000


def test_shuffled_buyers_show_no_skill():
    before, after = world(0, {VIEW: 0.8, CART: 2.4}, {VIEW: 12, CART: 6})
    others = np.random.default_rng(0).permutation(len(after.visitors))
    assert fit_weights(before, after, ITEM_THING).skill > 0
    shuffled = replace(after, visitor=others[after.visitor])
    assert fit_weights(before, shuffled, ITEM_THING).skill == 0


def test_the_same_seed_gives_the_same_weights():
    histories = world(0, {CART: 2.0}, {VIEW: 6, CART: 6})
    assert fit_weights(*histories, ITEM_THING, seed=4) == fit_weights(*histories, ITEM_THING, seed=4)


def test_histories_without_cases_give_the_default_weights():
    before, after = world(0, {CART: 2.0}, {VIEW: 6, CART: 6})
    empty = before.where(np.zeros(len(before), bool))
    for past, future, thing in (
        (empty, after, ITEM_THING),
        (before, after.where(np.zeros(len(after), bool)), ITEM_THING),
        (before, after, np.full_like(ITEM_THING, -1)),
        (before, after, np.zeros_like(ITEM_THING)),
    ):
        found = fit_weights(past, future, thing)
        assert (found.weights, found.skill) == (InterestWeights(), 0.0)


def test_histories_of_different_items_are_refused():
    before, after = world(0, {}, {VIEW: 2})
    with pytest.raises(DataError, match="same items"):
        fit_weights(before, after, ITEM_THING[:-1])
