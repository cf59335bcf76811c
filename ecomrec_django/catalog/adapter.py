"""The adapter class, which shops subclass to describe their products, orders and cart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, BinaryIO

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from ..db import iterate_by_key
from ..errors import ConfigurationError, DataError
from ..failures import note_failure
from ..learning.amounts import Amount, amount_of
from .branches import Branches
from .currency import format_money
from .facts import ItemFacts
from .paths import is_loaded, model_named, read_path
from .records import PurchaseLine, ReviewLine
from .values import KeyCleaner, to_count, to_number, to_price

__all__ = ["Catalog", "ItemFacts", "PurchaseLine", "ReviewLine"]

PRODUCTS_AT_ONCE = 2_000


class Catalog:
    """Adapter between a shop and the recommendations; every method may be overridden.

    The class attributes name fields (or dotted paths, or methods) of the product model::

        class ShopCatalog(Catalog):
            model = "shop.Product"
            title = "name"
            brand = "brand.name"
            stock = "stock"
    """

    model: str | type[Model] | None = None
    key = "pk"
    title = "title"
    price_field: str | None = "price"
    # Purchase cost of a product, if known; margins are computed from it.
    cost: str | None = None
    category: str | None = "category"
    brand: str | None = None
    image: str | None = None
    rating: str | None = None
    rating_count: str | None = None
    description: str | None = None
    stock: str | None = None
    sellable: str | None = None  # false for fees, postage, bags and vouchers, which nobody chooses
    replaces: str | None = None  # id of the product whose place it took: a new SKU of the same thing
    attributes: tuple[str, ...] = ()
    select_related: tuple[str, ...] = ()
    # Models whose rows are imported as soon as they are saved: see `order_lines` and `review_line`.
    order_model: str | None = None
    # The field of ``order_model`` whose value is `PurchaseLine.order`.
    order_key = "pk"
    # Whether `purchases` yields all lines of each order that it yields any line of, so that a stored line of such an
    # order which it leaves out is one that the shop has removed.
    whole_orders = False
    review_model: str | None = None
    base_currency = ""  # code of the currency in which prices are given, such as "EUR"

    @classmethod
    def connect(cls) -> None:
        """Called once at start-up; override it to connect the shop's own signals to `tracking.track`."""

    # -- products ---------------------------------------------------------------------------------------------------

    def product_model(self) -> type[Model]:
        """The class of the shop's products. Raises ConfigurationError where ``model`` names none."""
        if self.model is None:
            raise ConfigurationError(
                f'{type(self).__name__}.model is not set: name the product model, such as "shop.Product".'
            )
        if isinstance(self.model, str):
            try:
                return model_named(self.model)
            except ConfigurationError as error:
                raise ConfigurationError(f"{type(self).__name__}.model = {self.model!r}: {error}") from None
        return self.model

    def products(self) -> QuerySet[Any]:
        """All products that any customer may see; override it to exclude drafts and the like."""
        model = self.product_model()
        products = model._default_manager.all()
        return products.select_related(*self.select_related) if self.select_related else products

    def items(self) -> Iterator[Any]:
        """The products that a sync reads, in chunks."""
        # Categories are not joined: each is read once, by `product_category`.
        return iterate_by_key(self._without_category(self.products()), PRODUCTS_AT_ONCE)

    def live_products(self) -> QuerySet[Any]:
        """The products as blocks read them on each page: unordered and without categories."""
        return self._without_category(self.products().order_by())

    def describe(self, product: Any) -> ItemFacts:
        """The facts of one product, for the mirror."""
        return ItemFacts(
            external_id=self.external_id(product),
            title=self.display_title(product),
            category=self.product_category(product),
            category_keys=self.product_category_keys(product),
            price=self._checked_price(product),
            brand=str(self._read(product, "brand") or ""),
            rating=self.base_rating(product),
            image=self._image(product),
            description=str(self._read(product, "description") or ""),
            available=self.available(product, None),
            attributes=self.product_attributes(product),
            cost=self.base_cost(product),
            sellable=self.is_sellable(product),
            replaces=self.replaced_id(product),
        )

    def external_id(self, product: Any) -> str:
        """Value of the field ``key`` as text, "" if it has none; a product whose id changes becomes another item."""
        value = self._read(product, "key")
        return "" if value is None else str(value)

    def id_of(self, product: Any) -> str:
        """External id of a live product; a str or int is returned as an external id."""
        return str(product) if isinstance(product, str | int) else self.external_id(product)

    def in_bulk(self, ids: Iterable[str], request: HttpRequest | None) -> dict[str, Any]:
        """The live products that this customer may see, by external id, in one query. Unknown ids are omitted."""
        field = self.product_model()._meta.pk if self.key == "pk" else self.product_model()._meta.get_field(self.key)
        keys = [key for key in map(KeyCleaner(field), ids) if key is not None]
        products = self.live_products().filter(**{f"{self.key}__in": keys})
        return {self.external_id(product): product for product in products}

    def available(self, product: Any, request: HttpRequest | None) -> bool:
        """Whether the product can be bought now."""
        return bool(self._read(product, "stock")) if self.stock else True

    def is_sellable(self, product: Any) -> bool:
        """Whether shoppers choose the product; if not, as with a fee, it is neither learned from nor offered."""
        return bool(self._read(product, "sellable")) if self.sellable else True

    def replaced_id(self, product: Any) -> str:
        """External id of the product whose place this one took, so that its history counts; "" for none."""
        value = self._read(product, "replaces")
        return "" if value is None else self.id_of(value)

    def base_price(self, product: Any) -> Decimal | None:
        """The list price, in the base currency."""
        return to_price(self._read(product, "price_field"))

    def base_cost(self, product: Any) -> Decimal | None:
        """The purchase cost of the shop, in the base currency; None if unknown."""
        return to_price(self._read(product, "cost"))

    def base_rating(self, product: Any) -> float | None:
        """The mean rating, on the shop's own scale; None without ratings. Read on pages, so avoid queries."""
        return to_number(self._read(product, "rating"))

    def base_rating_count(self, product: Any) -> int | None:
        """The number of ratings; None if unknown, or if reading it would cost a query for each offer."""
        path = self.rating_count
        return to_count(self._read(product, "rating_count")) if path and is_loaded(product, path) else None

    def stock_level(self, product: Any) -> int | None:
        """How many pieces can be bought now; None if the shop does not count them."""
        return to_count(self._read(product, "stock")) if self.stock else None

    def display_stock(self, product: Any, request: HttpRequest | None) -> int | None:
        """How many pieces the JSON of an offer says are left; override it if shoppers must not know."""
        return self.stock_level(product)

    def price(self, product: Any, request: HttpRequest | None) -> Decimal | None:
        """The price this customer pays now."""
        return self.base_price(product)

    def currency(self, request: HttpRequest | None) -> str:
        """Code of the currency in which this customer's prices are, such as "EUR"; empty: written without one."""
        return self.base_currency

    def format_price(self, price: Decimal, request: HttpRequest | None) -> str:
        """A price as a block shows it, in the visitor's language and with its currency, if there is one."""
        return format_money(price, self.currency(request))

    def display_title(self, product: Any) -> str:
        """The title of a live product as a block shows it; "" if it has none."""
        return str(self._read(product, "title") or "")

    def display_brand(self, product: Any) -> str:
        """Its brand as a block shows it; empty where reading it would cost a query for each offer.

        A brand that is a row of its own is shown if `select_related` names it.
        """
        return str(self._read(product, "brand") or "") if self.brand and is_loaded(product, self.brand) else ""

    def url(self, product: Any) -> str:
        """Address of the product's page; offers with "" have no link."""
        return product.get_absolute_url() if hasattr(product, "get_absolute_url") else ""

    def image_url(self, product: Any) -> str:
        """Address of the product's image; empty if it has none."""
        image = self._read(product, "image")
        # An empty file field is false, and raises if its address is read.
        return str(getattr(image, "url", image)) if image else ""

    def open_picture(self, product: Any) -> BinaryIO | None:
        """The product's image as an open file, from the storage of its file field; None if it has none.

        Override it if ``image`` is an address: the default does not download images.
        """
        image = self._read(product, "image")
        return image.open("rb") if image and hasattr(image, "open") else None

    def product_category(self, product: Any) -> tuple[str, ...]:
        """The category path of a product. Each category is read once, not once per product."""
        branch = self._branches.known(getattr(product, f"{self.category}_id", None))
        return self.category_path(self._read(product, "category")) if branch is None else branch.names

    def product_category_keys(self, product: Any) -> tuple[str, ...]:
        """The keys of the categories that `product_category` names, from the root to the leaf.

        Override it together with `product_category`, whose names are otherwise all that tells a category from another.
        """
        if type(self).product_category is not Catalog.product_category:
            return ()
        branch = self._branches.known(getattr(product, f"{self.category}_id", None))
        return self.category_keys(self._read(product, "category")) if branch is None else branch.keys

    def product_attributes(self, product: Any) -> dict[str, str]:
        """Attributes that distinguish a product within its category, by name, without empty values."""
        values = {name: self._follow(product, "attributes", name) for name in self.attributes}
        return {name: str(value) for name, value in values.items() if value not in (None, "")}

    def compared_attributes(self, product: Any) -> Mapping[str, str]:
        """The attributes of a live product that reasons of upgrades compare. Read on pages, so avoid queries."""
        return self.product_attributes(product)

    def product_amount(self, product: Any) -> Amount | None:
        """How much a live product holds, by which upgrades are compared. Read on pages, so avoid queries.

        The default reads `compared_attributes` and the title; a shop that knows better returns `Amount(1500.0, "g")`.
        """
        return amount_of(self.compared_attributes(product), self.display_title(product))

    def category_path(self, category: Any) -> tuple[str, ...]:
        """Names from the root to the leaf of a category.

        category: a text joined by " > ", a sequence of names, or an object with ``name`` and ``parent``.
        """
        if category is None or category == "":
            return ()
        if isinstance(category, str):
            return tuple(part for part in map(str.strip, category.split(">")) if part)
        if isinstance(category, list | tuple):
            return tuple(map(str, category))
        return self._branches.of(category).names

    def category_key(self, category: Any) -> str:
        """What a category keeps when it is renamed or moved: the primary key of a row; "" for a text."""
        pk = getattr(category, "pk", None)
        return "" if pk is None else str(pk)

    def category_keys(self, category: Any) -> tuple[str, ...]:
        """The keys of a category and those above it, from the root to the leaf, as `category_path` has their names."""
        if category is None or isinstance(category, str | list | tuple):
            return ()
        return self._branches.of(category).keys

    # -- orders and cart --------------------------------------------------------------------------------------------

    def purchases(self, since: datetime | None) -> Iterable[PurchaseLine]:
        """Lines of the orders placed or changed since ``since`` (all if None), including cancelled ones.

        The newest of what is yielded of a line is kept, in both directions: ``refunded`` is what is cancelled or
        returned now. Set ``whole_orders`` if each order comes with all of its lines. The default yields none.
        """
        return ()

    def order_lines(self, order: Any) -> Iterable[PurchaseLine]:
        """All lines of one row of ``order_model``, as in ``purchases``; called right after it was saved.

        A line that is stored and not among them is removed.
        """
        return ()

    def order_admin_urls(self, orders: Iterable[str]) -> dict[str, str]:
        """Addresses of these orders in the shop's admin, by `PurchaseLine.order`, in one query.

        An order with a `PurchaseLine.store` is called "STORE/ORDER".
        The default links to ``order_model`` if it is registered in the admin.
        """
        if self.order_model is None:
            return {}
        model = model_named(self.order_model)
        field = model._meta.pk if self.order_key == "pk" else model._meta.get_field(self.order_key)
        keys = [key for key in map(KeyCleaner(field), orders) if key is not None]
        rows = model._default_manager.filter(**{f"{self.order_key}__in": keys}).only(self.order_key)
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        try:
            return {str(getattr(order, self.order_key)): reverse(name, args=[order.pk]) for order in rows}
        except NoReverseMatch:
            return {}

    def in_base_currency(self, price: Decimal, currency: str, time: datetime) -> Decimal | None:
        """``price`` in the base currency at that time; None without a rate, which makes the price unknown.

        The default has no rates.
        """
        return price if currency in ("", self.base_currency) else None

    def reviews(self, since: datetime | None) -> Iterable[ReviewLine]:
        """The published reviews written or changed since ``since`` (all if None). The default yields none."""
        return ()

    def review_line(self, review: Any) -> ReviewLine | None:
        """One row of ``review_model``, as in ``reviews``; None if it is not published."""
        return None

    def cart(self, request: HttpRequest) -> Iterable[str]:
        """External ids of the items in this customer's cart. Read once per request; make at most one query."""
        return ()

    # -- internals --------------------------------------------------------------------------------------------------

    @cached_property
    def _branches(self) -> Branches:
        return Branches(self.category_key)

    def _without_category(self, products: QuerySet[Any]) -> QuerySet[Any]:
        if not self.select_related:
            return products
        others = [path for path in self.select_related if path.split("__")[0] != self.category]
        products = products.select_related(None)
        return products.select_related(*others) if others else products

    def _checked_price(self, product: Any) -> Decimal | None:
        price = self.base_price(product)
        if price is None and type(self).base_price is Catalog.base_price:
            value = self._read(product, "price_field")
            if value not in (None, ""):
                raise DataError(f"its price {value!r} is not a finite number from 0 up; use None if it is unknown.")
        return price

    def _image(self, product: Any) -> str:
        try:
            return self.image_url(product)
        except Exception as error:
            note_failure("image_url", error, "A product is mirrored without its image")
            return ""

    def _read(self, product: Any, attribute: str) -> Any:
        """The value of a product that an attribute of this class names."""
        return self._follow(product, attribute, getattr(self, attribute))

    def _follow(self, product: Any, attribute: str, path: str | None) -> Any:
        try:
            return read_path(product, path)
        except ConfigurationError as error:
            raise ConfigurationError(f"{type(self).__name__}.{attribute} = {path!r}: {error}") from None
