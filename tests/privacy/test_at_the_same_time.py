"""Erasing while others write: nothing slips through between them."""

from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread

import pytest
from django.db import connections

from ecomrec_django.models import Event, Item, Kind, Visitor
from ecomrec_django.privacy.erasure import erase
from ecomrec_django.tracking import intake, orders
from ecomrec_django.tracking.intake import store
from ecomrec_django.tracking.observation import Observation
from ecomrec_django.tracking.orders import import_purchases
from tests.planted import line

from .conftest import ANNA, BEN

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shop")]


@contextmanager
def meanwhile(work):
    """``work`` in a thread with its own connection; at the end it has to have ended well."""
    errors = []

    def run():
        try:
            work()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    thread = Thread(target=run)
    thread.start()
    yield thread
    thread.join(30)
    assert not thread.is_alive()
    assert errors == []


@pytest.fixture
def halted(monkeypatch):
    """Make a module's ``insert`` wait for its second flag, within its transaction; the first one says that it waits."""

    def halted(module):
        reached, go_on, insert = Flag(), Flag(), module.insert

        def waiting(*args, **options):
            reached.set()
            assert go_on.wait(20)
            return insert(*args, **options)

        monkeypatch.setattr(module, "insert", waiting)
        return reached, go_on

    return halted


@pytest.mark.parametrize("known", [False, True], ids=["never seen", "seen before"])
def test_an_import_that_is_writing_is_waited_for_and_what_it_wrote_goes(shop, halted, known):
    if known:
        Visitor.objects.create(key=ANNA)
    shop.lines = [line(1, "a", user="1"), line(2, "a", user="2")]
    reached, go_on = halted(orders)
    with meanwhile(import_purchases):
        assert reached.wait(20)
        with meanwhile(lambda: erase([ANNA])) as erasing:
            erasing.join(0.5)
            assert erasing.is_alive()
            go_on.set()
    assert [event.visitor.key for event in Event.objects.all()] == [BEN]
    assert not Visitor.objects.filter(key=ANNA).exists()


@pytest.mark.parametrize("known", [False, True], ids=["never seen", "seen before"])
def test_a_page_view_that_is_being_written_goes_too(halted, known):
    Item.objects.create(external_id="a", title="A", fingerprint="")
    if known:
        Visitor.objects.create(key=ANNA)
    seen = Observation(Kind.VIEW_ITEM, "a", visitor=ANNA)
    reached, go_on = halted(intake)
    with meanwhile(lambda: store([seen])):
        assert reached.wait(20)
        with meanwhile(lambda: erase([ANNA])) as erasing:
            erasing.join(0.5)
            go_on.set()
    assert not Event.objects.exists()
    assert not Visitor.objects.exists()
    store([seen])
    assert not Event.objects.exists()
