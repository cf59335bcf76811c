"""Statistics of small histories whose counts are known."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecomrec_django.errors import DataError, TrainingError
from ecomrec_django.learning.measures import log_likelihood_ratio
from ecomrec_django.learning.similarity.content import content_similarity, content_vectors, tokens
from ecomrec_django.learning.statistics.engine import Engine
from tests.support.histories import START, baskets, catalog, history, statistics

IDS = np.array([1, 2, 3])


def purchases(events, **options):
    return statistics(events, IDS, **options).purchases()


def guest_orders(count, first=0):
    return [{"visitor": 0, "basket": f"g{first + number}", "item": 1} for number in range(count)]


@pytest.mark.parametrize(("orders", "customers"), [(1, 1), (5, 1), (39, 1), (40, 2), (89, 2), (90, 3), (1000, 10)])
def test_guests_who_cannot_be_told_apart_count_as_few_customers(orders, customers):
    lines = purchases(guest_orders(orders))
    assert lines.num_rows == orders
    assert set(lines["customer"].to_pylist()) == {-1 - number for number in range(customers)}


def test_guests_weigh_as_much_as_their_share_of_the_orders():
    weights = purchases(baskets([[1]] * 30) + guest_orders(10))["weight"].to_numpy()
    assert sorted(weights.round(3).tolist()) == [0.25] * 10 + [1.0] * 30
    assert purchases(guest_orders(10))["weight"].to_numpy() == pytest.approx(1, abs=1e-3)


def test_lines_at_zero_are_no_evidence_unless_all_are():
    free = [{"basket": "a", "item": 1, "price": 0.0}, {"basket": "a", "item": 2, "price": 0.0}]
    paid = [{"basket": "a", "item": 3, "price": price} for price in (2.0,)]
    unknown = [{"basket": "a", "item": 2, "price": price} for price in (None,)]
    assert sorted(purchases(free)["item"].to_pylist()) == [1, 2]
    assert purchases(free + paid)["item"].to_pylist() == [3]
    assert sorted(purchases(free + paid + unknown)["item"].to_pylist()) == [2, 3]


def test_components_and_fees_are_no_evidence():
    events = [{"basket": "a", "item": 1}, {"basket": "a", "item": 2, "component": True}, {"basket": "a", "item": 3}]
    assert purchases(events)["item"].to_pylist() == [1, 3]
    assert purchases(events, unsellable=np.array([3]))["item"].to_pylist() == [1]


def test_a_refund_reduces_only_its_own_basket():
    events = [
        {"basket": "a", "item": 1, "quantity": 2},
        {"basket": "a", "item": 1, "kind": "refund"},
        {"basket": "b", "item": 2},
        {"basket": "b", "item": 2, "kind": "refund"},
        {"basket": "c", "item": 2},
    ]
    assert sorted(purchases(events)["item"].to_pylist()) == [1, 2]


def test_what_is_sold_by_weight_counts_as_bought_until_all_of_it_is_taken_back():
    part = {"item": 1, "kind": "refund"}
    events = [
        {"basket": "a", "item": 1, "quantity": 0.35},
        {"basket": "b", "item": 2, "quantity": 0.8},
        {"basket": "b", "item": 2, "kind": "refund", "quantity": 0.1},
        {"basket": "b", "item": 2, "kind": "refund", "quantity": 0.7},
        {"basket": "a", **part, "quantity": 0.3499},
    ]
    assert purchases(events)["item"].to_pylist() == [1]


def test_events_from_until_on_are_ignored():
    events = [{"item": 1, "time": START}, {"item": 2, "time": START + timedelta(days=2)}]
    assert purchases(events, until=START + timedelta(days=2))["item"].to_pylist() == [1]


def test_weight_halves_with_every_half_life():
    lines = purchases(
        [{"basket": "a", "item": 1, "time": START}, {"basket": "b", "item": 2, "time": START + timedelta(days=180)}]
    )
    weight = dict(zip(lines["item"].to_pylist(), lines["weight"].to_pylist(), strict=True))
    assert weight == {1: pytest.approx(0.5), 2: pytest.approx(1.0)}


def test_a_huge_basket_is_truncated():
    assert purchases([{"basket": "a", "item": item} for item in range(200)]).num_rows == 50


def test_a_pair_counts_every_basket_and_distinct_customers():
    events = baskets([[1, 2]] * 100, visitor=99) + baskets([[1, 2]] * 3)
    counts = statistics(events, IDS)
    pairs = counts.pairs(counts.purchases())
    assert pairs.anchor.tolist() == [0, 1]
    assert pairs.item.tolist() == [1, 0]
    assert pairs.customers.tolist() == [4, 4]
    assert pairs.baskets.tolist() == [103, 103]


@pytest.mark.parametrize("usual", [1, 4])
def test_a_customer_weighs_as_much_as_a_usual_one(usual):
    others = [event for visitor in range(1, 12) for event in baskets([[3]] * usual, visitor=visitor)]
    counts = statistics(others + baskets([[1, 2]] * 1000, visitor=99), IDS)
    pairs = counts.pairs(counts.purchases())
    # A basket of two weighs 1 / log2(3); all are less than a day old.
    assert pairs.weight[0] == pytest.approx(usual / np.log2(3), rel=0.01)


def test_a_pair_needs_two_baskets():
    counts = statistics(baskets([[1, 2], [1, 3], [1, 3]]), IDS)
    pairs = counts.pairs(counts.purchases())
    assert set(zip(pairs.anchor.tolist(), pairs.item.tolist(), strict=True)) == {(0, 2), (2, 0)}


def test_aisle_pairs_count_a_basket_once():
    # Items 1 and 2 share an aisle; three customers took item 3 as well, one of them with both.
    counts = statistics(baskets([[1, 2, 3], [1, 3], [2, 3], [1]]), IDS)
    pairs = counts.aisle_pairs(counts.purchases(), np.array([0, 0, 1]))
    assert (pairs.aisle.tolist(), pairs.item.tolist(), pairs.customers.tolist()) == ([0], [2], [3])
    three, two, one = (1 / np.log2(1 + size) for size in (3, 2, 1))
    assert pairs.probability[0] == pytest.approx((three + 2 * two) / (three + 2 * two + one), rel=1e-3)


def views(*visitors, items=(1, 2), days=1):
    """Page views of all ``items`` by each visitor on each of some days."""
    return [
        {"visitor": visitor, "kind": "view_item", "item": item, "time": START + timedelta(days=day)}
        for visitor in visitors
        for day in range(days)
        for item in items
    ]


def test_views_without_a_session_are_grouped_by_visitor_and_day():
    events = views(1, days=2) + [{**view, "session": "s2"} for view in views(2)] + baskets([[3]], visitor=2)
    pairs = statistics(events, IDS).co_views()
    assert (pairs.anchor.tolist(), pairs.item.tolist(), pairs.count.tolist()) == ([0, 1], [1, 0], [2, 2])


def test_newcomers_have_little_weight():
    counts = statistics(views(*range(1, 41)), IDS)
    assert counts.co_views().count.tolist() == pytest.approx([4, 4])
    assert counts.co_view_cosines().tolist() == pytest.approx([4 / 14, 4 / 14])


def test_newcomers_have_no_weight_where_others_say_enough():
    events = baskets([[1]] * 20) + views(*range(100, 110), days=2)
    before, after = statistics(events, IDS), statistics(events + views(*range(200, 400)), IDS)
    assert after.co_views().count.tolist() == before.co_views().count.tolist() == [10, 10]
    assert after.co_view_cosines().tolist() == before.co_view_cosines().tolist() == pytest.approx([0.5, 0.5])


def test_two_viewers_are_too_few_to_be_compared():
    assert statistics(views(1, 2, days=2), IDS).co_view_cosines().tolist() == [0, 0]


def test_a_purchase_after_viewing_another_item_is_a_switch():
    view, buy = {"kind": "view_item"}, {"kind": "purchase"}
    events = [
        *({"visitor": 1, "item": 1, **view}, {"visitor": 1, "item": 2, **buy}),
        *({"visitor": 2, "item": 2, **buy}, {"visitor": 2, "item": 1, **view}),
        *({"visitor": 3, "item": 1, **view}, {"visitor": 3, "item": 1, **buy}, {"visitor": 3, "item": 2, **buy}),
    ]
    switches = statistics(events, IDS).switches()
    assert (switches.anchor.tolist(), switches.item.tolist(), switches.count.tolist()) == ([0], [1], [1])


def test_log_likelihood_ratio_is_signed_and_zero_at_independence():
    ratio = log_likelihood_ratio(np.array([50.0, 25.0, 5.0]), np.full(3, 50.0), np.full(3, 50.0), 100.0)
    assert ratio[0] == pytest.approx(2 * 100 * np.log(2))
    assert ratio[1] == pytest.approx(0)
    assert ratio[2] < -10.8


def test_the_engine_reads_a_folder_of_months(tmp_path):
    for month in ("2017-01", "2017-02"):
        (tmp_path / month).mkdir()
        pq.write_table(history([{"item": 1}]), tmp_path / month / "1-1.parquet")
    assert Engine().run("SELECT count(*) AS n FROM history", {"history": str(tmp_path)})["n"].to_pylist() == [2]


def test_an_unreadable_history_and_a_wrong_query_raise(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        Engine().run("SELECT 1 FROM history", {"history": str(tmp_path)})
    with pytest.raises(TrainingError, match="could not be computed"):
        Engine().run("SELECT nothing FROM t", {"t": pa.table({"a": [1]})})


def test_titles_are_compared_in_any_script():
    assert tokens("Red-Wine 0.75L") == ["red", "wine", "75l"]
    assert tokens("红色连衣裙") == ["红色", "色连", "连衣", "衣裙"]
    items = catalog({"item": n, "title": title} for n, title in enumerate(("红色连衣裙", "蓝色连衣裙", "咖啡机")))
    vectors = content_vectors(items, np.full(3, np.nan))
    alike = content_similarity(vectors, np.array([0]), np.array([0, 1, 2]))[0]
    assert alike[0] > alike[1] > alike[2] == 0
