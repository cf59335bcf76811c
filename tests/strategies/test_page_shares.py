import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.strategies.base import EVIDENCE_WIDTH, Lists, Reason, StrategyLists
from ecomrec_django.strategies.page_shares import PageShares, largest_shares, lists_within


def lists_of(offers):
    """Lists by owner: (item, score) pairs, or items whose scores fall with their places."""
    ranked = [[pair if isinstance(pair, tuple) else (pair, 1 / n) for n, pair in enumerate(row, 1)]
              for row in offers.values()]  # fmt: skip
    flat = [pair for row in ranked for pair in row]
    return Lists(
        owners=np.array(list(offers), np.int64),
        starts=np.cumsum([0, *map(len, ranked)]),
        items=np.array([item for item, _ in flat], np.int64),
        scores=np.array([score for _, score in flat], np.float32),
        reasons=np.full(len(flat), Reason.TOGETHER, np.int8),
        evidence=np.arange(len(flat) * EVIDENCE_WIDTH, dtype=np.float32).reshape(-1, EVIDENCE_WIDTH),
    )


def items_of(count, categories=None, inactive=()):
    """Items 1 … count."""
    pks = list(range(1, count + 1))
    category = [(categories or {}).get(pk, 0) for pk in pks]
    return pa.table(
        {
            "item": pks,
            "category": category,
            "active": [pk not in inactive for pk in pks],
            "sellable": [True] * count,
            "price": [1.0] * count,
        }
    )


def offered(lists):
    return {
        int(owner): lists.items[start:end].tolist()
        for owner, start, end in zip(lists.owners, lists.starts, lists.starts[1:], strict=False)
    }


def limited(own, places=2, limits=None, default=1.0, general=None, items=None):
    """The lists of items and of categories within the limits."""
    made = StrategyLists(lists_of(own), lists_of(general or {}))
    result = lists_within(limits or {}, default, made, items or items_of(20), places).lists
    return offered(result.by_item), offered(result.by_category)


def shares(own, places=2, general=None, items=None):
    page_shares = PageShares.of(StrategyLists(lists_of(own), lists_of(general or {})), items or items_of(20), places)
    return dict(zip(page_shares.items.tolist(), page_shares.shares().tolist(), strict=True))


def test_a_share_counts_the_first_places_of_pages():
    assert shares({1: [9, 8, 7], 2: [8, 9, 7], 3: [9], 4: [6, 5, 9]}) == {9: 0.75, 8: 0.5, 7: 0, 6: 0.25, 5: 0.25}


def test_a_categorys_list_counts_for_each_of_its_products_without_a_list():
    items = items_of(6, categories={1: 70, 2: 70, 3: 70, 4: 70, 5: 71}, inactive=[4])
    assert shares({1: [9]}, general={70: [8], 71: [9], 72: [7]}, items=items) == {9: 0.5, 8: 0.5, 7: 0}


def test_an_item_leaves_the_pages_where_it_stands_last():
    own, _ = limited({1: [9, 8, 7], 2: [8, 9, 7], 3: [8, 9, 6], 4: [9, 7, 8]}, limits={9: 0.5})
    assert own == {1: [9, 8, 7], 2: [8, 7], 3: [8, 6], 4: [9, 7, 8]}


def test_at_equal_places_it_leaves_those_of_its_lowest_scores():
    own, _ = limited({1: [(9, 0.2), (8, 0.1)], 2: [(9, 0.9), (8, 0.1)], 3: [(9, 0.1), (8, 0.1)]}, limits={9: 0.34})
    assert own == {1: [8], 2: [9, 8], 3: [8]}


def test_what_moves_up_is_limited_as_well():
    own, _ = limited({owner: [9, 8, 7, 6] for owner in (1, 2, 3, 4)}, places=1, default=0.25)
    assert sorted(row[0] for row in own.values()) == [6, 7, 8, 9]


def test_every_item_may_stand_on_one_page():
    own, _ = limited({1: [9, 8], 2: [9, 8]}, places=1, default=0.01)
    assert own == {1: [8], 2: [9, 8]}


def test_a_limited_item_stays_further_down():
    own, _ = limited({1: [9, 8], 2: [8, 9]}, places=1, limits={8: 0.5, 9: 0.5})
    assert own == {1: [9, 8], 2: [8, 9]}


def test_the_list_of_a_category_is_limited_by_the_pages_that_show_it():
    items = items_of(6, categories={1: 70, 2: 70, 3: 70, 4: 71, 5: 71})
    own = {6: [(9, 0.5)]}
    general = {70: [(9, 0.4), (8, 0.1)], 71: [(9, 0.6), (8, 0.1)]}
    # Of the six pages, the three of the first category go.
    assert limited(own, 1, {9: 0.5}, general=general, items=items) == ({6: [9]}, {70: [8], 71: [9, 8]})


def test_a_page_whose_list_ends_shows_that_of_its_category():
    items = items_of(4, categories={1: 70, 2: 70, 3: 70, 4: 70})
    own = {1: [9], 2: [9], 3: [9], 4: [9]}
    own, general = limited(own, 1, {9: 0.25}, general={70: [9, 8]}, items=items)
    assert sum(row == [9] for row in own.values()) == 1
    assert general == {70: [8]}


def test_evidence_stays_with_its_offer():
    made = StrategyLists(lists_of({1: [9, 8], 2: [9, 7]}))
    page_shares = PageShares.of(made, items_of(9), 1)
    result = page_shares.limited(largest_shares(page_shares.items, {9: 0.5}, 1.0)).by_item
    for item, score, evidence in zip(result.items, result.scores, result.evidence, strict=True):
        rows = (made.by_item.items == item) & (made.by_item.scores == score)
        assert any((made.by_item.evidence[rows] == evidence).all(axis=1))


@pytest.mark.parametrize("default", [0.1, 1.0])
def test_no_lists_stay_no_lists(default):
    assert limited({}, default=default) == ({}, {})
    assert limited({1: [], 2: [3]}, default=default) == ({1: [], 2: [3]}, {})


def test_the_lower_limit_counts():
    assert largest_shares(np.array([3, 5, 8]), {5: 0.2, 8: 0.9, 9: 0.1}, 0.5).tolist() == [0.5, 0.2, 0.5]
    assert largest_shares(np.array([], np.int64), {5: 0.2}, 0.5).tolist() == []


@given(
    st.dictionaries(st.integers(1, 30), st.permutations(range(1, 13)).map(lambda order: order[:6]), max_size=30),
    st.integers(1, 4),
    st.floats(0.01, 1),
)
def test_no_item_exceeds_its_share_and_order_is_kept(own, places, default):
    after, _ = limited(own, places=places, default=default, items=items_of(30))
    pages = max(sum(map(bool, own.values())), 1)
    for item in range(1, 13):
        assert sum(item in row[:places] for row in after.values()) <= max(default * pages, 1) + 1e-9
    for owner, row in after.items():
        assert row == [item for item in own[owner] if item in row]
    if default == 1:
        assert after == own
