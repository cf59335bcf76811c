from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecomrec_django.errors import DataError
from ecomrec_django.learning.interactions import DAY, KINDS, IdMap, Interactions
from ecomrec_django.learning.segmentation.features import AISLES, OTHERS, PRIOR, price_levels, visitor_features
from tests.support.histories import history

# Items 1 and 2 answer one need of aisle 0, item 3 another of aisle 1.
ITEMS = IdMap(np.array([1, 2, 3]))
AISLE, NEED, PRICE = np.array([0, 0, 1]), np.array([0, 0, 1]), np.array([2.0, 4.0, 10.0])
# A Monday.
MONDAY = datetime(2017, 1, 2, 12, tzinfo=UTC)


def at(days, hour=12):
    return MONDAY + timedelta(days=days, hours=hour - 12)


def of(events):
    """The features of each visitor id, by name."""
    events = [{"price": None, "item": 1, "basket": str(number), **event} for number, event in enumerate(events)]
    interactions = Interactions.of(history(events), ITEMS)
    found = visitor_features(interactions, AISLE, NEED, PRICE)
    return {
        int(visitor): dict(zip(found.names, row.tolist(), strict=True))
        for visitor, row in zip(interactions.visitors.ids, found.values, strict=True)
    }


def test_amounts_are_those_counted_by_hand():
    found = of(
        [
            {"time": at(0), "basket": "a", "item": 1, "price": 3.0, "quantity": 2},
            {"time": at(0), "basket": "a", "item": 2},
            {"time": at(45), "basket": "b", "item": 3, "price": 8.0},
            {"time": at(60), "visitor": 2, "item": 2},
        ]
    )
    one = found[1]
    assert (one["recency"], one["frequency"], one["breadth"]) == (15, 2 / 2, 2)
    assert (one["money"], one["basket_value"]) == (3 * 2 + 4 + 8, 9)
    # A month is the least that one basket is counted on.
    assert (found[2]["recency"], found[2]["frequency"]) == (0, 1)


def test_shares_are_drawn_to_those_of_all():
    found = of(
        [{"time": at(day, 20), "basket": str(day)} for day in (5, 6, 12)]
        + [{"time": at(1, 7), "visitor": 2, "item": 3}]
    )
    one, two = found[1], found[2]
    assert one["weekend"] == pytest.approx((3 + PRIOR * 3 / 4) / (3 + PRIOR))
    assert two["weekend"] == pytest.approx((0 + PRIOR * 3 / 4) / (1 + PRIOR))
    assert two["morning"] == pytest.approx((1 + PRIOR * 1 / 4) / (1 + PRIOR))
    assert one["evening"] == pytest.approx((3 + PRIOR * 3 / 4) / (3 + PRIOR))
    assert two["aisle:1"] == pytest.approx((1 + PRIOR * 1 / 4) / (1 + PRIOR))
    assert one["price_level"] == pytest.approx((3 * 0.25 + PRIOR * 1.25 / 4) / (3 + PRIOR))


def test_price_levels_are_midranks_within_a_need():
    levels = price_levels(np.array([0, 1, 0, 0, 0, 1]), np.array([5.0, 7.0, 1.0, 5.0, 9.0, np.nan]))
    assert levels[:5].tolist() == [0.5, 0.5, 0.125, 0.5, 0.875]
    assert np.isnan(levels[5])
    assert len(price_levels(np.array([], int), np.array([]))) == 0


def test_refunded_purchases_do_not_count():
    found = of(
        [
            {"basket": "a", "quantity": 4, "price": 2.0},
            {"basket": "b", "quantity": 1, "price": 2.0},
            {"basket": "a", "quantity": 1, "kind": "refund", "price": 2.0},
            {"basket": "b", "quantity": 1, "kind": "refund", "price": 2.0},
        ]
    )
    assert (found[1]["money"], found[1]["frequency"]) == (6, 1)


def test_what_is_sold_by_weight_is_refunded_by_its_share():
    found = of(
        [
            {"basket": "a", "quantity": 0.4, "price": 10.0},
            {"basket": "b", "quantity": 0.8, "price": 10.0},
            {"basket": "a", "quantity": 0.1, "kind": "refund", "price": 10.0},
            {"basket": "b", "quantity": 0.1, "kind": "refund", "price": 10.0},
            {"basket": "b", "quantity": 0.7, "kind": "refund", "price": 10.0},
        ]
    )
    assert found[1]["money"] == pytest.approx(3)
    assert found[1]["frequency"] == 1


