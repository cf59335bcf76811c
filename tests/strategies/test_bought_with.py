from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from ecomrec_django.strategies.base import EVIDENCE, LiveProduct, Offer, Reason, ViolationCode
from ecomrec_django.strategies.bought_with import BoughtWith
from tests.support.histories import START, baskets, offers, training

DAY = timedelta(days=1)

# Aisle 1: tents 11, 12; aisle 2: pegs 21, 22; aisle 3: lamps 31, 32; aisle 4: mugs 41 … 46.
CATALOG = [
    {"item": aisle * 10 + number, "aisle": aisle, "category": aisle * 100, "title": f"thing {aisle} {number}"}
    for aisle, size in ((1, 2), (2, 2), (3, 2), (4, 6))
    for number in range(1, size + 1)
]


def planted() -> list[dict]:
    """Tent 11 goes with peg 21, tent 12 with lamp 31; mugs with nothing but each other."""
    return baskets([[11, 21]] * 40 + [[12, 31]] * 40 + [[41 + k % 6] for k in range(120)])


def score_of(lists, owner: int) -> dict[int, float]:
    row = lists.owners.tolist().index(owner)
    return dict(
        zip(offers(lists, owner), lists.scores[lists.starts[row] : lists.starts[row + 1]].tolist(), strict=True)
    )


def test_a_planted_complement_leads_the_list_of_its_anchor():
    lists = BoughtWith().make(training(planted(), CATALOG)).by_item
    assert offers(lists, 11)[0] == 21
    assert offers(lists, 12)[0] == 31
    assert offers(lists, 21)[0] == 11


