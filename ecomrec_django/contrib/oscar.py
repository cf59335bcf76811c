"""django-oscar: ``ECOMREC = {"CATALOG": "ecomrec_django.contrib.oscar.OscarCatalog",
"TRACK_VIEWS": {"catalogue:detail": "context:product"}}``.

Oscar's own models are looked up where they are used, so that forked apps work.
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
from ..errors import DataError
from ..models.bulk import by_key
from ..tracking import track
from ..tracking.cleaning import clean_quantity
from ..tracking.prompt import order_changed
from ..tracking.request import current_request

CHUNK = 2_000


class OscarCatalog(Catalog):
    """Products, prices, stock, baskets, orders and reviews of an Oscar shop.

    An item is a stand-alone product or a parent; a variant (child) counts as its parent wherever it is viewed, put into
    a basket, bought or reviewed, so that a variant of what is in the basket is never offered. A parent costs what its
    cheapest available variant costs.

    A block costs one query for the lists and four for the products (six where there are parents among them), however
    many offers it has: products, their stock records and pictures, and the same of their variants.

    Given back is: all of an order or a line whose status is one of ``cancelled_statuses``, and the pieces of payment
    events of the types ``refund_events`` or of shipping events of the types ``return_events``, whichever are more.
    """

    model = "catalogue.Product"
    order_model = "order.Order"
    review_model = "reviews.ProductReview"
    rating = "rating"
    description = "description"
    cancelled_statuses: tuple[str, ...] = ("Cancelled",)
    refund_events: tuple[str, ...] = ("Refund", "Refunded")
    return_events: tuple[str, ...] = ("Return", "Returned")
    # Code of the product attribute that holds the brand.
    brand_attribute = "brand"
    # Name of the page on which shoppers take things out of their basket.
    basket_view = "basket:summary"

    @classmethod
    def connect(cls) -> None:
        from oscar.apps.basket.signals import basket_addition
        from oscar.apps.order.signals import order_line_status_changed

        basket_addition.connect(_added, dispatch_uid="ecomrec_added_to_basket")
        order_line_status_changed.connect(_line_changed, dispatch_uid="ecomrec_order_line_changed")
        pre_delete.connect(_removed, _named("basket.Line"), dispatch_uid="ecomrec_removed_from_basket")

    # -- products ---------------------------------------------------------------------------------------------------

    def products(self) -> QuerySet[Any]:
        products = self._model()._default_manager
        variants = products.public().prefetch_related("stockrecords")  # type: ignore[attr-defined]
        return (
            products.browsable()  # type: ignore[attr-defined]
            .select_related("product_class")
            .prefetch_related("stockrecords", "images")
            .prefetch_public_children(queryset=variants)
        )

    def items(self) -> Iterator[Any]:
        values = ("attribute_values__attribute", "attribute_values__value_option")
        return by_key(self.products().prefetch_related("categories", *values), CHUNK)

    def external_id(self, product: Any) -> str:
        return str(product.parent_id or product.pk)

    def describe(self, product: Any) -> ItemFacts:
        return ItemFacts(
            external_id=self.external_id(product),
            title=self.display_title(product),
            category=self.product_category(product),
            price=self.base_price(product),
            brand=self._brand(product),
            rating=product.rating,
            image=self.image_url(product),
            description=strip_tags(product.description),
            available=self.available(product, None),
            attributes=self.product_attributes(product),
        )

    def display_title(self, product: Any) -> str:
        return str(product.get_title())

    def image_url(self, product: Any) -> str:
        image = product.primary_image()
        # Oscar stands in for a missing picture with a dictionary.
        return "" if isinstance(image, dict) else str(image.original.url)

    def product_category(self, product: Any) -> tuple[str, ...]:
        """The deepest of a product's categories; of several, the first in Oscar's own order."""
        paths = [(-category.depth, category.path) for category in product.categories.all()]
        if not paths:
            return ()
        names, step = self._category_names
        _, path = min(paths)
        return tuple(names[path[:end]] for end in range(step, len(path) + 1, step) if path[:end] in names)

    @cached_property
    def _category_names(self) -> tuple[dict[str, str], int]:
        """Names by treebeard's path, and the length of one step of a path."""
        categories = _named("catalogue.Category")
        return dict(categories._default_manager.values_list("path", "name")), categories.steplen

    def product_attributes(self, product: Any) -> dict[str, str]:
        given = [one for one in product.attribute_values.all() if one.attribute.code != self.brand_attribute]
        return {one.attribute.code: str(one.value_as_text) for one in given}

    def compared_attributes(self, product: Any) -> Mapping[str, str]:
        """None, as pages read products without their attributes: a query each, and more for each attribute."""
        return {}

    def _brand(self, product: Any) -> str:
        found = [one for one in product.attribute_values.all() if one.attribute.code == self.brand_attribute]
        return str(found[0].value) if found else ""

    # -- stock and price --------------------------------------------------------------------------------------------

    @property
    def base_currency(self) -> str:  # type: ignore[override]
        return str(getattr(settings, "OSCAR_DEFAULT_CURRENCY", ""))

    def available(self, product: Any, request: HttpRequest | None) -> bool:
        return any(self._offers(product, request))

    def stock_level(self, product: Any) -> int | None:
        """Pieces that can be bought now, of a parent those of all its variants; None where Oscar counts no stock."""
        offers = self._offers(product, None)
        levels: list[Any] = [getattr(info.availability, "num_available", None) for info in offers]
        return None if None in levels else sum(levels)

    def base_price(self, product: Any) -> Decimal | None:
        cheapest = self._cheapest(product, None)
        if cheapest is None:
            return None
        return self.in_base_currency(_amount(cheapest), cheapest.currency or "", timezone.now())

    def price(self, product: Any, request: HttpRequest | None) -> Decimal | None:
        cheapest = self._cheapest(product, request)
        return None if cheapest is None else _amount(cheapest)

    def format_price(self, price: Decimal, request: HttpRequest | None) -> str:
        from oscar.templatetags.currency_filters import currency

        return str(currency(price))

    def _cheapest(self, product: Any, request: HttpRequest | None) -> Any:
        """Oscar's price object of what can be bought for least, or else is listed for least; None without a price."""
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

        given = getattr(request, "strategy", None)
        if given is not None:
            return given
        user = getattr(request, "user", None)
        return get_class("partner.strategy", "Selector")().strategy(request=request if user else None, user=user)

    # -- basket, orders, reviews ------------------------------------------------------------------------------------

    def cart(self, request: HttpRequest) -> Iterable[str]:
        basket = getattr(request, "basket", None)
        if basket is None or not basket.pk:
            return []
        return [str(parent or pk) for pk, parent in basket.lines.values_list("product", "product__parent")]

    def purchases(self, since: datetime | None) -> Iterable[PurchaseLine]:
        lines = _named("order.Line")._default_manager.all()
        if since is None:
            return self._lines(lines)
        changed = Q(date_placed__gte=since)
        for name in ("OrderStatusChange", "PaymentEvent", "ShippingEvent"):
            later = _named(f"order.{name}")._default_manager.filter(date_created__gte=since)
            changed |= Q(pk__in=later.order_by().values("order"))
        orders = _named(self.order_model)._default_manager.filter(changed)
        # Oscar does not note when a line's own status changed.
        return self._lines(lines.filter(Q(order__in=orders.values("pk")) | Q(status__in=self.cancelled_statuses)))

    def order_lines(self, order: Any) -> Iterable[PurchaseLine]:
        return self._lines(order.lines.all())

    def _lines(self, lines: QuerySet[Any]) -> Iterator[PurchaseLine]:
        rows = lines.annotate(
            repaid=_pieces("PaymentEventQuantity", self.refund_events),
            returned=_pieces("ShippingEventQuantity", self.return_events),
        )
        for line in by_key(rows, CHUNK):
            if not line.quantity:
                continue
            order = line.order
            cancelled = order.status in self.cancelled_statuses or line.status in self.cancelled_statuses
            yield PurchaseLine(
                line=str(line.pk),
                order=str(order.number),
                user=order.user_id and str(order.user_id),
                # A product that was deleted since keeps its place in the basket.
                item=self.external_id(line.product) if line.product else f"gone:{line.partner_sku}",
                quantity=line.quantity,
                price=line.line_price_incl_tax / line.quantity,
                time=order.date_placed,
                refunded=line.quantity if cancelled else max(line.repaid, line.returned),
                currency=order.currency,
            )

    def reviews(self, since: datetime | None) -> Iterable[ReviewLine]:
        # All of them: Oscar does not note when a review was approved.
        reviews = _named(self.review_model)._default_manager.select_related("product")
        return (line for review in by_key(reviews, CHUNK) if (line := self.review_line(review)))

    def review_line(self, review: Any) -> ReviewLine | None:
        if review.status != review.APPROVED or review.product is None:
            return None
        user = review.user_id and str(review.user_id)
        return ReviewLine(str(review.pk), user, self.external_id(review.product), review.score, review.date_created)


def _named(label: str) -> Any:
    """The shop's own model of that name."""
    return apps.get_model(label)


def _pieces(model: str, types: tuple[str, ...]) -> Coalesce:
    """Pieces of a line in its events of these types."""
    quantities = _named(f"order.{model}")._default_manager.filter(
        line=OuterRef("pk"), event__event_type__name__in=types
    )
    # By line alone: the events' own order would split the sum.
    return Coalesce(Subquery(quantities.order_by().values("line").annotate(sum=Sum("quantity")).values("sum")), 0)


def _amount(price: Any) -> Decimal:
    amount: Decimal = price.incl_tax if price.is_tax_known else price.excl_tax
    return amount


def _added(*, product: Any, request: HttpRequest, **kwargs: Any) -> None:
    # The signal tells no quantity; the form that Oscar has just accepted does.
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
    # Elsewhere lines are deleted because baskets are merged or emptied by an order.
    if request is None or match is None or match.view_name != OscarCatalog.basket_view:
        return
    # Oscar's form has put its own quantity, such as 0, into the line.
    for quantity in sender.objects.filter(pk=instance.pk, quantity__gt=0).values_list("quantity", flat=True):
        track.remove_from_cart(request, instance.product, quantity)
