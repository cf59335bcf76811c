"""Who asks is whom the project's own authentication finds: a session, a Bearer token, or nobody."""

import json

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path, reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import AccessToken

from ecomrec_django.api.beacon import BeaconView
from ecomrec_django.models import Event, Impression, Item, Visitor
from ecomrec_django.serving.tokens import seal_block, seal_item
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking import track
from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.visitors import (
    COOKIE,
    FOREVER,
    account_of,
    open_cookie,
    sign_token,
    token_key,
    user_key,
)

pytestmark = pytest.mark.django_db
ME, BEACON, CONSENT = reverse("ecomrec:me"), reverse("ecomrec:beacon"), reverse("ecomrec:consent")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
JWT = "rest_framework_simplejwt.authentication.JWTAuthentication"
SESSION = "rest_framework.authentication.SessionAuthentication"
GUEST = "c" * 32


class ProductView(APIView):
    """The host's own endpoint of a product, listed in TRACK_VIEWS."""

    authentication_classes = [JWTAuthentication]

    def get(self, request, sku):
        return Response({"sku": sku})


class CartView(APIView):
    """The host's own endpoint of the cart."""

    authentication_classes = [JWTAuthentication]

    def post(self, request, sku):
        track.add_to_cart(request, sku)
        return Response(status=201)


class HeaderAuthentication(BaseAuthentication):
    """A way of the host's own."""

    def authenticate(self, request):
        name = request.headers.get("X-Customer")
        return None if name is None else (User.objects.get(username=name), None)


class CookieAuthentication(BaseAuthentication):
    """A way of the host's own that knows nobody any more."""

    def authenticate(self, request):
        if "jwt" in request.COOKIES:
            raise AuthenticationFailed
        return


urlpatterns = [
    path("ecomrec/", include("ecomrec_django.urls")),
    path("api/products/<str:sku>/", ProductView.as_view(), name="api-product"),
    path("api/cart/<str:sku>/", CartView.as_view()),
    path("", lambda request: HttpResponse("home")),
]


@pytest.fixture(autouse=True)
def _shop(settings):
    settings.ROOT_URLCONF = __name__
    settings.REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": [JWT]}
    settings.ECOMREC = {**settings.ECOMREC, "TRACK_VIEWS": {"api-product": "sku"}}
    Item.objects.bulk_create(Item(external_id=name, title=name, fingerprint="") for name in "abcd")


@pytest.fixture
def anna():
    return User.objects.create_user("anna")


@pytest.fixture
def client():
    client = Client(enforce_csrf_checks=True, HTTP_USER_AGENT=BROWSER)
    client.cookies[CONSENT_COOKIE] = "yes"
    return client


def bearer(user):
    return {"HTTP_AUTHORIZATION": f"Bearer {AccessToken.for_user(user)}"}


def buy(key, order):
    visitor, _ = Visitor.objects.get_or_create(key=key)
    Event.objects.create(kind="purchase", visitor=visitor, item=Item.objects.first(), time=timezone.now(), basket=order)


def orders(response):
    assert response.status_code == 200, response.content
    return [row["order"] for row in json.loads(response.getvalue())["events"]]


def report(client, item="a", **headers):
    body = {"reports": [{"view": seal_item(item), "id": f"{ord(item):032x}"}]}
    return client.post(BEACON, body, content_type="application/json", **headers)


def owners():
    return set(Event.objects.exclude(kind="purchase").values_list("visitor__key", flat=True))


def test_a_bearer_token_reads_what_is_stored_of_its_account(client, anna):
    for number in range(4):
        buy(user_key(anna.pk), f"o{number}")
    assert orders(client.get(ME, **bearer(anna))) == ["o0", "o1", "o2", "o3"]


def test_a_bearer_token_erases_its_account_without_a_csrf_token(client, anna):
    buy(user_key(anna.pk), "o1")
    assert client.delete(ME, **bearer(anna)).json()["removed"]["events"] == 1
    assert not Event.objects.exists()


def test_an_expired_token_is_refused_and_not_taken_for_a_guest(client, anna):
    token = AccessToken.for_user(anna)
    token.set_exp(from_time=timezone.now() - timezone.timedelta(days=2))
    headers = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    for response in (client.get(ME, **headers), client.get(CONSENT, **headers), report(client, **headers)):
        assert response.status_code == 401
    assert not Event.objects.exists()


def test_reports_with_a_token_belong_to_its_account(client, anna):
    report(client, **bearer(anna))
    assert owners() == {user_key(anna.pk)}


def test_host_endpoints_are_recorded_for_the_tokens_account(client, anna):
    assert client.get("/api/products/b/", **bearer(anna)).status_code == 200
    assert client.post("/api/cart/c/", **bearer(anna)).status_code == 201
    assert set(Event.objects.values_list("kind", "item__external_id", "visitor__key")) == {
        ("view_item", "b", user_key(anna.pk)),
        ("add_to_cart", "c", user_key(anna.pk)),
    }


