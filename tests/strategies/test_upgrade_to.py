from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ecomrec_django.learning.amounts import Amount
from ecomrec_django.strategies.base import EVIDENCE, LiveProduct, Offer, Reason, ViolationCode
from ecomrec_django.strategies.upgrade_to import UpgradeTo
from tests.support.histories import offers, training

CATALOG = [
    {"item": 1, "category": 7, "aisle": 3, "title": "trail tent two persons", "price": 100.0},
    {"item": 2, "category": 7, "aisle": 3, "title": "trail tent two persons light", "price": 130.0},
    {"item": 3, "category": 7, "aisle": 3, "title": "garden pavilion tent", "price": 130.0},
    {"item": 4, "category": 7, "aisle": 3, "title": "trail tent two persons expedition", "price": 400.0},
    {"item": 5, "category": 7, "aisle": 3, "title": "trail tent two persons", "price": 101.0},
    {"item": 6, "category": 8, "aisle": 3, "title": "trail tent two persons light", "price": 130.0},
]


def up_moves(anchor: int, item: int, visitors: int, first: int = 1) -> list[dict]:
    return [
        event
        for visitor in range(first, first + visitors)
        for event in (
            {"visitor": visitor, "item": anchor, "kind": "view_item"},
            {"visitor": visitor, "item": item, "basket": f"o{visitor}"},
        )
    ]


def test_without_history_the_most_similar_item_in_the_band_leads():
    assert offers(UpgradeTo().make(training([], CATALOG)).by_item, 1) == [2, 3]


def test_an_observed_up_move_outranks_a_likeness():
    assert offers(UpgradeTo().make(training(up_moves(1, 3, 40), CATALOG)).by_item, 1)[0] == 3


def bought_after(anchor: int, item: int, customers: int) -> list[dict]:
    return [
        {"visitor": visitor, "item": one, "basket": f"{step}-{visitor}"}
        for visitor in range(1, customers + 1)
        for step, one in enumerate([anchor, item])
    ]


@pytest.mark.parametrize(("moved", "sold"), [(2, 3), (3, 2)])
def test_the_next_purchase_of_customers_leads_among_equals(moved, sold):
    others = [{"visitor": visitor, "item": sold, "basket": f"other-{visitor}"} for visitor in range(100, 140)]
    lists = UpgradeTo().make(training([*others, *bought_after(1, moved, 40)], CATALOG)).by_item
    assert offers(lists, 1) == [moved, sold]


def test_the_bestseller_leads_among_equally_similar_items():
    same = [{**item, "title": f"trail tent {item['item']}"} for item in CATALOG]
    for bestseller in (2, 3):
        sold = [{"visitor": visitor, "item": bestseller, "basket": f"b{visitor}"} for visitor in range(1, 20)]
        assert offers(UpgradeTo().make(training(sold, same)).by_item, 1)[0] == bestseller


def test_higher_margins_come_first_if_costs_are_known():
    same = [{**item, "title": f"trail tent {item['item']}"} for item in CATALOG]
    sold = [{"visitor": visitor, "item": item, "basket": f"b{visitor}"} for visitor in (1, 2) for item in (2, 3)]
    for costs, first in (({1: 60.0, 2: 60.0, 3: 140.0}, 2), ({1: 60.0, 2: 125.0, 3: 70.0}, 3)):
        items = [{**item, "cost": costs.get(item["item"], float("nan"))} for item in same]
        assert offers(UpgradeTo().make(training(sold, items)).by_item, 1)[0] == first


def test_the_band_follows_the_moves_that_were_observed():
    lists = UpgradeTo().make(training(up_moves(1, 4, 40), CATALOG)).by_item
    assert offers(lists, 1) == [4]


def test_an_item_rated_worse_is_no_upgrade():
    items = [{**item, "rating": {1: 4.0, 2: 3.0, 3: 4.5}.get(item["item"], float("nan"))} for item in CATALOG]
    assert offers(UpgradeTo().make(training([], items)).by_item, 1) == [3]


@pytest.mark.parametrize("change", [{"price": float("nan")}, {"price": 0.0}, {"category": 0}, {"active": False}])
def test_an_item_without_price_or_category_is_neither_offered_nor_upgraded(change):
    items = [{**item, **change} if item["item"] == 2 else item for item in CATALOG]
    made = UpgradeTo().make(training([], items))
    assert 2 not in made.by_item.items
    assert 2 not in made.by_item.owners
    assert 2 not in made.by_category.items


@pytest.mark.parametrize("items", [[], CATALOG[:1], [{"item": 1}, {"item": 2}]])
def test_a_catalog_without_alternatives_gives_no_upgrades(items):
    assert len(UpgradeTo().make(training([], items)).by_item.items) == 0


