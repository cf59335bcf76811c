import pytest
from django.core.cache import cache
from django.test import RequestFactory

from ecomrec_django.serving.offers import failures
from tests.hosts.models import IntegerProduct


@pytest.fixture
def host(settings, db):
    """A shop of ten products, 1 to 10, each costing its number."""
    settings.ECOMREC = {
        "CATALOG": "tests.serving.catalogs.CartCatalog",
        "STRATEGIES": {
            "bought_with": "tests.serving.catalogs.Any",
            "upgrade_to": "tests.serving.catalogs.AtMostDouble",
        },
    }
    cache.clear()
    failures.clear()
    IntegerProduct.objects.bulk_create(IntegerProduct(pk=n, title=f"Title {n}", price=n) for n in range(1, 11))
    return settings


@pytest.fixture
def request_():
    return RequestFactory().get("/")
