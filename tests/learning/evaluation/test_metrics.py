from __future__ import annotations

import json
import time
from math import isnan, log2, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecomrec_django.errors import DataError
from ecomrec_django.learning.evaluation.bootstrap import intervals
from ecomrec_django.learning.evaluation.metrics import (
    PER_CASE,
    Evaluation,
    SampleSize,
    Task,
    evaluate,
    gini,
    per_case,
)

ITEMS = 8
K = 4


def arrays(*lists):
    return [np.array(values, np.int64) for values in lists]


def test_perfect_offers_score_one_everywhere():
    prices = np.array([1.0, 2.0, 3.0, 4.0])
    scores = evaluate(arrays([1, 0], [3, 2]), arrays([0, 1], [2, 3]), np.full(4, 4.0), k=2, price=prices)
    shares = {name: getattr(scores, name) for name in PER_CASE if name not in ("hits", "excess", "own_excess")}
    assert shares == dict.fromkeys(shares, pytest.approx(1.0))
    assert len(shares) == len(PER_CASE) - 3


def test_a_hit_counts_by_its_place_and_its_rarity():
    scores = evaluate(arrays([1, 0]), arrays([0, 2]), np.array([4.0, 1.0, 1.0, 1.0]), k=2)
    assert (scores.hit, scores.recall, scores.coverage, scores.mrr) == (1.0, 0.5, 0.5, 0.5)
    assert scores.ndcg == pytest.approx(0.6309 / 1.6309, abs=1e-4)
    assert scores.popularity_weighted_recall == pytest.approx(0.5 / 1.5)


def test_a_target_weighs_its_price():
    # Targets 0, 2 and 3 at 10, 30 and 60; two places hold 90 at most, 60 first. Offered: 30 in the second place.
    scores = evaluate(arrays([1, 2]), arrays([0, 2, 3]), np.ones(4), k=2, price=np.array([10.0, 5, 30, 60]))
    assert scores.revenue == pytest.approx(30 / 90)
    assert scores.revenue_ndcg == pytest.approx((30 / log2(3)) / (60 + 30 / log2(3)))


@pytest.mark.parametrize("unknown", [nan, 0.0, -1.0, np.inf])
def test_a_price_that_is_not_known_weighs_the_mean_of_the_others(unknown):
    # The known prices are 10 and 30; the first target weighs 20 of the 50 of both.
    scores = evaluate(arrays([0, 1]), arrays([0, 2]), np.ones(3), k=2, price=np.array([unknown, 10.0, 30.0]))
    assert scores.revenue == pytest.approx(20 / 50)


@pytest.mark.parametrize("price", [None, np.full(2, nan)])
def test_without_prices_there_is_no_revenue(price):
    scores = evaluate(arrays([0]), arrays([0]), np.ones(2), price=price)
    assert isnan(scores.revenue)
    assert isnan(scores.revenue_ndcg)
    assert list(scores.row()) == [
        "hit",
        "recall",
        "ndcg",
        "popularity_weighted_recall",
        "coverage",
        "mrr",
        "novelty",
        "gini",
        "staples",
        "distinct",
    ]


def test_rare_offers_are_novel_and_an_item_never_sold_finitely_so():
    # Smoothed shares 4/8, 2/8, 1/8 and 1/8 of sales.
    sales = np.array([3.0, 1.0, 0.0, 0.0])
    novelties = [evaluate(arrays([item]), arrays([0]), sales).novelty for item in range(4)]
    assert novelties == [1.0, 2.0, 3.0, 3.0]
    assert evaluate(arrays([0, 2], [0]), arrays([0], [0]), sales).novelty == pytest.approx(5 / 3)


def test_gini_is_zero_where_all_are_shown_alike_and_one_where_one_has_all():
    assert gini(np.array([3, 3, 3])) == 0.0
    assert gini(np.array([0, 7, 0])) == 1.0
    # All pairs' differences, 1 + 3 + 2, over what they are at most: (items - 1) · all of 4.
    assert gini(np.array([3, 0, 1])) == pytest.approx(6 / (2 * 4))
    assert gini(np.zeros(3)) == 0.0


def test_more_targets_than_places_do_not_lower_recall():
    assert evaluate(arrays([0]), arrays([0, 1, 2]), np.ones(3), k=1).recall == 1.0


def test_places_past_k_do_not_count():
    scores = evaluate(arrays([1, 2, 0]), arrays([0]), np.ones(3), k=2)
    assert (scores.hit, scores.mrr, scores.coverage) == (0.0, 0.0, pytest.approx(2 / 3))


def test_an_empty_list_scores_nothing():
    assert set(evaluate(arrays([]), arrays([0]), np.ones(2)).row().values()) == {0.0}
    assert set(evaluate([], [], np.ones(2)).row().values()) == {0.0}


