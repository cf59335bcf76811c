import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.http import HttpResponse
from django.template import Context, Template
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from ecomrec_django.failures import failure_counts
from ecomrec_django.models import Release
from ecomrec_django.serving.tokens import open_block, open_item
from ecomrec_django.testing import override_ecomrec, publish_offers
from ecomrec_django.tracking.middleware import TrackingMiddleware
from tests.hosts.models import IntegerProduct
from tests.support.queries import without_savepoints
from tests.support.rules import rules_known
from tests.support.shoppers import asking, remember


def render(source, **context):
    return Template("{% load ecomrec %}" + source).render(Context(context)).strip()


@pytest.fixture(autouse=True)
def _published(integer_key_shop):
    publish_offers({"bought_with": {"1": ["2", "3"]}})


def test_a_block_links_its_offers_in_order(http_request):
    html = render(
        "{% bought_with product title='With it' %}", product=IntegerProduct(pk=1, price=1), request=http_request
    )
    assert html.index("/product/2/") < html.index("/product/3/")
    assert "With it</h2>" in html


def test_titles_are_escaped(http_request):
    IntegerProduct.objects.filter(pk=2).update(title="<script>alert(1)</script>")
    html = render("{% bought_with '1' %}", request=http_request)
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_titles_from_variables_are_escaped(http_request):
    html = render("{% bought_with '1' title=title %}", title="<b>Best</b>", request=http_request)
    assert "&lt;b&gt;Best&lt;/b&gt;</h2>" in html
    assert "<em>Best</em></h2>" in render(
        "{% bought_with '1' title='<em>Best</em>' %}", request=RequestFactory().get("/")
    )


def test_prices_are_written_as_the_visitors_language_writes_them(http_request):
    IntegerProduct.objects.filter(pk=2).update(price="1234.50")
    with translation.override("de"):
        assert "1.234,50" in render("{% bought_with '1' limit=1 %}", request=http_request)
    with translation.override("en"):
        assert "1,234.50" in render("{% bought_with '1' limit=1 %}", request=RequestFactory().get("/"))


def test_a_shop_may_replace_the_templates_of_one_strategy_and_of_all(settings, tmp_path):
    (tmp_path / "ecomrec" / "bought_with").mkdir(parents=True)
    (tmp_path / "ecomrec" / "bought_with" / "offer.html").write_text("<i>{{ offer.title }}</i>")
    (tmp_path / "ecomrec" / "block.html").write_text(
        "{{ block.strategy }}:{% for offer in block.offers %}{% include offer_template %}{% endfor %}"
    )
    publish_offers({"bought_with": {"1": ["2", "3"]}, "upgrade_to": {"4": ["5"]}})
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    request = RequestFactory().get("/")
    assert render("{% bought_with '1' %}", request=request) == "bought_with:<i>Title 2</i><i>Title 3</i>"
    assert "<i>" not in render("{% upgrade_to '4' %}", request=request)
    assert "Title 5" in render("{% upgrade_to '4' %}", request=RequestFactory().get("/"))