def test_offers_are_from_other_aisles():
    events = planted() + baskets([[11, 12, 21, 22]] * 30, visitor=900)
    made = BoughtWith().make(training(events, CATALOG))
    aisle = {item["item"]: item["aisle"] for item in CATALOG}
    for row, owner in enumerate(made.by_item.owners):
        stored = made.by_item.items[made.by_item.starts[row] : made.by_item.starts[row + 1]]
        assert all(aisle[int(item)] != aisle[int(owner)] for item in stored)
    for owner in made.by_category.owners:
        assert all(aisle[item] != owner // 100 for item in offers(made.by_category, owner))


def test_a_bot_with_a_thousand_baskets_does_not_move_a_list():
    bot = baskets([[11, 46]] * 1000, visitor=999)
    before = offers(BoughtWith().make(training(planted(), CATALOG)).by_item, 11)
    after = offers(BoughtWith().make(training(planted() + bot, CATALOG)).by_item, 11)
    assert before == after
    assert before[0] == 21
    assert 46 not in before


def test_a_substitute_ranks_below_a_complement_bought_as_often():
    # Pegs 21 and 22 are bought with tent 11 equally often; 22 is also looked at beside it, as what is compared is.
    events = baskets([[11, 21]] * 30 + [[11, 22]] * 30 + [[31], [41]] * 30)
    views = [view for visitor in range(500, 540) for view in _views(visitor, 11, 22, days=2)]
    before = score_of(BoughtWith().make(training(events, CATALOG)).by_item, 11)
    assert before[22] == pytest.approx(before[21], rel=1e-3)
    after = score_of(BoughtWith().make(training(events + views, CATALOG)).by_item, 11)
    assert after[21] == pytest.approx(before[21], rel=1e-3)
    # Views take at most half, less their few.
    assert after[22] == pytest.approx((1 - 0.5 * 40 / 50) * before[22], rel=1e-3)


@pytest.mark.parametrize("visitors", [2, 200])
def test_invented_visitors_do_not_move_a_list(visitors):
    events = baskets([[11, 21]] * 30 + [[11, 22]] * 28 + [[31], [41]] * 30)
    views = [view for visitor in range(500, 500 + visitors) for view in _views(visitor, 11, 21)]
    before, after = (BoughtWith().make(training(each, CATALOG)).by_item for each in (events, events + views))
    assert score_of(after, 11) == score_of(before, 11)
    assert score_of(after, 21) == score_of(before, 21)


def _views(visitor: int, *items: int, days: int = 1) -> list[dict]:
    """Page views of all the items on each of some days."""
    return [
        {"visitor": visitor, "kind": "view_item", "item": item, "time": START + day * DAY}
        for day in range(days)
        for item in items
    ]


def test_a_sparse_anchor_falls_back_to_its_aisle():
    # Tent 12 was bought by three customers only, two of them with lamp 31; with tents in general goes peg 21.
    events = baskets([[11, 21]] * 40 + [[12, 31]] * 2 + [[12]] + [[31], [41]] * 40 + [[11, 31]])
    lists = BoughtWith().make(training(events, CATALOG)).by_item
    row = lists.owners.tolist().index(12)
    assert offers(lists, 12)[0] == 21
    # Two customers say nothing.
    assert 31 not in offers(lists, 12)
    assert Reason.TOGETHER not in set(lists.reasons[lists.starts[row] : lists.starts[row + 1]].tolist())


def test_a_refunded_line_is_not_counted():
    refunds = [{**event, "kind": "refund"} for event in planted() if event["item"] == 21]
    lists = BoughtWith().make(training(planted() + refunds, CATALOG)).by_item
    assert 21 not in offers(lists, 11)


def test_shuffled_baskets_give_no_confident_pairs():
    rng = np.random.default_rng(0)
    shuffled = baskets([rng.choice([11, 12, 21, 22, 31, 32, 41, 42], 3, replace=False).tolist() for _ in range(400)])
    made = BoughtWith().make(training(shuffled, CATALOG))
    assert not (made.by_item.reasons == Reason.TOGETHER).any()


def test_the_evidence_of_a_pair_is_what_the_orders_say():
    events = baskets([[11, 21]] * 12 + [[11]] * 48 + [[21]] * 20 + [[41]] * 920)
    lists = BoughtWith().make(training(events, CATALOG)).by_item
    row = lists.starts[lists.owners.tolist().index(11)]
    assert lists.reasons[row] == Reason.TOGETHER
    evidence = dict(zip(EVIDENCE[Reason.TOGETHER], lists.evidence[row].tolist(), strict=False))
    assert (evidence["orders"], evidence["expected"]) == (12, pytest.approx(60 * 32 / 1000))
    assert 3 <= evidence["customers"] <= 12


def test_the_same_input_gives_the_same_lists():
    one, other = (BoughtWith().make(training(planted(), CATALOG)).by_item for _ in range(2))
    for name in vars(one):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_lists_are_ranked_by_score_and_offer_nothing_twice():
    lists = BoughtWith().make(training(planted(), CATALOG)).by_item
    for row in range(len(lists.owners)):
        scores = lists.scores[lists.starts[row] : lists.starts[row + 1]]
        items = lists.items[lists.starts[row] : lists.starts[row + 1]]
        assert (np.diff(scores) <= 0).all()
        assert len(set(items.tolist())) == len(items)


def test_an_inactive_item_is_never_offered():
    items = [{**item, "active": item["item"] != 21} for item in CATALOG]
    made = BoughtWith().make(training(planted(), items))
    assert 21 not in made.by_item.items
    assert 21 not in made.by_category.items


def test_an_item_nobody_bought_stands_in_for_the_one_it_resembles():
    items = [*CATALOG, {"item": 29, "aisle": 2, "category": 200, "title": "thing 2 1", "price": 2.0}]
    lists = BoughtWith().make(training(planted(), items)).by_item
    assert 29 in offers(lists, 11)
    assert offers(lists, 11)[0] == 21


def test_items_without_category_are_offered_beside_each_other():
    items = [{"item": number} for number in range(1, 5)]
    lists = BoughtWith().make(training(baskets([[1, 2]] * 30 + [[3], [4]] * 30), items)).by_item
    assert offers(lists, 1)[0] == 2


@pytest.mark.parametrize(
    ("events", "items"),
    [([], []), ([], CATALOG), ([], [{"item": 1}]), (baskets([[1]]), [{"item": 1}]), (baskets([[7, 8]] * 5), CATALOG)],
    ids=["nothing", "no history", "one item", "one purchase", "items unknown to the catalog"],
)
def test_too_little_to_learn_from_gives_empty_lists(events, items):
    made = BoughtWith().make(training(events, items))
    assert len(made.by_item.items) == 0
    assert len(made.by_category.items) == 0


def test_an_offer_of_an_anchors_aisle_breaks_the_rule():
    offer = Offer(item="x", score=1.0, reason=Reason.TOGETHER, aisle=5, evidence=())
    live = LiveProduct("x", 1.0, 4)
    anchors = [LiveProduct("a", 1.0, 4), LiveProduct("b", 1.0, 5)]
    assert BoughtWith().violation(anchors, offer, live) == ViolationCode.SAME_AISLE_AS_ANCHOR
    assert BoughtWith().violation(anchors[:1], offer, live) is None
    assert BoughtWith().violation([LiveProduct("a", 1.0, 0)], offer._replace(aisle=0), live) is None


def small_shop(seed: int, shuffled: bool = False) -> tuple[list[dict], list[dict]]:
    """300 orders of 25 customers: each of 20 products goes with another, whatever of 10 more is bought besides."""
    rng = np.random.default_rng(seed)
    catalog = [
        {"item": item, "aisle": item % 5 + 1, "category": item % 5 + 11, "title": f"{item}"} for item in range(1, 31)
    ]
    contents = []
    for _ in range(300):
        first = int(rng.integers(0, 10)) * 2 + 1
        contents.append([*([first, first + 1] if rng.random() < 0.7 else [first]), int(rng.integers(21, 31))])
    if shuffled:
        lines = rng.permutation([item for content in contents for item in content]).tolist()
        contents = [[lines.pop() for _ in content] for content in contents]
    events = [
        {"basket": f"b{number}", "visitor": number % 25 + 1, "item": item}
        for number, content in enumerate(contents)
        for item in set(content)
    ]
    return catalog, events


@pytest.mark.parametrize("seed", range(3))
def test_a_small_shop_offers_planted_complements_first(seed):
    catalog, events = small_shop(seed)
    lists = BoughtWith().make(training(events, catalog)).by_item
    first = {item: offers(lists, item)[:1] for item in range(1, 21)}
    right = [item for item, offered in first.items() if offered == [item + 1 if item % 2 else item - 1]]
    assert len(right) >= 18


@pytest.mark.parametrize("seed", range(3))
def test_a_small_shop_offers_nothing_from_noise(seed):
    catalog, events = small_shop(seed, shuffled=True)
    lists = BoughtWith().make(training(events, catalog)).by_item
    # By chance one pair in a thousand passes, of which there are 870.
    assert (lists.reasons == Reason.TOGETHER).sum() <= 3


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_what_is_in_nearly_every_order_is_offered_beside_nothing(share):
    rng = np.random.default_rng(0)
    contents = [[*pair, 46] if rng.random() < share else pair for pair in [[11, 21], [12, 31], [22, 32]] * 200]
    lists = BoughtWith().make(training(baskets(contents), CATALOG)).by_item
    assert offers(lists, 11)[0] == 21
    assert 46 not in lists.items


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_fee_in_all_orders_leads_no_list(size):
    # Of the fees 61 … 63, each order has one, as many have two, and so on.
    fees = [{"item": 60 + number, "aisle": 5 + number, "category": 500 + number} for number in range(1, size + 1)]
    contents = [[11, 21]] * 40 + [[12, 31]] * 40 + [[41 + k % 6] for k in range(120)]
    paid = [content + [fee["item"] for fee in fees] for content in contents]
    made = BoughtWith().make(training(baskets(paid), [*CATALOG, *fees]))
    for lists in (made.by_item, made.by_category):
        leading = [int(lists.items[start]) for start in lists.starts[:-1]]
        assert leading
        assert not set(leading) & {fee["item"] for fee in fees}