@pytest.mark.parametrize(
    ("offers", "targets"), [([[0]], []), ([[0]], [[]]), ([[0, 0]], [[0]]), ([[2]], [[0]]), ([[0]], [[-1]])]
)
def test_senseless_input_is_refused(offers, targets):
    with pytest.raises(ValueError, match=r"target|twice|outside"):
        evaluate(arrays(*offers), arrays(*targets), np.ones(2))


ranked = st.permutations(range(ITEMS)).flatmap(lambda all_: st.integers(0, ITEMS).map(lambda size: all_[:size]))
case = st.tuples(ranked, st.sets(st.integers(0, ITEMS - 1), min_size=1).map(sorted))
cases = st.lists(case, min_size=1, max_size=6)
popularities = st.lists(st.integers(0, 1000), min_size=ITEMS, max_size=ITEMS).map(lambda n: np.array(n, np.float64))
prices = st.lists(st.just(nan) | st.floats(0.01, 1e6), min_size=ITEMS, max_size=ITEMS).map(np.array)


def scored(planted, popularity, price):
    offers, targets = (arrays(*column) for column in zip(*planted, strict=True))
    return offers, targets, per_case(offers, targets, popularity, K, price)


@given(cases, popularities, prices)
def test_every_score_lies_between_nothing_and_all(planted, popularity, price):
    offers, targets, found = scored(planted, popularity, price)
    for values in found.values():
        assert ((values >= 0) & (values <= 1)).all()
    scores = evaluate(offers, targets, popularity, K, price)
    assert 0 <= scores.coverage <= 1
    assert 0 <= scores.gini <= 1
    assert 0 <= scores.novelty < np.inf


@given(cases, popularities, prices)
def test_the_targets_themselves_dearest_first_are_perfect_offers(planted, popularity, price):
    worth = np.where(np.isnan(price), np.nanmean(price) if not np.isnan(price).all() else 1.0, price)
    for weight, names in (
        (worth, ("revenue", "revenue_ndcg")),
        (-popularity, ("popularity_weighted_recall", "ndcg", "recall", "hit", "mrr")),
    ):
        best = [(sorted(wanted, key=lambda item: -weight[item]), wanted) for _, wanted in planted]
        found = scored(best, popularity, price)[2]
        for name in names:
            assert found.get(name, np.ones(1)) == pytest.approx(1.0)


@given(st.randoms(use_true_random=False), cases, popularities, prices)
def test_the_order_of_cases_never_matters(random, planted, popularity, price):
    shuffled = random.sample(planted, len(planted))
    one, other = (
        evaluate(*scored(these, popularity, price)[:2], popularity, K, price).row() for these in (planted, shuffled)
    )
    assert one == pytest.approx(other)


@given(case, popularities, prices, st.integers(0, K - 1))
def test_a_hit_in_place_of_a_miss_never_lowers_a_score(planted, popularity, price, place):
    offers, wanted = planted
    missed = [item for item in wanted if item not in offers]
    if place < len(offers) and offers[place] not in wanted and missed:
        better = [*offers[:place], missed[0], *offers[place + 1 :]]
        before, after = (scored([(these, wanted)], popularity, price)[2] for these in (offers, better))
        for name in before:
            assert after[name] >= before[name] - 1e-12
        assert after["ndcg"] > before["ndcg"]


def test_the_interval_of_a_share_is_what_the_normal_distribution_gives():
    values = (np.arange(1000) < 300)[:, None].astype(np.float64)
    (interval,) = intervals(values, np.arange(1000))
    error = np.sqrt(0.3 * 0.7 / 1000)
    assert interval.mean == pytest.approx(0.3)
    assert (interval.low, interval.high) == (
        pytest.approx(0.3 - 1.96 * error, abs=0.002),
        pytest.approx(0.3 + 1.96 * error, abs=0.002),
    )
    assert interval.error == pytest.approx(error, rel=0.06)


def test_ninety_five_of_a_hundred_intervals_hold_the_truth():
    random = np.random.default_rng(1)
    inside = 0
    for seed in range(300):
        # Customers of 1 to 7 cases, each with a taste of its own about the true mean of 0.
        customers = np.repeat(np.arange(80), random.integers(1, 8, 80))
        values = random.normal(size=80)[customers] + random.normal(size=len(customers))
        (interval,) = intervals(values[:, None], customers, seed)
        inside += interval.low <= 0 <= interval.high
    assert 0.91 <= inside / 300 <= 0.98


