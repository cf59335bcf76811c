"""The gate on planted shops: customers of several baskets each, methods of known quality."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.learning.evaluation.bootstrap import Interval
from ecomrec_django.learning.evaluation.gate import (
    MATERIAL_LOSS,
    MIN_CASES,
    MIN_TEST_CUSTOMERS,
    find_shortfalls,
    find_unjudged,
)
from ecomrec_django.learning.evaluation.metrics import OVERALL, PER_CASE, Evaluation, SampleSize, Scores, Task

BOTH = {"bought_with": 0.5, "bought_with:popularity": 0.3}
MANY = SampleSize(4000, 1100)


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
    task = Task(offers=offers, targets=[np.zeros(1, np.int64)] * len(customer), customers=customer)
    return Evaluation.of([task], np.ones(4), None, "2017-11-24", "2017-12-31")


def share_short(pairs):
    found = [bool(find_shortfalls("bought_with", *pair)) for pair in pairs]
    return sum(found) / len(found)


def test_equal_releases_are_refused_no_more_than_chance_allows():
    assert 0 < share_short((simulated(2 * seed), simulated(2 * seed + 1)) for seed in range(200)) <= 0.05


def test_a_method_equal_to_bestsellers_is_rarely_refused():
    equal = {"bought_with": 0.4, "bought_with:popularity": 0.4}
    assert 0 < share_short((simulated(seed, equal), None) for seed in range(200)) <= 0.05


def test_a_release_that_lost_what_the_current_one_gained_is_refused():
    lost = BOTH | {"bought_with": 0.3}
    assert share_short((simulated(2 * seed, lost), simulated(2 * seed + 1)) for seed in range(50)) >= 0.95


def test_a_method_worse_than_bestsellers_is_refused_even_as_the_first():
    worse = BOTH | {"bought_with": 0.15}
    assert share_short((simulated(seed, worse), None) for seed in range(50)) >= 0.95


def test_a_better_release_is_never_refused():
    better = BOTH | {"bought_with": 0.7}
    assert share_short((simulated(2 * seed, better), simulated(2 * seed + 1)) for seed in range(50)) == 0


def test_harder_baskets_are_no_reason_to_refuse():
    # Both methods find less in these baskets than the current release's did in its own; the gain is the same.
    hard = {"bought_with": 0.3, "bought_with:popularity": 0.1}
    new, current = simulated(0, hard, 2000), simulated(1, BOTH, 2000)
    assert new.methods["bought_with"].intervals["ndcg"].high < current.methods["bought_with"].intervals["ndcg"].low
    assert find_shortfalls("bought_with", new, current) == []


def test_a_release_is_judged_on_every_method_it_serves():
    new = simulated(0, BOTH | {"bought_with:personal": 0.1}, 500)
    assert [shortfall.method for shortfall in find_shortfalls("bought_with", new, simulated(1, customers=500))] == [
        "bought_with:personal"
    ]


def evaluation_of(k, tasks, methods, gains):
    return Evaluation(
        since="2017-11-24",
        until="2017-12-31",
        k=k,
        tasks=tasks,
        methods=methods,
        gains=gains,
        objectives=dict.fromkeys(tasks, "ndcg"),
    )


def evaluation(size=MANY, k=10, ndcg=(0.031, 0.027, 0.035), gain=(-0.077, -0.085, -0.069)):
    """One of given figures, bestsellers having .108 (.101–.115)."""
    scores = Scores(**dict.fromkeys((*PER_CASE, *OVERALL), 0.5))
    methods = {
        "bought_with": replace(scores, intervals={"ndcg": Interval(*ndcg)}),
        "bought_with:popularity": replace(scores, intervals={"ndcg": Interval(0.108, 0.101, 0.115)}),
    }
    gains = {"bought_with": Interval(*gain)}
    return evaluation_of(k, {"bought_with": size}, methods, gains)


GOOD = {"ndcg": (0.2, 0.19, 0.21), "gain": (0.092, 0.084, 0.1)}


def test_a_refusal_has_the_figures():
    (shortfall,) = find_shortfalls("bought_with", evaluation(), None)
    assert str(shortfall) == (
        "bought_with: nDCG@10 .031 (.027–.035) is below bestsellers' .108 (.101–.115), by .077 (.069–.085), "
        "on 4,000 cases of 1,100 customers."
    )


def test_a_refusal_names_what_the_current_release_gained():
    (shortfall,) = find_shortfalls(
        "bought_with",
        evaluation(ndcg=(0.11, 0.1, 0.12), gain=(0.002, -0.006, 0.01)),
        evaluation(SampleSize(3900, 1000), **GOOD),
    )
    # The difference's standard error is √2 times either's: .090 ± √2 · .008.
    assert str(shortfall) == (
        "bought_with: nDCG@10 .110 (.100–.120) against bestsellers' .108 (.101–.115) is a gain of .002 (-.006 to .010) "
        "on 4,000 cases of 1,100 customers. The current release gained more, by .090 (.079–.101): .200 (.190–.210) "
        "against .108 (.101–.115) is a gain of .092 (.084–.100) on 3,900 cases of 1,000 customers."
    )


def test_a_loss_against_the_current_release_says_more_than_one_against_bestsellers():
    (shortfall,) = find_shortfalls("bought_with", evaluation(), evaluation(**GOOD))
    assert shortfall.severe
    assert shortfall.current is not None


def test_a_loss_against_bestsellers_is_severe_only_where_it_matters():
    for high, severe in ((-MATERIAL_LOSS - 0.001, True), (-MATERIAL_LOSS + 0.001, False)):
        (shortfall,) = find_shortfalls("bought_with", evaluation(gain=(-0.015, -0.03, high)), None)
        assert shortfall.severe is severe


def test_what_is_no_worse_than_the_current_release_is_only_warned_of():
    (shortfall,) = find_shortfalls("bought_with", evaluation(), evaluation())
    assert not shortfall.severe


def test_another_objective_is_not_compared_with():
    """The current release was judged by nDCG, the new one is by excess."""
    assert find_shortfalls("bought_with", by_excess(0.05), evaluation(**GOOD)) == []


def by_excess(gain):
    """An evaluation by excess, bestsellers having none; its nDCG lies far below theirs."""
    plain = evaluation(gain=(gain, gain - 0.01, gain + 0.01))
    methods = dict(plain.methods)
    for name, excess in (("bought_with", gain), ("bought_with:popularity", 0.0)):
        interval = Interval(excess, excess - 0.01, excess + 0.01)
        methods[name] = replace(methods[name], intervals={**methods[name].intervals, "excess": interval})
    return replace(plain, methods=methods, objectives={"bought_with": "excess"})


def test_cross_sells_that_lost_their_excess_fall_short():
    assert find_shortfalls("bought_with", by_excess(0.18), None) == []
    (shortfall,) = find_shortfalls("bought_with", by_excess(0.1), by_excess(0.18))
    assert shortfall.severe
    assert str(shortfall) == (
        "bought_with: excess .100 (.090–.110) against bestsellers' .000 (-.010 to .010) is a gain of .100 (.090–.110) "
        "on 4,000 cases of 1,100 customers. The current release gained more, by .080 (.066–.094): .180 (.170–.190) "
        "against .000 (-.010 to .010) is a gain of .180 (.170–.190) on 4,000 cases of 1,100 customers."
    )


def test_tasks_are_judged_apart():
    assert find_shortfalls("for_you", evaluation(), None) == []


@pytest.mark.parametrize(
    "size", [SampleSize(MIN_CASES - 1, MIN_TEST_CUSTOMERS), SampleSize(MIN_CASES, MIN_TEST_CUSTOMERS - 1)]
)
def test_too_few_cases_refuse_nothing_and_say_so(size):
    new = evaluation(size)
    assert find_shortfalls("bought_with", new, evaluation(**GOOD)) == []
    (unjudged,) = find_unjudged(new)
    assert str(unjudged) == (
        f"bought_with: not enough data to evaluate, {size.cases} cases of {size.customers} customers; "
        "at least 100 cases of 30 customers are needed."
    )


def test_enough_cases_are_judged():
    new = evaluation(SampleSize(MIN_CASES, MIN_TEST_CUSTOMERS))
    assert len(find_shortfalls("bought_with", new, None)) == 1
    assert find_unjudged(new) == []


@pytest.mark.parametrize("current", [evaluation(SampleSize(10, 10), **GOOD), evaluation(k=5, **GOOD)])
def test_a_current_release_with_few_cases_is_not_compared(current):
    assert find_shortfalls("bought_with", evaluation(gain=(0.002, -0.006, 0.01)), current) == []


def test_a_new_method_is_compared_with_bestsellers_only():
    current = evaluation_of(10, {}, {}, {})
    assert [shortfall.current for shortfall in find_shortfalls("bought_with", evaluation(), current)] == [None]
