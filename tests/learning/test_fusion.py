from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.errors import DataError, TrainingError
from ecomrec_django.learning.facts import shoppers, tastes
from ecomrec_django.learning.fusion import fit, ranked, sample, turned, unknown
from ecomrec_django.learning.neighbours import lookup
from ecomrec_django.learning.signals import NAMES, OF_PICTURES, OF_SEQUENCES, candidates, signals
from tests.learning.shops import AISLE, HELD_OUT, START, VISITORS, WEEKS, facts_of, purchases, seeing, shop

NOW = START + 7.0 * (WEEKS - HELD_OUT)


@pytest.fixture(scope="module")
def planted():
    return shop()


def half(planted):
    """The cases of every other basket."""
    return replace(planted.slice(), cases=planted.cases.where(np.flatnonzero(planted.cases.basket % 2)))


@pytest.fixture(scope="module")
def ranker(planted):
    return fit([sample(half(planted))])


def test_the_planted_staples_come_first_for_each_shopper(planted, ranker):
    assert ranker.useful
    assert ranker.skill > 0.3
    first, chance = 0, 0
    for visitor in range(VISITORS):
        staples = planted.staples[visitor]
        items = ranked(ranker, planted.facts, planted.shoppers[visitor], staples[:1], NOW, 0.0).items[:3]
        first += np.isin(items, staples[1:]).sum()
        strangers = planted.staples[(visitor + 1) % VISITORS]
        chance += np.isin(items, strangers[1:]).sum()
    assert first / (3 * VISITORS) > 0.95
    assert chance / (3 * VISITORS) < 0.3


def test_chances_are_calibrated_on_baskets_that_were_not_learned_from(planted, ranker):
    cases, seen, given = planted.cases, [], []
    for at in np.flatnonzero(planted.cases.basket % 2 == 0)[::2]:
        shopper = planted.shoppers[cases.shopper[at]]
        items = candidates(planted.facts, shopper, [cases.anchor[at]])
        (matrix,) = signals(planted.facts, shopper, [cases.anchor[at]], cases.day[at], items)
        given.append(ranker.chances(matrix))
        seen.append(np.isin(items, cases.targets[at]))
    given, seen = np.concatenate(given), np.concatenate(seen)
    for low, high in ((0.0, 0.3), (0.3, 1.0)):
        part = (given >= low) & (given < high)
        assert given[part].mean() == pytest.approx(seen[part].mean(), rel=0.2)


def test_shuffled_baskets_teach_nothing_and_the_ranker_says_so():
    noise = shop(seed=1, shuffled=True)
    ranker = fit([sample(noise.slice())])
    assert not ranker.useful
    assert ranker.skill <= 0


def test_the_evidence_adds_up_and_names_the_own_history(planted, ranker):
    shopper, anchor = planted.shoppers[0], planted.staples[0][0]
    found = ranked(ranker, planted.facts, shopper, [anchor], NOW, 0.0)
    chances = found.chances[:3]
    added = ranker.contributions(found.signals(3))
    log_odds = np.log(chances / (1 - chances))
    assert np.ptp(log_odds - added.sum(axis=1)) < 1e-6
    own = [at for at, name in enumerate(NAMES) if name.startswith(("own", "days_since", "due", "gap", "share_of"))]
    assert (added[:, own].sum(axis=1) > added.sum(axis=1) / 2).all()


def test_the_same_seed_gives_the_same_ranker(planted, ranker):
    again = fit([sample(half(planted))])
    assert (again.trees.value == ranker.trees.value).all()
    assert (again.slope, again.offset, again.skill) == (ranker.slope, ranker.offset, ranker.skill)


def test_beside_several_anchors_the_chances_beside_each_are_averaged(planted, ranker):
    shopper, anchors = planted.shoppers[0], planted.staples[0][:3]
    items = np.setdiff1d(candidates(planted.facts, shopper, anchors), anchors)
    found = ranked(ranker, planted.facts, shopper, anchors, NOW, 0.0, items)
    each = [
        ranker.chances(matrix.copy())
        for anchor in anchors
        for matrix in signals(planted.facts, shopper, [anchor], NOW, items)
    ]
    mean = dict(zip(items.tolist(), np.mean(each, axis=0), strict=True))
    assert found.chances == pytest.approx([mean[item] for item in found.items.tolist()])


def test_the_dial_turns_from_what_many_buy_to_what_few_do():
    chances, baskets = np.array([0.4, 0.2]), np.array([100.0, 4.0])
    assert turned(chances, baskets, 0.0).tolist() == [0.4, 0.2]
    assert turned(chances, baskets, 1.0) == pytest.approx([0.4 / 100**0.4, 0.2 / 4**0.4])
    assert turned(chances, baskets, 1.0).argmax() == 1
    # Never sold weighs like sold once.
    assert turned(np.array([0.5]), np.array([0.0]), 1.0).tolist() == [0.5]


def test_the_dial_turned_further_offers_rarer_items(planted, ranker):
    skewed = replace(planted.facts, baskets=np.geomspace(10, 10_000, len(AISLE)))
    rarity = []
    for dial in (0.0, 0.5, 1.0):
        lists = [
            ranked(ranker, skewed, shopper, planted.staples[visitor][:1], NOW, dial).items[:5]
            for visitor, shopper in enumerate(planted.shoppers)
        ]
        rarity.append(np.log(skewed.baskets[np.concatenate(lists)]).mean())
    assert rarity[0] > rarity[1] > rarity[2]