def test_lines_without_a_basket_are_one_by_session_or_day():
    lines = [
        {"time": at(0, 9), "basket": ""},
        {"time": at(0, 11), "basket": ""},
        {"time": at(1), "basket": ""},
        {"time": at(1), "basket": "", "session": "s"},
        {"time": at(1), "basket": "named"},
    ]
    both = of(lines + [{**line, "visitor": 2} for line in lines])
    assert both[1]["frequency"] == both[2]["frequency"] == 4


def test_views_are_counted_where_there_are_any():
    assert "views" not in of([{}])[1]
    found = of([{}, {"basket": "b"}, *({"kind": "view_item"} for _ in range(3)), {"visitor": 2}])
    assert (found[1]["views"], found[2]["views"]) == (1.5, 0)


def test_guests_and_visitors_without_purchases_have_no_row():
    events = history([{"item": 1, "kind": "view_item"}, {"item": 1, "visitor": 0}, {"item": 1, "visitor": 3}])
    found = visitor_features(Interactions.of(events, ITEMS), AISLE, NEED, PRICE)
    assert found.known.tolist() == [False, True]
    assert np.isnan(found.values[0]).all()


def test_the_largest_aisles_have_columns_and_shares_sum_to_one():
    rng = np.random.default_rng(0)
    events = random_events(rng, lines=600, items=40)
    events = replace(events, price=np.full(600, np.nan))
    found = visitor_features(events, np.arange(40), np.zeros(40, int), np.full(40, np.nan))
    assert (found.aisle_columns.sum(), found.names[-1]) == (AISLES + 1, OTHERS)
    sold = np.bincount(events.of_kind("purchase").item)
    assert {int(name.split(":")[1]) for name in found.names if name[-1].isdigit()} == set(
        np.argsort(-sold, kind="stable")[:AISLES].tolist()
    )
    assert found.values[:, found.aisle_columns].sum(axis=1) == pytest.approx(1)
    # Without prices nothing is known of money, and all have the same level.
    assert found.values[:, found.names.index("money")].max() == 0
    assert np.ptp(found.values[:, found.names.index("price_level")]) == 0


def test_items_without_facts_are_refused():
    with pytest.raises(DataError, match="each of the 3 items"):
        visitor_features(Interactions.of(history([{"item": 1}]), ITEMS), AISLE, NEED[:2], PRICE)


def random_events(rng, lines, items, visitors=8):
    """Purchases and views; three lines a basket at most, never of two visitors."""
    visitor = rng.integers(0, visitors, lines)
    return Interactions(
        visitors=IdMap(np.arange(visitors)),
        items=IdMap(np.arange(items)),
        visitor=visitor,
        item=rng.integers(0, items, lines),
        kind=rng.choice([KINDS.index("purchase"), KINDS.index("view_item")], lines, p=[0.8, 0.2]).astype(np.int8),
        value=np.ones(lines),
        time=np.sort(rng.integers(0, 90 * DAY, lines)),
        basket=np.arange(lines) // 3 * visitors + visitor,
        session=np.full(lines, -1),
        price=rng.choice([np.nan, 1.0, 2.5], lines),
        rating=np.full(lines, np.nan),
    )


@given(seed=st.integers(0, 2**16), weeks=st.integers(1, 200))
@settings(max_examples=30, deadline=None)
def test_features_do_not_depend_on_other_visitors_or_weeks(seed, weeks):
    rng = np.random.default_rng(seed)
    events = random_events(rng, lines=60, items=6)
    facts = np.arange(6) // 2, np.arange(6) // 3, rng.choice([1.0, 2.0, np.nan], 6)
    number = rng.permutation(8)
    moved = replace(events, visitor=number[events.visitor], time=events.time + weeks * 7 * DAY)
    before, after = visitor_features(events, *facts), visitor_features(moved, *facts)
    assert before.names == after.names
    np.testing.assert_allclose(before.values, after.values[number], rtol=1e-12)
