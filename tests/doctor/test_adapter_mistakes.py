"""Each mistake of an adapter gives one message with a remedy."""

import inspect
from datetime import datetime
from decimal import Decimal

import pytest
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from ecomrec_django.catalog.adapter import Catalog, ItemFacts, PurchaseLine, ReviewLine
from ecomrec_django.doctor.examination import examine_installation
from ecomrec_django.doctor.findings import Level
from ecomrec_django.doctor.methods import METHODS
from ecomrec_django.testing import override_ecomrec
from example_shop.models import Category, Order, OrderLine, Product, Review
from example_shop.recommendations import ShopCatalog

pytestmark = pytest.mark.django_db

# Of each part of the doctor that examines the adapter.
SUBJECTS = {
    *(method.name for method in METHODS),
    *("products", "external_id", "in_bulk", "cart"),
    *("purchases", "order_lines", "order_key", "reviews", "review_line"),
}


@pytest.fixture(autouse=True)
def _stocked():
    shelf = Category.objects.create(name="Tents", slug="tents")
    for number in range(3):
        product = Product.objects.create(sku=f"S{number}", title=f"Tent {number}", price=number + 1, category=shelf)
        order = Order.objects.create(number=f"o{number}")
        OrderLine.objects.create(order=order, product=product, sku=product.sku, unit_price=product.price)


def problems(**members):
    """What the doctor says of the example shop with these members in its adapter."""
    with override_ecomrec(CATALOG=type("MistakenCatalog", (ShopCatalog,), members)):
        findings = list(examine_installation())
    return [
        finding
        for finding in findings
        if finding.level is not Level.OK and (finding.subject in SUBJECTS or finding.subject.startswith("ecomrec.E"))
    ]


def test_a_sound_adapter_has_no_problem():
    assert problems() == []


def line(number="1", order="o1", item="S0", user="1", quantity=1, price=Decimal(1), time=None, **more):
    return PurchaseLine(
        line=number,
        order=order,
        item=item,
        user=user,
        quantity=quantity,
        price=price,
        time=time or timezone.now(),
        **more,
    )


def purchases(*lines):
    """An adapter's method that yields these lines; an exception is raised."""

    def method(self, since):
        for each in lines:
            if isinstance(each, Exception):
                raise each
            yield each

    return {"purchases": method}


def raise_without_picture(self, product):
    if product.sku == "S1":
        raise ValueError("The 'image' attribute has no file associated with it.")
    return ""


def raise_without_request(self, product, request):
    return product.price if request.user.is_anonymous else 0


