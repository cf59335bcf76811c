"""A model of trade-ups learns what customers choose, and serves only where it surely does so better."""

import numpy as np
import pytest

from ecomrec_django.learning.trade_ups.model import MIN_TRADE_UPS, TradeUps, UpgradePairs, fit_trade_ups

ANCHORS, CHOICES = 150, 8


@pytest.fixture
def pairs():
    """Each anchor has eight candidates, one of which has a gain; the formula prefers the first of them."""
    random = np.random.default_rng(0)
    anchor = np.repeat(np.arange(ANCHORS), CHOICES)
    item = ANCHORS + np.tile(np.arange(CHOICES), ANCHORS)
    gain = np.zeros((ANCHORS, CHOICES))
    gain[np.arange(ANCHORS), random.integers(0, CHOICES, ANCHORS)] = 1.0
    formula = np.tile(np.linspace(0.2, 0.05, CHOICES), ANCHORS)
    features = np.column_stack([formula, gain.ravel(), random.random(ANCHORS * CHOICES)]).astype(np.float32)
    return UpgradePairs(anchor=anchor, item=item, probability=formula, features=features)


def choices(pairs: UpgradePairs, weights: np.ndarray, count: int = 1_500) -> TradeUps:
    """Customers' trade-ups, drawn by the ``weights`` of the pairs."""
    random = np.random.default_rng(1)
    row = random.choice(len(weights), count, p=weights / weights.sum())
    return TradeUps(anchor=pairs.anchor[row], item=pairs.item[row], customer=random.integers(1, 600, count))


def test_what_customers_choose_is_learned_and_leads(pairs):
    gain = pairs.features[:, 1]
    model = fit_trade_ups(pairs, choices(pairs, 0.05 + gain))
    assert model.trees is not None
    assert model.report["trees"] > model.report["formula"] + 0.2
    probability = model.probability(pairs).reshape(ANCHORS, CHOICES)
    assert probability.sum(axis=1) == pytest.approx(np.ones(ANCHORS))
    assert (probability.argmax(axis=1) == gain.reshape(ANCHORS, CHOICES).argmax(axis=1)).mean() > 0.95


def test_the_formula_stays_where_customers_choose_by_it(pairs):
    model = fit_trade_ups(pairs, choices(pairs, pairs.probability**4))
    assert model.trees is None
    assert model.probability(pairs) is pairs.probability


@pytest.mark.parametrize("count", [0, MIN_TRADE_UPS - 1])
def test_too_few_trade_ups_teach_nothing(pairs, count):
    few = choices(pairs, pairs.features[:, 1], MIN_TRADE_UPS)
    model = fit_trade_ups(pairs, few.where(np.arange(MIN_TRADE_UPS) < count))
    assert model.trees is None
    assert model.report == {}


def test_trade_ups_to_what_is_no_candidate_are_left_out(pairs):
    chosen = choices(pairs, 0.05 + pairs.features[:, 1])
    others = TradeUps(anchor=chosen.anchor, item=chosen.anchor, customer=chosen.customer)
    assert fit_trade_ups(pairs, others).report == {}
