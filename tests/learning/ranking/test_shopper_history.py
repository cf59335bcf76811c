"""What one shopper did: into one field and out again, and put together from its parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.errors import DataError
from ecomrec_django.learning.interactions import KINDS, IdMap
from ecomrec_django.learning.ranking.shopper_history import (
    MAX_OTHER_EVENTS,
    MAX_PURCHASE_LINES,
    PURCHASE,
    ShopperHistory,
)

VIEW, REVIEW = KINDS.index("view_item"), KINDS.index("review")
# Halves of stars and quarters of days, which few bits hold exactly.
event = st.tuples(
    st.integers(1, 2**40),
    st.integers(0, len(KINDS) - 1),
    st.integers(40_000, 120_000).map(lambda quarter: quarter / 4),
    st.integers(0, 5),
    st.one_of(st.just(np.nan), st.integers(2, 10).map(lambda half: half / 2)),
)
liked = st.lists(st.tuples(st.integers(1, 2**40), st.integers(1, 8).map(lambda part: part / 8)), max_size=4)


def past(events, liked=(), segment=0) -> ShopperHistory:
    """From rows (item, kind, day, basket, rating)."""
    item, kind, day, basket, rating = (np.array([row[at] for row in events]) for at in range(5))
    return ShopperHistory.of(
        item.astype(np.int64),
        kind.astype(np.int8),
        day.astype(np.float64),
        basket.astype(np.int64),
        rating.astype(np.float64),
        (np.array([row[0] for row in liked], np.int64), np.array([row[1] for row in liked], np.float64)),
        segment,
    )


def purchases(*rows) -> ShopperHistory:
    """From (item, day, basket)."""
    return past([(item, PURCHASE, day, basket, np.nan) for item, day, basket in rows])


def same(one: ShopperHistory, other: ShopperHistory) -> bool:
    return one.segment == other.segment and all(
        values.dtype == getattr(other, name).dtype and np.array_equal(values, getattr(other, name), equal_nan=True)
        for name, values in vars(one).items()
        if name not in ("segment", "rating", "neighbour_shares")
    )


def grouped(of: ShopperHistory) -> set[frozenset[int]]:
    """The rows that lie in one basket."""
    return {frozenset(np.flatnonzero(of.basket == number).tolist()) for number in set(of.basket.tolist()) - {-1}}


@given(st.lists(event, max_size=30), liked, st.integers(0, 2**16 - 1))
def test_packing_is_lossless(events, likings, segment):
    one = past(events, likings, segment)
    other = ShopperHistory.from_bytes(one.to_bytes())
    assert same(one, other)
    assert np.array_equal(one.rating, other.rating, equal_nan=True)
    assert np.array_equal(one.neighbour_shares, other.neighbour_shares)


@given(st.lists(event, max_size=30))
def test_events_are_sorted_by_time(events):
    one = past(events)
    assert (np.diff(one.day) >= 0).all()
    bought = one.basket >= 0
    assert (bought == (one.kind == PURCHASE)).all()
    seen = one.basket[bought]
    first = np.unique(seen, return_index=True)[1]
    assert (np.diff(first) > 0).all()
    assert sorted(set(seen.tolist())) == list(range(len(first)))
    assert len(first) == len({basket for _, kind, _, basket, _ in events if kind == PURCHASE})


def test_an_empty_history_can_be_packed():
    assert same(ShopperHistory.from_bytes(ShopperHistory.empty().to_bytes()), ShopperHistory.empty())
    assert len(ShopperHistory.from_bytes(ShopperHistory.empty().to_bytes())) == 0


@pytest.mark.parametrize("largest", [2**31 - 1, 2**31, 2**62])
@pytest.mark.parametrize("which", ["bought", "liked"])
def test_large_ids_come_out_whole_and_small_ones_take_half_the_room(largest, which):
    one = past([(7, PURCHASE, 1.0, 0, np.nan)], [(8, 0.5)])
    large = (
        past([(largest, PURCHASE, 1.0, 0, np.nan)], [(8, 0.5)])
        if which == "bought"
        else past([(7, PURCHASE, 1.0, 0, np.nan)], [(largest, 0.5)])
    )
    assert same(ShopperHistory.from_bytes(large.to_bytes()), large)
    assert len(large.to_bytes()) - len(one.to_bytes()) == (8 if largest >= 2**31 else 0)


def test_long_histories_keep_the_latest_events():
    days = np.arange(MAX_PURCHASE_LINES + 10)
    lines = [(number, PURCHASE, float(day), number, np.nan) for number, day in enumerate(days)]
    views = [(10_000 + number, VIEW, number + 0.5, 0, np.nan) for number in range(MAX_OTHER_EVENTS + 10)]
    kept = ShopperHistory.from_bytes(past([*lines, *views]).to_bytes())
    assert kept.item[kept.kind == PURCHASE].tolist() == list(range(10, MAX_PURCHASE_LINES + 10))
    assert kept.item[kept.kind == VIEW].tolist() == list(range(10_010, 10_010 + MAX_OTHER_EVENTS))
    assert (np.diff(kept.day) >= 0).all()


@given(st.binary(max_size=80))
def test_invalid_bytes_are_rejected(data):
    with pytest.raises(DataError, match="train again"):
        ShopperHistory.from_bytes(data)


@given(st.lists(event, min_size=1, max_size=5), st.data())
def test_truncated_and_foreign_bytes_are_rejected(events, data):
    packed = past(events).to_bytes()
    cut = data.draw(st.integers(0, len(packed) - 1))
    for wrong in (packed[:cut], packed + b"\0", b"\x63" + packed[1:], packed[:1] + b"\x05" + packed[2:]):
        with pytest.raises(DataError, match="cannot be read: train again"):
            ShopperHistory.from_bytes(wrong)


def test_later_events_are_added_with_their_own_baskets():
    one = purchases((1, 10.0, 5), (2, 10.0, 5), (1, 11.0, 9))
    item, kind = np.array([3, 4, 5, 6]), np.array([PURCHASE, PURCHASE, VIEW, PURCHASE], np.int8)
    other = one.with_later(item, kind, np.array([13.0, 12.0, 12.5, 13.0]), np.array([0, 5, 0, 0]))
    assert other.item.tolist() == [1, 2, 1, 4, 5, 3, 6]
    assert other.basket.tolist() == [0, 0, 1, 2, -1, 3, 3]
    assert np.isnan(other.rating).all()
    assert len(one) == 3
    nothing = np.empty(0, np.int64)
    assert one.with_later(nothing, nothing, nothing, nothing) is one


def test_events_added_to_an_empty_history_are_all_of_it():
    found = ShopperHistory.empty().with_later(
        np.array([3]), np.array([PURCHASE], np.int8), np.array([1.0]), np.array([8])
    )
    assert (found.item.tolist(), found.basket.tolist()) == ([3], [0])


@given(st.lists(event, max_size=10), st.lists(event, max_size=10))
def test_merged_histories_keep_order_and_separate_baskets(one, other):
    first, second = past(one, [(7, 0.5)], 3), past(other, [(9, 1.0)], 4)
    joined = first.merged_with(second)
    rows = sorted(zip(joined.item.tolist(), joined.kind.tolist(), joined.day.tolist(), strict=True))
    assert rows == sorted((item, kind, day) for item, kind, day, _, _ in [*one, *other])
    assert (np.diff(joined.day) >= 0).all()
    assert len(grouped(joined)) == len(grouped(first)) + len(grouped(second))
    assert sorted(map(len, grouped(joined))) == sorted(map(len, [*grouped(first), *grouped(second)]))
    # Taste and segment are those of the first.
    assert (joined.segment, joined.neighbour_items.tolist()) == (3, [7])


@given(st.lists(event, max_size=10), st.integers(10_000, 30_000))
def test_a_history_can_be_cut_at_a_day(events, day):
    one = past(events, [(7, 0.5)], 3)
    # As it comes out of a field, where times are rounded.
    left = ShopperHistory.from_bytes(one.to_bytes()).after(day)
    assert (left.day >= day).all()
    assert left.item.tolist() == one.item[one.day > day].tolist()
    assert sorted(map(len, grouped(left))) == sorted(
        rows for rows in (sum(one.day[list(rows)] > day) for rows in grouped(one)) if rows
    )
    assert sorted(set(left.basket.tolist()) - {-1}) == list(range(len(grouped(left))))
    assert (left.segment, left.neighbour_items.tolist()) == (3, [7])


def test_items_are_numbered_and_those_unknown_left_out():
    one = past(
        [(20, PURCHASE, 1.0, 0, np.nan), (99, PURCHASE, 1.0, 0, np.nan), (30, REVIEW, 2.0, 0, 4.5)],
        [(30, 0.75), (98, 0.5), (10, 0.25)],
        6,
    )
    found = one.to_numbers(IdMap(np.array([10, 20, 30])))
    assert found.item.tolist() == [1, 2]
    assert found.kind.tolist() == [PURCHASE, REVIEW]
    assert found.basket.tolist() == [0, -1]
    assert found.rating.tolist()[1] == 4.5
    # What is liked is ascending, as those who look it up need it.
    assert found.neighbour_items.tolist() == [0, 2]
    assert found.neighbour_shares.tolist() == [0.25, 0.75]
    assert found.segment == 6
    assert found.to_ids(np.array([10, 20, 30])).item.tolist() == [20, 30]
    assert len(one.to_numbers(IdMap(np.array([1])))) == 0
