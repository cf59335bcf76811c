import pytest
from django.db.models import F, Value

from ecomrec_django.catalog.adapter import Catalog
from ecomrec_django.checks.adapter import ATTRIBUTE_OF, METHOD_OF, READERS, check_adapter
from example_shop.models import Product
from example_shop.recommendations import ShopCatalog


@pytest.fixture
def messages(settings):
    """Checks the example shop with these members in its adapter."""

    def check(**members):
        settings.ECOMREC = {"CATALOG": type("MistakenCatalog", (ShopCatalog,), members)}
        return check_adapter(None)

    return check


def text_of(message):
    return f"{message.id.removeprefix('ecomrec.')} {message.msg} {message.hint or ''}".strip()


CATALOGS = [
    "example_shop.recommendations.ShopCatalog",
    "tests.hosts.catalogs.IntegerCatalog",
    "tests.hosts.catalogs.SlugCatalog",
    "tests.hosts.catalogs.UUIDCatalog",
    "tests.support.catalogs.CartCatalog",
    "tests.support.catalogs.PricelessCatalog",
    "tests.support.planted_shop.PlantedCatalog",
    "tests.support.tracking_catalogs.PromptCatalog",
]


@pytest.mark.parametrize("catalog", CATALOGS)
def test_a_sound_adapter_passes(settings, catalog):
    settings.ECOMREC = {"CATALOG": catalog}
    assert check_adapter(None) == []


@pytest.mark.parametrize("catalog", [None, "nowhere.Catalog", "pathlib.Path"])
def test_what_is_no_adapter_is_left_to_the_check_of_the_settings(settings, catalog):
    settings.ECOMREC = {"CATALOG": catalog}
    assert check_adapter(None) == []


def test_a_check_makes_no_query(messages, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        messages(title="titel", products=lambda self: Product.objects.annotate(mean=F("rating")))


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"title": "titel"}, 'shop.Product has no "titel". Did you mean "title"?'),
        ({"brand": "bran"}, 'shop.Product has no "bran". Did you mean "brand"?'),
        ({"price_field": "prize"}, 'shop.Product has no "prize". Did you mean "price"?'),
        ({"cost": "cots"}, 'shop.Product has no "cots".'),
        ({"stock": "stok"}, 'shop.Product has no "stok". Did you mean "stock"?'),
        ({"rating": "ratin"}, 'shop.Product has no "ratin". Did you mean "rating"?'),
        ({"image": "picture"}, 'shop.Product has no "picture".'),
        ({"description": "descr"}, 'shop.Product has no "descr".'),
        ({"category": "categori"}, 'shop.Product has no "categori". Did you mean "category"?'),
        ({"key": "skuu"}, 'shop.Product has no field "skuu". Did you mean "sku"?'),
        ({"order_key": "numbr"}, 'shop.Order has no field "numbr". Did you mean "number"?'),
        ({"stock": "buyabel"}, 'shop.Product has no "buyabel". Did you mean "buyable"?'),
        ({"brand": "category.nam"}, 'shop.Category has no "nam". Did you mean "name"?'),
        ({"brand": "category.parent.nam"}, 'shop.Category has no "nam". Did you mean "name"?'),
        (
            {"brand": "category__name"},
            'shop.Product has no "category__name". Follow relations with dots: "category.name".',
        ),
        (
            {"brand": "category__nam"},
            'shop.Product has no "category__nam". Follow relations with dots. '
            'shop.Category has no "nam". Did you mean "name"?',
        ),
        ({"rating": "reviews"}, '"reviews" of shop.Product leads to many rows, not to one value.'),
        ({"rating": "reviews.rating"}, '"reviews" of shop.Product leads to many rows, not to one value.'),
        ({"title": "get_absolute_url.x"}, '"get_absolute_url" is a method: only the last name of a path may be one.'),
        ({"category": "category.get_parent"}, 'shop.Category has no "get_parent".'),
        ({"title": "serializable_value"}, '"serializable_value" is a method that takes arguments.'),
        ({"title": 5}, "it has to be the name of a field, as text."),
        ({"attributes": ("brand", "colour")}, 'shop.Product has no "colour".'),
        ({"attributes": "brand"}, 'it has to be a tuple of texts: ("brand",).'),
        ({"select_related": "category"}, 'it has to be a tuple of texts: ("category",).'),
        ({"select_related": ("categori",)}, 'shop.Product has no "categori". Did you mean "category"?'),
        ({"select_related": ("category__parnt",)}, 'shop.Category has no "parnt". Did you mean "parent"?'),
        ({"select_related": ("brand",)}, '"brand" of shop.Product is not a foreign key, so it cannot be joined.'),
    ],
)
def test_an_attribute_that_names_nothing_is_an_error(messages, members, problem):
    ((name, value),) = members.items()
    (message,) = messages(**members)
    named = value if name not in ("attributes", "select_related") or isinstance(value, str) else value[-1]
    assert message.id == "ecomrec.E021"
    assert message.msg.startswith(f"MistakenCatalog.{name} = {named!r}: {problem}")


