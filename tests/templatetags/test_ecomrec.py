import pytest
from django.template import Context, Template

from ecomrec_django.testing import publish_offers
from tests.hosts.models import IntegerProduct


def render(source, **context):
    return Template("{% load ecomrec %}" + source).render(Context(context)).strip()


@pytest.fixture(autouse=True)
def _published(host):
    publish_offers({"bought_with": {"1": ["2", "3"]}})


def test_a_block_links_its_offers_in_order(request_):
    html = render("{% bought_with product title='With it' %}", product=IntegerProduct(pk=1, price=1), request=request_)
    assert html.index("/product/2/") < html.index("/product/3/")
    assert "With it</h2>" in html


def test_titles_are_escaped(request_):
    IntegerProduct.objects.filter(pk=2).update(title="<script>alert(1)</script>")
    html = render("{% bought_with '1' %}", request=request_)
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_any_other_object_is_the_cart(request_):
    request_.cart_ids = ["1"]
    assert "/product/2/" in render("{% bought_with cart %}", cart=object(), request=request_)


def test_several_ids_make_one_block(request_):
    assert "/product/2/" in render("{% bought_with ids %}", ids=["1", "5"], request=request_)


@pytest.mark.parametrize("source", ["{% bought_with '9' %}", "{% upgrade_to '1' %}", "{% bought_with nobody %}"])
def test_a_block_with_nothing_sound_renders_nothing(request_, source):
    assert render(source, request=request_) == ""


def test_without_a_request_nothing_is_rendered_and_the_log_says_why(caplog):
    assert render("{% bought_with '1' %}") == ""
    assert "context processor" in caplog.text
