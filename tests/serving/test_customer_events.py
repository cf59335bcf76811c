"""Of a shopper's events, a page reads those that the last training did not know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.test.utils import CaptureQueriesContext

from ecomrec_django.learning.past import PURCHASE, Past
from ecomrec_django.models import Event, Item, Profile, Visitor
from ecomrec_django.models.bulk import storable
from ecomrec_django.serving.customer import customer_by_key

pytestmark = pytest.mark.django_db
UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def visitor():
    item = Item.objects.create(external_id="a", title="A")
    visitor = Visitor.objects.create(key="k")
    for hours in (-9_000, -1, 0, 1):
        time = storable(UNTIL + timedelta(hours=hours))
        Event.objects.create(kind="view_item", visitor=visitor, item=item, time=time)
    # Somebody else's.
    Event.objects.create(kind="view_item", visitor=Visitor.objects.create(key="o"), item=item, time=storable(UNTIL))
    return visitor


def past_of_one_purchase():
    one = np.zeros(1)
    return Past.of(one + 7, np.array([PURCHASE]), one, one, one)


def hours(customer):
    return [round((seconds - UNTIL.timestamp()) / 3_600) for _, _, seconds, _ in customer.since]


def test_all_events_of_a_visitor_whom_no_training_knew_are_read_in_one_query(visitor, django_assert_num_queries):
    with django_assert_num_queries(1):
        customer = customer_by_key("k")
    assert hours(customer) == [-9_000, -1, 0, 1]
    assert len(customer.past) == 0


def test_of_a_visitor_with_a_profile_only_events_since_the_training_are_read(visitor, django_assert_num_queries):
    Profile.objects.create(visitor=visitor, past=past_of_one_purchase().packed(), until=storable(UNTIL))
    with django_assert_num_queries(1):
        customer = customer_by_key("k")
    assert hours(customer) == [0, 1]
    assert customer.past.item.tolist() == [7]


def test_the_index_leads_to_the_latest_events_alone(visitor):
    from django.db import connection

    Profile.objects.create(visitor=visitor, past=past_of_one_purchase().packed(), until=storable(UNTIL))
    with CaptureQueriesContext(connection) as queries:
        customer_by_key("k")
    with connection.cursor() as cursor:
        words = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        cursor.execute(f"{words} {queries[0]['sql']}")
        plan = [str(row) for row in cursor.fetchall() if "ecomrec_event_visitor_time" in str(row)]
    assert len(plan) == 1
    assert ("visitor_id=? AND time>?" if connection.vendor == "sqlite" else "'range'") in plan[0], plan
