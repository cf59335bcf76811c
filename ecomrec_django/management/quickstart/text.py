"""The adapter as Python source, written from guesses; what is doubtful has a TODO."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

from .carts import CartGuess
from .fields import end_of, lookup
from .order_text import order_methods
from .orders import OrderGuess
from .product import CategoryGuess, ProductGuess
from .rates import RatesGuess
from .source import Imports, chained, constants, quoted, todo

CURRENCY_SETTINGS = (
    "DEFAULT_CURRENCY",
    "CURRENCY",
    "SHOP_CURRENCY",
    "STORE_CURRENCY",
    "BASE_CURRENCY",
    "CURRENCY_CODE",
)
SEVERAL_CURRENCIES = [
    "# TODO: if pages show prices in other currencies, too, override price(product, request) and currency(request)",
]


def adapter_text(
    package: str,
    product: ProductGuess,
    orders: OrderGuess | None = None,
    cart: CartGuess | None = None,
    rates: RatesGuess | None = None,
) -> str:
    """The source of an adapter that is a module of ``package``."""
    imports = Imports(package)
    imports.add("ecomrec_django.catalog.adapter", "Catalog")
    body = [
        *_attributes(product, orders),
        *_products(product),
        *_availability(product),
        *_price(product, imports),
        *_translated(product, imports),
        *_image_rows(product),
        *_category(product, imports),
        *_cart(cart, imports),
        *order_methods(orders, imports, rates),
    ]
    indented = [f"    {line}" if line else "" for line in body]
    head = '"""What the shop tells ecomrec_django about itself. Written by ecomrec_quickstart: check what says TODO."""'
    return "\n".join([head, "", *imports.lines(), "", "class ShopCatalog(Catalog):", *indented]).rstrip() + "\n"


def _attributes(product: ProductGuess, orders: OrderGuess | None) -> list[str]:
    lines = [f'model = "{product.model._meta.label}"']
    if product.title is not None and (product.title.path != "title" or product.title.doubt):
        lines.append(f'title = "{product.title.path}"{todo(product.title.doubt)}')
    elif product.title is None and product.title_rows is None:
        lines.append('title = "pk"  # TODO: the field with the title')
    if product.price is None:
        lines.append("price_field = None  # TODO: the field with the price, or override base_price(product)")
    elif product.price.path != "price" or product.price.doubt:
        lines.append(f'price_field = "{product.price.path}"{todo(product.price.doubt)}')
    lines += _category_attribute(product.category)
    for name in ("brand", "image", "rating", "description", "stock", "cost"):
        guess = getattr(product, name)
        if guess is not None:
            lines.append(f'{name} = "{guess.path}"{todo(guess.doubt)}')
    if product.stock is None and not product.gone:
        lines.append("# TODO: stock, the field with the number of pieces left; without it every product is available")
    if product.select_related:
        lines.append(f"select_related = {constants(product.select_related)}")
    if orders is not None:
        lines.append(f'order_model = "{orders.order_model._meta.label}"')
        # What `purchases` selects by the time at which an order changed, if by anything, is all lines of it; but some
        # may be rows of the other model.
        if not orders.doubt:
            lines.append("whole_orders = True")
    several = orders is not None and bool(orders.currency)
    return [*lines, _currency(product.model), *(SEVERAL_CURRENCIES if several else [])]


def _category_attribute(category: CategoryGuess | None) -> list[str]:
    if category is None:
        return ["category = None  # TODO: the field with the category, which upgrades and cross-selling need"]
    if category.path == "category" and not category.doubt:
        return []
    return [f'category = "{category.path}"{todo(category.doubt)}']


def _currency(model: type[models.Model]) -> str:
    for name in CURRENCY_SETTINGS:
        if isinstance(code := getattr(settings, name, None), str) and len(code) == 3:
            return f'base_currency = "{code}"'
    money: Any = next((each for each in model._meta.fields if type(each).__name__ == "MoneyField"), None)
    if money is not None and getattr(money, "default_currency", None):
        return f'base_currency = "{money.default_currency}"'
    return 'base_currency = ""  # TODO: the code of your currency, such as "EUR"; cards show it'


def _products(product: ProductGuess) -> list[str]:
    if not (product.live or product.prefetch_related):
        return []
    calls = [f".filter({', '.join(product.live)})"] if product.live else []
    if product.prefetch_related:
        calls.append(f".prefetch_related({', '.join(map(quoted, product.prefetch_related))})")
    return ["", "def products(self):", *chained("super().products()", calls, 4)]


def _availability(product: ProductGuess) -> list[str]:
    if not product.gone:
        return []
    rest = " and super().available(product, request)" if product.stock is not None else ""
    return ["", "def available(self, product, request):", f"    return not product.{product.gone}{rest}"]


def _price(product: ProductGuess, imports: Imports) -> list[str]:
    if product.price is None or not product.minor_units:
        return []
    imports.add("decimal", "Decimal")
    price = f"product.{product.price.path}"
    lines = ["", "def base_price(self, product):"]
    if product.model._meta.get_field(product.price.path).null:
        return [*lines, f"    return None if {price} is None else Decimal({price}) / 100"]
    return [*lines, f"    return Decimal({price}) / 100"]


def _translated(product: ProductGuess, imports: Imports) -> list[str]:
    rows = product.title_rows
    if rows is None:
        return []
    imports.add("django.conf", "settings")
    imports.add("django.utils.translation", "get_language")
    lines = [
        "",
        "def display_title(self, product):",
        f'    return self._texts(product, "{rows.value}")',
        "",
        "def _texts(self, product, name):",
        "    # In the language of the page, else in that of the shop, else in any.",
        f"    rows = {{row.{rows.key}: row for row in product.{rows.rows}.all()}}",
        "    row = rows.get(get_language()) or rows.get(settings.LANGUAGE_CODE) or next(iter(rows.values()), None)",
        '    return "" if row is None else getattr(row, name)',
    ]
    if rows.description and product.description is None:
        imports.add("dataclasses", "replace")
        lines += [
            "",
            "def describe(self, product):",
            f'    return replace(super().describe(product), description=self._texts(product, "{rows.description}"))',
        ]
    return lines


def _image_rows(product: ProductGuess) -> list[str]:
    rows = product.image_rows
    if rows is None:
        return []
    value = f"rows[0].{rows.value}"
    lines = [
        "",
        "def image_url(self, product):",
        f"    rows = list(product.{rows.rows}.all())",
        f'    return {value}{".url" if rows.is_file else ""} if rows else ""',
    ]
    if rows.is_file:
        lines += [
            "",
            "def open_picture(self, product):",
            f"    rows = list(product.{rows.rows}.all())",
            f'    return {value}.open("rb") if rows else None',
        ]
    return lines


def _category(product: ProductGuess, imports: Imports) -> list[str]:
    category = product.category
    if category is None or category.model is None or category.is_plain:
        return []
    name = imports.model(category.model)
    parent = f"row.{end_of(category.model, (category.parent,)).attname}" if category.parent else "None"
    title = f"row.{category.name}" if category.name else "str(row)"
    if category.several:
        start = f"min((row.pk for row in product.{category.path}.all()), default=None)"
    else:
        start = f"product.{end_of(product.model, (category.path,)).attname}"
    imports.add("functools", "cached_property")
    lines = [
        "",
        "def product_category(self, product):",
        "    return tuple(name for name, _ in self._branch(product))",
        "",
        "def product_category_keys(self, product):",
        "    return tuple(key for _, key in self._branch(product))",
        "",
        "def _branch(self, product):",
        f"    branch, pk = [], {start}",
        "    while pk in self._categories:",
        "        name, parent = self._categories[pk]",
        "        branch.insert(0, (name, str(pk)))",
        "        pk = parent",
        "    return branch",
        "",
        "@cached_property",
        "def _categories(self):",
        f"    return {{row.pk: ({title}, {parent}) for row in {name}.objects.all()}}",
    ]
    if category.several:
        imports.add("ecomrec_django.db", "iterate_by_key")
        lines += [
            "",
            "def items(self):",
            f'    return iterate_by_key(self.products().prefetch_related("{category.path}"))',
        ]
    return lines


def _cart(cart: CartGuess | None, imports: Imports) -> list[str]:
    lines = ["", "def cart(self, request):"]
    if cart is None:
        return [*lines, "    # TODO: the primary keys of the products in the customer's cart", "    return []"]
    if cart.session:
        if cart.session.startswith("settings."):
            imports.add("django.conf", "settings")
        return [
            *lines,
            "    # TODO: the cart in the session is taken to have the primary keys of products as its keys",
            f"    return list(request.session.get({cart.session}, {{}}))",
        ]
    return [*lines, *(f"    {line}" for line in _cart_rows(cart, imports))]


def _cart_rows(cart: CartGuess, imports: Imports) -> list[str]:
    assert cart.line_model is not None
    model = imports.model(cart.line_model)
    filters = [f"{lookup(cart.state[0])}={quoted(cart.state[1])}"] if cart.state else []
    *before, last = cart.product
    product = lookup((*before, str(end_of(cart.line_model, cart.product).attname)))
    if end_of(cart.line_model, cart.product).null:
        filters.append(f"{lookup((*before, last))}__isnull=False")

    def rows(owner: str) -> str:
        return f"{model}.objects.filter({', '.join([owner, *filters])})"

    lines = []
    if cart.user:
        lines += ["if request.user.is_authenticated:", f"    lines = {rows(f'{lookup(cart.user)}=request.user')}"]
    if cart.session_key:
        lines += [
            f"{'elif' if cart.user else 'if'} request.session.session_key:",
            f"    lines = {rows(f'{lookup(cart.session_key)}=request.session.session_key')}",
        ]
    return [*lines, "else:", "    return []", f'return [str(pk) for pk in lines.values_list("{product}", flat=True)]']
