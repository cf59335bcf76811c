"""The records that an adapter yields of the shop's orders and reviews."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class PurchaseLine(NamedTuple):
    """One line of one order of the shop; built by keyword."""

    line: str  # unique, permanent id of the line
    order: str  # what the shop says one order is; see `store` where numbers recur
    user: str | None  # primary key of the account; None for a guest
    item: str | None  # external id of the product; None if it was deleted: what was imported of the line stays
    quantity: int | Decimal  # pieces, or a weight or length; below 0: a return that names no line
    price: Decimal | None  # of one piece
    time: datetime
    refunded: int | Decimal = 0  # of `quantity`, what was cancelled or returned
    currency: str = ""  # of `price`, such as "EUR"; empty: the base currency
    guest: str = ""  # of a guest: the hash of their e-mail address, see `guest_hash`; never the address itself
    part_of: str = ""  # of a component: the `line` of the kit that it was bought with
    store: str = ""  # within which `order` is unique, such as a branch, or a year if numbers begin again each year


class ReviewLine(NamedTuple):
    """One review of the shop; built by keyword."""

    review: str  # unique, permanent id of the review
    user: str | None  # primary key of the account; None for a guest, whose review only counts for the product
    item: str  # external id of the product
    rating: float | None  # on the shop's own scale; None for a review without a rating
    time: datetime
