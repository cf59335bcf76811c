"""What one person may see and remove of themselves, and that nobody reaches anything of another."""

import json
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ecomrec_django.learning.ranking.shopper_history import ShopperHistory
from ecomrec_django.models import (
    Conversion,
    Erasure,
    Event,
    GuestOrder,
    HeldEvent,
    Impression,
    Item,
    Kind,
    Profile,
    Segment,
    Visitor,
)
from ecomrec_django.privacy import export
from ecomrec_django.privacy.erasure import PLACES, finish_erasures
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.intake import store
from ecomrec_django.tracking.observation import Observation
from ecomrec_django.tracking.visitors import COOKIE, merge, sign_cookie, token_key, user_key

pytestmark = pytest.mark.django_db
URL = reverse("ecomrec:me")
GUEST, OTHER = "a" * 32, "b" * 32
NOBODY = {name: [] for name in export.SECTIONS}


def plant(key: str, order: str = "o1") -> Visitor:
    """A visitor with one row of everything."""
    visitor, _ = Visitor.objects.get_or_create(key=key)
    item, _ = Item.objects.get_or_create(external_id="a", defaults={"title": "Mug “Ä”", "fingerprint": ""})
    now = timezone.now()
    event = Event.objects.create(
        kind="purchase", visitor=visitor, item=item, time=now, quantity=2, price="2.50", basket=order, policy="1"
    )
    HeldEvent.objects.create(visitor=visitor, external_id="x", kind="view_item", time=now, key=f"held:{key}")
    impression = Impression.objects.create(
        visitor=visitor, item=item, anchor=item, strategy="bought_with", position=1, time=now, key=key
    )
    Conversion.objects.create(
        event=event, impression=impression, touch="view", is_purchase=True, quantity=2, revenue=5, margin=1, time=now
    )
    GuestOrder.objects.create(visitor=visitor, order=order)
    segment, _ = Segment.objects.get_or_create(label=1, defaults={"description": "buys in the evening"})
    Profile.objects.create(visitor=visitor, segment=segment, history=ShopperHistory.empty().to_bytes(), until=now)
    return visitor


def rows(visitor: Visitor) -> int:
    return sum(model.objects.filter(visitor=visitor).count() for model in PLACES.values())


def guest(token: str = GUEST, **options) -> Client:
    client = Client(**options)
    client.cookies[COOKIE] = sign_cookie(token)
    return client


def account(name: str = "anna", **options) -> tuple[Client, User]:
    user = User.objects.create_user(name)
    client = Client(**options)
    client.force_login(user)
    return client, user


def read(response) -> dict:
    assert response.status_code == 200
    return json.loads(response.getvalue())


def test_a_guest_exports_everything_uncached():
    visitor = plant(token_key(GUEST))
    event, impression = Event.objects.get(), Impression.objects.get()
    response = guest().get(URL)
    assert response["Content-Type"] == "application/json"
    assert {part.strip() for part in response["Cache-Control"].split(",")} == {"private", "no-store"}
    said = read(response)
    assert said["first_seen"] == visitor.created.isoformat()
    assert said["consent"] == {"agreed": False, "withdrawn": False, "not_learned_from_until": None}
    assert said["events"] == [
        {
            "kind": "purchase",
            "item": "a",
            "title": "Mug “Ä”",
            "time": event.time.isoformat(),
            "quantity": 2,
            "price": "2.50",
            "rating": None,
            "order": "o1",
            "session": "",
            "policy": "1",
        }
    ]
    assert [row["item"] for row in said["held_events"]] == ["x"]
    assert said["impressions"][0]["beside"] == "a"
    assert said["impressions"][0]["time"] == impression.time.isoformat()
    # What an item costs the shop is nobody's.
    assert said["conversions"] == [
        {
            "kind": "purchase",
            "item": "a",
            "title": "Mug “Ä”",
            "time": event.time.isoformat(),
            "order": "o1",
            "quantity": 2,
            "revenue": "5.00",
            "after": "view",
            "slot": "",
            "strategy": "bought_with",
            "arm": "",
            "seen": impression.time.isoformat(),
            "clicked": None,
        }
    ]
    assert said["guest_orders"] == [{"order": "o1"}]
    profile = Profile.objects.get()
    assert said["profiles"] == [{"segment": "buys in the evening", "until": profile.until.isoformat()}]


