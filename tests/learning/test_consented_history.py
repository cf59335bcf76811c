"""Whose events are learned from: what a visitor withdrew is not, and a cookie's history is its account's."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from ecomrec_django.learning.interactions import VISITORS, schema
from ecomrec_django.learning.pairs import Statistics
from tests.learning.histories import START, training

ITEMS = [{"item": 1}, {"item": 2}]
FOREVER = datetime(2200, 1, 1, tzinfo=UTC)


def visitors(*rows):
    return pa.Table.from_pylist(
        [dict(zip(VISITORS, row, strict=True)) for row in rows],
        schema=schema(VISITORS),
    )


def customers(events, *rows):
    """Distinct customers of items 1 and 2."""
    statistics = Statistics(training(events, ITEMS, visitors=visitors(*rows)), np.array([1, 2]))
    return statistics.items(statistics.purchases()).customers.tolist()


def test_nothing_is_learned_of_somebody_who_withdrew():
    events = [{"visitor": who, "item": 1, "basket": f"b{who}"} for who in (1, 2, 3)]
    assert customers(events) == [3, 0]
    assert customers(events, (2, 2, FOREVER)) == [2, 0]


def test_who_agrees_again_is_learned_from_since_then():
    events = [
        {"visitor": 1, "item": item, "basket": f"b{item}", "time": START + timedelta(days=item)} for item in (1, 2)
    ]
    assert customers(events, (1, 1, START + timedelta(days=1.5))) == [0, 1]


def test_a_cookies_history_counts_for_the_account_that_it_joined():
    events = [{"visitor": who, "item": 1, "basket": f"b{who}"} for who in (1, 2, 3)]
    assert customers(events, (2, 1, None), (3, 1, None)) == [1, 0]


def test_views_are_left_out_and_joined_in_the_same_way():
    events = [{"visitor": who, "item": item, "kind": "view_item"} for who in (1, 2, 3, 4) for item in (1, 2)]
    data = training(events, ITEMS, visitors=visitors((2, 2, FOREVER), (3, 1, None)))
    statistics = Statistics(data, np.array([1, 2]))
    assert statistics.viewers().tolist() == [2, 2]
    assert statistics.co_views().count.tolist() == [2, 2]
