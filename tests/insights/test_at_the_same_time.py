"""Measuring while orders come in: none slips through behind what was looked at."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from ecomrec_django.insights import daily_figures
from ecomrec_django.insights.daily_figures import measure
from ecomrec_django.models import Conversion, DailyFigure, DailyTotal, Event, Impression, Item, Kind, Visitor
from ecomrec_django.tracking.importers import orders
from ecomrec_django.tracking.importers.orders import import_purchases
from ecomrec_django.tracking.visitors import user_key
from tests.support.planted_shop import line
from tests.support.threads import Pause, meanwhile, pause_after

pytestmark = pytest.mark.django_db(transaction=True)


def test_concurrent_runs_take_turns_and_agree(planted_shop, monkeypatch):
    measure()
    visitor, item = Visitor.objects.create(key=user_key("1")), Item.objects.create(external_id="a", title="A")
    Impression.objects.create(visitor=visitor, item=item, strategy="s", position=1, time=timezone.now(), key="i")
    pause, stored = Pause(), daily_figures._stored_groups

    def waiting(rows):
        # The day's former rows are gone, and the new ones not yet written.
        if rows and not pause.reached.is_set():
            pause.wait()
        return stored(rows)

    monkeypatch.setattr(daily_figures, "_stored_groups", waiting)
    with meanwhile(measure), pause.held(), meanwhile(measure) as second:
        with pytest.raises(TimeoutError):
            second.result(1)
        pause.release.set()
    assert [figure.impressions for figure in DailyFigure.objects.all()] == [1]


def test_an_import_at_work_is_waited_for_and_its_orders_are_credited(planted_shop, monkeypatch):
    now = timezone.now()
    visitor, item = Visitor.objects.create(key=user_key("1")), Item.objects.create(external_id="a", title="A")
    seen = now - timedelta(hours=2)
    Impression.objects.create(visitor=visitor, item=item, strategy="s", position=1, time=seen, clicked=seen, key="i")
    planted_shop.lines = [line(1, "a", user="1", time=now - timedelta(hours=1))]
    # Every row that a run begins with is there, so that it runs into nothing else.
    measure()
    # Within its transaction, once its lines have their keys.
    written = pause_after(monkeypatch, orders, "bulk_insert")
    with meanwhile(import_purchases), written.held():
        if connection.features.has_select_for_update:
            # Where rows are locked and not files, others write meanwhile, and their keys are greater.
            Event.objects.create(kind=Kind.ADD_TO_CART, visitor=visitor, item=item, time=now)
        with meanwhile(measure) as measuring:
            with pytest.raises(TimeoutError):
                measuring.result(1)
            written.release.set()
    assert Conversion.objects.get(is_purchase=True).event.key == "purchase:1"
    assert sum(DailyFigure.objects.values_list("orders", flat=True)) == 1
    assert sum(DailyTotal.objects.values_list("orders", flat=True)) == 1
