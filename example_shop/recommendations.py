"""What the shop tells the recommendations about itself: all the glue there is."""

from decimal import Decimal
from functools import cache

from django.db.models import F, FloatField
from django.db.models.functions import Cast

from ecomrec_django.catalog.adapter import Catalog, PurchaseLine, ReviewLine
from ecomrec_django.catalog.guests import guest_hash
from ecomrec_django.db import chunks, iterate_by_key

from .cart import Cart
from .models import Order, OrderLine, Review

# Orders held at once while their lines are read.
ORDERS = 10_000


class ShopCatalog(Catalog):
    model = "shop.Product"
    key = "sku"
    price_field = "price"
    brand = "brand"
    image = "image"
    rating = "rating"
    description = "description"
    stock = "stock"
    attributes = ("size",)
    select_related = ("category__parent__parent__parent",)
    order_model = "shop.Order"
    order_key = "number"
    whole_orders = True
    review_model = "shop.Review"
    base_currency = "USD"

    def cart(self, request):
        return list(Cart(request))

    def purchases(self, since):
        orders, lines = Order.objects.only("number", "user_id", "email", "placed", "status"), OrderLine.objects.all()
        if since is not None:
            orders, lines = orders.filter(updated__gte=since), lines.filter(order__updated__gte=since)
        for some in chunks(iterate_by_key(orders, ORDERS), ORDERS):
            yield from self._lines(some, lines.filter(order_id__gte=some[0].pk, order_id__lte=some[-1].pk))

    def order_lines(self, order):
        return self._lines([order], order.lines.all())

    def reviews(self, since):
        reviews = Review.objects.select_related("product")
        if since is not None:
            reviews = reviews.filter(updated__gte=since)
        return map(self.review_line, iterate_by_key(reviews))

    def review_line(self, review):
        return ReviewLine(
            review=str(review.pk),
            user=str(review.user_id),
            item=review.product.sku,
            rating=review.rating,
            time=review.created,
        )

    def _lines(self, orders, lines):
        # A million decimals are slow to build; a shop has few prices.
        price = Cast(F("unit_price"), FloatField())
        rows = lines.order_by("order_id", "pk").values_list("pk", "order_id", "sku", "quantity", price, "refunded")
        known = {
            order.pk: (
                order.number,
                order.user_id and str(order.user_id),
                order.placed,
                order.status == Order.Status.CANCELLED,
                "" if order.user_id else guest_hash(order.email),
            )
            for order in orders
        }
        for pk, order, sku, quantity, price, refunded in rows:
            if order not in known:
                # Placed since the orders were read: the next import has it.
                continue
            number, user, placed, cancelled, guest = known[order]
            refunded = quantity if cancelled else refunded
            yield PurchaseLine(
                line=str(pk),
                order=number,
                user=user,
                item=sku,
                quantity=quantity,
                price=_cents(price),
                time=placed,
                refunded=refunded,
                guest=guest,
            )


@cache
def _cents(price):
    return Decimal(f"{price:.2f}")
