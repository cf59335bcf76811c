"""One formula for what offers are ranked by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.strategies.base import FILL_SCORE, Offer, Reason
from ecomrec_django.strategies.bought_with import BoughtWith
from ecomrec_django.strategies.for_you import ForYou
from ecomrec_django.strategies.objectives import Objective, with_discovery, with_objective, with_worth
from ecomrec_django.strategies.similar import Similar
from ecomrec_django.strategies.upgrade_to import UpgradeTo


def together(item: str, score: float, probability: float, lift: float) -> Offer:
    return Offer(item, score, Reason.TOGETHER, 1, (9, 9, 1.0, lift, 20.0, 0.0, probability))


def popular(item: str, score: float, customers: int) -> Offer:
    return Offer(item, score, Reason.POPULAR, 1, (customers,))


def upgrade(item: str, score: float, probability: float) -> Offer:
    return Offer(item, score, Reason.UPGRADE, 1, (1.5, 1.05, 1.8, 0.5, 3, None, None, None, None, probability))


# Bananas are in every third basket, olives in few, and the filler says nothing of the anchor.
BANANAS, OLIVES = together("bananas", 0.04, 0.4, 1.2), together("olives", 0.05, 0.06, 6.0)
FILLER = popular("milk", FILL_SCORE, 900)
LIST = [OLIVES, BANANAS, FILLER]


def names(offers) -> list[str]:
    return [offer.item for offer in offers]


def test_the_stored_score_is_the_first_objective():
    assert with_objective(LIST, BoughtWith(), Objective.UPLIFT) == LIST
    bestsellers = [popular("a", 0.9, 9), popular("b", 0.8, 8)]
    assert with_objective(bestsellers, ForYou(), Objective.PROBABILITY) == bestsellers


def test_probability_is_that_of_the_evidence_and_fillers_stay_behind():
    found = with_objective(LIST, BoughtWith(), Objective.PROBABILITY)
    assert [(offer.item, offer.score) for offer in found] == [("bananas", 0.4), ("olives", 0.06), ("milk", FILL_SCORE)]
    upgrades = [upgrade("dear", 0.3, 0.1), upgrade("likely", 0.2, 0.2)]
    assert names(with_objective(upgrades, UpgradeTo(), Objective.PROBABILITY)) == ["likely", "dear"]


@pytest.mark.parametrize("objective", [Objective.REVENUE, Objective.MARGIN])
def test_uplift_is_what_is_worth_something(objective):
    found = with_worth(with_objective(LIST, BoughtWith(), objective), {"bananas": 3.0, "olives": 2.0, "milk": 9e9}, 1.0)
    assert names(found) == ["bananas", "olives", "milk"]
    assert found[0].score == pytest.approx(0.12)


def test_a_strategy_of_a_single_order_keeps_it():
    offers = [Offer("a", 0.2, Reason.ALIKE, 1, (0.2,)), Offer("b", 0.1, Reason.ALIKE, 1, (0.1,))]
    assert with_objective(offers, Similar(), "") == offers


def test_an_offer_of_unknown_worth_counts_as_the_least():
    found = with_worth([OLIVES, BANANAS], {"bananas": 2.0}, 1.0)
    assert {offer.item: offer.score for offer in found} == {
        "olives": pytest.approx(0.1),
        "bananas": pytest.approx(0.08),
    }
    assert with_worth(LIST, {}, 1.0) == LIST


def test_what_adds_nothing_stays_behind_whatever_it_costs():
    worse = BANANAS._replace(score=-0.01)
    assert names(with_worth([OLIVES, worse], {"olives": 1.0, "bananas": 500.0}, 1.0)) == ["olives", "bananas"]


def test_discovery_prefers_what_is_seldom_bought_by_chance():
    close = [BANANAS._replace(score=0.06), OLIVES, FILLER]
    assert names(with_discovery(close, 0.0)) == ["bananas", "olives", "milk"]
    found = with_discovery(close, 0.5)
    assert names(found) == ["olives", "bananas", "milk"]
    # Bananas, the most popular, keep their score; olives are 100/3 times as rare.
    assert found[1].score == 0.06
    assert found[0].score == pytest.approx(0.05 * (0.4 / 1.2 / (0.06 / 6)) ** (0.4 * 0.5))


def test_discovery_counts_customers_of_bestsellers():
    assert names(with_discovery([popular("a", 0.9, 1000), popular("b", 0.8, 10)], 1.0)) == ["b", "a"]


offer_lists = st.lists(
    st.tuples(st.floats(0.001, 1), st.floats(0.001, 1), st.floats(1.01, 100)), min_size=1, max_size=8
).map(
    lambda rows: sorted(
        (together(str(number), *row) for number, row in enumerate(rows)), key=lambda offer: -offer.score
    )
)


@given(offer_lists, st.floats(0, 1), st.floats(0.1, 100))
def test_every_order_keeps_all_offers_and_ignores_the_currency(offers, dial, rate):
    assert with_discovery(offers, 0.0) == offers
    assert sorted(names(with_discovery(offers, dial))) == sorted(names(offers))
    worth = {offer.item: 1.0 + int(offer.item) for offer in offers}
    scores = {offer.item: offer.score for offer in with_worth(offers, worth, 1.0)}
    foreign = {
        offer.item: offer.score for offer in with_worth(offers, {name: rate * one for name, one in worth.items()}, 1.0)
    }
    assert foreign == {name: pytest.approx(rate * score) for name, score in scores.items()}
