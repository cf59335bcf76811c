"""For views that want to say themselves what a shopper did: ``track.add_to_cart(request, product, 2)``.

Nothing is written here. The middleware looks at what was said when the response is made, leaves out bots, staff and
those who did not agree, and writes the rest once the response is out. Products are live ones or their external ids.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from ..conf import conf
from ..models import Kind
from .cleaning import clean_item, clean_order, clean_quantity, clean_rating
from .observation import Observation
from .request import of


def view(request: HttpRequest, product: Any) -> None:
    """A product page was opened."""
    say(request, Observation(Kind.VIEW_ITEM, _id(product)))


def add_to_cart(request: HttpRequest, product: Any, quantity: int = 1) -> None:
    say(request, Observation(Kind.ADD_TO_CART, _id(product), quantity=clean_quantity(quantity)))


def remove_from_cart(request: HttpRequest, product: Any, quantity: int = 1) -> None:
    say(request, Observation(Kind.REMOVE_FROM_CART, _id(product), quantity=clean_quantity(quantity)))


def review(request: HttpRequest, product: Any, rating: float | None = None) -> None:
    """A review was written; not needed where the adapter hands over the shop's own reviews."""
    say(request, Observation(Kind.REVIEW, _id(product), rating=clean_rating(rating)))


def order(request: HttpRequest, number: str) -> None:
    """This shopper placed the order ``number`` (`PurchaseLine.order`): a guest's purchases are joined to their cookie.

    The lines themselves come from the shop's own tables alone. Not needed where the adapter names its ``order_model``.
    """
    clean_order(number)
    of(request).numbers.append(number)


def say(request: HttpRequest, observation: Observation) -> None:
    of(request).seen.append(observation)


def _id(product: Any) -> str:
    """External id of a product; raises DataError for one that cannot be an id."""
    known = isinstance(product, str | int)
    return clean_item(str(product) if known else conf.CATALOG().external_id(product))
