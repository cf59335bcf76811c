"""Visitor tokens: given by this shop to who agreed, never taken unsigned, and as good as the cookie."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.signing import TimestampSigner
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ecomrec_django.models import Event, Item, Visitor
from ecomrec_django.serving.tokens import seal_block, seal_item
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.consent import CONSENT_COOKIE, opt_out
from ecomrec_django.tracking.omissions import Reason, omitted_count
from ecomrec_django.tracking.visitors import (
    COOKIE,
    FOREVER,
    merge,
    new_token,
    open_token,
    sign_cookie,
    sign_token,
    token_key,
    user_key,
)

pytestmark = pytest.mark.django_db
URL, ME = reverse("ecomrec:visitor"), reverse("ecomrec:me")
BEACON, CONSENT = reverse("ecomrec:beacon"), reverse("ecomrec:consent")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
AGREED = {"HTTP_X_ECOMREC_CONSENT": "yes"}
# What a browser says of a page of another site that fetches.
ELSEWHERE = {
    "HTTP_ORIGIN": "https://shop.example",
    "HTTP_SEC_FETCH_SITE": "cross-site",
    "HTTP_SEC_FETCH_MODE": "cors",
}
YEAR = timedelta(days=365)


@pytest.fixture(autouse=True)
def _items():
    Item.objects.bulk_create(Item(external_id=name, title=name, fingerprint="") for name in "abcd")


@pytest.fixture
def app():
    """A front end that keeps no cookies, whose shopper agreed."""
    return Client(enforce_csrf_checks=True, HTTP_USER_AGENT="ExampleShop/2.1 (Android 15)", **AGREED)


def issued(client, **headers):
    response = client.post(URL, content_type="application/json", **headers)
    assert response.status_code == 200, response.content
    return response.json()["visitor"]


def key(signed):
    return token_key(open_token(signed))


def report(client, item="a", **headers):
    body = {"reports": [{"view": seal_item(item), "id": f"{ord(item):032x}"}]}
    return client.post(BEACON, body, content_type="application/json", **headers)


def owners():
    return set(Event.objects.values_list("visitor__key", flat=True))


def plant(visitor_key):
    visitor = Visitor.objects.create(key=visitor_key)
    Event.objects.create(kind="view_item", visitor=visitor, item=Item.objects.first(), time=timezone.now())


def events(response):
    assert response.status_code == 200, response.content
    return len(json.loads(response.getvalue())["events"])


def test_a_consenting_shopper_is_identified_by_a_token(app):
    signed = issued(app)
    answer = report(app, HTTP_X_ECOMREC_VISITOR=signed)
    assert (answer.status_code, answer.cookies.keys() & {COOKIE}) == (204, set())
    assert owners() == {key(signed)}
    assert events(app.get(ME, HTTP_X_ECOMREC_VISITOR=signed)) == 1


def test_a_token_is_a_new_visitors_every_time(app):
    assert issued(app) != issued(app)
    assert not Visitor.objects.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_X_ECOMREC_CONSENT": ""},
        {"HTTP_X_ECOMREC_CONSENT": "perhaps"},
        {"HTTP_X_ECOMREC_CONSENT": "no"},
        {"HTTP_SEC_GPC": "1"},
        {"HTTP_DNT": "1"},
        {"HTTP_COOKIE": f"{CONSENT_COOKIE}=no"},
    ],
    ids=str,
)
def test_without_consent_there_is_no_token_and_no_record(app, headers):
    signed = issued(app)
    assert app.post(URL, content_type="application/json", **headers).status_code == 403
    report(app, HTTP_X_ECOMREC_VISITOR=signed, **headers)
    assert not Event.objects.exists()
    assert not Visitor.objects.exists()
    assert omitted_count(Reason.REFUSED) == 1


def test_the_shops_own_rule_of_consent_counts(app):
    with override_ecomrec(CONSENT=opt_out):
        assert issued(app, HTTP_X_ECOMREC_CONSENT="")
        assert app.post(URL, content_type="application/json", HTTP_X_ECOMREC_CONSENT="no").status_code == 403


RAW = "a" * 32


@pytest.mark.parametrize(
    "forged",
    [
        RAW,
        f"header:{RAW}",
        token_key(RAW),
        f"{RAW}:1xVabc:",
        TimestampSigner().sign(RAW),
        TimestampSigner(salt="ecomrec_django.block").sign(RAW),
        TimestampSigner(salt="ecomrec_django.visitor.header", key="another").sign(RAW),
        seal_item(RAW),
        seal_block("bought_with", 1, RAW, [RAW]),
        "x" * 5000,
        "\0",
    ],
    ids=range(11),
)
def test_foreign_tokens_identify_nobody(app, forged):
    plant(token_key(RAW))
    plant(token_key(f"header:{RAW}"))
    assert app.get(ME, HTTP_X_ECOMREC_VISITOR=forged).status_code == 400
    assert app.delete(ME, HTTP_X_ECOMREC_VISITOR=forged).status_code == 400
    report(app, "b", HTTP_X_ECOMREC_VISITOR=forged)
    assert Event.objects.count() == 2
    assert open_token(issued(app, HTTP_X_ECOMREC_VISITOR=forged)) not in {RAW, f"header:{RAW}"}


def test_the_signature_cannot_be_done_without_in_a_cookie(app):
    signed = issued(app)
    report(app, HTTP_X_ECOMREC_VISITOR=signed)
    raw = signed.partition(":")[0]
    for value in (raw, f"header:{raw}", signed, sign_cookie(raw)):
        app.cookies[COOKIE] = value
        assert events(app.get(ME)) == 0


def test_a_token_of_the_cookie_is_never_given_to_scripts(app):
    app.cookies[COOKIE] = sign_cookie(RAW)
    assert RAW not in issued(app)


def test_a_token_ends_after_a_year_unless_it_is_renewed(app):
    first = app.post(URL, content_type="application/json").json()
    signed = first["visitor"]
    assert abs(parse_datetime(first["expires"]) - timezone.now() - YEAR) < timedelta(minutes=1)
    report(app, HTTP_X_ECOMREC_VISITOR=signed)
    with time_machine.travel(timezone.now() + YEAR - timedelta(days=1)):
        renewed = issued(app, HTTP_X_ECOMREC_VISITOR=signed)
        assert key(renewed) == key(signed)
    with time_machine.travel(timezone.now() + YEAR + timedelta(days=1)):
        assert app.get(ME, HTTP_X_ECOMREC_VISITOR=signed).status_code == 400
        assert key(issued(app, HTTP_X_ECOMREC_VISITOR=signed)) != key(signed)
        assert events(app.get(ME, HTTP_X_ECOMREC_VISITOR=renewed)) == 1


def test_a_token_whose_history_joined_an_account_is_replaced(app):
    signed = issued(app)
    report(app, HTTP_X_ECOMREC_VISITOR=signed)
    user = User.objects.create_user("anna")
    merge(open_token(signed), user.pk)
    assert owners() == {user_key(user.pk)}
    assert key(issued(app, HTTP_X_ECOMREC_VISITOR=signed)) != key(signed)
    # Whoever still uses it is somebody new.
    assert events(app.get(ME, HTTP_X_ECOMREC_VISITOR=signed)) == 0
    report(app, "b", HTTP_X_ECOMREC_VISITOR=signed)
    assert len(owners()) == 2


def test_the_header_outweighs_a_cookie_of_somebody_else(app):
    plant(token_key(RAW))
    app.cookies[COOKIE] = sign_cookie(RAW)
    signed = issued(app)
    report(app, "b", HTTP_X_ECOMREC_VISITOR=signed)
    assert owners() == {token_key(RAW), key(signed)}
    assert events(app.get(ME, HTTP_X_ECOMREC_VISITOR=signed)) == 1
    answer = app.delete(ME, HTTP_X_ECOMREC_VISITOR=signed)
    assert COOKIE not in answer.cookies
    assert owners() == {token_key(RAW)}


def test_an_account_outweighs_the_header(app):
    user = User.objects.create_user("anna")
    app.force_login(user)
    report(app, HTTP_X_ECOMREC_VISITOR=issued(app))
    assert owners() == {user_key(user.pk)}


def test_withdrawal_by_token_excludes_the_visitor_from_training(app):
    signed = issued(app)
    plant(key(signed))
    plant(token_key(RAW))
    app.cookies[COOKIE] = sign_cookie(RAW)
    headers = {"HTTP_X_ECOMREC_VISITOR": signed, "HTTP_X_ECOMREC_CONSENT": "no"}
    assert app.post(CONSENT, {"agree": False}, content_type="application/json", **headers).status_code == 204
    assert set(Visitor.objects.values_list("excluded_until", flat=True)) == {FOREVER}


def test_a_forgotten_consent_header_withdraws_nothing(app):
    signed = issued(app)
    plant(key(signed))
    report(app, "b", HTTP_X_ECOMREC_VISITOR=signed, HTTP_X_ECOMREC_CONSENT="")
    assert Visitor.objects.get().excluded_until is None


def test_the_state_of_consent_follows_the_header(app):
    assert app.get(CONSENT).json()["agreed"] is True
    assert app.get(CONSENT, HTTP_X_ECOMREC_CONSENT="no").json() == {
        "agreed": False,
        "chosen": True,
        "signalled": False,
        "policy": "1",
    }


def test_other_sites_without_a_token_are_not_recorded(app):
    with override_ecomrec(FRONTENDS=["https://shop.example"]):
        answer = report(app, **ELSEWHERE)
        assert (answer.status_code, answer.cookies.keys()) == (204, set())
        assert not Visitor.objects.exists()
        signed = issued(app, **ELSEWHERE)
        report(app, HTTP_X_ECOMREC_VISITOR=signed, **ELSEWHERE)
    assert owners() == {key(signed)}


def test_visitors_from_search_engines_get_the_cookie(settings):
    from example_shop.models import Product

    Product.objects.create(sku="a", title="A", price=1)
    browser = Client(HTTP_USER_AGENT=BROWSER, HTTP_SEC_FETCH_SITE="cross-site", HTTP_SEC_FETCH_MODE="navigate")
    browser.cookies[CONSENT_COOKIE] = "yes"
    assert COOKIE in browser.get("/product/a/").cookies


def test_an_app_that_bears_its_librarys_name_is_no_crawler(app):
    signed = issued(app)
    report(app, HTTP_X_ECOMREC_VISITOR=signed, HTTP_USER_AGENT="okhttp/4.12.0")
    report(app, "b", HTTP_USER_AGENT="okhttp/4.12.0")
    assert list(Event.objects.values_list("item__external_id", flat=True)) == ["a"]
    assert omitted_count(Reason.BOT) == 1


def test_tokens_are_given_at_the_pace_of_people(app):
    with override_ecomrec(THROTTLE="2/min"):
        codes = [app.post(URL, content_type="application/json").status_code for _ in range(3)]
    assert codes == [200, 200, 429]


def test_tokens_are_not_given_to_others(app):
    assert app.post(URL, content_type="application/json", **ELSEWHERE).status_code == 403
    assert app.get(URL).status_code == 405


def test_a_new_token_costs_no_query_and_a_renewed_one_costs_one(app, django_assert_num_queries):
    with django_assert_num_queries(0):
        signed = issued(app)
    with django_assert_num_queries(1):
        issued(app, HTTP_X_ECOMREC_VISITOR=signed)


def test_every_token_is_a_random_number():
    assert len({new_token() for _ in range(100)}) == 100
    assert sign_token(RAW) != RAW