@pytest.mark.parametrize("dial", [-0.1, 1.1, float("nan")])
def test_a_dial_out_of_range_is_refused(dial):
    with pytest.raises(DataError, match="dial lies from 0"):
        turned(np.ones(1), np.ones(1), dial)


def test_a_shopper_of_whom_nothing_is_known_is_offered_what_others_buy(planted, ranker):
    found = ranked(ranker, planted.facts, unknown(planted.facts), [0], NOW, 0.0)
    assert len(found.items) >= 5
    assert (AISLE[found.items] != AISLE[0]).all()
    assert np.isfinite(found.chances).all()


def test_too_few_cases_are_refused(planted):
    with pytest.raises(TrainingError, match="needs 50 cases"):
        fit([sample(replace(planted.slice(), cases=planted.cases.where(np.arange(9))))])


def test_cases_without_anything_bought_are_refused(planted):
    cases = replace(planted.cases, targets=[np.empty(0, np.int64)] * len(planted.cases))
    with pytest.raises(TrainingError, match="teach no ranking"):
        fit([sample(replace(planted.slice(), cases=cases))])


def test_an_anchors_targets_are_the_baskets_items_of_other_aisles(planted):
    cases = planted.cases
    assert all(
        (AISLE[wanted] != AISLE[anchor]).all() for anchor, wanted in zip(cases.anchor, cases.targets, strict=True)
    )
    assert min(map(len, cases.targets)) > 0
    assert cases.day.min() >= NOW


def test_the_signals_of_a_shopper_are_those_of_its_baskets():
    one = np.array([0, 0, 0, 0, 0])
    item, day, basket = np.array([0, 10, 0, 10, 20]), np.array([0, 0, 10, 10, 16]), np.array([1, 1, 2, 2, 3])
    lines = purchases(one, item, START + day, basket)
    facts = facts_of(lines)
    shopper = shoppers(lines, facts, tastes(lines, len(AISLE)))[0]
    row = dict(zip(NAMES, signals(facts, shopper, [0], START + 20.0, np.array([10]))[0, 0].tolist(), strict=True))
    expected = {
        "own_baskets": 2,
        "own_share": 2 / 3,
        "own_latest": 2 / 3,
        "own_skipped": 1,
        "days_since": 10,
        "gap": 10,
        "due": 1,
        "own_beside": 2,
        "own_beside_share": 2 / (2 + 2),
        "own_size": 2,
        "size": 2,
        "chance_by_need": 1,
        "need_baskets": 2,
        "share_of_need": 1,
        "chance": 2 / (2 + 5),
        "anchor_own": 2 / 3,
    }
    assert {name: row[name] for name in expected} == {name: pytest.approx(value) for name, value in expected.items()}


def test_networks_tell_what_looks_alike_and_what_comes_next():
    item = np.array([0, 0, 20])
    lines = purchases(np.zeros(3, int), item, START + np.array([0, 5, 10]), np.array([1, 2, 3]))
    facts = seeing(facts_of(lines))
    shopper = shoppers(lines, facts, tastes(lines, len(AISLE)))[0]
    found = signals(facts, shopper, [0, 30], START + 20.0, np.array([10, 20, 40]))
    column = {name: found[..., NAMES.index(name)] for name in (*OF_PICTURES, *OF_SEQUENCES)}
    own = shopper.looks
    assert np.linalg.norm(own) == pytest.approx(1)
    assert own[0] > own[1] > 0
    assert column["looks"][0] == pytest.approx([own @ [0.6, 0.8], own[1], np.nan], nan_ok=True, abs=1e-3)
    assert column["looks_anchor"][0] == pytest.approx([0.6, 0.0, np.nan], nan_ok=True, abs=1e-3)
    assert np.isnan(column["looks_anchor"][1]).all()
    bias = facts.network.items[:-1, -1]
    together = np.log(np.exp(bias[facts.popular]).sum())
    assert column["next"][0] == pytest.approx(bias[[10, 20, 40]] - together, abs=1e-5)
    stranger = signals(facts, unknown(facts), [0], START + 20.0, np.array([10]))[0, 0]
    assert np.isnan([stranger[NAMES.index(name)] for name in ("looks", "next")]).all()
    without = signals(facts_of(lines), shopper, [0], START + 20.0, np.array([10]))[0, 0]
    assert np.isnan([without[NAMES.index(name)] for name in column]).all()


def test_signals_that_are_left_out_of_a_fit_are_not_asked_for(planted, ranker):
    assert ranker.asks(["own_share"]) or ranker.asks(["own_baskets"])
    own = [name for name in NAMES if name.startswith("own_")]
    assert ranker.asks(own)
    assert not fit([sample(half(planted))], without=own).asks(own)


def test_purchases_without_a_basket_are_refused():
    lines = purchases(np.array([0]), np.array([1]), np.array([START]), np.array([-1]))
    with pytest.raises(DataError, match="with a basket"):
        facts_of(lines)


def test_what_fewer_than_three_customers_bought_is_in_nobodys_taste_and_like_nothing():
    # Four visitors share item 0; item 5 was bought by three of them, item 9 by two.
    held = [(0, 0), (1, 0), (2, 0), (3, 0), (0, 5), (1, 5), (2, 5), (0, 9), (1, 9)]
    visitor, item = np.array(held).T
    lines = purchases(visitor, item, np.full(len(held), START), visitor)
    liked = tastes(lines, len(AISLE))
    assert lookup(*liked.row(3), np.array([0, 5, 9])).round(2).tolist() == [1.0, 1.0, 0.0]
    alike = facts_of(lines).alike
    assert len(alike.row(9)[0]) == 0
    assert alike.row(0)[0].tolist() == [5]