def test_a_category_list_spans_the_prices_of_its_need():
    assert set(offers(UpgradeTo().make(training([], CATALOG)).by_category, 7)) == {1, 2, 3, 4, 5}


def test_every_offer_is_more_expensive_and_says_its_band():
    lists = UpgradeTo().make(training(up_moves(1, 3, 5), CATALOG)).by_item
    ratio, low, high = lists.evidence[:, 0], lists.evidence[:, 1], lists.evidence[:, 2]
    assert (ratio >= low).all()
    assert (ratio <= high).all()
    assert (low > 1).all()


def test_the_same_input_gives_the_same_lists():
    one, other = (UpgradeTo().make(training(up_moves(1, 3, 5), CATALOG)).by_item for _ in range(2))
    for name in vars(one):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    ("price", "anchor", "wrong"),
    [
        (130.0, 100.0, None),
        (100.0, 100.0, ViolationCode.NOT_MORE_EXPENSIVE),
        (104.0, 100.0, ViolationCode.BELOW_PRICE_BAND),
        (190.0, 100.0, ViolationCode.ABOVE_PRICE_BAND),
        (None, 100.0, ViolationCode.PRICE_UNKNOWN),
        (130.0, None, ViolationCode.PRICE_UNKNOWN),
    ],
)
def test_the_live_price_must_lie_in_the_band(price, anchor, wrong):
    offer = Offer(item="x", score=1.0, reason=Reason.UPGRADE, aisle=3, evidence=(1.3, 1.05, 1.8, 0.5, 0.0))
    assert (
        UpgradeTo().violation([LiveProduct(item="a", price=anchor, aisle=3)], offer, LiveProduct("x", price, 3))
        == wrong
    )


def test_a_learned_band_is_the_one_that_is_checked():
    offer = Offer(item="x", score=1.0, reason=Reason.UPGRADE, aisle=3, evidence=(1.3, 1.05, 2.5, 0.5, 0.0))
    assert UpgradeTo().violation([LiveProduct("a", 100.0, 3)], offer, LiveProduct("x", 240.0, 3)) is None


COFFEE = {"category": 7, "aisle": 3, "title": "coffee"}


def coffee(item: int, price: float, amount: float = float("nan"), unit: str = "g", **more) -> dict:
    return {**COFFEE, "item": item, "title": f"coffee {item}", "price": price, "amount": amount, "unit": unit, **more}


def upgrades_of_first(*items: dict, events: list[dict] | tuple = ()) -> list[int]:
    return offers(UpgradeTo().make(training(list(events), list(items))).by_item, 1)


def test_less_for_more_is_no_upgrade():
    assert upgrades_of_first(coffee(1, 10, 500), coffee(2, 13, 400), coffee(3, 13, 600)) == [3]


def test_a_higher_unit_price_needs_a_gain_to_name():
    base, same = coffee(1, 10, 500, rating=4.0), coffee(2, 13, 500, rating=4.0)
    assert upgrades_of_first(base, same) == []
    assert upgrades_of_first(base, {**same, "rating": 4.1}) == []
    assert upgrades_of_first(base, {**same, "rating": 4.5}) == [2]
    assert upgrades_of_first(base, {**same, "attributes": "organic=yes"}) == [2]
    assert upgrades_of_first({**base, "attributes": "organic=yes"}, {**same, "attributes": "organic=yes"}) == []
    assert upgrades_of_first(base, {**same, "amount": 600.0}) == [2]
    assert upgrades_of_first(base, {**same, "amount": 503.0}) == []
    assert upgrades_of_first(base, {**same, "amount": 520.0}) == []


def test_a_brand_is_a_gain_where_shoppers_move_up_to_it():
    base, same = coffee(1, 10, 500, brand="Own"), coffee(2, 13, 500, brand="Fine")
    assert upgrades_of_first(base, same) == []
    assert upgrades_of_first(base, same, events=bought_after(1, 2, 2)) == []
    assert upgrades_of_first(base, same, events=bought_after(1, 2, 3)) == [2]
    assert upgrades_of_first(base, {**same, "brand": "Own"}, events=bought_after(1, 2, 3)) == []
    other = [coffee(3, 10, 500, brand="Own"), coffee(4, 13, 500, brand="Fine")]
    assert upgrades_of_first(base, same, *other, events=bought_after(3, 4, 3)) == [4, 2]


