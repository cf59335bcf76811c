"""The gate on planted shops: customers of several baskets each, methods of known quality."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.learning.bootstrap import Interval
from ecomrec_django.learning.evaluation import Evaluation, Scores, Size, Task
from ecomrec_django.learning.gate import MIN_CASES, MIN_CUSTOMERS, refusals, unjudged

BOTH = {"bought_with": 0.5, "bought_with:popularity": 0.3}
MANY = Size(4000, 1100)


def simulated(seed, qualities=BOTH, customers=120):
    """Customers of one to six cases; a method finds each case's target, item 0, by chance, in the third place.

    The chance is its quality, for each customer a third more or less of it, so that the cases of one are alike.
    """
    random = np.random.default_rng(seed)
    customer = np.repeat(np.arange(customers), random.integers(1, 7, customers))
    offers = {}
    for method, quality in qualities.items():
        chance = quality * random.uniform(0.67, 1.33, customers)
        found = random.random(len(customer)) < chance[customer]
        offers[method] = [np.array([1, 2, 0 if hit else 3]) for hit in found]
    task = Task(offers, [np.zeros(1, np.int64)] * len(customer), customer)
    return Evaluation.of([task], np.ones(4), None, "2017-11-24", "2017-12-31")


def share_refused(pairs):
    found = [bool(refusals(*pair)) for pair in pairs]
    return sum(found) / len(found)


def test_equal_releases_are_refused_no_more_than_chance_allows():
    assert 0 < share_refused((simulated(2 * seed), simulated(2 * seed + 1)) for seed in range(200)) <= 0.05


def test_a_method_as_good_as_bestsellers_is_refused_no_more_than_chance_allows():
    equal = {"bought_with": 0.4, "bought_with:popularity": 0.4}
    assert 0 < share_refused((simulated(seed, equal), None) for seed in range(200)) <= 0.05


def test_a_release_that_lost_what_the_current_one_gained_is_refused():
    lost = BOTH | {"bought_with": 0.3}
    assert share_refused((simulated(2 * seed, lost), simulated(2 * seed + 1)) for seed in range(50)) >= 0.95


def test_a_method_worse_than_bestsellers_is_refused_even_as_the_first():
    worse = BOTH | {"bought_with": 0.15}
    assert share_refused((simulated(seed, worse), None) for seed in range(50)) >= 0.95


def test_a_better_release_is_never_refused():
    better = BOTH | {"bought_with": 0.7}
    assert share_refused((simulated(2 * seed, better), simulated(2 * seed + 1)) for seed in range(50)) == 0


def test_harder_baskets_are_no_reason_to_refuse():
    # Both methods find less in these baskets than the current release's did in its own; the gain is the same.
    hard = {"bought_with": 0.3, "bought_with:popularity": 0.1}
    new, current = simulated(0, hard, 2000), simulated(1, BOTH, 2000)
    assert new.methods["bought_with"].intervals["ndcg"].high < current.methods["bought_with"].intervals["ndcg"].low
    assert refusals(new, current) == []


def test_a_release_is_judged_on_every_method_it_serves():
    new = simulated(0, BOTH | {"bought_with:personal": 0.1}, 500)
    assert [refusal.method for refusal in refusals(new, simulated(1, customers=500))] == ["bought_with:personal"]


def evaluation(size=MANY, k=10, ndcg=(0.031, 0.027, 0.035), gain=(-0.077, -0.085, -0.069)):
    """One of given figures, bestsellers having .108 (.101–.115)."""
    scores = Scores(*[0.5] * 10)
    methods = {
        "bought_with": replace(scores, intervals={"ndcg": Interval(*ndcg)}),
        "bought_with:popularity": replace(scores, intervals={"ndcg": Interval(0.108, 0.101, 0.115)}),
    }
    gains = {"bought_with": Interval(*gain)}
    return Evaluation("2017-11-24", "2017-12-31", k, {"bought_with": size}, methods, gains)


GOOD = {"ndcg": (0.2, 0.19, 0.21), "gain": (0.092, 0.084, 0.1)}


def test_a_refusal_has_the_figures():
    (refusal,) = refusals(evaluation(), None)
    assert str(refusal) == refusal.sentence()
    assert refusal.sentence() == (
        "bought_with: nDCG@10 .031 (.027–.035) is worse than bestsellers' .108 (.101–.115), by .077 (.069–.085), "
        "on 4,000 cases of 1,100 customers."
    )


def test_a_refusal_names_what_the_current_release_gained():
    (refusal,) = refusals(
        evaluation(ndcg=(0.11, 0.1, 0.12), gain=(0.002, -0.006, 0.01)), evaluation(Size(3900, 1000), **GOOD)
    )
    # The difference's standard error is √2 times either's: .090 ± √2 · .008.
    assert refusal.sentence() == (
        "bought_with: nDCG@10 .110 (.100–.120) beside bestsellers' .108 (.101–.115) is a gain of .002 (-.006 to .010) "
        "on 4,000 cases of 1,100 customers. The current release's .200 (.190–.210) beside .108 (.101–.115) was a gain "
        "of .092 (.084–.100) on 3,900 cases of 1,000 customers: more, by .090 (.079–.101)."
    )


def test_a_method_can_be_worse_than_both():
    found = refusals(evaluation(), evaluation(**GOOD))
    assert [refusal.current is None for refusal in found] == [True, False]


@pytest.mark.parametrize("size", [Size(MIN_CASES - 1, MIN_CUSTOMERS), Size(MIN_CASES, MIN_CUSTOMERS - 1)])
def test_too_few_cases_refuse_nothing_and_say_so(size):
    new = evaluation(size)
    assert refusals(new, evaluation(**GOOD)) == []
    (one,) = unjudged(new)
    assert str(one) == (
        f"bought_with: nothing could be judged on {size.cases} cases of {size.customers} customers; "
        "it takes 100 cases of 30 customers."
    )


def test_enough_cases_are_judged():
    new = evaluation(Size(MIN_CASES, MIN_CUSTOMERS))
    assert len(refusals(new, None)) == 1
    assert unjudged(new) == []


@pytest.mark.parametrize("current", [evaluation(Size(10, 10), **GOOD), evaluation(k=5, **GOOD)])
def test_a_current_release_with_too_few_cases_or_other_places_is_no_measure(current):
    assert refusals(evaluation(gain=(0.002, -0.006, 0.01)), current) == []


def test_a_method_the_current_release_did_not_have_is_compared_with_bestsellers_alone():
    current = Evaluation("2017-11-24", "2017-12-31", 10, {}, {}, {})
    assert [refusal.current for refusal in refusals(evaluation(), current)] == [None]