@pytest.mark.parametrize(
    "members",
    [
        {"title": "category.name"},
        {"stock": "buyable"},
        {"title": "get_absolute_url"},
        {"brand": "category.parent.parent.name"},
        {"key": "pk"},
        {"key": "id"},
        {"category": None},
        {"price_field": None},
        {"image": "image.url"},
        {"brand": "category_id"},
        {"order_key": "pk"},
        {"select_related": ("category__parent",)},
    ],
    ids=str,
)
def test_an_attribute_may_name_fields_relations_properties_and_methods(messages, members):
    assert messages(**members) == []


def test_an_attribute_may_name_what_products_are_annotated_with(messages):
    def products(self):
        return Product.objects.annotate(stars=Value(4.0))

    assert messages(rating="stars", products=products) == []
    (message,) = messages(rating="star", products=products)
    assert message.id == "ecomrec.E021"


def test_an_attribute_that_no_method_reads_is_not_checked(settings):
    class ComputedCatalog(Catalog):
        model = "shop.Order"
        price_field = None

        def describe(self, product):
            return None

        def display_title(self, product):
            return product.number

        def product_category(self, product):
            return ()

    settings.ECOMREC = {"CATALOG": ComputedCatalog}
    assert check_adapter(None) == []


def test_a_default_that_the_model_lacks_is_an_error(settings):
    class OrderCatalog(Catalog):
        model = "shop.Order"

    settings.ECOMREC = {"CATALOG": OrderCatalog}
    assert [message.msg.split(" = ")[0] for message in check_adapter(None)] == [
        "OrderCatalog.title",
        "OrderCatalog.price_field",
        "OrderCatalog.category",
    ]


def test_a_key_that_is_not_unique_is_a_warning(messages):
    (message,) = messages(key="title")
    assert text_of(message).startswith("W026 MistakenCatalog.key = 'title': this field of shop.Product is not unique.")


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (
            {"model": "shop.Produkt"},
            "MistakenCatalog.model = 'shop.Produkt': no model of an installed app has this label",
        ),
        ({"model": "shop.models.Product"}, "MistakenCatalog.model = 'shop.models.Product': no model"),
        ({"model": None}, "MistakenCatalog.model is not set"),
        ({"order_model": "shop.Ordr"}, "MistakenCatalog.order_model = 'shop.Ordr': no model"),
        ({"review_model": "Review"}, "MistakenCatalog.review_model = 'Review': no model"),
    ],
)
def test_a_model_that_is_not_installed_is_an_error(messages, members, problem):
    (message,) = messages(**members)
    assert text_of(message).startswith(f"E020 {problem}")


@pytest.mark.parametrize("currency", ["€", "eur", "EURO"])
def test_a_currency_that_is_not_a_code_is_a_warning(messages, currency):
    (message,) = messages(base_currency=currency)
    assert text_of(message).startswith(f"W027 MistakenCatalog.base_currency = {currency!r} is not the code")
    assert messages(base_currency="EUR") == messages(base_currency=property(lambda self: "EUR")) == []


def test_a_model_of_a_similar_name_is_suggested(messages):
    (message,) = messages(model="shop.Produkt")
    assert 'Did you mean "shop.Product"?' in message.msg


def test_an_adapter_that_cannot_be_created_is_an_error(messages):
    (message,) = messages(__init__=lambda self, shop: None)
    assert text_of(message).startswith("E020 MistakenCatalog() fails: TypeError: ")


