import pytest

from ecomrec_django.catalog.adapter import Catalog
from ecomrec_django.catalog.paths import is_loaded
from example_shop.models import Category, Product

pytestmark = pytest.mark.django_db


class NodeBrands(Catalog):
    """A shop whose brands are rows of their own."""

    model = "shop.Product"
    brand = "category.name"


@pytest.fixture
def product():
    category = Category.objects.create(name="Alpina", slug="alpina")
    return Product.objects.create(sku="A", title="Tent", category=category)


def test_a_related_brand_is_shown_if_it_was_prefetched(product, django_assert_num_queries):
    read = Product.objects.select_related("category").get()
    with django_assert_num_queries(0):
        assert NodeBrands().display_brand(read) == "Alpina"


def test_a_brand_that_would_cost_a_query_is_left_out(product, django_assert_num_queries):
    read = Product.objects.get()
    with django_assert_num_queries(0):
        assert NodeBrands().display_brand(read) == ""


def test_loaded_values_are_distinguished_from_deferred_ones(product):
    read = Product.objects.get()
    assert is_loaded(read, "title")
    assert is_loaded(read, "category_id")
    assert is_loaded(read, "buyable")
    assert not is_loaded(read, "category")
    assert not is_loaded(read, "order_lines")
    assert not is_loaded(Product.objects.only("sku").get(), "title")
    Product.objects.update(category=None)
    assert is_loaded(Product.objects.get(), "category.name")
