"""The ranking of a planted shop's candidates by a fitted ranker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.errors import DataError
from ecomrec_django.learning.ranking.features import FEATURE_NAMES, candidate_items, feature_matrix
from ecomrec_django.learning.ranking.ranker import apply_discovery, rank, unknown_shopper
from tests.support.aisle_shop import AISLE, NOW, VISITORS


def test_each_shoppers_own_staples_rank_first(planted, ranker):
    assert ranker.useful
    assert ranker.skill > 0.3
    first, chance = 0, 0
    for visitor in range(VISITORS):
        staples = planted.staples[visitor]
        items = rank(ranker, planted.item_features, planted.shoppers[visitor], staples[:1], NOW, 0.0).items[:3]
        first += np.isin(items, staples[1:]).sum()
        strangers = planted.staples[(visitor + 1) % VISITORS]
        chance += np.isin(items, strangers[1:]).sum()
    assert first / (3 * VISITORS) > 0.95
    assert chance / (3 * VISITORS) < 0.3


def test_contributions_sum_to_the_log_odds_and_favour_own_history(planted, ranker):
    shopper, anchor = planted.shoppers[0], planted.staples[0][0]
    found = rank(ranker, planted.item_features, shopper, [anchor], NOW, 0.0)
    chances = found.probabilities[:3]
    added = ranker.contributions(found.features(3))
    log_odds = np.log(chances / (1 - chances))
    assert np.ptp(log_odds - added.sum(axis=1)) < 1e-6
    own = [
        at for at, name in enumerate(FEATURE_NAMES) if name.startswith(("own", "days_since", "due", "gap", "share_of"))
    ]
    assert (added[:, own].sum(axis=1) > added.sum(axis=1) / 2).all()


def test_probabilities_are_averaged_over_anchors(planted, ranker):
    shopper, anchors = planted.shoppers[0], planted.staples[0][:3]
    items = np.setdiff1d(candidate_items(planted.item_features, shopper, anchors), anchors)
    found = rank(ranker, planted.item_features, shopper, anchors, NOW, 0.0, items)
    each = [
        ranker.probabilities(matrix.copy())
        for anchor in anchors
        for matrix in feature_matrix(planted.item_features, shopper, [anchor], NOW, items)
    ]
    mean = dict(zip(items.tolist(), np.mean(each, axis=0), strict=True))
    assert found.probabilities == pytest.approx([mean[item] for item in found.items.tolist()])


def test_discovery_lowers_the_score_of_popular_items():
    chances, baskets = np.array([0.4, 0.2]), np.array([100.0, 4.0])
    assert apply_discovery(chances, baskets, 0.0).tolist() == [0.4, 0.2]
    assert apply_discovery(chances, baskets, 1.0) == pytest.approx([0.4 / 100**0.4, 0.2 / 4**0.4])
    assert apply_discovery(chances, baskets, 1.0).argmax() == 1
    # Never sold weighs like sold once.
    assert apply_discovery(np.array([0.5]), np.array([0.0]), 1.0).tolist() == [0.5]


def test_more_discovery_offers_rarer_items(planted, ranker):
    skewed = replace(planted.item_features, baskets=np.geomspace(10, 10_000, len(AISLE)))
    rarity = []
    for dial in (0.0, 0.5, 1.0):
        lists = [
            rank(ranker, skewed, shopper, planted.staples[visitor][:1], NOW, dial).items[:5]
            for visitor, shopper in enumerate(planted.shoppers)
        ]
        rarity.append(np.log(skewed.baskets[np.concatenate(lists)]).mean())
    assert rarity[0] > rarity[1] > rarity[2]


@pytest.mark.parametrize("dial", [-0.1, 1.1, float("nan")])
def test_discovery_out_of_range_is_refused(dial):
    with pytest.raises(DataError, match="Discovery must be a number from 0"):
        apply_discovery(np.ones(1), np.ones(1), dial)


def test_an_unknown_shopper_is_offered_what_others_buy(planted, ranker):
    found = rank(ranker, planted.item_features, unknown_shopper(planted.item_features), [0], NOW, 0.0)
    assert len(found.items) >= 5
    assert (AISLE[found.items] != AISLE[0]).all()
    assert np.isfinite(found.probabilities).all()
