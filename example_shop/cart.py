"""The shopping cart: a map of sku to quantity in the session, so that its skus cost no query."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject, cached_property
from django.utils.http import urlencode

from .models import Product

SESSION_KEY = "cart"
MOST_PIECES = 99
MOST_LINES = 100


@dataclass(frozen=True)
class CartLine:
    product: Product
    quantity: int

    @property
    def total(self) -> Decimal:
        return (self.product.price or Decimal(0)) * self.quantity

    @property
    def problem(self) -> str:
        """Why this line cannot be bought as it is; empty if it can."""
        if self.product.price is None:
            return "Not sold online at the moment."
        if self.product.stock == 0:
            return "Out of stock."
        if self.product.stock < self.quantity:
            return f"Only {self.product.stock} left."
        return ""


class Cart:
    """The cart of one customer. Iterating gives the skus, in the order in which they were put in."""

    def __init__(self, request: HttpRequest) -> None:
        self._session = getattr(request, "session", {})

    @property
    def quantities(self) -> dict[str, int]:
        return self._session.get(SESSION_KEY) or {}

    def __iter__(self) -> Iterator[str]:
        return iter(self.quantities)

    def __len__(self) -> int:
        return len(self.quantities)

    @property
    def pieces(self) -> int:
        return sum(self.quantities.values())

    @cached_property
    def lines(self) -> list[CartLine]:
        """The lines whose products are still sold."""
        products = {product.sku: product for product in Product.objects.filter(sku__in=list(self))}
        return [CartLine(products[sku], count) for sku, count in self.quantities.items() if sku in products]

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self.lines), Decimal(0))

    @property
    def link(self) -> str:
        """Address of a page that shows these products to anybody."""
        return f"{reverse('cart-shared')}?{urlencode([('sku', sku) for sku in self])}"

    @property
    def ready(self) -> bool:
        """Whether everything in it can be bought now."""
        return bool(self.lines) and not any(line.problem for line in self.lines)

    def add(self, sku: str, quantity: int) -> None:
        self.set(sku, self.quantities.get(sku, 0) + quantity)

    def set(self, sku: str, quantity: int) -> None:
        """Put exactly ``quantity`` pieces in the cart; none removes the line."""
        quantities = dict(self.quantities)
        if quantity > 0 and (sku in quantities or len(quantities) < MOST_LINES):
            quantities[sku] = min(quantity, MOST_PIECES)
        else:
            quantities.pop(sku, None)
        self._save(quantities)

    def swap(self, sku: str, other: str) -> None:
        """Let ``other`` stand where ``sku`` stood, in the same quantity beside what there is of it already."""
        quantities: dict[str, int] = {}
        for name, count in self.quantities.items():
            name = other if name == sku else name
            quantities[name] = min(quantities.get(name, 0) + count, MOST_PIECES)
        self._save(quantities)

    def clear(self) -> None:
        self._save({})

    def _save(self, quantities: dict[str, int]) -> None:
        self._session[SESSION_KEY] = quantities
        self.__dict__.pop("lines", None)


def context(request: HttpRequest) -> dict[str, object]:
    """``cart`` for every template; the session is read only where a template uses it."""
    return {"cart": SimpleLazyObject(lambda: Cart(request))}
