"""The example shop's own pages, with lists that were learned, published and cached."""

import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ecomrec_django.catalog.sync import sync
from ecomrec_django.failures import failure_counts
from example_shop.models import Category, Product
from tests.support.queries import without_savepoints

pytestmark = pytest.mark.usefixtures("trained_shop")


def block(client, address, strategy):
    """The skus in one block of a page, in order."""
    html = client.get(address).content.decode()
    found = re.search(rf'<section class="ecomrec-block ecomrec-{strategy}".*?</section>', html, re.DOTALL)
    return re.findall(r'href="/product/([^"]+)/"', found[0]) if found else []


def bought_with(client, sku="tent"):
    return block(client, f"/product/{sku}/", "bought_with")


def upgrade_to(client, sku="tent"):
    return block(client, f"/product/{sku}/", "upgrade_to")


def test_a_page_shows_trained_lists_and_caches_them(client):
    assert bought_with(client)[:2] == ["pegs", "lamp"]
    assert set(upgrade_to(client)) == {"tent-light", "tent-storm"}
    with CaptureQueriesContext(connection) as queries:
        assert bought_with(client)[:2] == ["pegs", "lamp"]
    assert not [query for query in queries if "ecomrec_offerlist" in query["sql"]]
    assert not failure_counts


@pytest.mark.parametrize("change", [{"stock": 0}, {"price": None}])
def test_unavailable_offers_disappear_and_return(client, change):
    before = bought_with(client)
    assert "pegs" in before
    Product.objects.filter(sku="pegs").update(**change)
    assert bought_with(client) == [sku for sku in before if sku != "pegs"]
    Product.objects.filter(sku="pegs").update(stock=5, price="9.00")
    assert bought_with(client) == before


@pytest.mark.parametrize("price", ["181.00", "100.00", "104.00"])
def test_an_upgrade_outside_its_price_band_disappears(client, price):
    assert "tent-light" in upgrade_to(client)
    Product.objects.filter(sku="tent-light").update(price=price)
    assert upgrade_to(client) == ["tent-storm"]


def test_a_price_of_the_product_itself_changes_its_upgrades_at_once(client):
    assert upgrade_to(client)
    Product.objects.filter(sku="tent").update(price="140.00")
    assert upgrade_to(client) == ["tent-storm"]


def test_products_in_the_cart_are_not_offered(client):
    assert "pegs" in bought_with(client)
    assert "tent-light" in upgrade_to(client)
    for sku in ("pegs", "tent-light"):
        client.post(reverse("cart-add"), {"sku": sku})
    assert "pegs" not in bought_with(client)
    assert upgrade_to(client) == ["tent-storm"]
    assert not {"pegs", "tent-light"} & set(block(client, reverse("cart"), "bought_with"))


def test_the_cart_page_shows_what_goes_with_the_cart(client):
    client.post(reverse("cart-add"), {"sku": "tent"})
    assert block(client, reverse("cart"), "bought_with")[:2] == ["pegs", "lamp"]


def test_a_deleted_product_is_gone_from_the_very_next_page(client):
    assert "pegs" in bought_with(client)
    Product.objects.filter(sku="pegs").delete()
    assert "pegs" not in bought_with(client)


def test_a_new_product_has_the_offers_of_its_need(client):
    Product.objects.create(
        sku="tent-new", title="New tent", category=Category.objects.get(name="Tents"), price="110.00"
    )
    sync()
    assert "pegs" in bought_with(client, "tent-new")
    assert set(upgrade_to(client, "tent-new")) == {"tent-light", "tent-storm"}


def test_a_failing_query_breaks_neither_page_nor_transaction(client, transactional_page):
    assert transactional_page.status_code == 200
    assert "Trail tent" in transactional_page.content.decode()
    assert "ecomrec-block" not in transactional_page.content.decode()
    assert {where for where, _ in failure_counts} == {"slot product", "slot upgrade"}
    assert Product.objects.filter(sku="written-before").exists()


@pytest.fixture
def transactional_page(client):
    """A page asked for inside of a transaction, while our tables are not there."""
    from django.db import transaction

    def without_tables(execute, sql, params, many, context):
        return execute(sql.replace("ecomrec_offerlist", "ecomrec_not_migrated"), params, many, context)

    with transaction.atomic():
        Product.objects.create(sku="written-before", title="t")
        with connection.execute_wrapper(without_tables):
            return client.get("/product/tent/")


def for_you(client, address="/"):
    return block(client, address, "for_you")


def test_the_home_page_and_an_account_without_orders_show_what_sells(client):
    assert for_you(client)[:3] == ["tent", "pegs", "lamp"]
    client.force_login(User.objects.create_user("newcomer"))
    assert for_you(client, reverse("orders"))[:3] == ["tent", "pegs", "lamp"]
    assert not failure_counts


def test_an_empty_cart_shows_bestsellers(client):
    assert for_you(client, reverse("cart"))[:3] == ["tent", "pegs", "lamp"]
    client.post(reverse("cart-add"), {"sku": "tent"})
    assert for_you(client, reverse("cart")) == []
    assert block(client, reverse("cart"), "bought_with")[:2] == ["pegs", "lamp"]


def test_the_first_page_of_a_long_shelf_shows_the_best_of_it_alone(client, monkeypatch):
    address = reverse("category", args=["tents"])
    assert for_you(client, address) == []
    monkeypatch.setattr("example_shop.views.catalog.PAGE_SIZE", 2)
    found = for_you(client, address)
    assert found[0] == "tent"
    assert set(found) == {"tent", "tent-light", "tent-storm"}
    assert for_you(client, f"{address}?page=2") == []


def test_a_category_block_costs_two_queries_then_one(client, monkeypatch):
    monkeypatch.setattr("example_shop.views.catalog.PAGE_SIZE", 2)
    counts = []
    for address in ("/category/tents/", "/category/tents/", "/category/tents/?page=2"):
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        counts.append(len(without_savepoints(queries)))
    assert [count - counts[-1] for count in counts] == [2, 1, 0]
