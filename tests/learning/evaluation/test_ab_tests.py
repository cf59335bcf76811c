"""A/A tests find nothing, however often somebody looks; a true difference is found."""

import numpy as np
import pytest
from scipy import stats

from ecomrec_django.learning.evaluation.ab_tests import (
    MIN_VISITORS,
    MISMATCH,
    ArmSample,
    Difference,
    always_valid_interval,
    sample_ratio_mismatch,
    sample_ratio_mismatch_by_propensity,
)

DAYS, VISITORS_A_DAY = 28, 120


def revenue(rng, shape, chance=0.08):
    """What visitors spend: most nothing, some a log-normal amount."""
    return (rng.random(shape) < chance) * np.exp(rng.normal(3.4, 0.6, shape))


def looked_at_daily(compare, arms):
    """Whether a comparison is ever sure, of arms of shape (arms, days, visitors)."""
    sums = [np.cumsum([[len(day), day.sum(), (day**2).sum()] for day in arm], axis=0) for arm in arms]
    return any(compare(ArmSample(*one), ArmSample(*other)).significant for one, other in zip(*sums, strict=True))


def fixed_horizon(one, other):
    """A comparison that is meant to be made once (Welch's t-test)."""
    figures = [(arm.mean, arm.variance**0.5, arm.count) for arm in (one, other)]
    found = stats.ttest_ind_from_stats(*figures[0], *figures[1], equal_var=False)
    return Difference(one.mean - other.mean, *(float("nan"),) * 2, float(found.pvalue))


def test_daily_checks_of_a_a_experiments_rarely_find_a_difference():
    rng = np.random.default_rng(0)
    drawn = [revenue(rng, (2, DAYS, VISITORS_A_DAY)) for _ in range(1_000)]
    assert sum(looked_at_daily(always_valid_interval, arms) for arms in drawn) <= 50
    # The same figures look significant to who does not guard against looking often.
    assert sum(looked_at_daily(fixed_horizon, arms) for arms in drawn[:200]) > 30


def test_a_true_difference_is_found():
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(40):
        arms = [revenue(rng, (DAYS, 400), chance) for chance in (0.08, 0.105)]
        found += looked_at_daily(always_valid_interval, arms)
    assert found >= 34


def test_the_interval_and_the_probability_say_the_same():
    rng = np.random.default_rng(3)
    for _ in range(300):
        one, other = (ArmSample.of(rng.normal(mean, 2, 900)) for mean in (0, rng.uniform(-0.6, 0.6)))
        found = always_valid_interval(one, other)
        assert (found.low <= 0 <= found.high) == (found.p >= 0.05)
        assert found.low <= found.mean <= found.high


def test_too_few_visitors_say_nothing():
    few = ArmSample.of(np.ones(MIN_VISITORS - 1))
    many = ArmSample.of(np.zeros(10_000))
    found = always_valid_interval(few, many)
    assert (found.p, found.low, found.high) == (1.0, float("-inf"), float("inf"))


def test_visitors_who_all_do_the_same_break_nothing():
    same, other = ArmSample.of(np.zeros(500)), ArmSample.of(np.ones(500))
    assert always_valid_interval(same, same).p == 1.0
    assert always_valid_interval(other, same).significant


def test_samples_of_two_days_add_up():
    values = np.random.default_rng(4).normal(5, 2, 300)
    both = ArmSample.of(values[:100]) + ArmSample.of(values[100:])
    assert both.mean == pytest.approx(values.mean())
    assert both.variance == pytest.approx(values.var(ddof=1))


def test_a_split_that_is_not_as_asked_is_an_alarm():
    rng = np.random.default_rng(5)
    asked = np.array([0.1, 0.45, 0.45])
    fair = [sample_ratio_mismatch(rng.multinomial(20_000, asked), asked) for _ in range(400)]
    assert np.mean(np.array(fair) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert sample_ratio_mismatch(np.array([1_700, 9_000, 9_300]), asked) < MISMATCH
    assert sample_ratio_mismatch(np.array([0, 0, 0]), asked) == 1.0
    assert sample_ratio_mismatch(np.array([5, 10, 10]), np.array([0, 1, 1])) == 0.0


def test_changing_shares_are_tested_by_propensity():
    rng = np.random.default_rng(6)

    def drawn(broken):
        chances = np.repeat([[0.25, 0.25, 0.5], [0.1, 0.8, 0.1], [0.02, 0.9, 0.08]], 4_000, axis=0)
        arm = (rng.random(len(chances))[:, None] > chances.cumsum(axis=1)).sum(axis=1)
        lost = broken & (arm == 2) & (rng.random(len(arm)) < 0.15)
        kept = ~lost
        return sample_ratio_mismatch_by_propensity(arm[kept], chances[np.arange(len(arm)), arm][kept], 3)

    assert np.mean([drawn(False) < MISMATCH for _ in range(200)]) <= 0.01
    assert drawn(True) < MISMATCH
    assert sample_ratio_mismatch_by_propensity(np.empty(0, int), np.empty(0), 3) == 1.0
