"""django-oscar: ``ECOMREC = {"CATALOG": "ecomrec_django.contrib.oscar.OscarCatalog",
"TRACK_VIEWS": {"catalogue:detail": "context:product"}}``.

Oscar's models are looked up at run time, so that forked apps work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.db.models.signals import pre_delete
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import strip_tags

from ..catalog.adapter import Catalog, ItemFacts, PurchaseLine, ReviewLine
from ..catalog.guests import guest_hash
from ..db import iterate_by_key
from ..errors import DataError
from ..tracking import track
from ..tracking.receivers import order_changed
from ..tracking.request_state import current_request
from ..tracking.validation import clean_quantity

CHUNK = 2_000


class OscarCatalog(Catalog):
    """Products, prices, stock, baskets, orders and reviews of an Oscar shop.

    An item is a stand-alone product or a parent; views, purchases and reviews of a variant (child) count for
    its parent, so that no variant of a product in the basket is ever offered. A parent has the price of its cheapest
    available variant.

    A block makes one query for its lists and four for its products (six if some are parents), however many offers it
    has: products, stock records and images, and the same of variants.

    Refunded pieces are all those of orders and lines with a status in ``cancelled_statuses``; otherwise the pieces of
    payment events of the types ``refund_events`` or of shipping events of the types ``return_events``, whichever are
    more.
    """

    model = "catalogue.Product"
    order_model = "order.Order"
    order_key = "number"
    whole_orders = True
    review_model = "reviews.ProductReview"
    rating = "rating"
    description = "description"
    cancelled_statuses: tuple[str, ...] = ("Cancelled",)
    refund_events: tuple[str, ...] = ("Refund", "Refunded")
    return_events: tuple[str, ...] = ("Return", "Returned")
    # Code of the product attribute with the brand.
    brand_attribute = "brand"
    # Name of the page on which shoppers remove products from their basket.
    basket_view = "basket:summary"

    @classmethod
    def connect(cls) -> None:
        """Record additions to and removals from the basket, and import an order when a line's status changes."""
        from oscar.apps.basket.signals import basket_addition
        from oscar.apps.order.signals import order_line_status_changed

        basket_addition.connect(_added, dispatch_uid="ecomrec_added_to_basket")
        order_line_status_changed.connect(_line_changed, dispatch_uid="ecomrec_order_line_changed")
        pre_delete.connect(_removed, _named("basket.Line"), dispatch_uid="ecomrec_removed_from_basket")

    # -- products ---------------------------------------------------------------------------------------------------

    def products(self) -> QuerySet[Any]:
        """Browsable products (no variants, nothing that is not public) with all that a block needs of them."""
        products = self.product_model()._default_manager
        variants = products.public().prefetch_related("stockrecords")  # type: ignore[attr-defined]
        return (
            products.browsable()  # type: ignore[attr-defined]
            .select_related("product_class")
            .prefetch_related("stockrecords", "images")
            .prefetch_public_children(queryset=variants)
        )

    def items(self) -> Iterator[Any]:
        """The products a sync walks through, with their categories and attributes."""
        values = ("attribute_values__attribute", "attribute_values__value_option")
        return iterate_by_key(self.products().prefetch_related("categories", *values), CHUNK)

    def external_id(self, product: Any) -> str:
        """Primary key of the product, of a variant that of its parent."""
        return str(product.parent_id or product.pk)

    def describe(self, product: Any) -> ItemFacts:
        """The facts of one product, with its description stripped of markup."""
        return ItemFacts(
            external_id=self.external_id(product),
            title=self.display_title(product),
            category=self.product_category(product),
            category_keys=self.product_category_keys(product),
            price=self.base_price(product),
            brand=self._brand(product),
            rating=product.rating,
            image=self.image_url(product),
            description=strip_tags(product.description),
            available=self.available(product, None),
            attributes=self.product_attributes(product),
            cost=self.base_cost(product),
            sellable=self.is_sellable(product),
        )

    def display_title(self, product: Any) -> str:
        """Oscar's title; a variant without one has its parent's."""
        return str(product.get_title())

    def image_url(self, product: Any) -> str:
        """Address of the original picture; "" where Oscar would show its placeholder."""
        image = product.primary_image()
        # Oscar represents a missing image by a dictionary.
        return "" if isinstance(image, dict) else str(image.original.url)

    def product_category(self, product: Any) -> tuple[str, ...]:
        """The deepest of a product's categories; among several, the first in Oscar's order."""
        return tuple(name for name, _ in self._branch(product))

    def product_category_keys(self, product: Any) -> tuple[str, ...]:
        """Primary keys of the categories that `product_category` names."""
        return tuple(key for _, key in self._branch(product))

    def _branch(self, product: Any) -> list[tuple[str, str]]:
        """Name and key of each category of the product's branch, from the root to the leaf."""
        paths = [(-category.depth, category.path) for category in product.categories.all()]
        if not paths:
            return []
        categories, step = self._categories
        _, path = min(paths)
        return [categories[path[:end]] for end in range(step, len(path) + 1, step) if path[:end] in categories]

    @cached_property
    def _categories(self) -> tuple[dict[str, tuple[str, str]], int]:
        """Names and keys by treebeard's path, and the length of one step of such a path."""
        categories = _named("catalogue.Category")
        rows = categories._default_manager.values_list("path", "name", "pk")
        return {path: (name, str(pk)) for path, name, pk in rows}, categories.steplen

    def product_attributes(self, product: Any) -> dict[str, str]:
        """Values of the product's attributes by code, except the brand."""
        return {
            value.attribute.code: str(value.value_as_text)
            for value in product.attribute_values.all()
            if value.attribute.code != self.brand_attribute
        }

    def compared_attributes(self, product: Any) -> Mapping[str, str]:
        """Empty: pages read products without attributes, which would cost queries for each product and attribute."""
        return {}

    def _brand(self, product: Any) -> str:
        values = product.attribute_values.all()
        brands = (str(value.value) for value in values if value.attribute.code == self.brand_attribute)
        return next(brands, "")

    # -- stock and price --------------------------------------------------------------------------------------------

    @property
    def base_currency(self) -> str:  # type: ignore[override]
        """OSCAR_DEFAULT_CURRENCY, "" if unset."""
        return str(getattr(settings, "OSCAR_DEFAULT_CURRENCY", ""))

    def available(self, product: Any, request: HttpRequest | None) -> bool:
        """Whether Oscar's strategy sells it to this customer, of a parent any variant."""
        return any(self._offers(product, request))

    def stock_level(self, product: Any) -> int | None:
        """Pieces that can be bought now, for a parent those of all variants; None if Oscar does not track stock."""
        offers = self._offers(product, None)
        levels: list[Any] = [getattr(info.availability, "num_available", None) for info in offers]
        return None if None in levels else sum(levels)

    def base_price(self, product: Any) -> Decimal | None:
        """An anonymous customer's lowest price, tax included if known; None without a price or a rate."""
        cheapest = self._cheapest(product, None)
        if cheapest is None:
            return None
        return self.in_base_currency(_amount(cheapest), cheapest.currency or "", timezone.now())

    def price(self, product: Any, request: HttpRequest | None) -> Decimal | None:
        """This customer's lowest price, tax included if known; of a parent its cheapest variant's."""
        cheapest = self._cheapest(product, request)
        return None if cheapest is None else _amount(cheapest)

    def format_price(self, price: Decimal, request: HttpRequest | None) -> str:
        """The price as Oscar's `currency` filter writes it, in OSCAR_DEFAULT_CURRENCY."""
        from oscar.templatetags.currency_filters import currency

        return str(currency(price))

    def _cheapest(self, product: Any, request: HttpRequest | None) -> Any:
        """Oscar's lowest price object among available variants, else among all; None without a price."""
        infos = list(self._offers(product, request)) or list(self._infos(product, request))
        prices = [info.price for info in infos if info.price.exists and info.price.excl_tax is not None]
        return min(prices, key=_amount) if prices else None

    def _offers(self, product: Any, request: HttpRequest | None) -> Iterator[Any]:
        return (info for info in self._infos(product, request) if info.availability.is_available_to_buy)

    def _infos(self, product: Any, request: HttpRequest | None) -> Iterator[Any]:
        """Oscar's purchase info of the product, or of each variant of a parent, for this customer."""
        strategy = self._strategy(request)
        variants = product.get_public_children() if product.is_parent else [product]
        return (strategy.fetch_for_product(variant) for variant in variants)

    def _strategy(self, request: HttpRequest | None) -> Any:
        from oscar.core.loading import get_class

        strategy = getattr(request, "strategy", None)
        if strategy is not None:
            return strategy
        user = getattr(request, "user", None)
        return get_class("partner.strategy", "Selector")().strategy(request=request if user else None, user=user)

    # -- basket, orders, reviews ------------------------------------------------------------------------------------

    def cart(self, request: HttpRequest) -> Iterable[str]:
        """Products of the basket, parents for variants; one query, or none for a basket that is not stored yet."""
        basket = getattr(request, "basket", None)
        if basket is None or not basket.pk:
            return []
        return [str(parent or pk) for pk, parent in basket.lines.values_list("product", "product__parent")]

    def purchases(self, since: datetime | None) -> Iterable[PurchaseLine]:
        """Changes are noticed by status, payment and shipping events; orders with cancelled lines always come again."""
        lines = _named("order.Line")._default_manager.all()
        if since is None:
            return self._lines(lines)
        changed = Q(date_placed__gte=since)
        for name in ("OrderStatusChange", "PaymentEvent", "ShippingEvent"):
            later = _named(f"order.{name}")._default_manager.filter(date_created__gte=since)
            changed |= Q(pk__in=later.order_by().values("order"))
        orders = _named(self.order_model)._default_manager.filter(changed)
        # Oscar does not record when the status of a line changed.
        cancelled = lines.filter(status__in=self.cancelled_statuses)
        return self._lines(lines.filter(Q(order__in=orders.values("pk")) | Q(order__in=cancelled.values("order"))))

    def order_lines(self, order: Any) -> Iterable[PurchaseLine]:
        """The lines of an order, read when it is saved and when the status of a line changes."""
        return self._lines(order.lines.all())

    def _lines(self, lines: QuerySet[Any]) -> Iterator[PurchaseLine]:
        rows = lines.annotate(
            repaid=_pieces("PaymentEventQuantity", self.refund_events),
            returned=_pieces("ShippingEventQuantity", self.return_events),
        )
        for line in iterate_by_key(rows, CHUNK):
            if not line.quantity:
                continue
            order = line.order
            cancelled = order.status in self.cancelled_statuses or line.status in self.cancelled_statuses
            yield PurchaseLine(
                line=str(line.pk),
                order=str(order.number),
                user=order.user_id and str(order.user_id),
                # A deleted product keeps its place in the order.
                item=self.external_id(line.product) if line.product else f"gone:{line.partner_sku}",
                quantity=line.quantity,
                price=line.line_price_incl_tax / line.quantity,
                time=order.date_placed,
                refunded=line.quantity if cancelled else max(line.repaid, line.returned),
                currency=order.currency,
                guest="" if order.user_id else guest_hash(order.guest_email),
            )

    def reviews(self, since: datetime | None) -> Iterable[ReviewLine]:
        """All approved reviews, whatever ``since`` is: Oscar does not record when a review was approved."""
        reviews = _named(self.review_model)._default_manager.select_related("product")
        return (line for review in iterate_by_key(reviews, CHUNK) if (line := self.review_line(review)))

    def review_line(self, review: Any) -> ReviewLine | None:
        """None if the review is not approved or its product was deleted."""
        if review.status != review.APPROVED or review.product is None:
            return None
        user = review.user_id and str(review.user_id)
        return ReviewLine(
            review=str(review.pk),
            user=user,
            item=self.external_id(review.product),
            rating=review.score,
            time=review.date_created,
        )


