"""Sticky choices, and shares that follow what arms earned."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.strategies.bandit import EXPLORATION, Tally, chance, chosen, shares, shares_by_segment

VISITORS = [f"visitor {number}" for number in range(20_000)]
SHARES = {"a": 0.5, "b": 0.3, "c": 0.2, "none": 0.0}


def valued(trials, successes, value, spread=0.5):
    """An arm whose successes are worth ``value`` in the middle."""
    log = np.log(value)
    return Tally(trials, successes, successes * log, successes * (log**2 + spread**2))


def test_each_arm_gets_its_share_of_the_visitors():
    counts = Counter(chosen(SHARES, "7", visitor) for visitor in VISITORS)
    assert counts["none"] == 0
    for arm in "abc":
        assert counts[arm] / len(VISITORS) == pytest.approx(chance(SHARES, arm), abs=0.015)


def test_a_visitor_keeps_the_arm_and_another_experiment_draws_anew():
    first = [chosen(SHARES, "7", visitor) for visitor in VISITORS]
    assert first == [chosen(dict(reversed(SHARES.items())), "7", visitor) for visitor in VISITORS]
    other = [chosen(SHARES, "8", visitor) for visitor in VISITORS]
    same = np.mean([one == two for one, two in zip(first, other, strict=True)])
    assert same == pytest.approx(0.5**2 + 0.3**2 + 0.2**2, abs=0.02)


@given(st.sampled_from("abc"), st.floats(1.05, 10))
def test_a_greater_share_draws_visitors_to_its_arm_and_moves_no_others(arm, factor):
    greater = {**SHARES, arm: SHARES[arm] * factor}
    for visitor in VISITORS[:500]:
        before, after = chosen(SHARES, "7", visitor), chosen(greater, "7", visitor)
        assert after in (before, arm)


TALLIES = st.builds(
    lambda trials, rate, value: valued(trials, trials * rate, value),
    st.floats(0, 1e6),
    st.floats(0, 1),
    st.floats(0.01, 1e6),
)


@given(st.lists(TALLIES, min_size=2, max_size=5), st.booleans())
def test_shares_sum_to_one_and_each_arm_is_explored(tallies, with_value):
    found = shares(tallies, with_value, np.random.default_rng(0), draws=200)
    assert found.sum() == pytest.approx(1)
    assert (found >= EXPLORATION / len(tallies) - 1e-12).all()


def test_before_any_trial_all_arms_have_about_the_same():
    found = shares([Tally()] * 4, True, np.random.default_rng(0))
    assert found == pytest.approx([0.25] * 4, abs=0.05)


def test_what_is_surely_better_gets_nearly_all():
    rng = np.random.default_rng(0)
    rates = shares([Tally(50_000, 500), Tally(50_000, 750)], False, rng)
    assert rates == pytest.approx([0.025, 0.975], abs=0.01)
    # The same chances, and worth more.
    values = shares([valued(50_000, 500, 20), valued(50_000, 500, 30)], True, rng)
    assert values == pytest.approx([0.025, 0.975], abs=0.01)
    assert shares([valued(50_000, 500, 20), valued(50_000, 500, 30)], False, rng)[0] > 0.3


def test_one_lucky_order_does_not_decide():
    found = shares([valued(100, 1, 1_000), valued(100, 1, 20), valued(5_000, 50, 20)], True, np.random.default_rng(0))
    assert found[0] < 0.6


def test_a_small_segment_follows_the_whole_and_a_big_one_its_own_taste():
    everybody = [Tally(100_000, 1_000), Tally(100_000, 2_500)]
    small, big = [Tally(50, 3), Tally(50, 0)], [Tally(90_000, 1_400), Tally(90_000, 700)]
    found = shares_by_segment({0: everybody, 1: small, 2: big}, False, np.random.default_rng(0))
    assert set(found) == {0, 1, 2}
    assert found[1][1] > 0.9
    assert found[2][0] > 0.9


def test_the_loop_finds_the_planted_best_arm_and_keeps_looking_at_the_others():
    rng = np.random.default_rng(1)
    chances = np.array([0.02, 0.03, 0.022])
    trials, successes, given = np.zeros(3), np.zeros(3), np.full(3, 1 / 3)
    for _ in range(40):
        shown = rng.multinomial(1_000, given)
        trials, successes = trials + shown, successes + rng.binomial(shown, chances)
        given = shares([Tally(*one) for one in zip(trials, successes, strict=True)], False, rng, draws=1_000)
    assert given.argmax() == 1
    assert given[1] > 0.8
    assert trials.min() > 40 * 1_000 * EXPLORATION / 3 * 0.8
