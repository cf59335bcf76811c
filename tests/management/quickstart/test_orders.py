"""Where a shop keeps what it has sold is told from its foreign keys, and from the names and types of its columns."""

import pytest
from django.contrib.auth.models import User
from django.db import models
from django.test.utils import isolate_apps

from ecomrec_django.management.quickstart.carts import guess_cart
from ecomrec_django.management.quickstart.fields import Guess
from ecomrec_django.management.quickstart.orders import guess_orders
from ecomrec_django.management.quickstart.text import adapter_text
from tests.management.quickstart.test_product import model, money, text

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore::RuntimeWarning")]


@pytest.fixture(autouse=True)
def _isolated():
    with isolate_apps("tests"):
        yield


def key(to, **options):
    return models.ForeignKey(to, models.CASCADE, related_name="+", **options)


@pytest.fixture
def product():
    return model(title=text(), price=money())


def order_model(class_name="Order", /, **fields):
    return model(class_name, user=key(User, null=True), created=models.DateTimeField(auto_now_add=True), **fields)


def line_model(product, order, name="OrderItem", **fields):
    return model(name, order=key(order), product=key(product), quantity=models.IntegerField(), price=money(), **fields)


def written(product, orders):
    """The methods that import orders, as text."""
    from ecomrec_django.management.quickstart.product import guess_product

    return adapter_text("tests", guess_product(product), orders)


def test_lines_and_their_order_are_found_among_other_models(product):
    order = order_model()
    line = line_model(product, order)
    review = model("Review", product=key(product), user=key(User), created=models.DateTimeField())
    cart = model("CartItem", product=key(product), cart=key(order_model("Cart")), quantity=models.IntegerField())
    guess = guess_orders(product, [review, cart, line, order])
    assert (guess.line_model, guess.order_model, guess.order) == (line, order, ("order",))
    assert (guess.product, guess.user, guess.time) == (("product",), ("order", "user"), Guess("created"))
    assert (guess.quantity, guess.price) == (Guess("quantity"), Guess("price"))


@pytest.mark.parametrize(
    "fields", [{}, {"updated": models.DateTimeField(auto_now=True)}, {"status": text(choices=[("paid", "Paid")])}]
)
def test_orders_come_with_all_of_their_lines_unless_these_may_be_of_another_model(product, fields):
    order = order_model(**fields)
    line = line_model(product, order)
    assert "\n    whole_orders = True\n" in written(product, guess_orders(product, [line]))
    other = line_model(product, order, "OrderLine")
    assert "whole_orders" not in written(product, guess_orders(product, [line, other]))


def test_the_given_models_are_taken(product):
    order, other = order_model("Receipt"), order_model()
    line = line_model(product, order, "ReceiptEntry")
    candidates = [line_model(product, other), line]
    assert guess_orders(product, candidates, order, line).line_model is line
    assert guess_orders(product, candidates, other, line) is None


def test_two_equally_likely_models_leave_a_doubt(product):
    lines = [line_model(product, order_model(), name) for name in ("OrderItem", "OrderLine")]
    guess = guess_orders(product, lines)
    assert guess.doubt == "it may be OrderLine instead"
    assert "TODO: orders are read from OrderItem; it may be OrderLine instead" in written(product, guess)


def test_a_line_may_lead_to_the_order_by_way_of_a_part_of_it(product):
    order = order_model()
    part = model("Shipment", order=key(order), status=text(choices=[("sent", "Sent"), ("back", "Returned")]))
    line = model("OrderItem", shipment=key(part), product=key(product), quantity=models.IntegerField())
    guess = guess_orders(product, [line, part, order])
    assert guess.order == ("shipment", "order")
    assert guess.state.path == ("shipment", "status")
    assert guess.state.cancelled == ("back",)
    assert 'refunded=line.quantity if line.shipment.status == "back" else 0,' in written(product, guess)


def test_a_line_may_lead_to_the_product_by_way_of_a_variant(product):
    variant = model("Variant", product=key(product), colour=text())
    order = order_model()
    line = model("OrderItem", order=key(order), variant=key(variant), quantity=models.IntegerField())
    guess = guess_orders(product, [line, variant, order])
    assert guess.product == ("variant", "product")
    source = written(product, guess)
    assert "item=str(line.variant.product_id)," in source
    assert '.select_related("order", "variant")' in source


