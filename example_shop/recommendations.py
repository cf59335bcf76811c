"""What the shop tells the recommendations about itself: all the glue there is."""

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
        lines = OrderLine.objects.order_by("pk")
        if since is not None:
            lines = lines.filter(order__updated__gte=since)
        rows = lines.values_list(
            "pk",
            "order__number",
            "order__user_id",
            "sku",
            "quantity",
            "unit_price",
            "order__placed",
            "refunded",
            "order__status",
        )
        for pk, order, user, sku, quantity, price, placed, refunded, status in rows.iterator(chunk_size=10_000):
            if status == Order.Status.CANCELLED:
                refunded = quantity
            yield PurchaseLine(str(pk), order, user and str(user), sku, quantity, price, placed, refunded)
