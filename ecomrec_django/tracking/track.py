"""Functions by which views report what a shopper did: ``track.add_to_cart(request, product, 2)``.

Nothing is written here. The middleware writes the reports after the response, without those of bots, staff and shoppers
who did not consent. Products are live products or their external ids.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpRequest

from ..conf import conf
from ..models import Kind
from .observation import Observation
from .request_state import recorded
from .validation import clean_item, clean_order, clean_quantity, clean_rating


def view(request: HttpRequest, product: Any) -> None:
    """Report that the shopper opened a product page."""
    record(request, Observation(kind=Kind.VIEW_ITEM, item=_id(product)))


def add_to_cart(request: HttpRequest, product: Any, quantity: Decimal | float = 1) -> None:
    """Report that the shopper added a product to the cart."""
    record(request, Observation(kind=Kind.ADD_TO_CART, item=_id(product), quantity=clean_quantity(quantity)))


def remove_from_cart(request: HttpRequest, product: Any, quantity: Decimal | float = 1) -> None:
    """Report that the shopper removed a product from the cart."""
    record(request, Observation(kind=Kind.REMOVE_FROM_CART, item=_id(product), quantity=clean_quantity(quantity)))


def review(request: HttpRequest, product: Any, rating: float | None = None) -> None:
    """Report a new review; not needed if the adapter provides the shop's reviews."""
    record(request, Observation(kind=Kind.REVIEW, item=_id(product), rating=clean_rating(rating)))


def order(request: HttpRequest, number: str) -> None:
    """Report that the shopper placed an order, to link a guest's purchases to their cookie.

    number: as in `PurchaseLine.order`.
    Its lines are always imported from the shop's own tables. Not needed if the adapter names its ``order_model``.
    """
    clean_order(number)
    recorded(request).order_numbers.append(number)


def record(request: HttpRequest, observation: Observation) -> None:
    """Add an observation to the record of this request, which is written after the response."""
    recorded(request).observations.append(observation)


def _id(product: Any) -> str:
    """External id of a product; raises DataError if it is invalid."""
    return clean_item(conf.CATALOG().id_of(product))
