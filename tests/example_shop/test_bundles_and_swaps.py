"""A bundle goes into the cart at one press of a button; an upgrade takes the place of a line of the cart."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ecomrec_django.models import Event
from ecomrec_django.strategies.base import Offer, Reason
from ecomrec_django.testing import publish_offers
from example_shop.cart import MOST_LINES, MOST_PIECES, SESSION_KEY
from example_shop.models import Product

pytestmark = pytest.mark.django_db
BROWSER = "Mozilla/5.0 Firefox/140.0"


@pytest.fixture(autouse=True)
def _products():
    Product.objects.bulk_create(
        Product(sku=sku, title=f"Product {sku}", price=price) for sku, price in (("A", 2), ("B", 3), ("C", 5), ("D", 3))
    )
    Product.objects.filter(sku="C").update(stock=0)
    publish_offers(
        {
            "bought_with": {"A": ["B", "D"]},
            "upgrade_to": {
                "A": [Offer(item="B", score=1.0, reason=Reason.UPGRADE, aisle=0, evidence=(1.5, 1.05, 1.8, 0.9, 3))]
            },
        }
    )


def cart(client):
    return client.session.get(SESSION_KEY) or {}


def put(client, **quantities):
    for sku, quantity in quantities.items():
        client.post(reverse("cart-add"), {"sku": sku, "quantity": quantity})


def test_a_product_page_offers_all_together_with_their_price(client):
    page = client.get(reverse("product", args=["A"])).content.decode()
    # The upgrade took B, which no second block repeats.
    assert "These 2 together: <strong>$5.00</strong>" in page
    assert "Add all 2 to cart" in page
    assert page.count('type="hidden" name="sku" value="D"') == 2


def test_a_bundle_is_added_to_the_cart_and_recorded(client):
    client.cookies["ecomrec_consent"] = "yes"
    put(client, B=2)
    answer = client.post(
        reverse("cart-add-all"),
        {"sku": ["A", "B", "A"]},
        follow=True,
        headers={"User-Agent": BROWSER},
    )
    assert cart(client) == {"B": 3, "A": 1}
    assert "2 products added to your cart." in answer.content.decode()
    added = Event.objects.filter(kind="add_to_cart").values_list("item__external_id", flat=True)
    assert {"A", "B"} <= set(added)


def test_unavailable_products_of_a_bundle_are_named(client):
    answer = client.post(reverse("cart-add-all"), {"sku": ["C", "A", "unheard of"]}, follow=True).content.decode()
    assert cart(client) == {"A": 1}
    assert "“Product C” cannot be ordered" in answer
    assert "1 product added to your cart." in answer
    answer = client.post(reverse("cart-add-all"), {"sku": ["unheard of"]}, follow=True).content.decode()
    assert "could not be added to your cart" in answer
    assert client.get(reverse("cart-add-all")).status_code == 405


def test_a_line_offers_its_upgrade_with_the_price_that_it_costs_more(client):
    put(client, A=3)
    page = client.get(reverse("cart")).content.decode()
    assert "Swap for Product B (+$1.00)" in page
    put(client, B=1)
    assert "Swap for Product B" not in client.get(reverse("cart")).content.decode()


def test_a_swap_keeps_the_quantity_and_the_place(client):
    put(client, D=1, A=3, C=1)
    client.post(reverse("cart-add"), {"sku": "A", "quantity": 1})
    answer = client.post(reverse("cart-swap"), {"sku": "A", "for": "B"}, follow=True).content.decode()
    assert list(cart(client).items()) == [("D", 1), ("B", 4)]
    assert "“Product B” is in your cart instead." in answer


def test_a_swap_joins_what_is_there_already(client):
    put(client, A=3, B=2)
    client.post(reverse("cart-swap"), {"sku": "A", "for": "B"})
    assert cart(client) == {"B": 5}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"sku": "D", "for": "B"}, "could not be swapped"),
        ({"sku": "A", "for": "nothing"}, "could not be swapped"),
        ({}, "could not be swapped"),
        ({"sku": "A", "for": "C"}, "cannot be ordered"),
    ],
)
def test_a_swap_that_cannot_be_is_refused_in_words(client, asked, said):
    put(client, A=3)
    assert said in client.post(reverse("cart-swap"), asked, follow=True).content.decode()
    assert cart(client) == {"A": 3}
    assert client.get(reverse("cart-swap")).status_code == 405


def test_a_swap_with_itself_changes_and_records_nothing(client):
    client.cookies["ecomrec_consent"] = "yes"
    client.defaults["HTTP_USER_AGENT"] = BROWSER
    put(client, A=3)
    answer = client.post(reverse("cart-swap"), {"sku": "A", "for": "A"}, follow=True).content.decode()
    assert "could not be swapped" in answer
    assert cart(client) == {"A": 3}
    assert not Event.objects.filter(kind="remove_from_cart").exists()


def test_a_swap_is_recorded_as_a_removal_and_an_addition(client):
    client.cookies["ecomrec_consent"] = "yes"
    client.defaults["HTTP_USER_AGENT"] = BROWSER
    put(client, A=3)
    client.post(reverse("cart-swap"), {"sku": "A", "for": "B"})
    recorded = list(Event.objects.order_by("pk").values_list("kind", "item__external_id", "quantity"))
    assert recorded == [("add_to_cart", "A", 3), ("remove_from_cart", "A", 3), ("add_to_cart", "B", 3)]


def test_a_full_cart_reports_what_it_did_not_accept(client):
    session = client.session
    session[SESSION_KEY] = {"A": MOST_PIECES, **{f"other {number}": 1 for number in range(MOST_LINES - 1)}}
    session.save()
    answer = client.post(reverse("cart-add-all"), {"sku": ["A", "B"]}, follow=True).content.decode()
    assert "B" not in cart(client)
    assert "went into your cart" not in answer
    assert "Your cart has no room for “Product B”." in answer
    assert "Your cart has no room for “Product A”." in answer


@pytest.mark.parametrize("name", ["cart-add-all", "cart-swap"])
def test_forms_of_other_sites_are_refused(name):
    assert Client(enforce_csrf_checks=True).post(reverse(name), {"sku": "A", "for": "B"}).status_code == 403


def test_only_the_first_five_lines_show_upgrades(client):
    Product.objects.bulk_create(Product(sku=f"L{n}", title=f"Line {n}", price=2) for n in range(8))
    Product.objects.bulk_create(Product(sku=f"U{n}", title=f"Better {n}", price=3) for n in range(8))
    upgrade = (1.5, 1.05, 1.8, 0.9, 3)
    publish_offers(
        {
            "upgrade_to": {
                f"L{n}": [Offer(item=f"U{n}", score=1.0, reason=Reason.UPGRADE, aisle=0, evidence=upgrade)]
                for n in range(8)
            }
        }
    )
    counts = []
    for lines in (range(5), range(5, 8)):
        put(client, **{f"L{n}": 1 for n in lines})
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            page = client.get(reverse("cart")).content.decode()
        counts.append(len(queries))
        assert [n for n in range(8) if f"Swap for Better {n} " in page] == [0, 1, 2, 3, 4]
    assert counts[0] == counts[1]
