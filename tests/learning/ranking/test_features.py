"""The columns of the feature matrix."""

from __future__ import annotations

import numpy as np
import pytest

from ecomrec_django.learning.ranker_training.neighbour_tastes import NeighbourTastes
from ecomrec_django.learning.ranker_training.snapshot import shopper_features
from ecomrec_django.learning.ranking.features import FEATURE_NAMES, IMAGE_FEATURES, SEQUENCE_FEATURES, feature_matrix
from ecomrec_django.learning.ranking.ranker import unknown_shopper
from tests.support.aisle_shop import AISLE, START, features_of, purchases, with_networks


def test_features_of_a_shopper_follow_from_the_baskets():
    one = np.array([0, 0, 0, 0, 0])
    item, day, basket = np.array([0, 10, 0, 10, 20]), np.array([0, 0, 10, 10, 16]), np.array([1, 1, 2, 2, 3])
    lines = purchases(one, item, START + day, basket)
    item_features = features_of(lines)
    shopper = shopper_features(lines, item_features, NeighbourTastes.of(lines, len(AISLE)))[0]
    row = dict(
        zip(
            FEATURE_NAMES,
            feature_matrix(item_features, shopper, [0], START + 20.0, np.array([10]))[0, 0].tolist(),
            strict=True,
        )
    )
    expected = {
        "own_baskets": 2,
        "own_share": 2 / 3,
        "own_latest": 2 / 3,
        "own_skipped": 1,
        "days_since": 10,
        "gap": 10,
        "due": 1,
        "own_with_anchor": 2,
        "own_with_anchor_share": 2 / (2 + 2),
        "own_basket_size": 2,
        "basket_size": 2,
        "probability_given_need": 1,
        "need_baskets": 2,
        "share_of_need": 1,
        "probability": 2 / (2 + 5),
        "anchor_own_share": 2 / 3,
    }
    assert {name: row[name] for name in expected} == {name: pytest.approx(value) for name, value in expected.items()}


def test_networks_give_image_similarity_and_the_next_item():
    item = np.array([0, 0, 20])
    lines = purchases(np.zeros(3, int), item, START + np.array([0, 5, 10]), np.array([1, 2, 3]))
    item_features = with_networks(features_of(lines))
    shopper = shopper_features(lines, item_features, NeighbourTastes.of(lines, len(AISLE)))[0]
    found = feature_matrix(item_features, shopper, [0, 30], START + 20.0, np.array([10, 20, 40]))
    column = {name: found[..., FEATURE_NAMES.index(name)] for name in (*IMAGE_FEATURES, *SEQUENCE_FEATURES)}
    own = shopper.image_vector
    assert np.linalg.norm(own) == pytest.approx(1)
    assert own[0] > own[1] > 0
    assert column["image_similarity"][0] == pytest.approx([own @ [0.6, 0.8], own[1], np.nan], nan_ok=True, abs=1e-3)
    assert column["anchor_image_similarity"][0] == pytest.approx([0.6, 0.0, np.nan], nan_ok=True, abs=1e-3)
    assert np.isnan(column["anchor_image_similarity"][1]).all()
    bias = item_features.network.items[:-1, -1]
    together = np.log(np.exp(bias[item_features.bestsellers]).sum())
    assert column["next_item"][0] == pytest.approx(bias[[10, 20, 40]] - together, abs=1e-5)
    stranger = feature_matrix(item_features, unknown_shopper(item_features), [0], START + 20.0, np.array([10]))[0, 0]
    assert np.isnan([stranger[FEATURE_NAMES.index(name)] for name in ("image_similarity", "next_item")]).all()
    without = feature_matrix(features_of(lines), shopper, [0], START + 20.0, np.array([10]))[0, 0]
    assert np.isnan([without[FEATURE_NAMES.index(name)] for name in column]).all()
