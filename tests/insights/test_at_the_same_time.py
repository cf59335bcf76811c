"""Measuring while orders come in: none slips through behind what was looked at."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event as Flag

import pytest
from django.db import connection
from django.utils import timezone

from ecomrec_django.insights import daily
from ecomrec_django.insights.daily import measure
from ecomrec_django.models import Conversion, DailyFigure, DailyTotal, Event, Impression, Item, Kind, Visitor
from ecomrec_django.tracking import orders
from ecomrec_django.tracking.orders import import_purchases
from ecomrec_django.tracking.visitors import user_key
from tests.planted import line
from tests.threads import raised_in_a_thread

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def halted(monkeypatch):
    """Make an import wait for the second flag, within its transaction, once its lines have their keys; the first one
    says that it waits."""
    reached, go_on, insert = Flag(), Flag(), orders.insert

    def waiting(*args, **options):
        written = insert(*args, **options)
        reached.set()
        assert go_on.wait(20)
        return written

    monkeypatch.setattr(orders, "insert", waiting)
    return reached, go_on


def test_of_two_runs_at_once_the_second_waits_and_both_leave_the_figures_as_they_are(shop, monkeypatch):
    measure()
    visitor, item = Visitor.objects.create(key=user_key("1")), Item.objects.create(external_id="a", title="A")
    Impression.objects.create(visitor=visitor, item=item, strategy="s", position=1, time=timezone.now(), key="i")
    reached, go_on, stored = Flag(), Flag(), daily._without_nothing

    def waiting(rows):
        # The day's former rows are gone, and the new ones not yet written.
        if rows and not reached.is_set():
            reached.set()
            assert go_on.wait(20)
        return stored(rows)

    monkeypatch.setattr(daily, "_without_nothing", waiting)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(raised_in_a_thread, measure)
        try:
            assert reached.wait(20)
            second = pool.submit(raised_in_a_thread, measure)
            with pytest.raises(TimeoutError):
                second.result(1)
        finally:
            go_on.set()
        assert (first.result(20), second.result(20)) == (None, None)
    assert [figure.impressions for figure in DailyFigure.objects.all()] == [1]


def test_an_import_at_work_is_waited_for_and_its_orders_are_credited(shop, halted):
    now = timezone.now()
    visitor, item = Visitor.objects.create(key=user_key("1")), Item.objects.create(external_id="a", title="A")
    seen = now - timedelta(hours=2)
    Impression.objects.create(visitor=visitor, item=item, strategy="s", position=1, time=seen, clicked=seen, key="i")
    shop.lines = [line(1, "a", user="1", time=now - timedelta(hours=1))]
    # Every row that a run begins with is there, so that it runs into nothing else.
    measure()
    reached, go_on = halted
    with ThreadPoolExecutor(2) as pool:
        importing = pool.submit(raised_in_a_thread, import_purchases)
        try:
            assert reached.wait(20)
            if connection.features.has_select_for_update:
                # Where rows are locked and not files, others write meanwhile, and their keys are greater.
                Event.objects.create(kind=Kind.ADD_TO_CART, visitor=visitor, item=item, time=now)
            measuring = pool.submit(raised_in_a_thread, measure)
            with pytest.raises(TimeoutError):
                measuring.result(1)
        finally:
            go_on.set()
        assert importing.result(20) is None
        assert measuring.result(20) is None
    assert Conversion.objects.get(purchase=True).event.key == "purchase:1"
    assert sum(DailyFigure.objects.values_list("orders", flat=True)) == 1
    assert sum(DailyTotal.objects.values_list("orders", flat=True)) == 1
