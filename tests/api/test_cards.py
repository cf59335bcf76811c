"""An offer's JSON holds all that a card shows, for two queries a block."""

import pytest
from django.urls import reverse

from ecomrec_django.testing import override_ecomrec, publish_offers
from example_shop.models import Category, Product
from example_shop.recommendations import ShopCatalog

pytestmark = pytest.mark.django_db
URL = reverse("ecomrec:bought-with")


class RelatedBrandCatalog(ShopCatalog):
    """The brand and the number of ratings are columns of another table."""

    brand = "category.slug"
    rating_count = "category.parent_id"
    category = None
    select_related = ()


class JoinedBrandCatalog(RelatedBrandCatalog):
    select_related = ("category",)


class SecretStockCatalog(ShopCatalog):
    def display_stock(self, product, request):
        return None


@pytest.fixture(autouse=True)
def release():
    for number in range(6):
        food = Category.objects.create(name=f"Maker {number}", slug=f"maker-{number}")
        leaf = Category.objects.create(name="Leaf", slug=f"leaf-{number}", parent=food)
        Product.objects.create(
            sku=f"p{number}",
            title=f"Product {number}",
            category=leaf,
            brand="Acme",
            price=f"{1200 + number}.50",
            stock=number,
            rating=4.5 if number > 1 else None,
            sold=17,
            image="products/p.png" if number > 1 else "",
        )
    return publish_offers({"bought_with": {"p3": ["p1", "p2", "p4", "p5"]}})


def cards(client, **query):
    response = client.get(URL, {"item": "p3", "limit": "4", **query})
    assert response.status_code == 200
    return {offer["item"]: offer for offer in response.json()["offers"]}


def test_a_card_can_be_drawn_from_an_offer(client):
    assert cards(client)["p2"] == {
        "item": "p2",
        "title": "Product 2",
        "url": "/product/p2/",
        "image": "http://testserver/media/products/p.png",
        "price": "1202.50",
        "currency": "USD",
        "price_text": "$1,202.50",
        "price_difference": "-1.00",
        "price_difference_text": "−$1.00",
        "brand": "Acme",
        "rating": 4.5,
        "rating_count": None,
        "stock": 2,
        "reason": "Often bought together",
    }


def test_missing_values_are_empty_or_null(client):
    Product.objects.filter(sku="p1").update(brand="")
    card = cards(client)["p1"]
    assert (card["image"], card["brand"], card["rating"]) == ("", "", None)


def test_a_block_names_its_heading_and_the_total_of_its_bundle(client):
    answer = client.get(URL, {"item": "p3", "limit": "2"}).json()
    assert answer["title"] == "Bought together"
    assert answer["bundle"] == {"items": ["p3", "p1", "p2"], "total": "3607.50", "total_text": "$3,607.50"}
    nothing = client.get(URL, {"item": "no such"}).json()
    assert (nothing["title"], nothing["bundle"]) == ("", None)


def test_a_price_is_text_whatever_the_project_makes_of_decimals(client, settings):
    settings.REST_FRAMEWORK = {"COERCE_DECIMAL_TO_STRING": False}
    assert cards(client)["p2"]["price"] == "1202.50"


@pytest.mark.parametrize("catalog", ["ShopCatalog", "RelatedBrandCatalog", "JoinedBrandCatalog"])
def test_a_block_costs_two_queries_however_many_cards_it_has(client, catalog, django_assert_num_queries):
    with override_ecomrec(CATALOG=f"{__name__}.{catalog}", CACHE_SECONDS=0):
        # The rules are read once a process.
        cards(client)
        with django_assert_num_queries(2):
            assert len(cards(client)) == 4
        with django_assert_num_queries(2):
            assert len(cards(client, limit="1")) == 1


@pytest.mark.parametrize(("catalog", "brand"), [("RelatedBrandCatalog", ""), ("JoinedBrandCatalog", "leaf-2")])
def test_related_rows_are_shown_if_they_are_prefetched(client, catalog, brand):
    with override_ecomrec(CATALOG=f"{__name__}.{catalog}"):
        card = cards(client)["p2"]
    assert card["brand"] == brand
    assert (card["rating_count"] is not None) is bool(brand)


def test_a_shop_may_keep_its_stock_to_itself(client):
    with override_ecomrec(CATALOG=f"{__name__}.SecretStockCatalog"):
        assert cards(client)["p2"]["stock"] is None