def test_orders_of_one_product_are_their_own_lines(product):
    order = order_model(product=key(product), quantity=models.IntegerField(), total=money())
    guess = guess_orders(product, [order])
    assert guess.order == ()
    source = written(product, guess)
    assert "order=str(line.pk)," in source
    assert "price=line.total / line.quantity," in source
    assert "self._sold_lines().filter(pk=order.pk)" in source


def test_the_customer_may_be_a_profile_and_staff_are_not_the_customer(product):
    customer = model("Customer", user=models.OneToOneField(User, models.CASCADE, null=True, related_name="+"))
    made = models.DateTimeField(auto_now_add=True)
    order = model("Order", customer=key(customer, null=True), created=made)
    guess = guess_orders(product, [line_model(product, order)])
    assert guess.user == ("order", "customer", "user")
    expected = "user=str(line.order.customer.user_id) if line.order.customer and line.order.customer.user_id else None,"
    assert expected in written(product, guess)

    staffed = model("Order", handled_by=key(User), buyer=key(User), created=models.DateTimeField(auto_now_add=True))
    assert guess_orders(product, [line_model(product, staffed)]).user == ("order", "buyer")


def test_statuses_are_read_by_their_labels(product):
    states = [
        (0, "Draft"),
        (1, "Pending payment"),
        (2, "Paid"),
        (3, "Partially refunded"),
        (4, "Refunded"),
        (5, "Void"),
    ]
    order = order_model(status=models.IntegerField(choices=states))
    guess = guess_orders(product, [line_model(product, order)])
    assert (guess.state.unfinished, guess.state.cancelled) == ((0,), (4, 5))
    assert guess.state.doubt == "orders count as sold if they are 1"
    source = written(product, guess)
    assert ".exclude(order__status=0)" in source
    assert "refunded=line.quantity if line.order.status in (4, 5) else 0," in source


def test_yes_or_no_columns_tell_what_became_of_an_order(product):
    order = order_model(is_paid=models.BooleanField(), cancelled_at=models.DateTimeField(null=True))
    source = written(product, guess_orders(product, [line_model(product, order)]))
    assert ".filter(order__is_paid=True)" in source
    assert "refunded=line.quantity if line.order.cancelled_at else 0," in source


def test_what_cannot_be_found_is_left_as_a_todo(product):
    order = model("Order", user=key(User), day=models.DateField())
    line = model("OrderItem", order=key(order), product=key(product), weight=money())
    assert guess_orders(product, [line]) is None
    order = model("Order", user=key(User), date=models.DateField())
    line = model("OrderItem", order=key(order), product=key(product), quantity=money())
    source = written(product, guess_orders(product, [line]))
    assert "price=None,  # TODO" in source
    assert "quantity=line.quantity," in source
    assert "time=datetime.combine(line.order.date, time(12))," in source
    assert "# TODO: filter by the time of the last change" in source
    compile(source, "recommendations.py", "exec")
    assert "# TODO: def purchases(self, since)" in written(product, None)


def test_a_cart_is_found_in_the_database_the_session_or_an_order(product, tmp_path, settings):
    cart = model("Basket", owner=key(User, null=True), session_id=text())
    line = model("BasketLine", basket=key(cart), product=key(product))
    guess = guess_cart(product, [line, cart], None, [])
    assert (guess.user, guess.session_key) == (("basket", "owner"), ("basket", "session_id"))

    order = order_model(state=text(choices=[("cart", "Cart"), ("placed", "Placed")]))
    orders = guess_orders(product, [line_model(product, order)])
    assert guess_cart(product, [], orders, []).state == (("order", "state"), "cart")

    settings.CART_SESSION_ID = "cart"
    app = type("App", (), {"path": str(tmp_path)})
    for code, key_text in [
        ("cart = request.session.get('my_cart', {})", '"my_cart"'),
        ('self.session["shopping_bag"] = {}', '"shopping_bag"'),
        ("self.session[settings.CART_SESSION_ID]", "settings.CART_SESSION_ID"),
    ]:
        (tmp_path / "cart.py").write_text(code)
        assert guess_cart(product, [], None, [app]).session == key_text
    (tmp_path / "cart.py").write_text("request.session['language']")
    assert guess_cart(product, [], None, [app]) is None
