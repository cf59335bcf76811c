import pytest
from django.test import Client

from ecomrec_django.models import Event, Item
from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.omissions import Reason, omitted_count
from ecomrec_django.tracking.page_views import is_fetched_ahead
from ecomrec_django.tracking.visitors import COOKIE
from example_shop.models import Product
from tests.tracking.test_middleware import BROWSER

pytestmark = pytest.mark.django_db
AHEAD = [
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"Sec-Purpose": "prefetch;anonymous-client-ip"},
    {"X-Sec-Purpose": "prefetch"},
    {"Purpose": "prefetch"},
    {"Purpose": "preview"},
    {"X-Purpose": "preview"},
    {"X-Moz": "prefetch"},
    {"HX-Request": "true", "HX-Preloaded": "true"},
]
SEEN = [
    {},
    {"HX-Request": "true", "HX-Preloaded": "false"},
    {"HX-Request": "true", "HX-Boosted": "true"},
    {"X-Turbo-Request-Id": "1"},
    {"Service-Worker-Navigation-Preload": "true"},
]


@pytest.fixture
def open_page(settings):
    """Opens the page of product "a" in the browser of a shopper who agreed."""
    Product.objects.create(sku="a", title="A", price=1)
    Item.objects.create(external_id="a", title="A", fingerprint="")
    browser = Client(headers={"User-Agent": BROWSER})
    browser.cookies[CONSENT_COOKIE] = "yes"
    return lambda headers: browser.get("/product/a/", headers=headers)


@pytest.mark.parametrize("headers", AHEAD, ids=str)
def test_a_page_that_is_fetched_ahead_is_no_view_and_sets_no_cookie(open_page, headers):
    answer = open_page(headers)
    assert COOKIE not in answer.cookies
    assert not Event.objects.exists()
    assert omitted_count(Reason.PREFETCH) == 1


@pytest.mark.parametrize("headers", SEEN, ids=str)
def test_a_page_that_somebody_waits_for_is_a_view(open_page, headers):
    answer = open_page(headers)
    assert COOKIE in answer.cookies
    assert Event.objects.get().kind == "view_item"


@pytest.mark.parametrize("value", ["PREFETCH", "prefetch, instant", " prerender"])
def test_how_a_purpose_is_written_does_not_matter(rf, value):
    assert is_fetched_ahead(rf.get("/", headers={"Purpose": value}))


def test_the_script_reports_a_view_that_the_shop_has_not_recorded(open_page):
    ahead = open_page(AHEAD[0]).content.decode()
    seen = open_page({}).content.decode()
    assert "data-view=" in ahead
    assert "data-recorded" not in ahead
    assert ahead.partition("data-view=")[2][:30] == seen.partition("data-view=")[2][:30]
    assert " data-recorded>" in seen


def test_pages_of_no_product_name_none(open_page, client):
    assert "data-view" not in client.get("/").content.decode()
