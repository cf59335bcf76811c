"""Two things at the same moment: first visits, logins, a login in the middle of recording."""

import threading
import time
from contextlib import closing

import pytest
from django.contrib.auth import get_user_model
from django.db import connections, transaction
from django.test import Client

from ecomrec_django.models import Event, Item, Kind, Visitor
from ecomrec_django.tracking import intake
from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.intake import store
from ecomrec_django.tracking.observation import Observation
from ecomrec_django.tracking.omissions import Reason, omitted_count
from ecomrec_django.tracking.visitors import COOKIE, merge, new_token, sign_cookie, token_key, user_key

from ..support.breakable_services import BROWSER
from ..support.threads import SECONDS, at_once

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 8


@pytest.fixture(autouse=True)
def shop(settings):
    settings.ROOT_URLCONF = "tests.tracking.urls"
    settings.ECOMREC = {**settings.ECOMREC, "TRACK_VIEWS": {"page": "sku"}}
    Item.objects.bulk_create(Item(external_id=name, title=name, fingerprint="") for name in "abcdefgh")


def browser(token=""):
    client = Client(headers={"User-Agent": BROWSER})
    client.cookies[CONSENT_COOKIE] = "yes"
    if token:
        client.cookies[COOKIE] = sign_cookie(token)
    return client


def test_concurrent_first_pages_create_one_visitor_per_browser():
    for _ in range(ROUNDS):
        token = new_token()
        at_once(*(lambda sku=sku, token=token: browser(token).get(f"/page/{sku}/") for sku in "abcd"))
        assert Visitor.objects.get(key=token_key(token)).events.count() == 4
    assert Visitor.objects.count() == ROUNDS
    assert omitted_count(Reason.LOST) == 0


def test_concurrent_first_pages_create_one_visitor_per_account():
    for number in range(ROUNDS):
        user = get_user_model().objects.create_user(f"u{number}")
        clients = [browser(), browser()]
        for client in clients:
            client.force_login(user)
        at_once(*(lambda one=one, sku=sku: one.get(f"/page/{sku}/") for one, sku in zip(clients, "ab", strict=True)))
        assert Visitor.objects.get(key=user_key(user.pk)).events.count() == 2
    assert omitted_count(Reason.LOST) == 0


def test_simultaneous_logins_of_two_devices_merge_both_histories():
    for number in range(ROUNDS):
        user = get_user_model().objects.create_user(f"u{number}")
        devices = [browser(new_token()), browser(new_token())]
        for device, skus in zip(devices, ("abc", "def"), strict=True):
            for sku in skus:
                device.get(f"/page/{sku}/")
        at_once(*(lambda one=one, user=user: one.get(f"/login/{user.username}/") for one in devices))
        visitor = Visitor.objects.get(key=user_key(user.pk))
        assert visitor.events.count() == 6
        assert visitor.merged.count() == 2


def test_simultaneous_logins_of_one_browser_merge_once():
    for number in range(ROUNDS):
        users = [get_user_model().objects.create_user(f"u{number}-{n}") for n in range(2)]
        token = new_token()
        for sku in "abc":
            browser(token).get(f"/page/{sku}/")
        at_once(*(lambda user=user, token=token: browser(token).get(f"/login/{user.username}/") for user in users))
        owners = Visitor.objects.filter(key__in=[user_key(user.pk) for user in users])
        # The later login need not have made a visitor.
        assert [count for owner in owners if (count := owner.events.count())] == [3]
        assert sum(owner.merged.count() for owner in owners) == 1


def test_concurrent_merges_of_a_cookie_merge_once():
    for number in range(ROUNDS):
        store([Observation(kind=Kind.VIEW_ITEM, item="a", visitor=token_key(f"t{number}"))])
        assert sorted(at_once(*[lambda number=number: merge(f"t{number}", number)] * 2)) == [False, True]


def test_a_login_during_recording_merges_everything(monkeypatch):
    """The intake has looked the visitor up, and the login takes it away before the event is written."""
    store([Observation(kind=Kind.VIEW_ITEM, item="a", visitor=token_key("t"))])
    looked_up = threading.Event()
    find_items = intake._Intake._find_items

    def slowly(self, observations):
        looked_up.set()
        time.sleep(0.5)
        find_items(self, observations)

    monkeypatch.setattr(intake._Intake, "_find_items", slowly)

    def log_in():
        assert looked_up.wait(SECONDS)
        return merge("t", 1)

    at_once(lambda: store([Observation(kind=Kind.VIEW_ITEM, item="b", visitor=token_key("t"))]), log_in)
    assert set(Event.objects.values_list("visitor__key", flat=True)) == {user_key(1)}
    assert Event.objects.count() == 2


@pytest.mark.server
def test_a_deadlock_of_two_chunks_is_retried(monkeypatch):
    first, second = (token_key(name) for name in sorted("xy", key=token_key))
    for key in (first, second):
        Visitor.objects.create(key=key)
    attempts = []
    add = intake._Intake.add
    monkeypatch.setattr(intake._Intake, "add", lambda self, seen: attempts.append(1) or add(self, seen))

    def other():
        # Within a transaction PostgreSQL repeats its first answer.
        with closing(connections.create_connection("default")) as observer, transaction.atomic():
            # Much to undo, so that the database chooses the chunk to give way.
            Visitor.objects.bulk_create(Visitor(key=f"other-{n}") for n in range(200))
            Visitor.objects.filter(key=second).update(excluded_until=None)
            barrier.wait(SECONDS)
            limit = time.monotonic() + SECONDS
            while not _waits_for(second, observer) and time.monotonic() < limit:
                # Asked more often, MariaDB repeats its last answer.
                time.sleep(0.2)
            Visitor.objects.filter(key=first).update(excluded_until=None)

    def chunk():
        barrier.wait(SECONDS)
        store([Observation(kind=Kind.VIEW_ITEM, item="a", visitor=key) for key in (first, second)])

    barrier = threading.Barrier(2)
    at_once(other, chunk)
    # On a busy machine the chunk may be back before the other side wakes, and give way once more.
    assert len(attempts) >= 2
    assert Event.objects.count() == 2
    assert omitted_count(Reason.LOST) == 0


def _waits_for(key, connection):
    waiting = {
        "mysql": "information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE %s",
        "postgresql": "pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s",
    }
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {waiting[connection.vendor]}", [f"%{key}%"])
        return cursor.fetchone()[0] > 0
