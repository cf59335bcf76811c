"""What the shop tells ecomrec_django about itself."""

from django.conf import settings

from ecomrec_django.catalog.adapter import Catalog, PurchaseLine
from ecomrec_django.db import iterate_by_key

from .models import OrderItem


class ShopCatalog(Catalog):
    model = "store.Product"
    title = "name"
    brand = "manufacturer.name"
    image = "photo"
    description = "description"
    stock = "units_in_stock"
    select_related = ("category", "manufacturer")
    order_model = "store.Order"
    whole_orders = True
    base_currency = "GBP"

    def products(self):
        return super().products().filter(is_active=True)

    def cart(self, request):
        return list(request.session.get(settings.CART_SESSION_ID, {}))

    def purchases(self, since):
        items = OrderItem.objects.select_related("order")
        if since is not None:
            items = items.filter(order__updated_at__gte=since)
        return map(self.purchase_line, iterate_by_key(items))

    def order_lines(self, order):
        return map(self.purchase_line, order.items.select_related("order"))

    def purchase_line(self, item):
        order = item.order
        return PurchaseLine(
            line=str(item.pk),
            order=str(order.pk),
            user=str(order.customer_id) if order.customer_id else None,
            item=str(item.product_id),
            quantity=item.quantity,
            price=item.price,
            time=order.created_at,
            refunded=item.quantity if order.status == "cancelled" else 0,
        )