def test_amounts_of_different_units_are_not_compared_but_less_alike():
    capsules = coffee(2, 13, 26, "count")
    assert upgrades_of_first(coffee(1, 10, 500), capsules) == [2]
    assert upgrades_of_first(coffee(1, 10, 500), capsules, coffee(3, 13, 550)) == [3, 2]
    lists = UpgradeTo().make(training([], [coffee(1, 10, 500), capsules, coffee(3, 13, float("nan"), "")])).by_item
    column = EVIDENCE[Reason.UPGRADE].index("similarity")
    similarity = dict(zip(lists.items.tolist(), lists.evidence[:, column].tolist(), strict=True))
    assert similarity[2] == pytest.approx(similarity[3] / 2)
    assert np.isnan(lists.evidence[:, EVIDENCE[Reason.UPGRADE].index("size")]).all()


def test_the_same_title_in_other_letters_is_no_upgrade():
    assert upgrades_of_first(coffee(1, 10), coffee(2, 13, title="COFFEE, 1"), coffee(3, 13)) == [3]


def test_the_evidence_says_what_is_gained():
    base = coffee(1, 10, 500, rating=4.0, brand="Own")
    better = coffee(2, 15, 750, rating=5.0, brand="Fine", attributes="fair=yes\norganic=yes")
    lists = UpgradeTo().make(training(bought_after(1, 2, 4), [base, better])).by_item
    evidence = dict(zip(EVIDENCE[Reason.UPGRADE], lists.evidence[0].tolist(), strict=True))
    assert {name: evidence[name] for name in ("size", "rating", "brand", "features")} == {
        "size": 1.5,
        "rating": 1.25,
        "brand": 4.0,
        "features": 2.0,
    }


def live(item: str, price: float, size: float | None = None, title: str = "", rating: float | None = None):
    amount = None if size is None else Amount(size, "g")
    return LiveProduct(item=item, price=price, aisle=3, title=title or item, amount=amount, rating=rating)


@pytest.mark.parametrize(
    ("offered", "brand", "broken"),
    [
        (live("x", 13.0, 500), None, ViolationCode.HIGHER_UNIT_PRICE),
        (live("x", 13.0, 500), 3.0, None),
        (live("x", 13.0, 500, rating=4.5), None, None),
        (live("x", 13.0, 500, rating=4.1), None, ViolationCode.HIGHER_UNIT_PRICE),
        (live("x", 13.0, 600), None, None),
        (live("x", 13.0, 400), 3.0, ViolationCode.SMALLER_AMOUNT),
        (live("x", 13.0), None, None),
        (live("x", 13.0, 600, title="A!"), None, ViolationCode.SAME_TITLE),
    ],
)
def test_a_page_checks_size_unit_price_and_title_again(offered, brand, broken):
    evidence = (1.3, 1.05, 1.8, 0.5, 0.0, 1.2, None, brand, None)
    offer = Offer(item="x", score=1.0, reason=Reason.UPGRADE, aisle=3, evidence=evidence)
    assert UpgradeTo().violation([live("a", 10.0, 500, rating=4.0)], offer, offered) == broken


@hypothesis_settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from([0, 100, 200, 300, 500]), st.sampled_from(["g", "ml"]),
                  st.sampled_from([float("nan"), 3.0, 4.0, 5.0]), st.sampled_from(["", "Own", "Fine"])),
        min_size=2, max_size=8,
    ),
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 8)), max_size=30),
)  # fmt: skip
def test_no_list_offers_less_for_more_or_a_higher_unit_price_without_a_gain(products, bought):
    items = [
        coffee(number, float(price), float(size) or float("nan"), unit if size else "", rating=rating, brand=brand)
        for number, (price, size, unit, rating, brand) in enumerate(products, 1)
    ]
    events = [
        {"visitor": visitor, "item": item, "basket": f"{step}"}
        for step, (visitor, item) in enumerate(bought)
        if item <= len(items)
    ]
    lists = UpgradeTo().make(training(events, items)).by_item
    owners = np.repeat(lists.owners, np.diff(lists.starts))
    for owner, item, evidence in zip(owners.tolist(), lists.items.tolist(), lists.evidence, strict=True):
        anchor, offer = items[owner - 1], items[item - 1]
        known = dict(zip(EVIDENCE[Reason.UPGRADE], evidence.tolist(), strict=True))
        if anchor["unit"] and anchor["unit"] == offer["unit"]:
            assert offer["amount"] >= anchor["amount"]
            if offer["price"] / offer["amount"] > 1.011 * anchor["price"] / anchor["amount"]:
                gains = [known["size"] >= 1.1, known["rating"] >= 1.05, known["brand"] >= 3, known["features"] >= 1]
                assert any(gains)
