from __future__ import annotations

import numpy as np
import pytest

from ecomrec_django.learning.evaluation import Scores, evaluate


def arrays(*lists):
    return [np.array(values, np.int64) for values in lists]


def test_perfect_offers_score_one_everywhere():
    scores = evaluate(arrays([0, 1], [2, 3]), arrays([0, 1], [2, 3]), np.array([4.0, 4.0, 4.0, 4.0]), k=2)
    assert scores == Scores(1.0, 1.0, pytest.approx(1.0), pytest.approx(1.0), 1.0)


def test_a_hit_counts_by_its_place_and_its_rarity():
    scores = evaluate(arrays([1, 0]), arrays([0, 2]), np.array([4.0, 1.0, 1.0, 1.0]), k=2)
    assert (scores.hit, scores.recall, scores.coverage) == (1.0, 0.5, 0.5)
    assert scores.ndcg == pytest.approx(0.6309 / 1.6309, abs=1e-4)
    assert scores.popw == pytest.approx(0.5 / 1.5)


def test_more_targets_than_places_do_not_lower_recall():
    assert evaluate(arrays([0]), arrays([0, 1, 2]), np.ones(3), k=1).recall == 1.0


def test_an_empty_list_scores_nothing():
    assert evaluate(arrays([]), arrays([0]), np.ones(2)) == Scores(0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("offers", "targets"), [([[0]], []), ([[0]], [[]]), ([[0, 0]], [[0]])])
def test_senseless_input_is_refused(offers, targets):
    with pytest.raises(ValueError, match=r"target|twice"):
        evaluate(arrays(*offers), arrays(*targets), np.ones(2))
