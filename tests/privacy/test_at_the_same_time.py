"""Erasing while others write: nothing slips through between them."""

from contextlib import suppress

import pytest

from ecomrec_django.models import Event, Item, Kind, Visitor
from ecomrec_django.privacy.erasure import erase
from ecomrec_django.tracking import intake
from ecomrec_django.tracking.importers import orders
from ecomrec_django.tracking.importers.orders import import_purchases
from ecomrec_django.tracking.intake import store
from ecomrec_django.tracking.observation import Observation
from tests.support.planted_shop import line
from tests.support.threads import meanwhile, pause_before

from .conftest import ANNA, BEN

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("planted_shop")]


@pytest.mark.parametrize("known", [False, True], ids=["never seen", "seen before"])
def test_an_erasure_waits_for_a_running_import(planted_shop, monkeypatch, known):
    if known:
        Visitor.objects.create(key=ANNA)
    planted_shop.lines = [line(1, "a", user="1"), line(2, "a", user="2")]
    writing = pause_before(monkeypatch, orders, "bulk_insert")
    with meanwhile(import_purchases):
        writing.wait_until_reached()
        with meanwhile(lambda: erase([ANNA])) as erasing, writing.held(), pytest.raises(TimeoutError):
            erasing.result(0.5)
    assert [event.visitor.key for event in Event.objects.all()] == [BEN]
    assert not Visitor.objects.filter(key=ANNA).exists()


@pytest.mark.parametrize("known", [False, True], ids=["never seen", "seen before"])
def test_a_page_view_that_is_being_written_goes_too(monkeypatch, known):
    Item.objects.create(external_id="a", title="A", fingerprint="")
    if known:
        Visitor.objects.create(key=ANNA)
    seen = Observation(kind=Kind.VIEW_ITEM, item="a", visitor=ANNA)
    writing = pause_before(monkeypatch, intake, "bulk_insert")
    with meanwhile(lambda: store([seen])):
        writing.wait_until_reached()
        with meanwhile(lambda: erase([ANNA])) as erasing, writing.held(), suppress(TimeoutError):
            erasing.result(0.5)
    assert not Event.objects.exists()
    assert not Visitor.objects.exists()
    store([seen])
    assert not Event.objects.exists()
