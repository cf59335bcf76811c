from decimal import Decimal

from django.core.cache.backends.base import BaseCache

from ecomrec_django.strategies.base import Strategy
from tests.hosts.catalogs import IntegerCatalog


class CartCatalog(IntegerCatalog):
    """Its cart and its customer's prices are attributes of the request."""

    def cart(self, request):
        return getattr(request, "cart_ids", ())

    def price(self, product, request):
        price = getattr(request, "price_of", {}).get(product.pk) or super().price(product, request)
        return None if price is None else price * Decimal(getattr(request, "discount", 1))

    def url(self, product):
        return getattr(product, "address", f"/product/{product.pk}/")


class PricelessCatalog(IntegerCatalog):
    """Articles, which cost nothing and lie in no stock."""

    price_field = None
    stock = None


class FailingCatalog(IntegerCatalog):
    def available(self, product, request):
        raise RuntimeError("secret of a customer")


class ScriptCatalog(CartCatalog):
    def url(self, product):
        return "java\nscript:alert(1)"


class BrokenCache(BaseCache):
    """A server that does not answer."""

    def __init__(self, location, params):
        super().__init__(params)

    def get(self, *args, **kwargs):
        raise ConnectionError("redis.example:6379 refused")

    get_many = set = set_many = add = get


class Any(Strategy):
    per_aisle = 2

    def make(self, data):
        raise AssertionError("not trained here")


class AnyBundled(Any):
    bundles = True


class AnyPersonal(Any):
    per_aisle = None
    ranker = "bought_with"


class AtMostDouble(Any):
    def violation(self, anchors, offer, live):
        return None if all(a.price and a.price < live.price <= 2 * a.price for a in anchors) else "price_band"
