from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from ecomrec_django.errors import DataError
from ecomrec_django.learning.interactions import DAY, KINDS, IdMap, Interactions
from ecomrec_django.learning.segmentation.clustering import OUTLIERS, PRIOR, UNKNOWN, fit_segments, popularity
from ecomrec_django.learning.segmentation.descriptions import MAX_WORDS, MIN_DIFFERENCE, describe_words, name_keys
from ecomrec_django.learning.segmentation.features import VisitorFeatures, visitor_features

# Six aisles of ten items, two needs each, whose five items cost 1 to 5.
AISLE, NEED, PRICE = np.arange(60) // 10, np.arange(60) // 5, np.arange(60) % 5 + 1.0
NAMES = dict(enumerate(("Bread", "Fruit", "Wine", "Toys", "Dairy", "Tools")))
DAYS = 360


@dataclass(frozen=True)
class Habit:
    gap: float  # days between baskets
    aisle: int  # of four lines in five
    prices: tuple[int, ...]
    hour: int
    lines: int = 4


WEEKLY_CHEAP = Habit(7, 0, (1, 2), 10)
MONTHLY_DEAR = Habit(30, 2, (4, 5), 14)
EVENINGS = Habit(14, 4, (2, 3, 4), 20)
HALVES = Habit(10, 5, (1, 5), 7, lines=9)
# Each of them like nobody else.
STRANGE = (Habit(1.5, 3, (5,), 3, lines=30), Habit(200, 1, (1,), 22, lines=40), Habit(60, 5, (3,), 9, lines=60))


def shop(*groups, seed=0, inflation=1.0):
    """Purchases of visitors with ``groups`` of (habit, how many), in this order."""
    rng = np.random.default_rng(seed)
    rows, basket, visitor = [], 0, 0
    for habit, many in groups:
        for _ in range(many):
            for day in np.arange(rng.uniform(0, habit.gap), DAYS, habit.gap):
                size = rng.poisson(habit.lines) + 1
                aisle = np.where(rng.random(size) < 0.8, habit.aisle, rng.integers(0, 6, size))
                item = aisle * 10 + rng.integers(0, 2, size) * 5 + rng.choice(habit.prices, size) - 1
                time = (day + rng.integers(-1, 2) + 2) * DAY // DAY * DAY + habit.hour * 3600
                rows += [(visitor, one, time + rng.integers(0, 3600), basket) for one in item]
                basket += 1
            visitor += 1
    table = np.array(rows, np.int64).reshape(-1, 4)
    visitor_, item, time, basket_ = table[np.argsort(table[:, 2], kind="stable")].T
    return purchases(visitor_, item, time, basket_, PRICE[item] * inflation, visitor)


def purchases(visitor, item, time, basket, price, visitors, items=60):
    size = len(item)
    return Interactions(
        visitors=IdMap(np.arange(visitors)),
        items=IdMap(np.arange(items)),
        visitor=np.asarray(visitor, np.int64),
        item=np.asarray(item, np.int64),
        kind=np.full(size, KINDS.index("purchase"), np.int8),
        value=np.ones(size),
        time=np.asarray(time, np.int64),
        basket=np.asarray(basket, np.int64),
        session=np.full(size, -1),
        price=np.asarray(price, np.float64),
        rating=np.full(size, np.nan),
    )


def of(events):
    return visitor_features(events, AISLE, NEED, PRICE)


def truth(*sizes):
    return np.repeat(np.arange(len(sizes)), sizes)


def label_of_each(found, group):
    """The label that most visitors of each planted group have; ``group`` leaves out the last visitors, the outliers."""
    labels = found.labels[: len(group)]
    return [int(np.bincount(labels[group == number]).argmax()) for number in np.unique(group)]


PLANTED = ((WEEKLY_CHEAP, 100), (MONTHLY_DEAR, 80), (EVENINGS, 60))


@pytest.fixture(scope="module")
def planted():
    return of(shop(*PLANTED, *((habit, 1) for habit in STRANGE)))


@pytest.fixture(scope="module")
def found(planted):
    return fit_segments(planted)


def test_planted_groups_are_recovered_and_outliers_are_marked(found):
    assert found.useful
    assert found.silhouette > found.shuffled_silhouette + 0.3
    assert (found.labels[-3:] == OUTLIERS).all()
    assert adjusted_rand_score(truth(100, 80, 60), found.labels[:-3]) > 0.95
    # The largest comes first.
    assert [one.label for one in found.clusters] == [0, 1, 2, 3]
    assert [one.size for one in found.clusters] == np.bincount(found.labels).tolist()
    assert [one.outliers for one in found.clusters] == [True, False, False, False]


