"""What the shop tells ecomrec_django about itself."""

from decimal import Decimal
from functools import cached_property

from ecomrec_django.catalog.adapter import Catalog, PurchaseLine
from ecomrec_django.db import iterate_by_key

from .models import Department


class ShopCatalog(Catalog):
    model = "catalogue.Product"
    title = "label"
    price_field = "price_cents"
    category = "department"
    brand = "maker"
    image = "image_url"
    order_model = "sales.Order"
    whole_orders = True
    base_currency = "EUR"

    def products(self):
        return super().products().filter(listed=True)

    def available(self, product, request):
        return not product.sold_out

    def base_price(self, product):
        return Decimal(product.price_cents) / 100

    def product_category(self, product):
        names, department = [], product.department_id
        while department is not None:
            title, department = self._departments[department]
            names.insert(0, title)
        return tuple(names)

    @cached_property
    def _departments(self):
        return {pk: (title, above) for pk, title, above in Department.objects.values_list("pk", "title", "above")}

    def cart(self, request):
        from sales.models import OrderLine

        if not request.user.is_authenticated:
            return []
        lines = OrderLine.objects.filter(order__buyer=request.user, order__state="basket", product__isnull=False)
        return [str(pk) for pk in lines.values_list("product_id", flat=True)]

    def purchases(self, since):
        from sales.models import OrderLine

        lines = OrderLine.objects.select_related("order")
        if since is not None:
            lines = lines.filter(order__changed_at__gte=since)
        return self.purchase_lines(iterate_by_key(lines))

    def order_lines(self, order):
        return self.purchase_lines(order.lines.select_related("order"))

    def purchase_lines(self, lines):
        for line in lines:
            order = line.order
            if order.state == "basket":
                continue
            yield PurchaseLine(
                line=str(line.pk),
                order=str(order.pk),
                user=str(order.buyer_id),
                item=None if line.product_id is None else str(line.product_id),
                quantity=line.qty,
                price=Decimal(line.unit_price_cents) / 100,
                time=order.placed_at,
                refunded=line.qty if order.state == "cancelled" else line.refunded_qty,
            )