MISTAKES = {
    # -- attributes and methods, by the system checks
    "title": ({"title": "titel"}, "ecomrec.E021", 'no "titel". Did you mean "title"?', "override display_title"),
    "brand": ({"brand": "brnd"}, "ecomrec.E021", 'no "brnd". Did you mean "brand"?', "override describe"),
    "price field": ({"price_field": "prise"}, "ecomrec.E021", 'Did you mean "price"?', "override price"),
    "stock": ({"stock": "stok"}, "ecomrec.E021", 'Did you mean "stock"?', "override available"),
    "relation": ({"brand": "category__nam"}, "ecomrec.E021", 'Did you mean "name"?', "override describe"),
    "signature": (
        {"format_price": lambda self, price: f"{price} €"},
        "ecomrec.E022",
        "takes (self, price), but is called with (self, price, request)",
        "Write def format_price(self, price, request)",
    ),
    "method as attribute": ({"price": "amount"}, "ecomrec.E023", "has to be a method", 'price_field = "amount"'),
    "model": ({"model": "shop.Prodct"}, "ecomrec.E020", 'Did you mean "shop.Product"?', ""),
    # -- values of products
    "price None": (
        {"price": lambda self, product, request: None},
        "price",
        "it is None for 3 of 3 products",
        "set MistakenCatalog.price_field = None",
    ),
    "price float": (
        {"price": lambda self, product, request: 1.5},
        "price",
        "it returned a float 1.5",
        "Return a Decimal from 0 up, such as Decimal(str(amount))",
    ),
    "base price float": (
        {"base_price": lambda self, product: 1.5},
        "base_price",
        "it returned a float 1.5",
        "Return a Decimal from 0 up, such as Decimal(str(amount))",
    ),
    "price text": (
        {"price": lambda self, product, request: "1.50"},
        "price",
        "it returned a str '1.50'",
        "Return a Decimal",
    ),
    "price words": (
        {"price": lambda self, product, request: "cheap"},
        "price",
        "it returned a str 'cheap'",
        "Return a Decimal",
    ),
    "price negative": (
        {"price": lambda self, product, request: Decimal(-1)},
        "price",
        "it returned a Decimal Decimal('-1')",
        "Return a Decimal from 0 up",
    ),
    "price NaN": (
        {"price": lambda self, product, request: Decimal("NaN")},
        "price",
        "it returned a Decimal Decimal('NaN')",
        "Return a Decimal from 0 up",
    ),
    "price without a request": (
        {"price": raise_without_request},
        "price",
        "without a request (None, as pages for staff have none): product S0: AttributeError",
        "Correct def price(self, product, request)",
    ),
    "describe dict": (
        {"describe": lambda self, product: {"title": product.title}},
        "describe",
        "MistakenCatalog.describe returned a dict: return an ItemFacts.",
        "each sync skips",
    ),
    "describe None": (
        {"describe": lambda self, product: None},
        "describe",
        "describe returned None",
        "each sync skips",
    ),
    "describe title": (
        {"describe": lambda self, product: ItemFacts(external_id=product.sku, title=None)},
        "describe",
        "its title is None: give a text.",
        "each sync skips",
    ),
    "describe category": (
        {"describe": lambda self, product: ItemFacts(external_id=product.sku, title="A", category="A > B")},
        "describe",
        "its category 'A > B' is a text: give the names from the root to the leaf as a tuple",
        "each sync skips",
    ),
    "no picture": (
        {"image_url": raise_without_picture},
        "image_url",
        "product S1: ValueError: The 'image' attribute has no file associated with it. (at ",
        'Return "" for a product without a picture',
    ),
    "no page": (
        {"url": lambda self, product: reverse("produkt", args=[product.sku])},
        "url",
        "NoReverseMatch: Reverse for 'produkt' not found",
        "Name a URL that exists",
    ),
    "products of another model": (
        {"products": lambda self: Category.objects.all()},
        "products",
        "MistakenCatalog reads a shop.Category, not shop.Product",
        "Correct MistakenCatalog.products",
    ),
    "in_bulk of a query set": (
        {"in_bulk": lambda self, ids, request: Product.objects.filter(sku__in=ids)},
        "in_bulk",
        "it returned a QuerySet",
        "Return a dict of the products",
    ),
    "in_bulk by another id": (
        {"in_bulk": lambda self, ids, request: {str(each.pk): each for each in Product.objects.all()}},
        "in_bulk",
        "none of the ids that external_id gives is found, such as 'S0'",
        "by what external_id gives",
    ),
    "nothing available": (
        {"available": lambda self, product, request: False},
        "available",
        "none of 3 products can be bought",
        "Correct MistakenCatalog.available",
    ),
    "title empty": (
        {"display_title": lambda self, product: ""},
        "display_title",
        "it returned a str ''",
        "Return the title as text, which is not empty",
    ),
    "no address": (
        {"url": lambda self, product: ""},
        "url",
        "none of 3 products has an address",
        "Give the products get_absolute_url, or override MistakenCatalog.url.",
    ),
    "cart of nothing": ({"cart": lambda self, request: None}, "cart", "returned None", "Return the external ids"),
    "queries": (
        {"url": lambda self, product: f"/{Review.objects.filter(product=product).count()}/"},
        "url",
        "it makes 3 queries for 3 products",
        "with select_related or prefetch_related",
    ),
    # -- orders
    "naive time": (
        purchases(line(time=datetime(2020, 1, 1))),
        "purchases",
        "its time has no time zone, so it counts as UTC: give an aware datetime",
        "These records are imported unchanged.",
    ),
    "generator that fails": (
        purchases(line(), ValueError("no such field")),
        "purchases",
        "after 1 records, the last of which is 1 of order o1, it fails: ValueError: no such field (at ",
        "until then each import stops here",
    ),
    "since": (
        {"purchases": lambda self, since: [line()] if since is None else Order.objects.filter(changed__gte=since)},
        "purchases",
        "with a time as since it fails: FieldError: Cannot resolve keyword 'changed'",
        "Correct how it filters orders by since.",
    ),
    "no line": (
        purchases(line(None)),
        "purchases",
        "its line is None: give the permanent id of the order line",
        "skip",
    ),
    "the same line": (
        purchases(line("7"), line("7", order="o2")),
        "purchases",
        "its id is that of another line, of order o1: give each line an id of its own.",
        "skips these records",
    ),
    "quantity 0": (purchases(line(quantity=0)), "purchases", "quantity 0 is not a number above 0", "skips"),
    "quantity None": (purchases(line(quantity=None)), "purchases", "quantity None is not a number", "skips"),
    "user as text": (
        purchases(line(user="None")),
        "purchases",
        "give None, not str(None), for a guest",
        "These records are imported unchanged.",
    ),
    "user missing": (
        {"purchases": lambda self, since: (PurchaseLine(line=str(each)) for each in "12")},
        "purchases",
        "it fails: TypeError: PurchaseLine.__new__() missing 6 required positional arguments: 'order', 'user'",
        "Correct it",
    ),
    "rows of another model": (
        {"purchases": lambda self, since: OrderLine.objects.all()},
        "purchases",
        "it is a shop.OrderLine: yield a PurchaseLine for each line of an order.",
        "skips these records",
    ),
    "nothing returned": ({"purchases": lambda self, since: None}, "purchases", "it returned None: yield", "Correct it"),
    "currency": (
        purchases(line(currency="EUR")),
        "purchases",
        'its currency "EUR" has no rate, so its price is unknown: set MistakenCatalog.base_currency',
        "These records are imported unchanged.",
    ),
    "another item": (
        purchases(line(item="4711")),
        "purchases",
        "the catalog knows none of the products sold, such as '4711'",
        "has to be what external_id returns, the value of MistakenCatalog.key",
    ),
    "no orders": ({"purchases": Catalog.purchases}, "purchases", "it is not overridden", "Override MistakenCatalog"),
    "order_lines of another order": (
        {"order_lines": lambda self, order: [line(order="9")]},
        "order_key",
        "its lines are of order '9', and order_key says 'o2'",
        "order_key has to name the field that PurchaseLine.order holds",
    ),
    "reviews": (
        {"reviews": lambda self, since: [ReviewLine("1", "2", "S0", "good", timezone.now())]},
        "reviews",
        "rating 'good' is not a number",
        "skips these records",
    ),
}


