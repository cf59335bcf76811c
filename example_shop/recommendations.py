"""What the shop tells the recommendations about itself: all the glue there is."""

from decimal import Decimal
from functools import cache
from itertools import islice

from django.db.models import F, FloatField
from django.db.models.functions import Cast

from ecomrec_django.catalog.adapter import Catalog, PurchaseLine, ReviewLine

from .cart import Cart
from .models import Order, OrderLine, Review

# Orders held at once while their lines are read.
ORDERS = 50_000


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
    order_model = "shop.Order"
    order_key = "number"
    review_model = "shop.Review"

    def format_price(self, price, request):
        return f"${super().format_price(price, request)}"

    def cart(self, request):
        return list(Cart(request))

    def purchases(self, since):
        orders, lines = Order.objects.order_by("pk"), OrderLine.objects.order_by("order_id", "pk")
        if since is not None:
            orders, lines = orders.filter(updated__gte=since), lines.filter(order__updated__gte=since)
        rows = orders.values_list("pk", "number", "user_id", "placed", "status").iterator(chunk_size=ORDERS)
        while chunk := {pk: order for pk, *order in islice(rows, ORDERS)}:
            yield from self._lines(chunk, lines.filter(order_id__gte=min(chunk), order_id__lte=max(chunk)))

    def order_lines(self, order):
        facts = [order.number, order.user_id, order.placed, order.status]
        return self._lines({order.pk: facts}, order.lines.order_by("pk"))

    def reviews(self, since):
        reviews = Review.objects.select_related("product").order_by("pk")
        if since is not None:
            reviews = reviews.filter(updated__gte=since)
        return map(self.review_line, reviews.iterator(chunk_size=2000))

    def review_line(self, review):
        return ReviewLine(str(review.pk), str(review.user_id), review.product.sku, review.rating, review.created)

    def _lines(self, orders, lines):
        # A million decimals are slow to build; a shop has few prices.
        price = Cast(F("unit_price"), FloatField())
        rows = lines.values_list("pk", "order_id", "sku", "quantity", price, "refunded")
        for pk, order, sku, quantity, price, refunded in rows.iterator(chunk_size=10_000):
            if order not in orders:
                # Placed since the orders were read: the next import has it.
                continue
            number, user, placed, status = orders[order]
            if status == Order.Status.CANCELLED:
                refunded = quantity
            yield PurchaseLine(str(pk), number, user and str(user), sku, quantity, _cents(price), placed, refunded)


@cache
def _cents(price):
    return Decimal(f"{price:.2f}")
