"""The shipped cards show what a shop's own would, in the look of their page, and can be replaced piece by piece."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation

from ecomrec_django.testing import publish_offers
from tests.hosts.models import IntegerProduct
from tests.support.catalogs import AtMostDouble, CartCatalog

TEMPLATES = Path(__file__).resolve().parents[2] / "ecomrec_django/templates/ecomrec"


class EuroCatalog(CartCatalog):
    """A shop with prices in euros, brands and pictures."""

    base_currency = "EUR"
    brand = "category"
    image = "picture"

    def image_url(self, product):
        return "" if product.pk == 3 else f"/media/{product.pk}.webp"


class Upgrades(AtMostDouble):
    same_need = True


@pytest.fixture(autouse=True)
def _shop(integer_key_shop):
    strategies = {**integer_key_shop.ECOMREC["STRATEGIES"], "upgrade_to": f"{__name__}.Upgrades"}
    integer_key_shop.ECOMREC = {"CATALOG": f"{__name__}.EuroCatalog", "STRATEGIES": strategies}
    IntegerProduct.objects.update(category="Alpina")
    publish_offers({"bought_with": {"1": ["2", "3"]}, "upgrade_to": {"4": ["5", "6"]}})


def render(source, **context):
    context = {"request": RequestFactory().get("/"), **context}
    return Template("{% load ecomrec %}" + source).render(Context(context)).strip()


def cards(html):
    return re.findall(r"<li .*?</li>", html, re.DOTALL)


@pytest.mark.parametrize(("language", "price"), [("en", "€2.00"), ("de", "2,00\xa0€"), ("zh-hans", "€2.00")])
def test_a_price_has_its_currency_as_the_language_writes_it(language, price):
    with translation.override(language):
        assert price in cards(render("{% bought_with '1' %}"))[0]


def test_a_card_has_picture_title_brand_and_reason():
    card = cards(render("{% bought_with '1' %}"))[0]
    assert '<a class="ecomrec-link" href="/product/2/">' in card
    assert 'src="/media/2.webp" alt="" width="320" height="320" loading="lazy"' in card
    assert '<span class="ecomrec-title">Title 2</span>' in card
    assert '<p class="ecomrec-brand">Alpina</p>' in card
    assert '<p class="ecomrec-reason">Often bought together</p>' in card


def test_a_brand_that_the_title_names_is_not_repeated():
    IntegerProduct.objects.filter(pk=2).update(title="Alpina tent")
    assert "ecomrec-brand" not in cards(render("{% bought_with '1' %}"))[0]


def test_a_product_without_a_picture_keeps_its_place():
    card = cards(render("{% bought_with '1' %}"))[1]
    assert "<img" not in card
    assert "ecomrec-no-image" in card


def test_an_upgrade_says_how_much_more_it_costs():
    assert "€5.00</span> <span" in cards(render("{% upgrade_to '4' %}"))[0]
    assert "+€1.00</span>" in cards(render("{% upgrade_to '4' %}"))[0]
    assert "ecomrec-more" not in render("{% bought_with '1' %}")


def test_the_level_of_the_heading_is_the_pages_choice():
    assert "<h2 " in render("{% bought_with '1' %}")
    assert re.search(r"<h3 [^>]*>With it</h3>", render("{% bought_with '1' heading=3 title='With it' %}"))
    assert "<h4 " in render("{% slot 'product' '1' heading=4 %}")


def test_a_block_is_a_list_named_by_its_heading():
    html = render("{% bought_with '1' %}")
    (name,) = re.findall(r'<section [^>]*aria-labelledby="([^"]+)"', html)
    assert f'id="{name}">' in html
    assert '<ul class="ecomrec-offers" role="list">' in html


def test_the_shop_adds_its_cart_form_in_a_template_of_its_own(settings, tmp_path):
    (tmp_path / "ecomrec").mkdir()
    form = '<form method="post">{% csrf_token %}<button name="id" value="{{ offer.product.pk }}">Add</button></form>'
    (tmp_path / "ecomrec/add_to_cart.html").write_text(form)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    card = cards(render("{% bought_with '1' %}"))[0]
    assert '<button name="id" value="2">' in card
    assert "csrfmiddlewaretoken" in card


@pytest.mark.parametrize("piece", ["offer_image", "offer_price"])
def test_a_piece_of_the_card_can_be_replaced_alone(settings, tmp_path, piece):
    (tmp_path / "ecomrec").mkdir()
    (tmp_path / f"ecomrec/{piece}.html").write_text("<b>{{ offer.title }}</b>")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    card = cards(render("{% bought_with '1' %}"))[0]
    assert "<b>Title 2</b>" in card
    assert "ecomrec-link" in card


def test_the_styles_are_one_line():
    assert render("{% ecomrec_styles %}") == '<link rel="stylesheet" href="/static/ecomrec/ecomrec.css">'


def test_styles_set_no_fonts_or_colours_and_suit_both_directions():
    sheet = re.sub(r"/\*.*?\*/", "", Path(finders.find("ecomrec/ecomrec.css")).read_text(), flags=re.DOTALL)
    for word in ("font-family", "#", "rgb(", "hsl(", "!important", "url("):
        assert word not in sheet
    assert not re.findall(
        r"(?<![\w-])(?:left|right|top|bottom|width|height|margin-(?:left|right|top|bottom))\s*:", sheet
    )
    assert set(re.findall(r"(?<![\w-])color: ([^;]+);", sheet)) == {"inherit", "var(--ecomrec-muted, inherit)"}


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_templates_have_no_inline_styles_or_scripts(path):
    assert not re.findall(r"<style|<script|\bstyle=|\bon\w+=", path.read_text())
