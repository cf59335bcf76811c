"""Bursts of new visitors and of rejected reports are told once, and what is usual is not."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from ecomrec_django.insights.bursts import new_bursts
from ecomrec_django.models import Impression, Item, Visitor
from ecomrec_django.tasks import run_measure
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.omissions import Reason, count_omitted

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
notices = []


def receive(subject, text):
    notices.append((subject, text))


@pytest.fixture(autouse=True)
def _clock(planted_shop, time_machine):
    notices.clear()
    time_machine.move_to(NOON, tick=False)
    with override_ecomrec(NOTIFY=[f"{__name__}.receive"]):
        yield


def pass_hour(time_machine, newcomers=0, regulars=0, rejected=0):
    """An hour later, in which so many clicked and so many reports were rejected; the bursts of it."""
    now = datetime.now(UTC) + timedelta(hours=1)
    time_machine.move_to(now, tick=False)
    item, _ = Item.objects.get_or_create(external_id="a", defaults={"title": "a"})
    time = now - timedelta(minutes=20)
    for name, count, first_seen in (("new", newcomers, time - timedelta(minutes=1)), ("old", regulars, NOON)):
        keys = [f"{name}{time:%d%H}{number}" for number in range(count)]
        Visitor.objects.bulk_create(Visitor(key=key) for key in keys)
        Visitor.objects.filter(key__in=keys).update(created=first_seen - timedelta(days=2 * (name == "old")))
        Impression.objects.bulk_create(
            Impression(visitor=visitor, item=item, strategy="s", position=1, time=time, clicked=time, key=visitor.key)
            for visitor in Visitor.objects.filter(key__in=keys)
        )
    count_omitted(Reason.FORGED, rejected // 2)
    count_omitted(Reason.OTHERS, rejected - rejected // 2)
    return new_bursts()


def test_a_burst_of_new_visitors_is_told_and_logged_once(time_machine, caplog):
    assert pass_hour(time_machine, newcomers=20) == []
    with caplog.at_level(logging.WARNING, "ecomrec_django"):
        (message,) = pass_hour(time_machine, newcomers=600)
    assert message.startswith("600 new visitors clicked offers within 60 minutes of 2026-06-10 13:00 UTC")
    assert message in caplog.text
    assert pass_hour(time_machine, newcomers=600) == []


def test_a_burst_of_rejected_reports_is_told(time_machine):
    assert pass_hour(time_machine, rejected=50) == []
    assert pass_hour(time_machine, rejected=99) == []
    (message,) = pass_hour(time_machine, rejected=1_000)
    assert message.startswith("1000 reports with an invalid signature")


def test_busy_hours_are_no_bursts(time_machine):
    assert pass_hour(time_machine, newcomers=150, regulars=20) == []
    assert pass_hour(time_machine, newcomers=500, regulars=900) == []
    assert pass_hour(time_machine, newcomers=30) == []
    assert pass_hour(time_machine, newcomers=90) == []


def test_the_first_look_tells_nothing(time_machine):
    assert pass_hour(time_machine, newcomers=600, rejected=600) == []


def test_measuring_notifies_of_bursts(time_machine):
    run_measure()
    time_machine.move_to(NOON + timedelta(hours=1), tick=False)
    count_omitted(Reason.FORGED, 600)
    run_measure()
    ((subject, text),) = notices
    assert subject == "Unusually many reports of offers"
    assert "600 reports" in text
