from __future__ import annotations

import numpy as np
import pytest

from ecomrec_django.learning.ranking.replenishment import DUE, bought_for_good, due_scores, fit_cycles, own_cycle

# Items 0-4 are milk (need 0), 5-9 tents (need 1).
NEED = np.repeat([0, 1], 5)


def purchases(rng, visitors=80, cycle=14.0, days=364):
    """Each visitor drinks one sort of milk, bought anew after about ``cycle`` days, and buys two tents in the year."""
    rows = []
    for visitor in range(visitors):
        day = rng.uniform(0, cycle)
        while day < days:
            rows.append((visitor, visitor % 5, day))
            day += cycle * rng.uniform(0.8, 1.2)
        rows += [(visitor, tent, rng.uniform(0, days)) for tent in rng.choice(np.arange(5, 10), 2, replace=False)]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def test_the_planted_cycle_is_found_and_tents_are_not_bought_again():
    found = fit_cycles(*purchases(np.random.default_rng(0)), NEED)
    assert found.repeats.tolist() == [True, False]
    assert found.days[0] == pytest.approx(14, abs=1)
    assert found.rate[0] > 0.95 > 0.2 > found.rate[1]
    assert (found.item_rate[:5] > 0.9).all()
    assert (found.item_rate[5:] < 0.2).all()


def test_shuffled_purchases_repeat_no_more_than_by_chance():
    rng = np.random.default_rng(1)
    visitor, item, day = purchases(rng, visitors=200)
    item = rng.integers(0, 200, len(item))
    found = fit_cycles(visitor, item, day, np.arange(200) // 100)
    assert not found.repeats.any()
    assert found.rate == pytest.approx(found.expected, abs=0.02)


def test_purchases_on_one_day_count_once():
    twice = fit_cycles(np.zeros(40, int), np.zeros(40, int), np.full(40, 5.0), np.array([0]))
    assert (twice.rate[0], np.isnan(twice.days[0])) == (0.0, True)


def test_without_purchases_nothing_repeats():
    nothing = np.empty(0, np.int64)
    found = fit_cycles(nothing, nothing, np.empty(0), NEED)
    assert not found.repeats.any()
    assert np.isnan(found.days).all()


def test_a_shoppers_own_cycle_is_drawn_to_the_needs():
    found = own_cycle(np.array([np.nan, 10.0, 10.0]), np.array([1.0, 3.0, 99.0]), np.full(3, 20.0))
    assert found.tolist() == [20.0, 15.0, pytest.approx(10.2)]
    assert own_cycle(np.array([7.0]), np.array([4.0]), np.array([np.nan])).tolist() == [7.0]


def test_durable_items_are_hidden_unless_bought_twice():
    repeats, baskets = np.array([True, True, False, False, False]), np.array([0.0, 1, 0, 1, 2])
    assert bought_for_good(repeats, baskets).tolist() == [False, False, False, True, False]


def test_an_item_is_due_after_half_of_its_cycle():
    assert not due_scores(DUE * 10 - 0.1, 10.0)
    assert due_scores(DUE * 10, 10.0)
    assert not due_scores(99.0, np.nan)