def test_a_way_of_the_hosts_own_counts_as_well(client, anna, settings):
    settings.REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": [f"{__name__}.HeaderAuthentication"]}
    buy(user_key(anna.pk), "o1")
    assert orders(client.get(ME, HTTP_X_CUSTOMER="anna")) == ["o1"]
    report(client, HTTP_X_CUSTOMER="anna")
    assert owners() == {user_key(anna.pk)}


def test_an_account_that_withdraws_by_token_does_so_everywhere(client, anna):
    body = {"agree": False}
    assert client.post(CONSENT, body, content_type="application/json", **bearer(anna)).status_code == 204
    assert Visitor.objects.get().key == user_key(anna.pk)
    assert Visitor.objects.get().excluded_until == FOREVER


def test_pages_keep_their_session_next_to_app_tokens(client, anna):
    client.force_login(anna)
    buy(user_key(anna.pk), "o1")
    assert orders(client.get(ME)) == ["o1"]
    report(client)
    assert owners() == {user_key(anna.pk)}


def test_a_session_still_has_to_show_the_csrf_token(client, anna):
    client.force_login(anna)
    buy(user_key(anna.pk), "o1")
    assert client.delete(ME).status_code == 403
    assert Event.objects.exists()
    client.cookies["csrftoken"] = "t" * 32
    assert client.delete(ME, HTTP_X_CSRFTOKEN="t" * 32).status_code == 200


def test_a_token_outweighs_a_session_of_somebody_else(client, anna):
    buy(user_key(anna.pk), "hers")
    other = User.objects.create_user("bert")
    buy(user_key(other.pk), "his")
    client.force_login(other)
    assert orders(client.get(ME, **bearer(anna))) == ["hers"]
    report(client, **bearer(anna))
    assert owners() == {user_key(anna.pk)}


def test_a_setting_names_the_ways_that_count_here(client, anna):
    client.force_login(anna)
    buy(user_key(anna.pk), "o1")
    with override_ecomrec(AUTHENTICATION=[JWT]):
        assert orders(client.get(ME)) == []
        assert orders(client.get(ME, **bearer(anna))) == ["o1"]
        report(client)
    assert user_key(anna.pk) not in owners()
    with override_ecomrec(AUTHENTICATION=[SESSION]):
        assert orders(client.get(ME)) == ["o1"]


def test_login_by_token_merges_the_cookies_history(client, anna):
    report(client)
    cookie = open_cookie(client.cookies[COOKIE].value)
    assert owners() == {token_key(cookie)}
    answer = client.get("/api/products/b/", **bearer(anna))
    assert owners() == {user_key(anna.pk)}
    assert answer.cookies[COOKIE]["max-age"] == 0


def test_login_by_token_merges_the_headers_history(client, anna):
    headers = {"HTTP_X_ECOMREC_VISITOR": sign_token(GUEST)}
    report(client, **headers)
    assert not owners() & {user_key(anna.pk)}
    client.get("/api/products/b/", **headers, **bearer(anna))
    assert owners() == {user_key(anna.pk)}


def test_an_export_right_after_login_includes_earlier_events(client, anna):
    headers = {"HTTP_X_ECOMREC_VISITOR": sign_token(GUEST)}
    report(client, **headers)
    assert orders(client.get(ME, **headers, **bearer(anna))) == [""]
    assert owners() == {user_key(anna.pk)}


def test_a_session_does_not_join_whatever_cookie_comes_along(client, anna):
    report(client)
    before = owners()
    client.force_login(anna)
    report(client, "b")
    assert owners() == before | {user_key(anna.pk)}


def test_staff_report_nothing_by_token_either(client):
    report(client, **bearer(User.objects.create_user("boss", is_staff=True)))
    assert not Event.objects.exists()


def test_impressions_and_clicks_under_a_token_are_the_accounts(client, anna):
    block = seal_block("bought_with", 1, "a", ["b", "c"])
    body = {"reports": [{"block": block, "seen": [1, 2]}, {"block": block, "clicked": 2}]}
    assert client.post(BEACON, body, content_type="application/json", **bearer(anna)).status_code == 204
    assert set(Impression.objects.values_list("visitor__key", flat=True)) == {user_key(anna.pk)}
    assert owners() == {user_key(anna.pk)}


def test_identification_by_token_costs_one_query(client, anna, django_assert_num_queries):
    with django_assert_num_queries(1) as queries:
        assert client.get(CONSENT, **bearer(anna)).status_code == 200
    assert "auth_user" in queries[0]["sql"]


def test_a_session_is_looked_up_only_once_a_report_is_answered(anna, rf):
    def looked_up():
        raise AssertionError

    request = rf.post(BEACON, {"reports": [{"view": seal_item("a")}]}, "application/json", HTTP_COOKIE="sessionid=x")
    request.user = SimpleLazyObject(looked_up)
    assert BeaconView.as_view()(request).status_code == 204
    request.user = anna
    assert account_of(request) == anna


def test_an_expired_token_in_a_cookie_of_the_host_is_refused_at_once(client, settings):
    settings.REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": [f"{__name__}.CookieAuthentication"]}
    client.cookies["jwt"] = "expired"
    assert report(client).status_code == 403
    assert not Event.objects.exists()