def test_names_describe_what_distinguishes_segments(found):
    said = {one.label: describe_words(one.words, NAMES) for one in found.clusters}
    cheap, dear, evening = label_of_each(found, truth(100, 80, 60))
    by_label = {one.label: one for one in found.clusters}
    assert len(set(said.values())) == 4
    assert said[OUTLIERS] == "outliers"
    own = {"weekly", "aisle:0", "price_low", "money_high", "morning_high"}
    assert set(by_label[cheap].words) & own
    assert set(by_label[dear].words) & {"monthly", "aisle:2", "price_high"}
    assert set(by_label[evening].words) & {"evening_high", "aisle:4"}
    for one in found.clusters:
        assert len(one.words) <= MAX_WORDS


def test_profiles_have_means_and_characteristic_aisles(found, planted):
    for label, aisle in zip(label_of_each(found, truth(100, 80, 60)), (0, 2, 4), strict=True):
        profile = next(one.profile for one in found.clusters if one.label == label)
        assert profile == json.loads(json.dumps(profile))
        assert {entry["aisle"] for entry in profile["aisles"]} == set(range(6))
        assert profile["aisles"][0]["aisle"] == aisle
        assert profile["aisles"][0]["share"] > 0.6 > profile["aisles"][0]["all"]
        money = planted.values[:, planted.names.index("money")]
        assert profile["features"]["money"] == {
            "mean": pytest.approx(money[found.labels == label].mean()),
            "all": pytest.approx(money.mean()),
        }
        assert not any(name.startswith("aisle") for name in profile["features"])


def test_labels_are_stable_across_trainings(found):
    old = label_of_each(found, truth(100, 80, 60))
    later = of(shop((EVENINGS, 110), (MONTHLY_DEAR, 95), (WEEKLY_CHEAP, 90), seed=5, inflation=1.3))
    order = np.random.default_rng(1).permutation(len(later.values))
    again = fit_segments(replace(later, values=later.values[order]), found.clusters, seed=3)
    group = truth(110, 95, 90)[order]
    assert adjusted_rand_score(group, again.labels) > 0.9
    assert label_of_each(again, group) == old[::-1]
    # Though by size, as a first run numbers them, they would be others.
    assert label_of_each(fit_segments(later, seed=3), truth(110, 95, 90)) == [1, 2, 3] != old[::-1]


def test_a_vanished_segment_keeps_its_label_and_a_new_one_gets_its_own(found):
    old = dict(zip(("cheap", "dear", "evening"), label_of_each(found, truth(100, 80, 60)), strict=True))
    without = fit_segments(of(shop((WEEKLY_CHEAP, 90), (EVENINGS, 70), (HALVES, 80), seed=6)), found.clusters)
    cheap, evening, halves = label_of_each(without, truth(90, 70, 80))
    assert (cheap, evening, halves) == (old["cheap"], old["evening"], 4)
    ever = [*without.clusters, *(one for one in found.clusters if one.label == old["dear"])]
    back = fit_segments(of(shop((MONTHLY_DEAR, 80), (HALVES, 80), (EVENINGS, 80), seed=7)), ever)
    assert label_of_each(back, truth(80, 80, 80)) == [old["dear"], 4, old["evening"]]


def test_segments_with_other_features_are_not_matched(planted, found):
    stranger = replace(found.clusters[1], centre={"height": 1.8})
    assert sorted(one.label for one in fit_segments(planted, [stranger]).clusters) == [0, 2, 3, 4]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shuffled_columns_hold_no_segments_and_the_learner_says_so(planted, seed):
    rng = np.random.default_rng(seed)
    nothing = fit_segments(replace(planted, values=rng.permuted(planted.values, axis=0)), seed=seed)
    assert not nothing.useful
    assert [one.words for one in nothing.clusters if not one.outliers] == [("everybody",)]
    assert set(nothing.labels) <= {OUTLIERS, 1}


@pytest.mark.parametrize("size", [60, 2_000])
def test_independent_columns_hold_no_segments(size):
    rng = np.random.default_rng(3)
    values = np.column_stack(
        [rng.lognormal(size=(size, 5)), rng.beta(2, 5, (size, 3)), rng.dirichlet(np.full(4, 2.0), size)]
    )
    names = ("recency", "frequency", "money", "basket_value", "breadth", "price_level", "weekend", "evening")
    nothing = fit_segments(VisitorFeatures((*names, *(f"aisle:{number}" for number in range(4))), values))
    assert not nothing.useful
    assert nothing.silhouette < nothing.shuffled_silhouette + 0.05
    assert (nothing.labels == OUTLIERS).mean() <= 0.05


def test_the_same_seed_gives_the_same_segments(planted, found):
    again = fit_segments(planted)
    assert (again.labels == found.labels).all()
    assert again.clusters == found.clusters
    assert (again.silhouette, again.shuffled_silhouette) == (found.silhouette, found.shuffled_silhouette)


def test_many_visitors_are_assigned_by_a_sample(planted, found, monkeypatch):
    for name, size in (("DENSITY_SAMPLE", 100), ("CHOICE_SAMPLE", 90), ("FIT_SAMPLE", 120)):
        monkeypatch.setattr(f"ecomrec_django.learning.segmentation.clustering.{name}", size)
    sampled = fit_segments(planted)
    both = (sampled.labels > 0) & (found.labels > 0)
    assert both.mean() > 0.85
    assert adjusted_rand_score(found.labels[both], sampled.labels[both]) > 0.95
    assert (sampled.labels[-3:] == OUTLIERS).all()