def _named(label: str) -> Any:
    """The shop's model with this label."""
    return apps.get_model(label)


def _pieces(model: str, types: tuple[str, ...]) -> Coalesce:
    """Number of pieces of a line in events of these types."""
    quantities = _named(f"order.{model}")._default_manager.filter(
        line=OuterRef("pk"), event__event_type__name__in=types
    )
    # Without the events' default order, which would split the sum.
    return Coalesce(Subquery(quantities.order_by().values("line").annotate(sum=Sum("quantity")).values("sum")), 0)


def _amount(price: Any) -> Decimal:
    amount: Decimal = price.incl_tax if price.is_tax_known else price.excl_tax
    return amount


def _added(*, product: Any, request: HttpRequest, **kwargs: Any) -> None:
    # The signal carries no quantity, but the form that Oscar has just accepted does.
    try:
        quantity = clean_quantity(str(request.POST.get("quantity", "")))
    except DataError:
        quantity = 1
    track.add_to_cart(request, product, quantity)


def _line_changed(*, line: Any, **kwargs: Any) -> None:
    order_changed(line.order)


def _removed(*, sender: Any, instance: Any, **kwargs: Any) -> None:
    request = current_request.get()
    match = request.resolver_match if request is not None else None
    # On other pages, lines are deleted because baskets are merged or an order was placed.
    if request is None or match is None or match.view_name != OscarCatalog.basket_view:
        return
    # The instance has the quantity of the form, such as 0; the row still has the former one.
    for quantity in sender.objects.filter(pk=instance.pk, quantity__gt=0).values_list("quantity", flat=True):
        track.remove_from_cart(request, instance.product, quantity)