def test_the_session_takes_precedence_over_the_cookie():
    client, user = account()
    plant(user_key(user.pk), "mine")
    plant(token_key(OTHER), "others")
    client.cookies[COOKIE] = sign_cookie(OTHER)
    assert [row["order"] for row in read(client.get(URL))["events"]] == ["mine"]
    client.delete(URL)
    assert not Event.objects.filter(basket="mine").exists()
    assert Event.objects.filter(basket="others").exists()


@pytest.mark.parametrize("cookie", [None, "", "forged", "a" * 31, "a" * 31 + "é", "c" * 32, token_key(GUEST)])
def test_an_unknown_visitor_has_an_empty_export_and_erasure(cookie):
    visitor = plant(token_key(GUEST))
    before = rows(visitor)
    client = Client() if cookie is None else guest(cookie)
    said = read(client.get(URL))
    assert {name: said[name] for name in NOBODY} == NOBODY
    assert said["first_seen"] is None
    answer = client.delete(URL).json()
    assert sum(answer["removed"].values()) == 0
    assert answer["completed"]
    assert rows(visitor) == before


def test_requests_cannot_name_another_visitor():
    victim, mine = plant(token_key(OTHER), "theirs"), plant(token_key(GUEST), "mine")
    client = guest()
    names = ("visitor", "key", "id", "user", "pk", "token", COOKIE, "receipt")
    for value in (OTHER, token_key(OTHER), str(victim.pk)):
        guess = dict.fromkeys(names, value)
        headers = {"HTTP_X_VISITOR": value, "HTTP_AUTHORIZATION": f"Token {value}", "HTTP_X_USER": value}
        assert "theirs" not in client.get(URL, guess, **headers).getvalue().decode()
        assert client.get(f"{URL}{value}/").status_code == 404
        address = f"{URL}?visitor={value}"
        response = client.delete(address, json.dumps(guess), content_type="application/json", **headers)
        assert response.status_code == 200
        assert rows(victim) == 5
        client.cookies[COOKIE] = sign_cookie(GUEST)
    assert not Visitor.objects.filter(pk=mine.pk).exists()


def test_a_merged_cookie_opens_no_history():
    """The cookie lives on where the answer that took it away was lost: who has it need not be the account's owner."""
    plant(token_key(GUEST))
    user = User.objects.create_user("anna")
    merge(GUEST, user.pk)
    assert rows(Visitor.objects.get(key=user_key(user.pk))) == 5
    client = guest()
    assert read(client.get(URL))["events"] == []
    client.delete(URL)
    assert rows(Visitor.objects.get(key=user_key(user.pk))) == 5
    # What its next user does is theirs.
    store([Observation(kind=Kind.VIEW_ITEM, item="a", visitor=token_key(GUEST))])
    client = guest()
    assert [row["kind"] for row in read(client.get(URL))["events"]] == ["view_item"]
    client.delete(URL)
    assert Event.objects.count() == 1


def test_an_account_gets_and_removes_what_its_cookies_brought_along():
    client, user = account()
    plant(token_key(GUEST))
    merge(GUEST, user.pk)
    assert len(read(client.get(URL))["events"]) == 1
    assert client.delete(URL).json()["removed"]["visitors"] == 2
    assert not Visitor.objects.exists()


def test_erasing_answers_with_the_receipt_and_takes_the_cookie_away():
    plant(token_key(GUEST))
    client = guest()
    response = client.delete(URL)
    receipt = Erasure.objects.get(key=token_key(GUEST))
    assert response.json() == {
        "receipt": str(receipt.receipt),
        "removed": {
            "events": 1,
            "held_events": 1,
            "impressions": 1,
            "exposures": 0,
            "guest_orders": 1,
            "profiles": 1,
            "visitors": 1,
            "conversions": 1,
        },
        "completed": None,
    }
    assert "no-store" in response["Cache-Control"]
    assert response.cookies[COOKIE]["max-age"] == 0
    state = reverse("ecomrec:receipt", args=[receipt.receipt])
    assert client.get(state).json() == {"state": "pending"}
    finish_erasures()
    response = client.get(state)
    assert response.json() == {"state": "completed"}
    assert "no-store" in response["Cache-Control"]


def test_a_receipt_that_does_not_exist_is_not_found():
    assert Client().get(reverse("ecomrec:receipt", args=[uuid4()])).status_code == 404


