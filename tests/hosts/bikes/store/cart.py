from django.conf import settings

from .models import Product


class Cart:
    """The products and quantities in a visitor's session."""

    def __init__(self, request):
        self.session = request.session
        self.cart = self.session.setdefault(settings.CART_SESSION_ID, {})

    def add(self, product, quantity=1):
        line = self.cart.setdefault(str(product.pk), {"quantity": 0, "price": str(product.price)})
        line["quantity"] += quantity
        self.session.modified = True

    def lines(self):
        products = Product.objects.in_bulk(self.cart)
        return [(products[int(pk)], line["quantity"]) for pk, line in self.cart.items() if int(pk) in products]

    def clear(self):
        del self.session[settings.CART_SESSION_ID]
