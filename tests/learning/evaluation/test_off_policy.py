"""Off-policy estimates hold the true value, and are refused where there is too little to judge by."""

import numpy as np
import pytest

from ecomrec_django.errors import DataError
from ecomrec_django.learning.evaluation.off_policy import CLIP, LoggedExposures, doubly_robust, snips

# Chance of a reward of 1 by segment and arm.
CHANCES = np.array([[0.10, 0.20, 0.15], [0.30, 0.05, 0.15]])
BEHAVIOUR = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
BEST = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
MIXED = np.array([[0.2, 0.5, 0.3], [0.6, 0.2, 0.2]])
ESTIMATORS = [snips, doubly_robust]


def logged(rng, rows=4_000, behaviour=BEHAVIOUR):
    segment = rng.integers(2, size=rows)
    arm = (rng.random(rows)[:, None] > behaviour[segment].cumsum(axis=1)).sum(axis=1)
    reward = (rng.random(rows) < CHANCES[segment, arm]) * 1.0
    return LoggedExposures(
        arm=arm,
        propensity=behaviour[segment, arm],
        segment=segment,
        reward=reward,
        visitor=rng.integers(rows // 2, size=rows),
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("policy", [BEST, MIXED], ids=["best", "mixed"])
def test_the_interval_holds_the_true_value_nine_times_of_ten(estimator, policy):
    rng = np.random.default_rng(0)
    true = float((policy * CHANCES).sum(axis=1).mean())
    found = [estimator(logged(rng), policy) for _ in range(200)]
    assert np.mean([one.low <= true <= one.high for one in found]) >= 0.9
    assert np.mean([one.value for one in found]) == pytest.approx(true, rel=0.02)
    # An interval that holds everything would say nothing.
    assert np.mean([one.high - one.low for one in found]) < 0.08


def test_a_model_narrows_the_interval_where_segments_differ():
    rng = np.random.default_rng(1)
    logs = [logged(rng) for _ in range(40)]
    widths = [np.mean([(one := how(log, BEST)).high - one.low for log in logs]) for how in ESTIMATORS]
    assert widths[1] < widths[0]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_policy_that_was_followed_is_worth_what_was_earned(estimator):
    log = logged(np.random.default_rng(2))
    found = estimator(log, BEHAVIOUR)
    assert found.value == pytest.approx(log.reward.mean(), abs=0.005)
    assert found.effective == pytest.approx(len(log.arm))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_too_little_evidence_is_refused_with_what_to_do(estimator):
    rng = np.random.default_rng(3)
    with pytest.raises(DataError, match="give the evaluated arms a larger share"):
        estimator(logged(rng, 300), BEST)
    never = np.array([[0.0, 1.0, 0.0]] * 2)
    with pytest.raises(DataError, match="0 effective visitor-days"):
        estimator(logged(rng, 4_000, never), np.array([[1.0, 0.0, 0.0]] * 2))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_few_improbable_rows_do_not_decide_alone(estimator):
    rng = np.random.default_rng(4)
    log = logged(rng)
    log.propensity[:3], log.reward[:3] = 1e-6, 1_000.0
    log.arm[:3], log.segment[:3] = 1, 0
    found = estimator(log, BEST)
    assert found.value < CLIP * 3 * 1_000 / len(log.arm) * 2


def test_the_same_log_gives_the_same_estimate():
    log = logged(np.random.default_rng(5))
    assert snips(log, MIXED) == snips(log, MIXED)