def test_equal_cases_of_a_customer_say_no_more_than_one():
    values = np.random.default_rng(0).random(200)
    (once,) = intervals(values[:, None], np.arange(200))
    repeated = np.repeat(values, 9)[:, None]
    (together,) = intervals(repeated, np.repeat(np.arange(200), 9))
    (apart,) = intervals(repeated, np.arange(1800))
    assert (together.low, together.high) == (pytest.approx(once.low), pytest.approx(once.high))
    # A ninth of the variance, if nine times as many customers had said it.
    assert together.error / apart.error == pytest.approx(3, rel=0.15)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=20), st.integers(0, 9))
def test_an_interval_holds_its_mean_and_the_same_seed_gives_the_same(cases, seed):
    values = np.array([value for value, _ in cases])[:, None]
    groups = np.array([group for _, group in cases])
    (interval,) = intervals(values, groups, seed)
    assert values.min() <= interval.low <= interval.mean <= interval.high <= values.max() + 1e-12
    assert intervals(values, groups, seed) == [interval]


def test_four_thousand_cases_take_less_than_a_second():
    values = np.random.default_rng(0).random((4000, 40))
    began = time.process_time()
    intervals(values, np.arange(4000))
    # Twice the second, for a machine with other work.
    assert time.process_time() - began < 2


def planted_evaluation(price=None):
    """120 customers of two cases: "bought_with" finds the target first, "bought_with:slow" second, popularity never."""
    targets = arrays(*([[0]] * 240))
    offers = {
        "bought_with": arrays(*([[0, 1]] * 240)),
        "bought_with:slow": arrays(*([[1, 0]] * 240)),
        "bought_with:popularity": arrays(*([[1, 2]] * 240)),
    }
    tasks = [
        Task(offers=offers, targets=targets, customers=np.arange(240) // 2),
        Task(offers={"for_you": [], "for_you:popularity": []}, targets=[], customers=np.empty(0, np.int64)),
    ]
    return Evaluation.of(tasks, np.ones(4), price, "2017-11-24", "2017-12-31", k=2, signals={"rnn": {"kept": False}})


def test_each_method_is_compared_with_bestsellers_on_the_same_cases():
    found = planted_evaluation()
    assert found.tasks == {"bought_with": SampleSize(240, 120), "for_you": SampleSize(0, 0)}
    assert list(found.methods) == ["bought_with", "bought_with:slow", "bought_with:popularity"]
    assert found.methods["bought_with:slow"].intervals["mrr"].mean == 0.5
    assert list(found.gains) == ["bought_with", "bought_with:slow"]
    assert found.gains["bought_with:slow"].mean == pytest.approx(1 / log2(3))


def test_a_gain_is_surer_than_the_two_means_it_is_made_of():
    random = np.random.default_rng(0)
    # Half of the targets are easy, and both methods find those; one of them finds a tenth more.
    easy, more = random.random(500) < 0.5, random.random(500) < 0.1
    offers = {
        "for_you": arrays(*([[0] if found else [1] for found in easy | more])),
        "for_you:popularity": arrays(*([[0] if found else [1] for found in easy])),
    }
    task = Task(offers=offers, targets=arrays(*([[0]] * 500)), customers=np.arange(500))
    found = Evaluation.of([task], np.ones(2), None, "2017-11-24", "2017-12-31", k=1)
    gain, own = found.gains["for_you"], found.methods["for_you"].intervals["ndcg"]
    assert gain.mean == pytest.approx((~easy & more).mean())
    assert gain.error < own.error / 2


@pytest.mark.parametrize("price", [None, np.array([1.0, 2, 3, 4])])
def test_an_evaluation_comes_back_from_its_row_as_it_was(price):
    found = planted_evaluation(price)
    stored = json.loads(json.dumps(found.to_json(), allow_nan=False))
    # Since Python 3.13, dataclasses with NaN are not equal.
    assert repr(Evaluation.of_json(stored)) == repr(found)
    assert list(stored) == ["from", "to", "k", "tasks", "methods", "gains", "signals", "objectives"]
    method = stored["methods"]["bought_with"]
    assert set(method["ndcg"]) == {"mean", "low", "high"}
    assert isinstance(method["coverage"], float)
    assert ("revenue" in method) == (price is not None)


@pytest.mark.parametrize("stored", [{}, {"from": "2017-12-01"}, planted_evaluation().to_json() | {"methods": [1]}])
def test_invalid_evaluations_are_rejected(stored):
    with pytest.raises(DataError, match="train again"):
        Evaluation.of_json(stored)


@pytest.mark.parametrize(
    ("methods", "customers"),
    [(["bought_with"], 1), (["bought_with", "for_you:popularity"], 1), (["for_you:popularity"], 2), ([], 1)],
)
def test_a_task_needs_its_own_baseline_and_a_customer_per_case(methods, customers):
    with pytest.raises(ValueError, match=r"baseline|customers"):
        Task(offers={name: arrays([0]) for name in methods}, targets=arrays([0]), customers=np.zeros(customers))
