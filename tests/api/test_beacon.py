import json
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from ecomrec_django.models import Event, Impression, Item, Visitor
from ecomrec_django.serving.tokens import open_block, seal_block, seal_item
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.omissions import Reason, omitted_count
from ecomrec_django.tracking.visitors import COOKIE, open_cookie, token_key, user_key

pytestmark = pytest.mark.django_db
URL = reverse("ecomrec:beacon")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def items():
    return Item.objects.bulk_create(Item(external_id=name, title=name, fingerprint="") for name in "abcd")


@pytest.fixture
def shopper():
    """A browser whose owner agreed to be recorded, with no cookie of ours yet."""
    client = Client(enforce_csrf_checks=True, HTTP_USER_AGENT=BROWSER, HTTP_SEC_FETCH_SITE="same-origin")
    client.cookies[CONSENT_COOKIE] = "yes"
    return client


@pytest.fixture
def block():
    return seal_block("bought_with", 7, "a", ["b", "c", "d"])


def report(client, *reports, **headers):
    return client.post(URL, {"reports": reports}, content_type="application/json", **headers)


def view(name="a", id="0" * 32):
    return {"view": seal_item(name), "id": id}


def rows():
    """Everything a report could have changed."""
    return [
        sorted(map(str, model._default_manager.values_list(*fields)))
        for model, fields in (
            (Event, ["kind", "visitor", "item", "time", "key"]),
            (Impression, ["visitor", "item", "position", "time", "clicked"]),
            (Visitor, ["key"]),
        )
    ]


def test_the_first_reported_view_sets_the_cookie(shopper):
    answer = report(shopper, view())
    assert (answer.status_code, answer.content) == (204, b"")
    event = Event.objects.get()
    assert (event.kind, event.item.external_id, event.price) == ("view_item", "a", None)
    assert event.visitor.key == token_key(open_cookie(answer.cookies[COOKIE].value))
    assert "private" in answer["Cache-Control"]
    assert set(answer.cookies) == {COOKIE}


def test_the_cookie_given_before_is_kept(shopper):
    token = open_cookie(report(shopper, view()).cookies[COOKIE].value)
    answer = report(shopper, view("b", "1" * 32))
    assert COOKIE not in answer.cookies
    assert set(Event.objects.values_list("visitor__key", flat=True)) == {token_key(token)}


def test_an_impression_knows_its_release_place_and_anchor(shopper, block):
    report(shopper, {"block": block, "seen": [1, 3]})
    fields = ("strategy", "release", "anchor__external_id", "position", "item__external_id", "clicked", "arm")
    assert set(Impression.objects.values_list(*fields)) == {
        ("bought_with", 7, "a", 1, "b", None, ""),
        ("bought_with", 7, "a", 3, "d", None, ""),
    }
    assert not Event.objects.exists()


def test_a_click_marks_its_impression_and_is_an_event(shopper, block):
    report(shopper, {"block": block, "seen": [1, 2]})
    report(shopper, {"block": block, "clicked": 2})
    assert list(Impression.objects.exclude(clicked=None).values_list("item__external_id", "position")) == [("c", 2)]
    assert list(Event.objects.values_list("kind", "item__external_id")) == [("select_item", "c")]


@pytest.mark.parametrize("seconds", [0, 60], ids=["at once", "a minute later"])
def test_the_same_reports_delivered_three_times_count_once(shopper, block, seconds):
    reports = [view(), {"block": block, "seen": [1, 2, 2]}, {"block": block, "clicked": 2}]
    report(shopper, *reports)
    once = rows()
    assert [len(some) for some in once] == [2, 2, 1]
    for later in (1, 2):
        with time_machine.travel(timedelta(seconds=later * seconds)):
            assert report(shopper, *reports).status_code == 204
    assert rows() == once


def test_report_ids_of_other_visitors_cannot_be_used_up(shopper):
    other = Client(HTTP_USER_AGENT=BROWSER)
    other.cookies[CONSENT_COOKIE] = "yes"
    report(other, view())
    report(shopper, view())
    assert Event.objects.count() == Visitor.objects.count() == 2


def test_a_view_reported_twice_counts_once(shopper, settings):
    from example_shop.models import Product

    Product.objects.create(sku="a", title="A", price=1)
    shopper.get("/product/a/")
    report(shopper, view())
    assert Event.objects.filter(kind="view_item").count() == 1
    assert omitted_count(Reason.DUPLICATE) == 1


def test_a_customer_who_is_logged_in_reports_under_the_account(shopper):
    user = get_user_model().objects.create_user("ada")
    shopper.force_login(user)
    report(shopper, view())
    assert Event.objects.get().visitor.key == user_key(user.pk)


def test_staff_report_nothing(shopper):
    shopper.force_login(get_user_model().objects.create_user("boss", is_staff=True))
    report(shopper, view())
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    "headers",
    [{"HTTP_SEC_GPC": "1"}, {"HTTP_DNT": "1"}, {"HTTP_USER_AGENT": "HeadlessChrome"}, {"HTTP_COOKIE": ""}],
    ids=str,
)
def test_only_consenting_shoppers_are_recorded(shopper, block, headers):
    if "HTTP_COOKIE" in headers:
        shopper.cookies.clear()
    answer = report(shopper, view(), {"block": block, "seen": [1]}, **headers)
    assert answer.status_code == 204
    assert not answer.cookies
    assert rows() == [[], [], []]


