"""Of a shopper's events, a page reads those that the last training did not know."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ecomrec_django.db import to_db_time
from ecomrec_django.learning.ranking.shopper_history import PURCHASE, ShopperHistory
from ecomrec_django.models import Event, Item, Profile, Visitor
from ecomrec_django.serving.shopper_context import shopper_context_by_key

pytestmark = pytest.mark.django_db
UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)
# What each database says of a range of an index on (visitor, time).
RANGE_SCANS = {
    "sqlite": r"visitor_id=\? AND time>\?",
    "mysql": "'range'",
    "postgresql": r"Index Cond: \(\(visitor_id = [^ ]+\) AND \(\"?time\"? >= ",
}


@pytest.fixture
def visitor():
    item = Item.objects.create(external_id="a", title="A")
    visitor = Visitor.objects.create(key="k")
    for hours in (-9_000, -1, 0, 1):
        time = to_db_time(UNTIL + timedelta(hours=hours))
        Event.objects.create(kind="view_item", visitor=visitor, item=item, time=time)
    # Somebody else's.
    Event.objects.create(kind="view_item", visitor=Visitor.objects.create(key="o"), item=item, time=to_db_time(UNTIL))
    return visitor


def past_of_one_purchase():
    one = np.zeros(1)
    return ShopperHistory.of(one + 7, np.array([PURCHASE]), one, one, one)


def hours(shopper):
    return [round((seconds - UNTIL.timestamp()) / 3_600) for _, _, seconds, _ in shopper.since]


def test_events_of_a_new_visitor_are_read_in_one_query(visitor, django_assert_num_queries):
    with django_assert_num_queries(1):
        shopper = shopper_context_by_key("k")
    assert hours(shopper) == [-9_000, -1, 0, 1]
    assert len(shopper.past) == 0


def test_only_events_since_the_training_are_read(visitor, django_assert_num_queries):
    Profile.objects.create(visitor=visitor, history=past_of_one_purchase().to_bytes(), until=to_db_time(UNTIL))
    with django_assert_num_queries(1):
        shopper = shopper_context_by_key("k")
    assert hours(shopper) == [0, 1]
    assert shopper.past.item.tolist() == [7]


def test_the_index_leads_to_the_latest_events_alone(visitor):
    Profile.objects.create(visitor=visitor, history=past_of_one_purchase().to_bytes(), until=to_db_time(UNTIL))
    with CaptureQueriesContext(connection) as queries:
        shopper_context_by_key("k")
    with connection.cursor() as cursor:
        words = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        cursor.execute(f"{words} {queries[0]['sql']}")
        rows = [str(row) for row in cursor.fetchall()]
    (scan,) = [number for number, row in enumerate(rows) if "ecomrec_event_visitor_time" in row]
    # PostgreSQL names the condition in the next row.
    assert re.search(RANGE_SCANS[connection.vendor], "".join(rows[scan : scan + 2])), rows
