"""Consent and accounts: withdrawn events are ignored, and a cookie's history counts for its account."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from ecomrec_django.learning.interactions import VISITORS, schema
from tests.support.histories import START, statistics

IDS = np.array([1, 2])
FOREVER = datetime(2200, 1, 1, tzinfo=UTC)


def visitors(*rows):
    return pa.Table.from_pylist(
        [dict(zip(VISITORS, row, strict=True)) for row in rows],
        schema=schema(VISITORS),
    )


def customers(events, *rows):
    """Distinct customers of items 1 and 2."""
    counts = statistics(events, IDS, visitors=visitors(*rows))
    return counts.items(counts.purchases()).customers.tolist()


def test_events_of_a_visitor_who_withdrew_are_ignored():
    events = [{"visitor": who, "item": 1, "basket": f"b{who}"} for who in (1, 2, 3)]
    assert customers(events) == [3, 0]
    assert customers(events, (2, 2, FOREVER)) == [2, 0]


def test_events_since_a_new_consent_count():
    events = [
        {"visitor": 1, "item": item, "basket": f"b{item}", "time": START + timedelta(days=item)} for item in (1, 2)
    ]
    assert customers(events, (1, 1, START + timedelta(days=1.5))) == [0, 1]


def test_a_merged_visitor_counts_as_its_account():
    events = [{"visitor": who, "item": 1, "basket": f"b{who}"} for who in (1, 2, 3)]
    assert customers(events, (2, 1, None), (3, 1, None)) == [1, 0]


def test_consent_and_accounts_apply_to_views():
    events = [
        {"visitor": who, "item": item, "kind": "view_item", "time": START + timedelta(days=day)}
        for who in (1, 2, 3, 4)
        for item in (1, 2)
        for day in (0, 1)
    ]
    counts = statistics(events, IDS, visitors=visitors((2, 2, FOREVER), (3, 1, None)))
    assert [viewers.tolist() for viewers in counts.viewers()] == [[2, 2], [0, 0]]
    assert counts.co_views().count.tolist() == [2, 2]