def test_the_beacon_makes_no_query_before_the_response(shopper, block, django_assert_num_queries, rf):
    request = rf.post(URL, {"reports": [view(), {"block": block, "seen": [1]}]}, content_type="application/json")
    from ecomrec_django.api.beacon import BeaconView

    with django_assert_num_queries(0):
        assert BeaconView.as_view()(request).status_code == 204


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "reports"),
        ([], "non_field_errors"),
        ({"reports": []}, "reports"),
        ({"reports": "x"}, "reports"),
        ({"reports": [{}]}, "A report has"),
        ({"reports": [3]}, "Expected a dictionary"),
        ({"reports": [{"view": "é"}]}, "view"),
        ({"reports": [{"view": "\ud800"}]}, "view"),
        ({"reports": [{"view": "x\0"}]}, "view"),
        ({"reports": [{"view": "x:y", "id": "z"}]}, "id"),
        ({"reports": [{"view": "x:y", "price": 3}]}, "price"),
        ({"reports": [{"view": "x:y", "time": "2020-01-01"}]}, "time"),
        ({"reports": [{"view": "x:y", "visitor": "me"}]}, "visitor"),
        ({"reports": [{"view": "x:y", "kind": "purchase"}]}, "kind"),
        ({"reports": [{"view": "x:y", "clicked": 1}]}, "A report has"),
        ({"reports": [{"block": "x:y"}]}, "A report has"),
        ({"reports": [{"id": "0" * 32}]}, "A report has"),
        ({"reports": [{"block": "x:y", "seen": []}]}, "seen"),
        ({"reports": [{"block": "x:y", "seen": [0]}]}, "seen"),
        ({"reports": [{"block": "x:y", "seen": list(range(1, 22))}]}, "seen"),
        ({"reports": [{"block": "x:y", "clicked": "first"}]}, "clicked"),
        ({"reports": [{"block": "x:y", "clicked": 1e999}]}, "clicked"),
        ({"reports": [view()] * 51}, "reports"),
        ({"reports": [view()], "purchase": {"item": "a"}}, "purchase"),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict | list) else "",
)
def test_anything_else_is_refused_with_what_was_wrong(shopper, body, named):
    answer = shopper.post(URL, json.dumps(body), content_type="application/json")
    assert answer.status_code == 400
    assert named in answer.content.decode()
    assert rows() == [[], [], []]


def test_an_invalid_position_rejects_the_whole_body(shopper, block):
    answer = report(shopper, view(), {"block": block, "clicked": 4})
    assert (answer.status_code, answer.json()) == (400, {"reports": ["The block has no position 4."]})
    assert rows() == [[], [], []]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 16000, b'{"reports": ' + b"1" * 6000 + b"}"], ids=lambda body: str(body[:5])
)
def test_bodies_other_than_json_are_rejected(shopper, body):
    assert shopper.post(URL, body, content_type="application/json").status_code == 400


@pytest.mark.parametrize("charset", ["zlib", "base64", "rot13", "utf-16", "nonsense"])
def test_other_encodings_are_rejected(shopper, charset):
    answer = shopper.generic("POST", URL, b'{"reports": []}', content_type=f"application/json; charset={charset}")
    assert answer.status_code == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_cannot_report(shopper, content_type):
    answer = shopper.generic("POST", URL, json.dumps({"reports": [view()]}), content_type=content_type)
    assert answer.status_code == 415


def test_a_long_body_is_not_read_to_its_end(shopper):
    assert report(shopper, {"view": "x" * 16 * 1024}).status_code == 413


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_only_post_is_allowed(shopper, method):
    assert getattr(shopper, method)(URL).status_code == 405


def test_invalid_and_expired_signatures_are_counted(shopper, block):
    with time_machine.travel(timedelta(days=8)):
        old = [{"block": block, "seen": [1]}, {"block": seal_item("a"), "clicked": 1}, {"view": block}, view()]
        assert report(shopper, *old).status_code == 204
    assert omitted_count(Reason.STALE) == 1
    assert omitted_count(Reason.FORGED) == 2
    assert list(Event.objects.values_list("item__external_id", flat=True)) == ["a"]
    assert not Impression.objects.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_ORIGIN": "https://elsewhere.example"},
        {"HTTP_ORIGIN": "https://testserver.elsewhere.example"},
        {"HTTP_ORIGIN": "https://testserver:8443"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "http://["},
    ],
    ids=str,
)
def test_other_sites_are_rejected(shopper, headers):
    assert report(shopper, view(), **headers).status_code == 403
    assert not Event.objects.exists()


@pytest.mark.parametrize("headers", [{}, {"HTTP_ORIGIN": "http://testserver"}], ids=str)
def test_our_own_pages_and_browsers_that_say_nothing_are_not_refused(shopper, headers):
    del shopper.defaults["HTTP_SEC_FETCH_SITE"]
    assert report(shopper, view(), **headers).status_code == 204


def test_reports_have_a_rate_of_their_own(shopper):
    with override_ecomrec(BEACON_THROTTLE="2/min", THROTTLE="1/min"):
        assert [report(shopper, view()).status_code for _ in range(3)] == [204, 204, 429]


def test_the_token_of_the_json_api_is_one_that_can_be_reported(shopper):
    from ecomrec_django.testing import publish_offers
    from example_shop.models import Product

    for sku in "ab":
        Product.objects.create(sku=sku, title=sku, price=1)
    release = publish_offers({"bought_with": {"a": ["b"]}})
    token = shopper.get(reverse("ecomrec:bought-with"), {"item": "a"}).json()["token"]
    assert open_block(token).items == ["b"]
    report(shopper, {"block": token, "seen": [1]})
    assert Impression.objects.get().release == release.pk