def test_a_model_of_orders_without_its_lines_is_a_warning(settings):
    class OrdersCatalog(Catalog):
        model = "shop.Product"
        order_model = "shop.Order"

    settings.ECOMREC = {"CATALOG": OrdersCatalog}
    (message,) = check_adapter(None)
    assert text_of(message) == (
        "W025 OrdersCatalog.order_model is set, but OrdersCatalog.order_lines is not overridden. "
        "Override order_lines(self, order), or remove order_model."
    )


async def asynchronous(self, product, request):
    return None


@pytest.mark.parametrize(
    ("name", "method", "problem"),
    [
        (
            "format_price",
            lambda self, price: "",
            "takes (self, price), but is called with (self, price, request). "
            "Write def format_price(self, price, request).",
        ),
        ("price", lambda self, product: 1, "takes (self, product), but is called with (self, product, request)."),
        (
            "url",
            lambda self, product, request: "",
            "takes (self, product, request), but is called with (self, product).",
        ),
        ("purchases", lambda self: (), "takes (self), but is called with (self, since)."),
        ("cart", lambda: (), "takes (), but is called with (self, request)."),
        ("cart", staticmethod(lambda self, request: ()), "takes (self, request), but is called with (self, request)."),
        ("price", lambda self, product, *, request: 1, "takes (self, product, request), but is called with"),
        ("price", asynchronous, "must not be asynchronous."),
        ("connect", classmethod(lambda cls, sender: None), "takes (cls, sender), but is called with (cls)."),
    ],
)
def test_a_method_with_another_signature_is_an_error_that_names_the_right_one(messages, name, method, problem):
    (message,) = messages(**{name: method})
    assert text_of(message).startswith(f"E022 MistakenCatalog.{name} {problem}")


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("price", lambda self, item, request=None, currency="EUR": 1),
        ("price", lambda self, *arguments: 1),
        ("price", lambda *arguments, **options: 1),
        ("cart", staticmethod(lambda request: ())),
    ],
)
def test_a_method_that_can_be_called_as_it_is_passes(messages, name, method):
    assert messages(**{name: method}) == []


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (
            {"price": "amount"},
            'E023 MistakenCatalog.price has to be a method, not a str. Write price_field = "amount".',
        ),
        (
            {"currency": "EUR"},
            'E023 MistakenCatalog.currency has to be a method, not a str. Write base_currency = "EUR".',
        ),
        ({"url": "address"}, "E023 MistakenCatalog.url has to be a method, not a str. Write def url(self, product)."),
        ({"cart": property(lambda self: ())}, "E023 MistakenCatalog.cart has to be a method, not a property."),
        (
            {"title": lambda self, product: "Tent"},
            "E023 MistakenCatalog.title has to name a field, and is a method. Override display_title",
        ),
        (
            {"brand": lambda self, product: "Trail"},
            "E023 MistakenCatalog.brand has to name a field, and is a method. Override describe and display_brand",
        ),
    ],
)
def test_an_attribute_in_the_place_of_a_method_is_an_error_and_the_other_way_round(messages, members, text):
    (message,) = messages(**members)
    assert text_of(message).startswith(text)


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("titel", "name", "title"),
        ("brands", "brand", "brand"),
        ("purchase", lambda self, since: (), "purchases"),
        ("image_ur", lambda self, product: "", "image_url"),
    ],
)
def test_a_name_that_is_nearly_one_of_the_adapters_is_a_warning(settings, name, value, known):
    settings.ECOMREC = {"CATALOG": type("MistakenCatalog", (Catalog,), {"model": "shop.Product", name: value})}
    (message,) = check_adapter(None)
    assert text_of(message) == (
        f'W024 Catalog has no "{name}", so MistakenCatalog.{name} has no effect. Did you mean "{known}"?'
    )


@pytest.mark.parametrize("name", ["purchase_line", "colours", "warehouse", "_titel"])
def test_other_names_are_the_shops_own(messages, name):
    assert messages(**{name: lambda self: None}) == []


def test_the_names_that_the_check_knows_are_those_of_the_adapter():
    attributes = {*READERS, *METHOD_OF, *ATTRIBUTE_OF.values()}
    methods = {name for readers in READERS.values() for name in readers} | set(ATTRIBUTE_OF)
    methods |= {name for text in METHOD_OF.values() for name in text.split(" and ")}
    assert not [name for name in attributes if callable(getattr(Catalog, name))]
    assert all(callable(getattr(Catalog, name)) for name in methods)
