from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from ecomrec_django.strategies.base import EVIDENCE, LIST_LENGTH, Reason
from ecomrec_django.strategies.for_you import PER_NEED, ForYou
from tests.support.histories import START, baskets, offers, training

# Aisle 1 has the needs 100 and 101, aisle 2 is a need itself; the last digit is the item's place in its need.
CATALOG = [
    {"item": need * 10 + number, "category": need, "aisle": aisle}
    for aisle, need in ((1, 100), (1, 101), (2, 2))
    for number in range(1, 5)
]
ACTIVE = {item["item"] for item in CATALOG}


def sales(counts: dict[int, int], days: int = 0, first: int = 1) -> list[dict]:
    """Each item in so many baskets of as many customers, numbered from ``first``, so many days after the start."""
    bought = [[item] for item, count in counts.items() for _ in range(count)]
    return [
        {**event, "visitor": first + at, "basket": f"b{first + at}", "time": START + timedelta(days=days)}
        for at, event in enumerate(baskets(bought))
    ]


def for_all(events, items=CATALOG) -> list[int]:
    """The list for everybody."""
    return offers(ForYou().make(training(events, items)).for_all, 0)


def test_bestsellers_come_first():
    assert for_all(sales({1001: 5, 1011: 9, 21: 7}))[:3] == [1011, 21, 1001]


def test_recent_sales_outrank_older_ones():
    # Three half-lives of 180 days: forty sales tell as much as five of today.
    events = sales({1001: 40}) + sales({21: 6}, days=540, first=100)
    assert for_all(events)[:2] == [21, 1001]
    assert for_all(sales({1001: 40}) + sales({21: 4}, days=540, first=100))[:2] == [1001, 21]


def test_a_bot_with_a_thousand_baskets_moves_nothing():
    bot = [{"visitor": 999, "item": 22, "basket": f"bot{number}", "time": START} for number in range(1000)]
    events = sales({21: 9, 23: 7, 22: 3})
    assert for_all(events + bot)[:2] == for_all(events)[:2] == [21, 23]


def test_what_two_customers_bought_is_no_bestseller():
    assert offers(ForYou().make(training(sales({21: 2, 22: 3}), CATALOG)).by_category, 2)[0] == 22


def test_a_list_has_few_items_of_one_need():
    found = for_all(sales({21: 9, 22: 8, 23: 7, 24: 6, 1001: 3, 1011: 4}))
    assert found[:4] == [21, 22, 1011, 1001]
    needs = [item // 10 for item in found]
    assert max(map(needs.count, needs)) == PER_NEED


def test_items_without_a_category_are_each_a_need_of_their_own():
    items = [{"item": number} for number in range(1, 7)]
    assert for_all(sales({number: 2 + number for number in range(1, 7)}), items) == [6, 5, 4, 3, 2, 1]


def test_a_need_and_an_aisle_have_lists_of_their_own_items_alone():
    made = ForYou().make(training(sales({1001: 3, 1002: 5, 1011: 4, 21: 9, 22: 3}), CATALOG))
    assert offers(made.by_category, 100)[:2] == [1002, 1001]
    assert offers(made.by_category, 101)[0] == 1011
    assert offers(made.by_category, 1)[:3] == [1002, 1011, 1001]
    # An aisle that is a need has one list, and it is as long as the need is.
    assert offers(made.by_category, 2)[:2] == [21, 22]
    assert sorted(made.by_category.owners) == [1, 2, 100, 101]
    own = {100: {100}, 101: {101}, 1: {100, 101}, 2: {2}}
    for owner, needs in own.items():
        found = offers(made.by_category, owner)
        assert {item // 10 for item in found} == needs
        assert set(found) == {item for item in ACTIVE if item // 10 in needs}


def test_inactive_items_are_not_offered():
    items = [{**item, "active": item["item"] != 21} for item in CATALOG]
    made = ForYou().make(training(sales({21: 50, 22: 3}), items))
    assert 21 not in made.for_all.items
    assert 21 not in made.by_category.items
    assert offers(made.for_all, 0)[0] == 22


def test_a_refunded_sale_is_none():
    events = sales({21: 5, 1001: 3})
    refunds = [{**event, "kind": "refund"} for event in events if event["item"] == 21]
    assert for_all(events + refunds)[0] == 1001


def test_a_shop_that_has_sold_nothing_offers_what_it_has():
    made = ForYou().make(training([], CATALOG))
    found = offers(made.for_all, 0)
    assert [item // 10 for item in found] == [2, 2, 100, 100, 101, 101]
    assert set(offers(made.by_category, 1)) == {item for item in ACTIVE if item > 1000}
    assert (made.for_all.evidence[:, 0] == 0).all()


@pytest.mark.parametrize("items", [[], [{**item, "active": False} for item in CATALOG]], ids=["empty", "all gone"])
def test_a_shop_without_goods_has_no_lists(items):
    made = ForYou().make(training(sales({21: 5}), items))
    for lists in (made.by_item, made.by_category, made.for_all):
        assert len(lists.owners) == len(lists.items) == 0


def test_no_list_is_longer_than_it_may_be_and_each_is_ranked():
    items = [{"item": 1000 + number, "category": 100 + number // 40, "aisle": 1} for number in range(120)]
    made = ForYou().make(training(sales({1000 + number: 1 + number % 7 for number in range(120)}), items))
    for lists in (made.by_category, made.for_all):
        for row in range(len(lists.owners)):
            part = slice(lists.starts[row], lists.starts[row + 1])
            assert len(lists.items[part]) <= LIST_LENGTH
            assert (np.diff(lists.scores[part]) <= 0).all()
            assert len(set(lists.items[part].tolist())) == len(lists.items[part])
    assert len(offers(made.by_category, 1)) == LIST_LENGTH
    assert len(offers(made.for_all, 0)) == 3 * PER_NEED


def test_the_evidence_is_how_many_customers_bought_it():
    lists = ForYou().make(training(sales({21: 7}), CATALOG)).for_all
    assert set(lists.reasons.tolist()) == {Reason.POPULAR}
    assert EVIDENCE[Reason.POPULAR] == ("customers",)
    assert lists.evidence[0, 0] == 7


def test_the_same_input_gives_the_same_lists():
    one, other = (ForYou().make(training(sales({21: 3, 1001: 3, 1011: 3}), CATALOG)) for _ in range(2))
    for name in vars(one.for_all):
        np.testing.assert_array_equal(getattr(one.for_all, name), getattr(other.for_all, name))
        np.testing.assert_array_equal(getattr(one.by_category, name), getattr(other.by_category, name))


@pytest.mark.parametrize(("share", "leads"), [(1.0, False), (0.85, False), (0.8, True)])
def test_what_is_in_most_orders_leads_no_list_for_everybody(share, leads):
    bought = [[(21, 22, 1011, 1012)[at % 4], *([1001] if at < share * 40 else [])] for at in range(40)]
    made = ForYou().make(training(baskets(bought), CATALOG))
    assert (offers(made.for_all, 0)[0] == 1001) == leads
    assert 1001 in offers(made.for_all, 0)
    # On the page of its own kind it is what sells best.
    assert offers(made.by_category, 100)[0] == 1001
