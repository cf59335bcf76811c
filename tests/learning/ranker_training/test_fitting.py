"""Rankers fitted on a planted shop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.errors import TrainingError
from ecomrec_django.learning.ranker_training.fitting import draw_training_sample, fit_ranker
from ecomrec_django.learning.ranking.features import FEATURE_NAMES, candidate_items, feature_matrix
from tests.support.aisle_shop import every_other_basket, shop


def test_probabilities_are_calibrated_on_held_out_baskets(planted, ranker):
    cases, seen, given = planted.cases, [], []
    for at in np.flatnonzero(planted.cases.basket % 2 == 0)[::2]:
        shopper = planted.shoppers[cases.shopper[at]]
        items = candidate_items(planted.item_features, shopper, [cases.anchor[at]])
        (matrix,) = feature_matrix(planted.item_features, shopper, [cases.anchor[at]], cases.day[at], items)
        given.append(ranker.probabilities(matrix))
        seen.append(np.isin(items, cases.targets[at]))
    given, seen = np.concatenate(given), np.concatenate(seen)
    for low, high in ((0.0, 0.3), (0.3, 1.0)):
        part = (given >= low) & (given < high)
        assert given[part].mean() == pytest.approx(seen[part].mean(), rel=0.2)


def test_a_ranker_of_shuffled_baskets_is_not_useful():
    noise = shop(seed=1, shuffled=True)
    ranker = fit_ranker([draw_training_sample(noise.evaluation_slice())])
    assert not ranker.useful
    assert ranker.skill <= 0


def test_the_same_seed_gives_the_same_ranker(planted, ranker):
    again = fit_ranker([draw_training_sample(every_other_basket(planted))])
    assert (again.trees.value == ranker.trees.value).all()
    assert (again.slope, again.offset, again.skill) == (ranker.slope, ranker.offset, ranker.skill)


def test_too_few_cases_are_refused(planted):
    with pytest.raises(TrainingError, match="needs 50 cases"):
        fit_ranker([draw_training_sample(replace(planted.evaluation_slice(), cases=planted.cases.where(np.arange(9))))])


def test_cases_without_a_purchase_are_refused(planted):
    cases = replace(planted.cases, targets=[np.empty(0, np.int64)] * len(planted.cases))
    with pytest.raises(TrainingError, match="No ranking can be learned"):
        fit_ranker([draw_training_sample(replace(planted.evaluation_slice(), cases=cases))])


def test_features_left_out_of_a_fit_are_not_used(planted, ranker):
    assert ranker.uses(["own_share"]) or ranker.uses(["own_baskets"])
    own = [name for name in FEATURE_NAMES if name.startswith("own_")]
    assert ranker.uses(own)
    assert not fit_ranker([draw_training_sample(every_other_basket(planted))], without=own).uses(own)
