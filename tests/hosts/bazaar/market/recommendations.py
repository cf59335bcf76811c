"""What the shop tells ecomrec_django about itself."""

from dataclasses import replace
from decimal import Decimal

from django.conf import settings

from ecomrec_django.catalog.adapter import Catalog, PurchaseLine
from ecomrec_django.db import iterate_by_key

from .models import CartItem, ExchangeRate, OrderItem, Product
from .prices import currency_of, in_currency, rate_of


class ShopCatalog(Catalog):
    model = "market.Product"
    stock = "stock"
    order_model = "market.Order"
    whole_orders = True
    base_currency = settings.DEFAULT_CURRENCY

    def products(self):
        return Product.objects.filter(status=Product.Status.LIVE).prefetch_related("translations", "images")

    def display_title(self, product):
        return product.translation().title

    def describe(self, product):
        return replace(super().describe(product), description=product.translation().description)

    def image_url(self, product):
        images = list(product.images.all())
        return images[0].url if images else ""

    def currency(self, request):
        return self.base_currency if request is None else currency_of(request)

    def price(self, product, request):
        currency = self.currency(request)
        # One query a page for customers who pay in another currency.
        if currency not in self._rates:
            self._rates[currency] = rate_of(currency)
        return in_currency(product.price, self._rates[currency])

    def in_base_currency(self, price, currency, time):
        if currency not in self._rates:
            rate = ExchangeRate.objects.filter(currency=currency).first()
            self._rates[currency] = rate and rate.rate
        rate = self._rates[currency]
        return None if rate is None else (price / rate).quantize(Decimal("0.01"))

    def cart(self, request):
        if request.user.is_authenticated:
            items = CartItem.objects.filter(cart__user=request.user)
        elif request.session.session_key:
            items = CartItem.objects.filter(cart__user=None, cart__session_key=request.session.session_key)
        else:
            return []
        return [str(pk) for pk in items.values_list("product_id", flat=True)]

    def purchases(self, since):
        items = OrderItem.objects.select_related("part__order")
        if since is not None:
            items = items.filter(part__order__modified__gte=since)
        return map(self.purchase_line, iterate_by_key(items))

    def order_lines(self, order):
        return map(self.purchase_line, OrderItem.objects.filter(part__order=order).select_related("part__order"))

    def purchase_line(self, item):
        order = item.part.order
        return PurchaseLine(
            line=str(item.pk),
            order=str(order.pk),
            user=str(order.user_id) if order.user_id else None,
            item=str(item.product_id),
            quantity=item.quantity,
            price=item.unit_price,
            time=order.date_placed,
            refunded=item.quantity if item.part.status == "refunded" else 0,
            currency=order.currency,
        )

    def __init__(self):
        self._rates = {self.base_currency: Decimal(1)}
