from ecomrec_django.catalog.adapter import PurchaseLine
from example_shop.recommendations import ShopCatalog


class PromptCatalog(ShopCatalog):
    """The example shop, whose orders are imported as soon as they are saved."""

    order_model = "shop.Order"

    def order_lines(self, order):
        for line in order.lines.all():
            yield PurchaseLine(
                str(line.pk), order.number, None, line.sku, line.quantity, line.unit_price, order.placed, line.refunded
            )
