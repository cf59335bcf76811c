from ecomrec_django.catalog.adapter import Catalog, PurchaseLine

from .models import OrderLine


class ShopCatalog(Catalog):
    model = "shop.Product"
    stock = "stock"
    order_model = "shop.Order"

    def category_path(self, category):
        return tuple(category.split(" > ")) if category else ()

    def purchases(self, since):
        lines = OrderLine.objects.select_related("order").order_by("pk")
        return map(self.line, lines.filter(order__updated__gte=since) if since else lines)

    def order_lines(self, order):
        return map(self.line, order.lines.select_related("order"))

    def line(self, line):
        return PurchaseLine(
            line=str(line.pk),
            order=str(line.order_id),
            user=line.order.user_id and str(line.order.user_id),
            item=str(line.product_id),
            quantity=line.quantity,
            price=line.price,
            time=line.order.placed,
        )
