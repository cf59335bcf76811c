"""What a product and the offers beside it cost together."""

from decimal import Decimal

import pytest
from django.template import Context, Template
from django.test import RequestFactory

from ecomrec_django.conf import conf
from ecomrec_django.serving.bundle import Bundle
from ecomrec_django.serving.offers import offers
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.hosts.models import IntegerProduct

from ..support.catalogs import AnyPersonal
from ..support.shoppers import asking, remember

STRATEGIES = {
    "bought_with": "tests.support.catalogs.AnyBundled",
    "upgrade_to": "tests.support.catalogs.AtMostDouble",
    "for_you": "ecomrec_django.strategies.for_you.ForYou",
}


@pytest.fixture(autouse=True)
def _bundled(integer_key_shop):
    with override_ecomrec(STRATEGIES=STRATEGIES):
        publish_offers({"bought_with": {"1": ["2", "3"], "5": ["6"]}, "upgrade_to": {"3": ["4"]}})
        yield


def bundle(anchors=("1",), strategy="bought_with", **attributes):
    request = RequestFactory().get("/")
    vars(request).update(attributes)
    return offers(request, strategy, anchors).bundle


def test_the_total_is_the_sum_of_the_customers_prices():
    assert bundle() == Bundle(("1", "2", "3"), Decimal(6), "6.00")
    assert bundle(discount="0.5").total == 3


def test_a_product_that_was_only_named_by_its_id_costs_no_query_more(django_assert_num_queries):
    with django_assert_num_queries(2):
        assert bundle(("1",)).count == 3
    with django_assert_num_queries(1):
        assert bundle((IntegerProduct(pk=1, price=1),)).count == 3


def test_beside_a_cart_it_is_of_the_offers_alone():
    assert bundle(None, cart_ids=["1"]).items == ("2", "3")


@pytest.mark.parametrize(("field", "value"), [("stock", 0), ("price", None)], ids=["out of stock", "without a price"])
def test_an_unavailable_product_has_no_bundle(field, value):
    IntegerProduct.objects.filter(pk=1).update(**{field: value})
    assert bundle() is None


def test_several_anchors_single_products_and_other_strategies_have_no_bundle():
    assert bundle(("1", "5")) is None
    IntegerProduct.objects.filter(pk__in=[2, 3]).update(stock=0)
    assert bundle() is None
    assert bundle(("3",), "upgrade_to") is None


def test_the_block_says_it_below_its_offers():
    request = RequestFactory().get("/")
    html = Template("{% load ecomrec %}{% bought_with '1' %}").render(Context({"request": request}))
    assert "These 3 together: " in html
    assert html.index("</ul>") < html.index("These 3 together")


def test_offers_state_the_price_difference_to_the_anchor():
    found = offers(RequestFactory().get("/"), "upgrade_to", ["3"]).offers
    assert [(offer.price_difference, offer.price_difference_text) for offer in found] == [(1, "+1.00")]
    found = offers(RequestFactory().get("/"), "bought_with", ["1", "5"]).offers
    assert {(offer.price_difference, offer.price_difference_text) for offer in found} == {(None, "")}


def test_prices_that_a_shop_gives_as_floats_are_added_too(monkeypatch):
    monkeypatch.setattr(conf.CATALOG, "price", lambda self, product, request: float(product.price))
    assert bundle().total == 6


def test_a_shopper_who_is_known_costs_it_one_query_more(integer_key_shop, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(AnyPersonal, "bundles", True)
    remember("2")
    with override_ecomrec(STRATEGIES=STRATEGIES | {"bought_with": "tests.support.catalogs.AnyPersonal"}):
        offers(asking(), "bought_with", ["5"])
        with django_assert_num_queries(3):
            assert offers(asking(), "bought_with", ["1"]).bundle.count == 3
