"""A page whose adapter fails: the rest of the block is shown, and the log says where."""

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.urls import NoReverseMatch, reverse

from ecomrec_django.failures import failure_counts, reset_failures
from ecomrec_django.serving.offers import offers
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.hosts.models import IntegerProduct
from tests.support.catalogs import CartCatalog

pytestmark = pytest.mark.usefixtures("integer_key_shop")


@pytest.fixture(autouse=True)
def _published(integer_key_shop):
    reset_failures()
    publish_offers({"bought_with": {"1": ["2", "3", "4"]}})


def block(catalog, request=None):
    """The offers beside product 1 in a shop with this adapter."""
    with override_ecomrec(CATALOG=catalog):
        return offers(request or RequestFactory().get("/"), "bought_with", ["1"]).offers


def items(catalog):
    return [offer.item for offer in block(catalog)]


class PicturelessCatalog(CartCatalog):
    def image_url(self, product):
        if product.pk == 2:
            raise ValueError("The 'image' attribute has no file associated with it.")
        return f"/media/{product.pk}.jpg"


def test_a_picture_that_fails_leaves_its_offer_without_one():
    assert [(offer.item, offer.image) for offer in block(PicturelessCatalog)] == [
        ("2", ""),
        ("3", "/media/3.jpg"),
        ("4", "/media/4.jpg"),
    ]
    assert failure_counts == {("image_url", "ValueError"): 1}


class TitlelessCatalog(CartCatalog):
    def display_title(self, product):
        return str(product.names.first()) if product.pk == 3 else super().display_title(product)


def test_a_title_that_fails_leaves_its_offer_out():
    assert items(TitlelessCatalog) == ["2", "4"]
    assert failure_counts == {("bought_with", "AttributeError"): 1}


class AddresslessCatalog(CartCatalog):
    def url(self, product):
        return reverse("nowhere") if product.pk == 3 else f"/product/{product.pk}/"


def test_an_address_that_fails_leaves_its_offer_out(caplog):
    assert items(AddresslessCatalog) == ["2", "4"]
    assert failure_counts == {("bought_with", NoReverseMatch.__name__): 1}
    assert "An offer is omitted" in caplog.text
    assert f"{__file__}:" in caplog.text


class OddSignatureCatalog(CartCatalog):
    def format_price(self, price):
        return f"{price} €"


def test_a_method_with_another_signature_is_named_under_debug(settings, caplog):
    settings.DEBUG = True
    assert items(OddSignatureCatalog) == []
    assert "OddSignatureCatalog.format_price() takes 2 positional arguments but 3 were given" in caplog.text


def catalog_with_price(price):
    class OddPriceCatalog(CartCatalog):
        def price(self, product, request):
            return price if product.pk == 3 else super().price(product, request)

    return OddPriceCatalog


@pytest.mark.parametrize("price", [3.5, "3.50", 3])
def test_a_price_that_is_a_number_or_text_counts_as_that_amount(price):
    shown = {offer.item: offer for offer in block(catalog_with_price(price))}
    assert shown["3"].price_text == ("3.00" if price == 3 else "3.50")
    assert not failure_counts


@pytest.mark.parametrize("price", ["cheap", -1, float("nan"), True, object(), []])
def test_a_price_that_is_none_leaves_its_offer_out(price, caplog):
    assert items(catalog_with_price(price)) == ["2", "4"]
    assert failure_counts == {("price", "DataError"): 1}
    assert "cheap" not in caplog.text


class ProductCartCatalog(CartCatalog):
    def cart(self, request):
        return IntegerProduct.objects.filter(pk=2)


class LineCartCatalog(CartCatalog):
    def cart(self, request):
        from example_shop.models import OrderLine

        return [OrderLine(pk=2)]


class NoCartCatalog(CartCatalog):
    def cart(self, request):
        pass


def test_a_cart_of_products_counts_as_their_ids():
    assert items(ProductCartCatalog) == ["3", "4"]


@pytest.mark.parametrize(
    ("catalog", "message"),
    [
        (LineCartCatalog, "LineCartCatalog.cart returned a shop.OrderLine: return the external ids of the products."),
        (NoCartCatalog, "NoCartCatalog.cart returned None: return the external ids of the products, ()"),
    ],
)
def test_a_cart_of_anything_else_is_named_under_debug(settings, caplog, catalog, message):
    settings.DEBUG = True
    assert items(catalog) == []
    assert message in caplog.text


class ModellessCatalog(CartCatalog):
    model = None


@pytest.mark.parametrize("tag", ["{% slot 'product' product %}", "{% bought_with product %}"])
def test_an_adapter_without_a_model_leaves_the_page_whole(tag, http_request):
    context = Context({"product": IntegerProduct(pk=1), "request": http_request})
    with override_ecomrec(CATALOG=ModellessCatalog):
        assert Template("{% load ecomrec %}before " + tag + " after").render(context) == "before  after"
    assert [name for _, name in failure_counts] == ["ConfigurationError"]