def test_a_template_that_fails_leaves_the_page_whole(settings, tmp_path):
    (tmp_path / "ecomrec").mkdir()
    (tmp_path / "ecomrec" / "offer.html").write_text("{% include 'no such template' %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert render("before {% bought_with '1' %} after", request=RequestFactory().get("/")) == "before  after"
    assert failure_counts == {("bought_with", "TemplateDoesNotExist"): 1}


def test_upgrades_of_a_cart_cost_more_than_what_they_replace(http_request):
    publish_offers({"upgrade_to": {"4": ["5", "3"], "20": ["30"]}})
    http_request.cart_ids = ["4", "20"]
    html = render("{% upgrade_to cart %}", cart=object(), request=http_request)
    assert "/product/5/" in html
    assert "/product/30/" in html
    assert "/product/3/" not in html


def test_any_other_object_is_the_cart(http_request):
    http_request.cart_ids = ["1"]
    assert "/product/2/" in render("{% bought_with cart %}", cart=object(), request=http_request)


def test_several_ids_make_one_block(http_request):
    assert "/product/2/" in render("{% bought_with ids %}", ids=["1", "5"], request=http_request)


@pytest.mark.parametrize("source", ["{% bought_with '9' %}", "{% upgrade_to '1' %}", "{% bought_with nobody %}"])
def test_a_block_with_nothing_sound_renders_nothing(http_request, source):
    assert render(source, request=http_request) == ""


def test_without_a_request_nothing_is_rendered_and_a_warning_is_logged(caplog):
    assert render("{% bought_with '1' %}") == ""
    assert "context processor" in caplog.text


def test_a_block_carries_its_token_and_each_offer_its_place(http_request):
    html = render("{% bought_with '1' %}", request=http_request)
    token = re.search(r'<section [^>]*data-ecomrec-block="([^"]+)"', html)[1]
    assert open_block(token)[1:] == ("bought_with", Release.objects.get().pk, "", "1", ["2", "3"], "", "")
    places = re.findall(r'<li [^>]*data-ecomrec-offer="(\d)".*?/product/(\d)/', html, re.DOTALL)
    assert places == [("1", "2"), ("2", "3")]


def test_a_shop_with_its_own_offers_reports_them_all_the_same(settings, tmp_path):
    (tmp_path / "ecomrec").mkdir()
    (tmp_path / "ecomrec" / "offer.html").write_text("<b>{{ offer.title }}</b>")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    html = render("{% bought_with '1' %}", request=RequestFactory().get("/"))
    assert '<li class="ecomrec-offer" data-ecomrec-offer="2"><b>Title 3</b></li>' in html
    assert "data-ecomrec-block" in html


def test_the_block_beside_a_cart_names_no_anchor(http_request):
    http_request.cart_ids = ["1"]
    html = render("{% bought_with cart %}", cart=object(), request=http_request)
    assert open_block(re.search(r'data-ecomrec-block="([^"]+)"', html)[1]).anchor == ""


def test_the_script_is_deferred_and_knows_the_beacon_address():
    assert render("{% ecomrec_scripts %}") == (
        '<script src="/static/ecomrec/ecomrec.js" defer data-url="/ecomrec/beacon/"></script>'
    )


@pytest.mark.parametrize("product", ["7", 7, IntegerProduct(pk=7)], ids=["id", "number", "product"])
def test_tags_name_the_product_of_the_page(product):
    for source, attribute in (("{% ecomrec_scripts view=it %}", "view"), ("{% ecomrec_view it %}", "ecomrec-view")):
        html = render(source, it=product)
        assert open_item(re.search(rf'data-{attribute}="([^"]+)"', html)[1]) == "7"


@pytest.mark.parametrize("product", [None, "", "x" * 129], ids=["none", "missing", "too long"])
def test_only_products_are_named(product):
    assert "data-view" not in render("{% ecomrec_scripts view=it %}", it=product)
    assert render("{% ecomrec_view it %}", it=product) == ""


def test_without_the_urls_no_script_is_rendered(settings):
    settings.ROOT_URLCONF = "tests.admin.urls"
    assert render("before {% ecomrec_scripts %} after") == "before  after"
    assert failure_counts == {("scripts", "NoReverseMatch"): 1}


def test_the_script_is_small_and_uses_no_storage():
    script = Path(finders.find("ecomrec/ecomrec.js")).read_text()
    assert len(gzip.compress(script.encode())) < 2048
    for word in ("cookie", "localStorage", "sessionStorage", "indexedDB", "eval(", "innerHTML", "new Function"):
        assert word not in re.sub(r"//.*", "", script)


MILK = "Food > Dairy > Milk"
FOR_YOU = {"": ["2", "3", "4"], "Food > Dairy": ["5", "6"], MILK: ["5"], "Home": ["7"]}
PERSONAL_TABLES = ("ecomrec_visitor", "ecomrec_profile", "ecomrec_event")


def products(html):
    return re.findall(r"/product/(\d+)/", html)


class Node:
    """A category of a shop that keeps its tree in objects."""

    def __init__(self, name, parent=None):
        self.name, self.parent = name, parent


class TestForYou:
    @pytest.fixture(autouse=True)
    def _bestsellers(self, integer_key_shop):
        publish_offers({"for_you": FOR_YOU, "bought_with": {"1": ["8"]}})

    def page(self, source, request, **context):
        """The answer to ``request``, through the middleware, of a view that touches neither session nor account."""
        page = TrackingMiddleware(lambda request: HttpResponse(render(source, request=request, **context)))
        return page(request)

    def test_shows_the_bestsellers_to_somebody_of_whom_nothing_is_known(self, http_request):
        html = render("{% for_you %}", request=http_request)
        assert products(html) == ["2", "3", "4"]
        assert "For you</h2>" in html
        assert open_block(re.search(r'data-ecomrec-block="([^"]+)"', html)[1])[1:] == (
            "for_you", Release.objects.latest("pk").pk, "", "", ["2", "3", "4"], "", ""
        )  # fmt: skip

    @pytest.mark.parametrize(
        "category",
        [MILK, ("Food", "Dairy", "Milk"), Node("Milk", Node("Dairy", Node("Food")))],
        ids=["text", "names", "node"],
    )
    def test_of_a_need_shows_that_needs_alone(self, category, http_request):
        assert products(render("{% for_you category %}", category=category, request=http_request)) == ["5"]

    def test_of_an_aisle_shows_what_is_of_all_its_needs(self, http_request):
        assert products(render("{% for_you 'Food > Dairy' %}", request=http_request)) == ["5", "6"]

    @pytest.mark.parametrize("category", ["Food > Dairy > Cheese", "Milk", "food > dairy", "x" * 2000])
    def test_of_a_category_that_nothing_is_known_of_shows_nothing(self, category, http_request):
        assert render("{% for_you category %}", category=category, request=http_request) == ""
        assert not failure_counts

    @pytest.mark.parametrize("category", [None, "", ()])
    def test_of_no_category_is_of_the_whole_shop(self, category, http_request):
        assert products(render("{% for_you category %}", category=category, request=http_request)) == ["2", "3", "4"]

    def test_takes_a_title_and_a_limit(self, http_request):
        html = render("{% for_you limit=2 title='Picked for you' %}", request=http_request)
        assert "Picked for you</h2>" in html
        assert products(html) == ["2", "3"]

    def test_repeats_nothing_that_the_page_shows_or_the_cart_holds(self, http_request):
        http_request.cart_ids = ["3"]
        publish_offers({"for_you": FOR_YOU, "bought_with": {"1": ["2"]}})
        html = render("{% bought_with '1' %}|{% for_you %}", request=http_request)
        assert [products(part) for part in html.split("|")] == [["2"], ["4"]]

    @pytest.mark.parametrize("consent", ["no", ""])
    def test_without_consent_the_page_stays_cacheable(self, consent):
        remember("9")
        with CaptureQueriesContext(connection) as queries:
            answer = self.page("{% for_you %}{% for_you 'Home' %}", asking(consent=consent))
        assert products(answer.content.decode()) == ["2", "3", "4", "7"]
        # The lists and the products of either block.
        assert len(without_savepoints(queries)) == 4
        assert not [query for query in queries if any(table in query["sql"] for table in PERSONAL_TABLES)]
        assert not answer.has_header("Vary")
        assert not answer.has_header("Cache-Control")

    def test_with_consent_the_page_is_private(self, django_assert_num_queries):
        remember("9")
        with django_assert_num_queries(3):
            answer = self.page("{% for_you %}", asking())
        assert answer["Vary"] == "Cookie"
        assert "private" in answer["Cache-Control"]
        with override_ecomrec(CACHE_SECONDS=0), rules_known(), django_assert_num_queries(3 + 2):
            self.page("{% for_you %}{% for_you 'Home' %}", asking())
        # The lists are cached by now.
        with rules_known(), django_assert_num_queries(2):
            self.page("{% for_you %}", asking())

    def test_costs_two_queries_for_who_agreed_and_has_no_name_yet(self, django_assert_num_queries):
        with django_assert_num_queries(2):
            answer = self.page("{% for_you %}", asking(token=""))
        assert products(answer.content.decode()) == ["2", "3", "4"]
        # With the next page they may have one.
        assert answer["Vary"] == "Cookie"

    def test_stands_in_for_offers_beside_an_empty_cart_under_a_title_of_its_own(self, http_request):
        html = render("{% bought_with cart title='Goes with your cart' %}", cart=object(), request=http_request)
        assert products(html) == ["2", "3", "4"]
        assert "ecomrec-for_you" in html
        assert "For you</h2>" in html
        assert "Goes with your cart" not in html
