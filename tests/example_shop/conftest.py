import pytest

from example_shop.models import Category, Product


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def milk(db):
    grocery = Category.objects.create(name="Grocery", slug="grocery")
    dairy = Category.objects.create(name="Dairy", slug="dairy", parent=grocery)
    return Product.objects.create(sku="milk/1", title="Whole milk", category=dairy, brand="Hill", price="2.50", stock=3)


@pytest.fixture
def bread(db):
    return Product.objects.create(sku="bread", title="Rye bread", price="4.00", stock=10)