def test_visitors_without_purchases_have_no_segment(planted):
    values = np.insert(planted.values, [0, 50], np.nan, axis=0)
    found = fit_segments(replace(planted, values=values))
    assert np.flatnonzero(found.labels == UNKNOWN).tolist() == [0, 51]
    assert sum(one.size for one in found.clusters) == len(planted.values)


def test_an_empty_history_has_no_segments():
    for visitors in (0, 3):
        nobody = fit_segments(of(purchases([], [], [], [], [], visitors)))
        assert (nobody.labels.tolist(), nobody.clusters, nobody.useful) == ([UNKNOWN] * visitors, (), False)


@pytest.mark.parametrize("visitors", [1, 2, 15, 300])
def test_equal_visitors_are_one_segment(visitors):
    everybody = fit_segments(
        of(purchases(range(visitors), [7] * visitors, [0] * visitors, range(visitors), [2.0], visitors))
        if visitors == 1
        else of(purchases(range(visitors), [7] * visitors, [0] * visitors, range(visitors), [2.0] * visitors, visitors))
    )
    assert everybody.labels.tolist() == [1] * visitors
    assert (everybody.useful, len(everybody.clusters)) == (False, 1)
    assert describe_words(everybody.clusters[0].words, NAMES) == "all shoppers"


few = st.sampled_from([-2.0, -0.5, 0.0, 0.1, 0.5, 2.0])


@given(apart=st.lists(st.lists(few, min_size=5, max_size=5), min_size=1, max_size=10))
@settings(max_examples=200, deadline=None)
def test_no_two_segments_share_a_description(apart):
    names = ("frequency", "money", "weekend", "aisle:3", "aisle:others")
    labels = range(1, len(apart) + 1)
    named = name_keys(names, labels, np.array(apart), np.full(len(apart), 4.0))
    assert len({frozenset(one) for one in named}) == len(apart)
    assert all(1 <= len(one) <= MAX_WORDS for one in named)
    assert not any("others" in word for one in named for word in one)


def test_names_list_the_largest_differences_first():
    names = ("frequency", "money", "price_level", "evening", "aisle:3")
    apart = np.array([[2.0, -1.0, 0.1, 0.2, 3.0], [-2.0, MIN_DIFFERENCE, 0.5, 1.0, -3.0]])
    assert name_keys(names, (1, 2), apart, np.array([4.3, 1.0])) == [
        ("aisle:3", "weekly", "money_low"),
        ("monthly", "evening_high", "price_high"),
    ]


def test_aisles_of_one_name_are_told_apart(found):
    one = replace(found.clusters[1], words=("aisle:0", "price_high", "number:5"))
    assert describe_words(one.words, {0: "Milk", 1: "Milk"}) == "a lot of Milk (0) · high prices · no. 5"
    assert describe_words(one.words, {0: "Milk"}) == "a lot of Milk · high prices · no. 5"
    assert describe_words(one.words, {}) == "a lot of category 0 · high prices · no. 5"


def test_popularity_is_the_log_ratio_of_counted_baskets():
    # Visitor 0 has two baskets with item 0, one of them twice; visitor 1 one with item 1; a guest's does not count.
    events = purchases([0, 0, 0, 1, -1], [0, 0, 0, 1, 1], range(5), [0, 0, 1, 2, 3], [1.0] * 5, 3, items=3)
    rows = popularity(np.array([2, OUTLIERS, UNKNOWN], np.int16), events, 3)
    assert len(rows) == 3
    assert [len(rows.row(label)[0]) for label in (0, 1)] == [0, 0]
    expected = [np.log((2 + PRIOR) / (2 * 2 / 3 + PRIOR)), np.log(PRIOR / (2 * 1 / 3 + PRIOR)), 0]
    assert rows.at(2, np.arange(3)) == pytest.approx(expected, abs=1e-6)


def test_popularity_of_planted_segments_prefers_their_aisles(found):
    events = shop(*PLANTED, *((habit, 1) for habit in STRANGE))
    rows = popularity(found.labels, events, 60)
    for label, aisle in zip(label_of_each(found, truth(100, 80, 60)), (0, 2, 4), strict=True):
        assert AISLE[rows.row(label)[0][np.argmax(rows.row(label)[1])]] == aisle


def test_popularity_of_nothing_is_nothing():
    rows = popularity(np.empty(0, np.int16), purchases([], [], [], [], [], 0, items=4), 4)
    assert (len(rows), len(rows.columns)) == (1, 0)


def test_labels_of_other_visitors_are_refused():
    with pytest.raises(DataError, match="each of the 2 visitors"):
        popularity(np.zeros(3, np.int16), purchases([], [], [], [], [], 2), 60)
