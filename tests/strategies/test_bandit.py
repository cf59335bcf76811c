"""Sticky choices, and shares that follow what arms earned."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.strategies.arm_results import DEFAULT_SPREAD, LEAST_SPREAD, Tally, learned_spread
from ecomrec_django.strategies.bandit import (
    LEAST_EXPLORATION,
    MAX_DAYS,
    arm_probability,
    choose_arm,
    shares,
    shares_by_segment,
)

VISITORS = [f"visitor {number}" for number in range(20_000)]
SHARES = {"a": 0.5, "b": 0.3, "c": 0.2, "none": 0.0}


def valued(trials, successes, value, spread=0.5):
    """An arm whose successes are worth ``value`` in the middle."""
    log = np.log(value)
    return Tally(trials, successes, successes * log, successes * (log**2 + spread**2))


def test_each_arm_gets_its_share_of_the_visitors():
    counts = Counter(choose_arm(SHARES, "7", visitor) for visitor in VISITORS)
    assert counts["none"] == 0
    for arm in "abc":
        assert counts[arm] / len(VISITORS) == pytest.approx(arm_probability(SHARES, arm), abs=0.015)


def test_assignments_are_sticky_and_independent_between_experiments():
    first = [choose_arm(SHARES, "7", visitor) for visitor in VISITORS]
    assert first == [choose_arm(dict(reversed(SHARES.items())), "7", visitor) for visitor in VISITORS]
    other = [choose_arm(SHARES, "8", visitor) for visitor in VISITORS]
    same = np.mean([one == two for one, two in zip(first, other, strict=True)])
    assert same == pytest.approx(0.5**2 + 0.3**2 + 0.2**2, abs=0.02)


@given(st.sampled_from("abc"), st.floats(1.05, 10))
def test_a_growing_share_only_moves_visitors_to_its_arm(arm, factor):
    greater = {**SHARES, arm: SHARES[arm] * factor}
    for visitor in VISITORS[:500]:
        before, after = choose_arm(SHARES, "7", visitor), choose_arm(greater, "7", visitor)
        assert after in (before, arm)


TALLIES = st.builds(
    lambda trials, rate, value: valued(trials, trials * rate, value),
    st.floats(0, 1e6),
    st.floats(0, 1),
    st.floats(0.01, 1e6),
)


@given(st.lists(TALLIES, min_size=2, max_size=5), st.booleans())
def test_shares_sum_to_one_and_each_arm_is_explored(tallies, with_value):
    found = shares([tallies], np.random.default_rng(0), valued=with_value, draws=200)
    assert found.sum() == pytest.approx(1)
    assert (found >= LEAST_EXPLORATION / len(tallies) - 1e-12).all()


def test_without_trials_shares_are_about_equal():
    found = shares([[Tally()] * 4], np.random.default_rng(0), valued=True)
    assert found == pytest.approx([0.25] * 4, abs=0.05)


def test_a_clearly_better_arm_gets_nearly_all_visitors():
    rng = np.random.default_rng(0)
    rates = shares([[Tally(50_000, 500), Tally(50_000, 750)]], rng, valued=False)
    assert rates == pytest.approx([0.005, 0.995], abs=0.005)
    # The same chances, and worth more.
    values = shares([[valued(50_000, 500, 20), valued(50_000, 500, 30)]], rng, valued=True)
    assert values == pytest.approx([0.005, 0.995], abs=0.005)
    assert shares([[valued(50_000, 500, 20), valued(50_000, 500, 30)]], rng, valued=False)[0] > 0.3


def test_one_lucky_order_does_not_decide():
    found = shares(
        [[valued(100, 1, 1_000), valued(100, 1, 20), valued(5_000, 50, 20)]], np.random.default_rng(0), valued=True
    )
    assert found[0] < 0.6


def test_small_segments_follow_the_overall_shares():
    everybody = [Tally(100_000, 1_000), Tally(100_000, 2_500)]
    small, big = [Tally(50, 3), Tally(50, 0)], [Tally(90_000, 1_400), Tally(90_000, 700)]
    found = shares_by_segment({0: [everybody], 1: [small], 2: [big]}, np.random.default_rng(0), valued=False)
    assert set(found) == {0, 1, 2}
    assert found[1][1] > 0.9
    assert found[2][0] > 0.9


def days_of(chances, count, rng, results=(), shares_of=None):
    """``count`` more days of 1,000 trials each, shown by the shares of all days so far (or ``shares_of``)."""
    results = list(results)
    for _ in range(count):
        given = shares(results, rng, valued=False, draws=1_000) if results else np.full(len(chances), 1 / len(chances))
        shown = rng.multinomial(1_000, given if shares_of is None else shares_of)
        results.append([Tally(*arm) for arm in zip(shown, rng.binomial(shown, chances), strict=True)])
    return results


def test_the_bandit_finds_the_best_arm_and_keeps_exploring():
    rng = np.random.default_rng(1)
    results = days_of([0.03, 0.045, 0.033], 40, rng)
    found = shares(results, rng, valued=False)
    assert found.argmax() == 1
    assert found[1] > 0.9
    assert sum(day[0].trials for day in results[-10:]) > 10 * 1_000 * LEAST_EXPLORATION / 3 * 0.5


def test_exploration_shrinks_as_certainty_grows():
    rng = np.random.default_rng(0)
    explored = [
        1 - shares([[Tally(trials, trials * 0.02), Tally(trials, trials * 0.03)]], rng, valued=False).max()
        for trials in (500, 2_000, 8_000, 32_000)
    ]
    assert explored == sorted(explored, reverse=True)
    assert explored[0] > 0.2
    assert LEAST_EXPLORATION / 2 <= explored[-1] < LEAST_EXPLORATION


def test_likelier_challengers_are_explored_more():
    tallies = [Tally(30_000, 1_200), Tally(30_000, 1_120), Tally(30_000, 600)]
    first, second, third = shares([tallies], np.random.default_rng(0), valued=False)
    assert first > 0.8
    assert second > 3 * third


def test_a_change_of_the_best_arm_is_noticed():
    rng = np.random.default_rng(2)
    results = days_of([0.06, 0.04, 0.04], 40, rng)
    assert shares(results, rng, valued=False)[0] > 0.9
    results = days_of([0.03, 0.06, 0.04], 14, rng, results)
    assert shares(results, rng, valued=False)[1] > 0.8
    # By the results of all days as one, the first would still be the best.
    total = [Tally(*np.sum([tally.figures for tally in arm], axis=0)) for arm in zip(*results, strict=True)]
    assert shares([total], rng, valued=False)[0] > 0.8


def test_weekends_are_no_change_of_tastes():
    rng = np.random.default_rng(0)
    results = []
    for day in range(70):
        rates = np.array([0.05, 0.055]) * (1.5 if day % 7 > 4 else 1.0)
        results.append([Tally(5_000, count) for count in rng.binomial(5_000, rates)])
    # The last days alone speak for the first arm.
    assert shares(results[-2:], rng, valued=False)[1] < 0.5
    assert shares(results, rng, valued=False)[1] > 0.85


def test_early_days_count_as_one():
    rng = np.random.default_rng(4)
    results = days_of([0.03, 0.05], MAX_DAYS + 30, rng, shares_of=[0.5, 0.5])
    assert shares(results, rng, valued=False)[1] > 0.98


def test_the_spread_of_arms_is_learned_from_earlier_experiments():
    rng = np.random.default_rng(5)

    def experiment(spread):
        rates = 0.05 * np.exp(rng.normal(0, spread, 3))
        return [valued(40_000, rng.binomial(40_000, rate), 20 * np.exp(rng.normal(0, spread))) for rate in rates]

    assert learned_spread([]) == pytest.approx(DEFAULT_SPREAD)
    alike, different = ([experiment(spread) for _ in range(40)] for spread in (0.0, 0.3))
    assert learned_spread(alike).rates < 0.04
    assert learned_spread(different) == pytest.approx((0.3, 0.3), rel=0.25)
    assert min(learned_spread(alike * 20)) == pytest.approx(LEAST_SPREAD, rel=0.5)
    # One experiment alone says little.
    assert learned_spread([experiment(0.3)]).rates < 0.2
    assert learned_spread([[Tally(10, 0), Tally(0, 0)], [Tally(10, 1)]]) == pytest.approx(DEFAULT_SPREAD)


def test_arms_that_differ_little_are_told_apart_more_slowly():
    tallies = [[Tally(3_000, 90), Tally(3_000, 105)]]
    cautious, bold = (
        shares(tallies, np.random.default_rng(0), valued=False, spread=DEFAULT_SPREAD._replace(rates=rates))[1]
        for rates in (0.02, 0.3)
    )
    assert cautious < 0.75 < bold
