import asyncio
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import ResolverMatch

from ecomrec_django.models import Event, HeldEvent, Item, Visitor
from ecomrec_django.tracking import sinks
from ecomrec_django.tracking.bots import is_bot
from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.middleware import TrackingMiddleware
from ecomrec_django.tracking.omissions import Reason, omitted_count
from ecomrec_django.tracking.visitors import COOKIE, SECURE_COOKIE, open_cookie, token_key, user_key

pytestmark = pytest.mark.django_db
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def item(settings):
    settings.ECOMREC = {**settings.ECOMREC, "TRACK_VIEWS": {"product": "sku"}}
    return Item.objects.create(external_id="a", title="A", fingerprint="")


def view(method="get", status=200, consent=True, user=None, secure=False, name="product", **headers):
    """One page view through the middleware, to the end of its response."""
    headers.setdefault("HTTP_USER_AGENT", BROWSER)
    request = getattr(RequestFactory(), method)("/", secure=secure, **headers)
    if consent:
        request.COOKIES[CONSENT_COOKIE] = "yes"
    if user:
        request.COOKIES["sessionid"] = "x"
        request.user = request._cached_user = user

    def answer(request):
        request.resolver_match = ResolverMatch(answer, (), {"sku": "a"}, url_name=name)
        return HttpResponse("page", status=status)

    response = TrackingMiddleware(answer)(request)
    request.close()
    return response


def test_a_consenting_guest_is_recorded_under_a_hashed_cookie(item):
    response = view(secure=True)
    event = Event.objects.get()
    cookie = response.cookies[SECURE_COOKIE]
    assert (event.kind, event.item, event.visitor.key) == ("view_item", item, token_key(open_cookie(cookie.value)))
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    assert "Vary" not in response.headers


def test_a_shopper_keeps_the_token_given_before():
    first = view().cookies[COOKIE].value
    with time_machine.travel(timedelta(minutes=1)):
        assert COOKIE not in view(HTTP_COOKIE=f"{COOKIE}={first}; {CONSENT_COOKIE}=yes").cookies
    assert Visitor.objects.count() == 1
    assert Event.objects.count() == 2


def test_a_token_we_never_gave_is_replaced():
    assert COOKIE in view(HTTP_COOKIE=f"{COOKIE}=forged; {CONSENT_COOKIE}=yes").cookies


def test_an_account_is_recorded_under_its_own_key():
    user = get_user_model().objects.create_user("anna")
    assert COOKIE not in view(user=user).cookies
    assert Event.objects.get().visitor.key == user_key(user.pk)


@pytest.mark.parametrize(
    "how",
    [
        {"consent": False},
        {"HTTP_SEC_GPC": "1"},
        {"HTTP_DNT": "1"},
        {"method": "post"},
        {"method": "head"},
        {"status": 404},
        {"status": 302},
        {"name": "home"},
        {"HTTP_USER_AGENT": "Mozilla/5.0 (compatible; Googlebot/2.1)"},
        {"HTTP_USER_AGENT": ""},
    ],
    ids=str,
)
def test_only_consenting_shoppers_on_product_pages_are_recorded(how):
    assert not view(**how).cookies
    assert not Event.objects.exists()
    assert not Visitor.objects.exists()


def test_staff_leave_no_trace():
    view(user=get_user_model().objects.create_user("boss", is_staff=True))
    assert not Event.objects.exists()


def test_a_product_not_yet_in_the_catalog_is_kept_aside(item):
    item.delete()
    view()
    assert not Event.objects.exists()
    assert HeldEvent.objects.get().external_id == "a"
    assert omitted_count(Reason.HELD) == 1


def test_a_database_failure_is_logged_and_the_page_unharmed(monkeypatch, caplog):
    def fail(*args):
        raise OperationalError("planted")

    monkeypatch.setattr(sinks, "store", fail)
    assert view().content == b"page"
    assert "Events were not recorded" in caplog.text
    assert "planted" not in caplog.text
    assert omitted_count(Reason.LOST) == 1


def test_a_consent_callable_that_breaks_records_nothing(settings, caplog):
    settings.ECOMREC = {**settings.ECOMREC, "CONSENT": lambda request: 1 / 0}
    assert view().content == b"page"
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_asynchronous_page_is_recorded_too():
    async def answer(request):
        request.resolver_match = ResolverMatch(answer, (), {"sku": "a"}, url_name="product")
        return HttpResponse("page")

    request = RequestFactory().get("/", HTTP_USER_AGENT=BROWSER, HTTP_COOKIE=f"{CONSENT_COOKIE}=yes")
    response = asyncio.run(TrackingMiddleware(answer)(request))
    assert not Event.objects.exists()
    request.close()
    assert response.content == b"page"
    assert Event.objects.count() == 1


@pytest.mark.parametrize("name", ["curl/8.5", "python-requests/2.32", "bingbot/2.0", "HeadlessChrome/130", ""])
def test_programs_that_name_themselves_are_bots(name):
    assert is_bot(name)


@pytest.mark.parametrize(
    "name", [BROWSER, "Mozilla/5.0 (Linux; Android 14; CUBOT X70) Chrome/126.0 Mobile Safari/537.36"]
)
def test_browsers_are_not_bots(name):
    assert not is_bot(name)
