"""The one class a shop writes: how to read its products, orders and cart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, BinaryIO, NamedTuple

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.formats import number_format

from ..errors import ConfigurationError, DataError
from ..models.bulk import by_key

# Levels of a category tree.
DEEPEST = 32
# With their descriptions, so not as many as of thin rows.
PRODUCTS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What we need to know of one product: ``category`` from the root to the leaf, the price and what it costs the shop
    in the base currency, ``attributes`` by name, such as ``{"colour": "red"}``.
    """

    external_id: str
    title: str
    category: tuple[str, ...] = ()
    price: Decimal | None = None
    brand: str = ""
    rating: float | None = None
    image: str = ""
    description: str = ""
    available: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)
    cost: Decimal | None = None


class PurchaseLine(NamedTuple):
    """One line of one order of the shop."""

    line: str  # unique and lasting id of the line
    order: str
    user: str | None  # primary key of the account; None for a guest
    item: str  # external id of the product
    quantity: int
    price: Decimal | None  # of one piece
    time: datetime
    refunded: int = 0  # pieces of `quantity` that were cancelled or given back
    currency: str = ""  # of `price`, such as "EUR"; empty: the base currency


class ReviewLine(NamedTuple):
    """One review of the shop."""

    review: str  # unique and lasting id of the review
    user: str | None  # primary key of the account; None for a guest, whose review only counts for the product
    item: str  # external id of the product
    rating: float | None  # stars, on the shop's own scale; None if it has words alone
    time: datetime


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
    # What a product costs the shop, where it knows: margins are reckoned from it.
    cost: str | None = None
    category = "category"
    brand: str | None = None
    image: str | None = None
    rating: str | None = None
    description: str | None = None
    stock: str | None = None
    attributes: tuple[str, ...] = ()
    select_related: tuple[str, ...] = ()
    # Models whose saved rows are imported at once, beside the scheduled import: see `order_lines`, `review_line`.
    order_model: str | None = None
    # The field of ``order_model`` that `PurchaseLine.order` holds.
    order_key = "pk"
    review_model: str | None = None
    base_currency = ""

    @classmethod
    def connect(cls) -> None:
        """Called once at start-up: the place to connect the shop's own signals to `tracking.track`."""

    # -- products ---------------------------------------------------------------------------------------------------

    def products(self) -> QuerySet[Any]:
        """Every product that may be shown to anyone; override to leave out drafts and the like."""
        model = self._model()
        products = model._default_manager.all()
        return products.select_related(*self.select_related) if self.select_related else products

    def items(self) -> Iterator[Any]:
        """The products a sync walks through, a chunk at a time."""
        # A category is read once (see `product_category`), not joined to each of its products.
        return by_key(self._without_category(self.products()), PRODUCTS_AT_ONCE)

    def live_products(self) -> QuerySet[Any]:
        """The products as a block reads them on each page: in no order, and without their categories."""
        return self._without_category(self.products().order_by())

    def describe(self, product: Any) -> ItemFacts:
        """The facts of one product, for the mirror."""
        return ItemFacts(
            external_id=self.external_id(product),
            title=str(self._read(product, self.title) or ""),
            category=self.product_category(product),
            price=self._checked_price(product),
            brand=str(self._read(product, self.brand) or ""),
            rating=self.base_rating(product),
            image=self.image_url(product),
            description=str(self._read(product, self.description) or ""),
            available=self.available(product, None),
            attributes=self.product_attributes(product),
            cost=self.base_cost(product),
        )

    def external_id(self, product: Any) -> str:
        return str(self._read(product, self.key))

    def in_bulk(self, ids: Iterable[str], request: HttpRequest | None) -> dict[str, Any]:
        """The live products this customer may see, by external id, in one query. Ids that mean nothing are left out."""
        field = self._model()._meta.pk if self.key == "pk" else self._model()._meta.get_field(self.key)
        wanted = [value for value in map(_Cleaner(field), ids) if value is not None]
        products = self.live_products().filter(**{f"{self.key}__in": wanted})
        return {self.external_id(product): product for product in products}

    def available(self, product: Any, request: HttpRequest | None) -> bool:
        """Whether it can be bought now."""
        return bool(self._read(product, self.stock)) if self.stock else True

    def base_price(self, product: Any) -> Decimal | None:
        """The list price, in the base currency."""
        return _decimal(self._read(product, self.price_field))

    def base_cost(self, product: Any) -> Decimal | None:
        """What it costs the shop, in the base currency; None where that is not known."""
        return _decimal(self._read(product, self.cost))

    def base_rating(self, product: Any) -> float | None:
        """Its mean rating, on the shop's own scale; None where it has none. Read on pages: keep it to no query."""
        return _number(self._read(product, self.rating))

    def stock_level(self, product: Any) -> int | None:
        """How many can be bought now; None where the shop does not count them."""
        level = self._read(product, self.stock) if self.stock else None
        return None if level is None or isinstance(level, bool) else int(level)

    def price(self, product: Any, request: HttpRequest | None) -> Decimal | None:
        """The price this customer pays now."""
        return self.base_price(product)

    def format_price(self, price: Decimal, request: HttpRequest | None) -> str:
        """A price as a block shows it; override it to add the currency."""
        return number_format(price, 2, force_grouping=True)

    def display_title(self, product: Any) -> str:
        return str(self._read(product, self.title) or "")

    def url(self, product: Any) -> str:
        return product.get_absolute_url() if hasattr(product, "get_absolute_url") else ""

    def image_url(self, product: Any) -> str:
        """Address of its picture; empty if it has none."""
        image = self._read(product, self.image)
        # An empty file field is false, and raises when asked for its address.
        return str(getattr(image, "url", image)) if image else ""

    def open_picture(self, product: Any) -> BinaryIO | None:
        """Its picture as an open file, from the storage of a file field, local or remote; None if it has none.

        Override it where ``image`` is an address: the default fetches nothing over the network.
        """
        image = self._read(product, self.image)
        return image.open("rb") if image and hasattr(image, "open") else None

    def product_category(self, product: Any) -> tuple[str, ...]:
        """The category path of a product. Each category is read once, not once per product."""
        node = getattr(product, f"{self.category}_id", None)
        if node is None or node not in self._paths:
            return self.category_path(self._read(product, self.category))
        return self._paths[node]

    def product_attributes(self, product: Any) -> dict[str, str]:
        """What makes it like or unlike others of its category, by name; empty values are left out."""
        values = {name: self._read(product, name) for name in self.attributes}
        return {name: str(value) for name, value in values.items() if value not in (None, "")}

    def compared_attributes(self, product: Any) -> Mapping[str, str]:
        """The attributes of a live product that an upgrade's reason compares. Read on pages: keep it to no query."""
        return self.product_attributes(product)

    def category_path(self, category: Any) -> tuple[str, ...]:
        """Names from the root to the leaf of a path (text joined by " > ", a sequence) or of a node with ``parent``."""
        if category is None or category == "":
            return ()
        if isinstance(category, str):
            return tuple(part for part in map(str.strip, category.split(">")) if part)
        if isinstance(category, list | tuple):
            return tuple(map(str, category))
        return self._node_path(category)

    # -- orders and cart --------------------------------------------------------------------------------------------

    def purchases(self, since: datetime | None) -> Iterable[PurchaseLine]:
        """Lines of the orders placed or changed at or after ``since`` (all if None), cancelled ones included.

        A line that is cancelled or given back later comes again with ``refunded`` set. The default shop has no orders.
        """
        return ()

    def order_lines(self, order: Any) -> Iterable[PurchaseLine]:
        """The lines of one row of ``order_model``, as ``purchases`` gives them; called right after it was saved."""
        return ()

    def order_admin_urls(self, orders: Iterable[str]) -> dict[str, str]:
        """Addresses of these orders (as `PurchaseLine.order` has them) in the shop's admin, by order, for staff who may
        see them; the default knows those of ``order_model`` if the admin does. One query."""
        if self.order_model is None:
            return {}
        model = apps.get_model(self.order_model)
        field = model._meta.pk if self.order_key == "pk" else model._meta.get_field(self.order_key)
        wanted = [value for value in map(_Cleaner(field), orders) if value is not None]
        rows = model._default_manager.filter(**{f"{self.order_key}__in": wanted}).values_list(self.order_key, "pk")
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        try:
            return {str(order): reverse(name, args=[pk]) for order, pk in rows}
        except NoReverseMatch:
            return {}

    def in_base_currency(self, price: Decimal, currency: str, time: datetime) -> Decimal | None:
        """``price`` in the base currency at that time; None where there is no rate, so that it counts as unknown.

        The default knows no rates.
        """
        return price if currency in ("", self.base_currency) else None

    def reviews(self, since: datetime | None) -> Iterable[ReviewLine]:
        """The published reviews written or changed at or after ``since`` (all if None). The default shop has none."""
        return ()

    def review_line(self, review: Any) -> ReviewLine | None:
        """One row of ``review_model``, as ``reviews`` gives it; None if it is not published."""
        return None

    def cart(self, request: HttpRequest) -> Iterable[str]:
        """External ids of what is in this customer's cart; read once a request, so keep it to one query or none."""
        return ()

    # -- the inside -------------------------------------------------------------------------------------------------

    @cached_property
    def _paths(self) -> dict[Any, tuple[str, ...]]:
        return {}

    def _node_path(self, node: Any, depth: int = 0) -> tuple[str, ...]:
        # A tree that bites its own tail ends somewhere.
        if node is None or depth == DEEPEST:
            return ()
        pk = getattr(node, "pk", None)
        if pk not in self._paths:
            above = self._paths.get(getattr(node, "parent_id", None))
            if above is None:
                above = self._node_path(getattr(node, "parent", None), depth + 1)
            path = (*above, str(getattr(node, "name", node)))
            if pk is None:
                return path
            self._paths[pk] = path
        return self._paths[pk]

    def _without_category(self, products: QuerySet[Any]) -> QuerySet[Any]:
        if not self.select_related:
            return products
        others = [path for path in self.select_related if path.split("__")[0] != self.category]
        products = products.select_related(None)
        return products.select_related(*others) if others else products

    def _checked_price(self, product: Any) -> Decimal | None:
        price = self.base_price(product)
        if price is None and (given := self._read(product, self.price_field)) not in (None, ""):
            raise DataError(f"the price {given!r} is not a finite number from 0 up")
        return price

    def _model(self) -> type[Model]:
        if self.model is None:
            raise ConfigurationError(
                f'{type(self).__name__}.model is not set: name the product model, such as "shop.Product".'
            )
        if isinstance(self.model, str):
            try:
                return apps.get_model(self.model)
            except (LookupError, ValueError) as error:
                raise ConfigurationError(f"{type(self).__name__}.model = {self.model!r}: {error}") from error
        return self.model

    @staticmethod
    def _read(product: Any, path: str | None) -> Any:
        """Follow a dotted path; a missing link (no brand) reads as None, a callable at the end is called."""
        value = product
        for name in path.split(".") if path else ():
            if value is None:
                return None
            try:
                value = getattr(value, name)
            except ObjectDoesNotExist:
                return None
        if path is None:
            return None
        return value() if callable(value) else value


class _Cleaner:
    """Turns a text id into the field's own type; None where it cannot be one, so that "abc" finds no integer key."""

    def __init__(self, field: Any) -> None:
        self.field = field

    def __call__(self, value: str) -> Any:
        try:
            key = self.field.to_python(value)
        except ValidationError:
            return None
        # SQLite raises where it is asked for more than 64 bits.
        return None if isinstance(key, int) and key.bit_length() > 63 else key


def _decimal(value: Any) -> Decimal | None:
    """A price as a finite, non-negative Decimal; None for what is not one."""
    if value is None or value == "":
        return None
    try:
        price = value if isinstance(value, Decimal) else Decimal(str(value))
    except ArithmeticError:
        return None
    return price if price.is_finite() and price >= 0 else None


def _number(value: Any) -> float | None:
    price = _decimal(value)
    return None if price is None else float(price)
