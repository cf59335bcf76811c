from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from example_shop.cart import Cart
from example_shop.models import Order, Product
from example_shop.orders import CannotOrderError, cancel_order, place_order
from example_shop.recommendations import ShopCatalog

pytestmark = pytest.mark.django_db
ADDRESS = {"name": "Ada Hall", "email": "ada@example.org", "address": "1 Hill Road"}


@pytest.fixture
def cart(rf):
    request = rf.get("/")
    request.session = {}
    return Cart(request)


def test_the_skus_in_the_cart_cost_no_query(rf, milk, django_assert_num_queries):
    request = rf.get("/")
    request.session = {}
    Cart(request).add(milk.sku, 2)
    with django_assert_num_queries(0):
        assert list(ShopCatalog().cart(request)) == ["milk/1"]


def test_a_quantity_adds_up_and_nought_removes(cart, milk):
    cart.add(milk.sku, 1)
    cart.add(milk.sku, 2)
    assert (cart.pieces, cart.total) == (3, Decimal("7.50"))
    cart.set(milk.sku, 0)
    assert len(cart) == 0


def test_adding_returns_to_our_own_pages_only(client, milk):
    own = client.post(reverse("cart-add"), {"sku": milk.sku, "next": milk.get_absolute_url()})
    foreign = client.post(reverse("cart-add"), {"sku": milk.sku, "next": "https://example.org/"})
    assert (own.url, foreign.url) == (milk.get_absolute_url(), reverse("cart"))


@pytest.mark.parametrize("name", ["cart-add", "cart-add-all", "cart-take", "cart-swap"])
def test_a_sku_that_cannot_be_one_adds_nothing(client, name):
    assert client.post(reverse(name), {"sku": "\0", "for": "\0"}).status_code == 302
    assert client.get(reverse("cart-shared"), {"sku": "\0"}).status_code == 200


def test_a_deleted_product_leaves_the_cart_page_whole(client, milk, bread):
    client.post(reverse("cart-add"), {"sku": milk.sku})
    milk.delete()
    assert client.get(reverse("cart")).status_code == 200


def test_a_guest_orders_and_sees_the_order_which_others_do_not(client, milk):
    client.post(reverse("cart-add"), {"sku": milk.sku, "quantity": 2})
    answer = client.post(reverse("checkout"), {**ADDRESS, "total": "5.00"}, follow=True)
    order = Order.objects.get()
    assert order.number in answer.content.decode()
    assert [(line.sku, line.quantity, str(line.unit_price)) for line in order.lines.all()] == [("milk/1", 2, "2.50")]
    milk.refresh_from_db()
    assert (milk.stock, milk.sold) == (1, 2)
    assert not client.session["cart"]
    client.session.flush()
    client.cookies.clear()
    assert client.get(reverse("order", args=[order.number])).status_code == 404


def test_more_than_the_stock_is_refused_and_nothing_is_written(cart, milk, bread):
    cart.add(bread.sku, 1)
    cart.add(milk.sku, 3)
    assert cart.total
    Product.objects.filter(pk=milk.pk).update(stock=2)
    with pytest.raises(CannotOrderError, match="Only 2 of “Whole milk” left"):
        place_order(cart, user=None, total=cart.total, **ADDRESS)
    bread.refresh_from_db()
    assert (bread.stock, Order.objects.count()) == (10, 0)


def test_a_price_that_rose_meanwhile_is_not_charged(cart, milk):
    cart.add(milk.sku, 1)
    assert cart.total
    Product.objects.filter(pk=milk.pk).update(price="3.00")
    with pytest.raises(CannotOrderError, match="price of “Whole milk” has changed"):
        place_order(cart, user=None, total=cart.total, **ADDRESS)


def test_an_order_with_a_changed_total_is_rejected(client, milk):
    client.post(reverse("cart-add"), {"sku": milk.sku})
    page = client.post(reverse("checkout"), {**ADDRESS, "total": "0.01"}, follow=True).content.decode()
    assert "Prices have changed" in page
    assert not Order.objects.exists()


def test_cancelling_puts_the_pieces_back_once(client, milk):
    user = User.objects.create_user("ada")
    client.force_login(user)
    client.post(reverse("cart-add"), {"sku": milk.sku, "quantity": 3})
    client.post(reverse("checkout"), {**ADDRESS, "total": "7.50"})
    order = Order.objects.get(user=user)
    client.post(reverse("order-cancel", args=[order.number]))
    assert cancel_order(order) is False
    milk.refresh_from_db()
    assert (milk.stock, milk.sold) == (3, 0)
    [line] = ShopCatalog().purchases(None)
    assert (line.quantity, line.refunded, line.user) == (3, 3, str(user.pk))


def test_a_customer_cannot_cancel_the_order_of_another(client, milk):
    order = Order.objects.create(number="1", user=User.objects.create_user("bob"))
    client.force_login(User.objects.create_user("ada"))
    assert client.post(reverse("order-cancel", args=[order.number])).status_code == 404


def test_a_changed_order_comes_again_in_the_purchases_since(milk):
    order = Order.objects.create(number="1")
    order.lines.create(product=milk, sku=milk.sku, title="Whole milk", unit_price=1)
    moment = Order.objects.get().updated
    assert len(list(ShopCatalog().purchases(moment))) == 1
    cancel_order(order)
    assert [line.refunded for line in ShopCatalog().purchases(moment)] == [1]