# What pages and imports understand all the same, and what may be as it has to be.
WARNINGS = {
    *(
        "price float",
        "base price float",
        "price text",
        "price without a request",
        "naive time",
        "user as text",
        "currency",
        "queries",
    ),
    "no address",
    *("the same line", "no orders", "order_lines of another order"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_the_adapter_gives_one_message_with_a_remedy(mistake):
    members, subject, message, remedy = MISTAKES[mistake]
    (problem,) = problems(**members)
    assert problem.subject == subject
    assert message in problem.message
    assert remedy in problem.remedy
    assert problem.level == (Level.WARNING if mistake in WARNINGS else Level.FAILURE)


def test_an_annotation_that_live_products_lack_is_a_failure():
    def items(self):
        return iter(Product.objects.annotate(stars=F("rating")))

    def base_rating(self, product):
        return product.stars

    (problem,) = problems(items=items, base_rating=base_rating)
    assert problem.subject == "base_rating"
    assert "'Product' object has no attribute 'stars'" in problem.message


@pytest.mark.parametrize("catalog", [None, "nowhere.Catalog", "pathlib.Path"])
def test_an_adapter_that_cannot_be_used_is_one_failure(catalog):
    with override_ecomrec(CATALOG=catalog):
        findings = [finding for finding in examine_installation() if finding.level is Level.FAILURE]
    assert [finding.subject for finding in findings] == ["ecomrec.E002", "release"]


def test_every_method_about_a_product_is_tried():
    methods = {name: method for name, method in vars(Catalog).items() if inspect.isfunction(method)}
    about = {name for name, method in methods.items() if "product" in inspect.signature(method).parameters}
    # Tried in another way, or by the training of images.
    others = {"external_id", "id_of", "open_picture"}
    assert {name for name in about if not name.startswith("_")} - others <= {method.name for method in METHODS}
