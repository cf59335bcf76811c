from __future__ import annotations

import numpy as np

from ecomrec_django.learning.ranking.ranker import RankedItems, by_uplift, unknown_shopper


def two_items(items, probabilities) -> RankedItems:
    matrix = np.arange(2.0)[:, None]
    return RankedItems(
        items=items, probabilities=probabilities, scores=probabilities, order=np.arange(2), matrix=matrix
    )


def test_what_a_shopper_buys_anyway_ranks_below_what_the_anchor_adds(planted):
    shopper, staples = planted.shoppers[0], planted.staples[0]
    own, other = int(staples[0]), next(item for item in range(30) if item not in shopper.items.things)
    items, probabilities = np.array([own, other]), np.array([0.3, 0.29])
    ranked = two_items(items, probabilities)
    found = by_uplift(ranked, planted.item_features, shopper, [5])
    assert found.items.tolist() == [other, own]
    assert found.probabilities.tolist() == [0.29, 0.3]
    assert found.features(2).ravel().tolist() == [1.0, 0.0]
    nobody = by_uplift(ranked, planted.item_features, unknown_shopper(planted.item_features), [5])
    assert set(nobody.items.tolist()) == {own, other}


def test_discovery_prefers_what_few_others_buy_of_what_the_anchor_adds(planted):
    features = planted.item_features
    most, least = int(features.baskets.argmax()), int(features.baskets.argmin())
    items, probabilities = np.array([most, least]), np.array([0.4, 0.39])
    ranked = two_items(items, probabilities)
    nobody = unknown_shopper(features)
    plain = by_uplift(ranked, features, nobody, [5], 0.0)
    dialled = by_uplift(ranked, features, nobody, [5], 1.0)
    lead = [dict(zip(found.items.tolist(), found.scores.tolist(), strict=True)) for found in (plain, dialled)]
    assert lead[1][least] / lead[1][most] > lead[0][least] / lead[0][most]
    # What adds nothing stays behind, however few others buy it.
    nothing = two_items(items, np.array([0.4, 0.0]))
    assert by_uplift(nothing, features, nobody, [5], 1.0).items.tolist() == [most, least]
