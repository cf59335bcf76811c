"""Which pages may ask: the shop's own, and the front ends that the settings name."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from ecomrec_django.models import Item
from ecomrec_django.serving.tokens import seal_item
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.consent import CONSENT_COOKIE

pytestmark = pytest.mark.django_db
ME, BEACON = reverse("ecomrec:me"), reverse("ecomrec:beacon")
CONSENT, VISITOR = reverse("ecomrec:consent"), reverse("ecomrec:visitor")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SHOP = "https://shop.example"


@pytest.fixture
def browser():
    Item.objects.create(external_id="a", title="a", fingerprint="")
    client = Client(enforce_csrf_checks=True, HTTP_USER_AGENT=BROWSER)
    client.cookies[CONSENT_COOKIE] = "yes"
    return client


@pytest.fixture
def cors(settings):
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "corsheaders"]
    settings.MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware", *settings.MIDDLEWARE]
    settings.CORS_ALLOWED_ORIGINS = [SHOP]
    settings.CORS_ALLOW_CREDENTIALS = True
    return settings


def codes(client, origin):
    """Of what a page of ``origin`` asks of each endpoint."""
    headers = {"HTTP_ORIGIN": origin, "HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_SEC_FETCH_MODE": "cors"}
    body = {"reports": [{"view": seal_item("a")}]}
    return {
        client.post(CONSENT, {"agree": True}, content_type="application/json", **headers).status_code,
        client.get(CONSENT, **headers).status_code,
        client.post(BEACON, body, content_type="application/json", **headers).status_code,
        client.post(VISITOR, content_type="application/json", **headers).status_code,
        client.get(ME, **headers).status_code,
        client.delete(ME, **headers).status_code,
    }


def test_by_default_no_other_origin_is_trusted(browser):
    assert codes(browser, SHOP) == {403}


def test_a_front_end_that_the_shop_names_is_trusted(browser):
    with override_ecomrec(FRONTENDS=[SHOP, "http://localhost:5173"]):
        assert codes(browser, SHOP) == codes(browser, "http://localhost:5173") == {200, 204}


def test_origins_trusted_by_django_are_trusted(browser, settings):
    settings.CSRF_TRUSTED_ORIGINS = [SHOP, "https://*.shop.example"]
    assert codes(browser, SHOP) == codes(browser, "https://www.shop.example") == {200, 204}


@pytest.mark.parametrize(
    "origin",
    [
        "http://shop.example",
        "https://shop.example:8443",
        "https://www.shop.example",
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "null",
        "",
        "https://",
        "http://[",
        "*",
    ],
)
def test_other_origins_are_not_trusted(browser, origin):
    with override_ecomrec(FRONTENDS=[SHOP]):
        assert codes(browser, origin) == {403}


@pytest.mark.parametrize("origin", ["https://evilshop.example", "http://www.shop.example", "https://shop.example.com"])
def test_a_star_stands_for_subdomains_alone(browser, origin):
    with override_ecomrec(FRONTENDS=["https://*.shop.example"]):
        assert codes(browser, "https://a.b.shop.example") == {200, 204}
        assert codes(browser, origin) == {403}


@pytest.mark.parametrize(("origin", "code"), [("https://testserver", 204), ("http://testserver", 403)])
def test_unencrypted_pages_are_foreign_to_an_encrypted_shop(browser, origin, code):
    body = {"reports": [{"view": seal_item("a")}]}
    answer = browser.post(BEACON, body, content_type="application/json", HTTP_ORIGIN=origin, secure=True)
    assert answer.status_code == code


def test_front_ends_with_tokens_need_no_csrf_token(browser):
    """The shop's own session is not theirs: Django trusts them with it only where CSRF_TRUSTED_ORIGINS names them."""
    browser.force_login(User.objects.create_user("anna"))
    browser.cookies["csrftoken"] = "t" * 32
    headers = {"HTTP_ORIGIN": SHOP, "HTTP_X_CSRFTOKEN": "t" * 32}
    with override_ecomrec(FRONTENDS=[SHOP]):
        assert browser.delete(ME, **headers).status_code == 403


def test_cors_headers_allow_tokens_of_a_front_end(browser, cors):
    from corsheaders.defaults import default_headers

    cors.CORS_ALLOW_HEADERS = [*default_headers, "x-ecomrec-visitor", "x-ecomrec-consent"]
    asked = {
        "HTTP_ORIGIN": SHOP,
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST",
        "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "authorization,content-type,x-ecomrec-consent,x-ecomrec-visitor",
    }
    with override_ecomrec(FRONTENDS=[SHOP]):
        for url in (CONSENT, BEACON, VISITOR, ME, reverse("ecomrec:slot", args=["home"])):
            preflight = browser.options(url, **asked)
            assert (preflight.status_code, preflight["Access-Control-Allow-Origin"]) == (200, SHOP)
            allowed = {name.strip() for name in preflight["Access-Control-Allow-Headers"].split(",")}
            assert {"authorization", "content-type", "x-ecomrec-consent", "x-ecomrec-visitor"} <= allowed
        answer = browser.get(CONSENT, HTTP_ORIGIN=SHOP, HTTP_SEC_FETCH_SITE="cross-site")
        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (200, SHOP)
        assert "Access-Control-Allow-Origin" not in browser.get(CONSENT, HTTP_ORIGIN="https://evil.example")


def test_a_front_end_of_the_same_site_may_go_by_cookies(cors):
    """``www.shop.example`` and ``api.shop.example``: the browser sends the cookies of one to the other."""
    cors.ALLOWED_HOSTS = ["api.shop.example"]
    browser = Client(
        HTTP_USER_AGENT=BROWSER, HTTP_HOST="api.shop.example", HTTP_ORIGIN=SHOP, HTTP_SEC_FETCH_SITE="same-site"
    )
    Item.objects.create(external_id="a", title="a", fingerprint="")
    with override_ecomrec(FRONTENDS=[SHOP]):
        browser.post(CONSENT, {"agree": True}, content_type="application/json")
        answer = browser.post(BEACON, {"reports": [{"view": seal_item("a")}]}, content_type="application/json")
        assert (answer.status_code, answer["Access-Control-Allow-Credentials"]) == (204, "true")
        assert b'"item": "a"' in browser.get(ME).getvalue()