def test_the_export_names_the_receipts_of_former_erasures():
    plant(token_key(GUEST))
    client = guest()
    receipt = client.delete(URL).json()["receipt"]
    assert [row["receipt"] for row in read(guest().get(URL))["receipts"]] == [receipt]
    assert read(guest(OTHER).get(URL))["receipts"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "http://["},
        {"HTTP_ORIGIN": "http://testserver.evil.example"},
        {"HTTP_ORIGIN": "http://testserver:8000"},
    ],
    ids=str,
)
def test_other_sites_cannot_erase_anyone(headers):
    visitor = plant(token_key(GUEST))
    assert guest().delete(URL, **headers).status_code == 403
    assert guest().get(URL, **headers).status_code == 403
    client, user = account()
    mine = plant(user_key(user.pk), "mine")
    assert client.delete(URL, **headers).status_code == 403
    assert (rows(visitor), rows(mine)) == (5, 5)


def test_a_page_of_this_site_can():
    plant(token_key(GUEST))
    assert guest().delete(URL, HTTP_ORIGIN="http://testserver", HTTP_SEC_FETCH_SITE="same-origin").status_code == 200
    assert not Visitor.objects.exists()


def test_accounts_need_a_csrf_token_without_an_origin():
    client, user = account(enforce_csrf_checks=True)
    visitor = plant(user_key(user.pk))
    assert client.delete(URL).status_code == 403
    assert rows(visitor) == 5
    client.cookies["csrftoken"] = "t" * 32
    assert client.delete(URL, HTTP_X_CSRFTOKEN="t" * 32).status_code == 200
    assert not Visitor.objects.exists()


def test_throttled_responses_are_not_cached():
    cache.clear()
    client = guest()
    with override_ecomrec(THROTTLE="2/min"):
        answers = [client.get(URL), client.delete(URL), client.get(reverse("ecomrec:receipt", args=[uuid4()]))]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert all("no-store" in answer["Cache-Control"] for answer in answers)


def test_a_long_history_comes_in_pages_each_row_once_and_in_order(monkeypatch):
    visitor = plant(token_key(GUEST))
    monkeypatch.setattr(export, "PAGE", 10)
    # Several share a time, across the borders of pages.
    times = [timezone.now().replace(microsecond=0) for _ in range(3)]
    item = Item.objects.get()
    Event.objects.all().delete()
    Event.objects.bulk_create(
        Event(kind="view_item", visitor=visitor, item=item, time=times[n % 3], session=str(n)) for n in range(35)
    )
    said = read(guest().get(URL))["events"]
    expected = Event.objects.order_by("time", "pk").values_list("session", flat=True)
    assert [row["session"] for row in said] == list(expected)


def test_conversions_of_others_are_not_exported(monkeypatch):
    visitor = plant(token_key(GUEST))
    plant(token_key(OTHER), "theirs")
    monkeypatch.setattr(export, "PAGE", 10)
    item, seen, now = Item.objects.get(), Impression.objects.get(visitor=visitor), timezone.now()
    for number in range(25):
        bought = Event.objects.create(kind="purchase", visitor=visitor, item=item, time=now, basket=f"n{number}")
        Conversion.objects.create(event=bought, impression=seen, touch="click", is_purchase=True, quantity=1, time=now)
    with CaptureQueriesContext(connection) as queries:
        said = read(guest().get(URL))["conversions"]
    assert [row["order"] for row in said] == ["o1", *(f"n{number}" for number in range(25))]
    # Three pages, each found and then read, and a look for a fourth.
    assert len([query for query in queries if "ecomrec_conversion" in query["sql"]]) == 7


def test_the_export_is_read_as_it_is_streamed(monkeypatch):
    """So that a heavy user's export needs no more memory than one page."""
    visitor = plant(token_key(GUEST))
    monkeypatch.setattr(export, "PAGE", 10)
    item = Item.objects.get()
    Event.objects.bulk_create(
        Event(kind="view_item", visitor=visitor, item=item, time=timezone.now()) for _ in range(100)
    )
    pieces = iter(guest().get(URL).streaming_content)
    with CaptureQueriesContext(connection) as queries:
        text = b"".join(next(pieces) for _ in range(4))
    assert text.count(b'"kind"') == 20
    read = [query["sql"] for query in queries if "ecomrec_event" in query["sql"]]
    # Two pages, each found and then read; the items of a page take a query more.
    assert ["LIMIT 10" in sql for sql in read] == [True, False] * 2
    assert len(queries) <= 10
    # Read to its end: a response that the garbage collector ends may do so in the middle of anything.
    assert b"".join(pieces)


def test_other_methods_are_not_allowed():
    client = guest()
    for method in (client.post, client.put, client.patch):
        assert method(URL).status_code == 405
