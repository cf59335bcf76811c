import pytest

from example_shop.models import Product

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def products():
    return [
        Product.objects.create(sku=sku, title=f"Product {sku}", price=1, stock=stock)
        for sku, stock in [("A", 5), ("B", 0)]
    ]


def test_a_shared_cart_does_not_change_the_visitors_cart(client):
    page = client.get("/cart/shared/", {"sku": ["A", "B", "gone"]}).content.decode()
    assert "Product A" in page
    assert "Product B" in page
    assert client.session.get("cart") is None


def test_taking_a_shared_cart_puts_in_what_can_be_bought(client):
    client.post("/cart/take/", {"sku": ["A", "B", "gone"]})
    assert client.session["cart"] == {"A": 1}


def test_a_shared_cart_of_nothing_says_so(client):
    assert "None of the products in this cart" in client.get("/cart/shared/").content.decode()
