"""A query that fails inside a block leaves the page's transaction usable: PostgreSQL refuses every query after an error
until a savepoint is restored."""

import pytest
from django.db import connection
from django.template import Context, Template

from ecomrec_django.failures import failure_counts
from ecomrec_django.serving import page as page_module
from ecomrec_django.serving.offers import offers
from ecomrec_django.serving.slots import slot_offers
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.hosts.models import IntegerProduct
from tests.support.catalogs import CartCatalog
from tests.support.shoppers import asking

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("integer_key_shop")]


def query_a_missing_table(*arguments, **options):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM no_such_table")


class BrokenCatalog(CartCatalog):
    in_bulk = query_a_missing_table


class BrokenProduct:
    name = property(query_a_missing_table)


@pytest.fixture(autouse=True)
def published():
    publish_offers({"bought_with": {"1": ["2", "3"]}, "for_you": {"": ["2", "3"]}})


@pytest.mark.parametrize(
    "show",
    [
        lambda request: offers(request, "bought_with", ["1"]),
        lambda request: slot_offers(request, "product", ["1"]),
        lambda request: Template("{% load ecomrec %}{% bought_with '1' %}").render(Context({"request": request})),
    ],
    ids=["offers", "slot", "tag"],
)
def test_the_page_goes_on_after_a_block_whose_products_cannot_be_read(http_request, show):
    with override_ecomrec(CATALOG=f"{__name__}.BrokenCatalog"):
        assert not show(http_request)
    assert failure_counts
    assert IntegerProduct.objects.count() == 40


def test_a_block_is_shown_to_a_shopper_who_cannot_be_looked_up(monkeypatch):
    monkeypatch.setattr(page_module, "shopper_context_by_key", query_a_missing_table)
    assert [offer.item for offer in offers(asking(), "for_you").offers] == ["2", "3"]
    assert [place for place, _ in failure_counts] == ["customer"]


def test_the_page_goes_on_after_a_template_whose_query_fails(http_request, settings, tmp_path):
    (tmp_path / "ecomrec").mkdir()
    (tmp_path / "ecomrec" / "block.html").write_text("{{ broken.name }}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    settings.TEMPLATES[0]["OPTIONS"] = {"context_processors": [f"{__name__}.broken_product"]}
    text = Template("{% load ecomrec %}{% bought_with '1' %}").render(Context({"request": http_request}))
    assert not text
    assert failure_counts
    assert IntegerProduct.objects.count() == 40


def broken_product(request):
    return {"broken": BrokenProduct()}
