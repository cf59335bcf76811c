from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecomrec_django.errors import DataError, TrainingError
from ecomrec_django.learning.content import content_vectors, similar, tokens
from ecomrec_django.learning.engine import Engine
from ecomrec_django.learning.pairs import Statistics, log_likelihood_ratio
from tests.learning.histories import START, baskets, catalog, history, training

IDS = np.array([1, 2, 3])


def purchases(events, **options):
    return Statistics(training(events, [], **options), IDS).purchases()


def test_a_guests_baskets_are_customers_of_their_own():
    lines = purchases([{"visitor": 0, "basket": "a", "item": 1}, {"visitor": 0, "basket": "b", "item": 1}])
    assert len(set(lines["customer"].to_pylist())) == 2


def test_a_refund_takes_back_its_pieces_from_its_own_basket_alone():
    events = [
        {"basket": "a", "item": 1, "quantity": 2},
        {"basket": "a", "item": 1, "kind": "refund"},
        {"basket": "b", "item": 2},
        {"basket": "b", "item": 2, "kind": "refund"},
        {"basket": "c", "item": 2},
    ]
    assert sorted(purchases(events)["item"].to_pylist()) == [1, 2]


def test_events_from_until_on_are_not_learned():
    events = [{"item": 1, "time": START}, {"item": 2, "time": START + timedelta(days=2)}]
    assert purchases(events, until=START + timedelta(days=2))["item"].to_pylist() == [1]


def test_weight_halves_with_every_half_life_before_the_newest_purchase():
    lines = purchases(
        [{"basket": "a", "item": 1, "time": START}, {"basket": "b", "item": 2, "time": START + timedelta(days=180)}]
    )
    weight = dict(zip(lines["item"].to_pylist(), lines["weight"].to_pylist(), strict=True))
    assert weight == {1: pytest.approx(0.5), 2: pytest.approx(1.0)}


def test_a_huge_basket_is_cut():
    assert purchases([{"basket": "a", "item": item} for item in range(200)]).num_rows == 50


def test_a_pair_counts_all_its_baskets_and_each_customer_once():
    events = baskets([[1, 2]] * 100, visitor=99) + baskets([[1, 2]] * 3)
    statistics = Statistics(training(events, []), IDS)
    pairs = statistics.pairs(statistics.purchases())
    assert pairs.anchor.tolist() == [0, 1]
    assert pairs.item.tolist() == [1, 0]
    assert pairs.customers.tolist() == [4, 4]
    assert pairs.baskets.tolist() == [103, 103]


def test_one_customer_weighs_no_more_than_fifty_baskets():
    statistics = Statistics(training(baskets([[1, 2]] * 1000, visitor=99), []), IDS)
    pairs = statistics.pairs(statistics.purchases())
    # A basket of two weighs 1 / log2(3); all are less than a day old.
    assert pairs.weight[0] == pytest.approx(50 / np.log2(3), rel=0.01)


def test_a_pair_bought_once_is_no_pair():
    statistics = Statistics(training(baskets([[1, 2], [1, 3], [1, 3]]), []), IDS)
    pairs = statistics.pairs(statistics.purchases())
    assert set(zip(pairs.anchor.tolist(), pairs.item.tolist(), strict=True)) == {(0, 2), (2, 0)}


def test_what_is_bought_beside_an_aisle_counts_a_basket_once():
    # Items 1 and 2 share an aisle; three customers took item 3 as well, one of them with both.
    statistics = Statistics(training(baskets([[1, 2, 3], [1, 3], [2, 3], [1]]), []), IDS)
    beside = statistics.beside(statistics.purchases(), np.array([0, 0, 1]))
    assert (beside.aisle.tolist(), beside.item.tolist(), beside.customers.tolist()) == ([0], [2], [3])
    three, two, one = (1 / np.log2(1 + size) for size in (3, 2, 1))
    assert beside.chance[0] == pytest.approx((three + 2 * two) / (three + 2 * two + one), rel=1e-3)


def test_views_without_a_session_are_joined_by_visitor_and_day():
    events = [
        {"visitor": visitor, "kind": "view_item", "item": item, "session": session}
        for visitor, session in ((1, ""), (2, "s2"))
        for item in (1, 2)
    ]
    seen = Statistics(training(events, []), IDS).co_views()
    assert (seen.anchor.tolist(), seen.item.tolist(), seen.count.tolist()) == ([0, 1], [1, 0], [2, 2])


def test_an_up_move_needs_the_view_before_the_purchase_and_the_first_item_left():
    view, buy = {"kind": "view_item"}, {"kind": "purchase"}
    events = [
        *({"visitor": 1, "item": 1, **view}, {"visitor": 1, "item": 2, **buy}),
        *({"visitor": 2, "item": 2, **buy}, {"visitor": 2, "item": 1, **view}),
        *({"visitor": 3, "item": 1, **view}, {"visitor": 3, "item": 1, **buy}, {"visitor": 3, "item": 2, **buy}),
    ]
    moves = Statistics(training(events, []), IDS).up_moves()
    assert (moves.anchor.tolist(), moves.item.tolist(), moves.count.tolist()) == ([0], [1], [1])


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


def test_a_broken_file_and_a_wrong_query_say_so(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        Engine().run("SELECT 1 FROM history", {"history": str(tmp_path)})
    with pytest.raises(TrainingError, match="could not be computed"):
        Engine().run("SELECT nothing FROM t", {"t": pa.table({"a": [1]})})


def test_titles_are_compared_in_any_script():
    assert tokens("Red-Wine 0.75L") == ["red", "wine", "75l"]
    assert tokens("红色连衣裙") == ["红色", "色连", "连衣", "衣裙"]
    items = catalog({"item": n, "title": title} for n, title in enumerate(("红色连衣裙", "蓝色连衣裙", "咖啡机")))
    vectors = content_vectors(items, np.full(3, np.nan))
    alike = similar(vectors, np.array([0]), np.array([0, 1, 2]))[0]
    assert alike[0] > alike[1] > alike[2] == 0
