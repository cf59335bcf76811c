"""No cache hands one shopper's offers, cart or prices to another."""

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.middleware.cache import CacheMiddleware, FetchFromCacheMiddleware, UpdateCacheMiddleware
from django.template import Context, Template
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject
from django.views.decorators.cache import cache_control, cache_page
from django.views.decorators.vary import vary_on_cookie

from ecomrec_django.testing import publish_offers
from ecomrec_django.tracking.middleware import TrackingMiddleware
from tests.support.shoppers import asking, remember

pytestmark = pytest.mark.once
BLOCK = "{% load ecomrec %}{% slot 'home' %}"
CACHED = "{% load cache ecomrec %}{% cache 60 home %}{% slot 'home' %}{% endcache %}"


def per_view(view):
    return TrackingMiddleware(cache_page(60)(view))


def per_view_and_cookie(view):
    return TrackingMiddleware(cache_page(60)(vary_on_cookie(view)))


def public(view):
    return TrackingMiddleware(cache_page(60)(cache_control(public=True, max_age=60)(view)))


def per_site(view):
    return UpdateCacheMiddleware(FetchFromCacheMiddleware(TrackingMiddleware(view)))


def per_site_at_once(view):
    return CacheMiddleware(TrackingMiddleware(view))


@pytest.fixture(autouse=True)
def _published(integer_key_shop):
    publish_offers({"bought_with": {}, "for_you": {"": ["4", "5", "6"]}})


@pytest.fixture
def page():
    """A view of a block in a template, which counts how often it is rendered."""

    def view(request):
        view.rendered += 1
        return HttpResponse(Template(view.template).render(Context({"request": request})))

    view.rendered, view.template = 0, BLOCK
    return view


def stranger():
    return RequestFactory().get("/")


def with_cart(*items):
    request = stranger()
    request.cart_ids = items
    return request


def logged_in():
    """A customer whom the shop's own code has looked up."""
    request = stranger()
    request._cached_user = get_user_model()(pk=1)
    request.user = SimpleLazyObject(lambda: request._cached_user)
    return request


def items(response):
    return [item for item in ("4", "5", "6") if f"/product/{item}/" in response.content.decode()]


@pytest.mark.parametrize("caching", [per_view, per_view_and_cookie, public, per_site, per_site_at_once])
@pytest.mark.parametrize("personal", [asking, logged_in, lambda: with_cart("4")], ids=["known", "account", "cart"])
def test_no_cache_stores_what_one_shopper_sees(page, caching, personal):
    remember("9")
    respond = caching(page)
    first = respond(personal())
    assert "private" in first["Cache-Control"]
    assert "public" not in first["Cache-Control"]
    assert "Cookie" in first["Vary"]
    assert items(respond(stranger())) == ["4", "5", "6"]
    assert page.rendered == 2


@pytest.mark.parametrize("caching", [per_view, per_site, per_site_at_once])
def test_a_page_of_strangers_is_stored_for_strangers(page, caching):
    respond = caching(page)
    assert items(respond(stranger())) == items(respond(stranger())) == ["4", "5", "6"]
    assert page.rendered == 1


@pytest.mark.parametrize("included", [False, True])
def test_a_cached_fragment_is_the_same_for_everyone(page, included, settings, tmp_path):
    (tmp_path / "blocks.html").write_text(BLOCK)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    if included:
        page.template = "{% load cache %}{% cache 60 home %}{% include 'blocks.html' %}{% endcache %}"
    else:
        page.template = CACHED
    respond = TrackingMiddleware(page)
    assert items(respond(with_cart("4"))) == items(respond(stranger())) == ["4", "5", "6"]


def test_a_cached_fragment_reads_nothing_about_the_shopper(page):
    remember("9")
    page.template = CACHED
    response = TrackingMiddleware(page)(asking())
    assert items(response) == ["4", "5", "6"]
    assert "Cache-Control" not in response
