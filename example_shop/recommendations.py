"""What the shop tells the recommendations about itself: all the glue there is."""

from decimal import Decimal
from functools import cache

from django.db.models import F, FloatField
from django.db.models.functions import Cast

from ecomrec_django.catalog.adapter import Catalog, PurchaseLine

from .cart import Cart
from .models import Order, OrderLine


class ShopCatalog(Catalog):
    model = "shop.Product"
    key = "sku"
    price_field = "price"
    brand = "brand"
    image = "image"
    rating = "rating"
    description = "description"
    stock = "stock"
    select_related = ("category__parent__parent__parent",)

    def cart(self, request):
        return list(Cart(request))

    def purchases(self, since):
        orders = Order.objects.order_by("pk")
        if since is not None:
            orders = orders.filter(updated__gte=since)
        chunk = {}
        for pk, *order in orders.values_list("pk", "number", "user_id", "placed", "status").iterator():
            chunk[pk] = order
            if len(chunk) == 5_000:
                yield from self._lines(chunk)
                chunk = {}
        yield from self._lines(chunk)

    def _lines(self, orders):
        lines = OrderLine.objects.filter(order__in=orders).order_by("pk")
        # A million decimals are slow to build; a shop has few prices.
        price = Cast(F("unit_price"), FloatField())
        rows = lines.values_list("pk", "order_id", "sku", "quantity", price, "refunded")
        for pk, order, sku, quantity, price, refunded in rows.iterator(chunk_size=10_000):
            number, user, placed, status = orders[order]
            if status == Order.Status.CANCELLED:
                refunded = quantity
            yield PurchaseLine(str(pk), number, user and str(user), sku, quantity, _cents(price), placed, refunded)


@cache
def _cents(price):
    return Decimal(f"{price:.2f}")
