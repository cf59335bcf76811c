"""Django's per-view cache stores no page of one shopper."""

import pytest
from django.http import HttpResponse
from django.template import Context, Template
from django.test import RequestFactory
from django.views.decorators.cache import cache_page

from ecomrec_django.testing import publish_offers
from ecomrec_django.tracking.middleware import TrackingMiddleware
from tests.support.shoppers import asking, remember

PAGE = Template("{% load ecomrec %}{% slot 'home' %}")


@pytest.fixture(autouse=True)
def _published(integer_key_shop):
    publish_offers({"bought_with": {}, "for_you": {"": ["4", "5", "6"]}})


@pytest.fixture
def page():
    """A page with a block, behind ``cache_page``; ``drawn`` counts how often it was drawn."""

    def view(request):
        view.drawn += 1
        return HttpResponse(PAGE.render(Context({"request": request})))

    view.drawn = 0
    cached = cache_page(60)(view)

    def respond(request):
        return TrackingMiddleware(cached)(request)

    respond.drawn = lambda: view.drawn
    return respond


def items(response):
    return [item for item in ("4", "5", "6") if f"/product/{item}/" in response.content.decode()]


def test_the_page_of_nobody_in_particular_is_stored(page):
    assert items(page(RequestFactory().get("/"))) == items(page(RequestFactory().get("/"))) == ["4", "5", "6"]
    assert page.drawn() == 1


def test_the_page_of_a_known_shopper_is_not_stored(page):
    remember("9")
    first = page(asking())
    assert "private" in first["Cache-Control"]
    page(RequestFactory().get("/"))
    assert page.drawn() == 2


def test_the_page_of_a_shopper_with_something_in_the_cart_is_not_stored(page):
    request = RequestFactory().get("/")
    request.cart_ids = ["4"]
    first = page(request)
    assert (items(first), "private" in first["Cache-Control"]) == (["5", "6"], True)
    assert items(page(RequestFactory().get("/"))) == ["4", "5", "6"]
