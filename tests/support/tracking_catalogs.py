from ecomrec_django.catalog.adapter import PurchaseLine
from example_shop.recommendations import ShopCatalog


class PromptCatalog(ShopCatalog):
    """The example shop, whose orders are imported as soon as they are saved."""

    order_model = "shop.Order"

    def order_lines(self, order):
        for line in order.lines.all():
            yield PurchaseLine(
                line=str(line.pk),
                order=order.number,
                user=None,
                item=line.sku,
                quantity=line.quantity,
                price=line.unit_price,
                time=order.placed,
                refunded=line.refunded,
            )
