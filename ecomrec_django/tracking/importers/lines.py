"""Validation of order lines and reviews as a shop's adapter yields them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from ...catalog.adapter import Catalog, PurchaseLine, ReviewLine
from ...catalog.guests import guest_hash
from ...catalog.validation import LONGEST_ID, kind_of
from ...db import storable
from ...errors import DataError
from ...failures import RecordLog
from ..validation import (
    LONGEST_ORDER,
    clean_item,
    clean_pieces,
    clean_price,
    clean_rating,
    clean_refunded,
    clean_time,
)

# Called with what is odd about a record that is imported all the same.
Remark = Callable[[str], None]


class PurchaseValidator:
    """Validates the order lines of one import.

    log: takes what is wrong with them.
    unknown_prices: prices in a currency without a rate.
    refused: the lines that are invalid, and what is wrong with each.
    """

    def __init__(self, catalog: Catalog, log: RecordLog) -> None:
        self.unknown_prices = 0
        self.refused: list[tuple[object, Exception]] = []
        self._catalog = catalog
        self._log = log

    def valid(self, lines: Iterable[object]) -> list[PurchaseLine]:
        """The valid lines, their prices in the base currency."""
        valid: list[PurchaseLine] = []
        first: dict[str, PurchaseLine] = {}
        for line in lines:
            try:
                clean = self._clean(line)
                other = first.setdefault(clean.line, clean)
                if (other.order, other.item) != (clean.order, clean.item):
                    raise DataError(
                        f"its id is that of another line, of order {other.order}: give each line an id of its own."
                    )
                valid.append(clean)
            except Exception as error:
                # Not DataError alone: one line of odd types, or the shop's own rates, must not stop all others.
                self._log.skip(name_of(line), error)
                self.refused.append((line, error))
        return valid

    def _clean(self, line: object) -> PurchaseLine:
        clean = clean_purchase(line, lambda message: self._log.remark(name_of(line), message))
        if clean.price is None or not clean.currency:
            return clean
        price = self._catalog.in_base_currency(clean.price, clean.currency, clean.time)
        if price is None:
            self.unknown_prices += 1
            adapter = type(self._catalog).__name__
            self._log.remark(
                name_of(line),
                f'its currency "{clean.currency}" has no rate, so its price is unknown: set {adapter}.base_currency to '
                f"the currency of the shop, and override {adapter}.in_base_currency for others.",
            )
        return clean._replace(price=clean_price(price))


def clean_purchase(line: object, remark: Remark) -> PurchaseLine:
    """The line with values of the promised types, its price in its own currency. Raises DataError.

    Its order is "STORE/ORDER" where it has a store; its item is "" if the product was deleted. The quantity of a return
    is 0 or less, without what was ``refunded`` of it, which is what was not returned after all.
    """
    if not isinstance(line, PurchaseLine):
        raise DataError(f"it is {kind_of(line)}: yield a PurchaseLine for each line of an order.")
    quantity = clean_pieces(line.quantity)
    if quantity < 0 and line.refunded:
        kept = clean_pieces(line.refunded)
        quantity += kept if kept > 0 else -kept
        quantity = quantity if quantity < 0 else 0
    return line._replace(
        line=_id("line", line.line, LONGEST_ID, "the permanent id of the order line, such as its primary key"),
        order=_order(line),
        user=_user(line.user, remark),
        item="" if line.item is None else _item(line.item),
        quantity=quantity,
        price=clean_price(line.price),
        time=_time(line.time, remark),
        refunded=clean_refunded(line.refunded) if quantity > 0 else 0,
        currency=_id("currency", line.currency or "", LONGEST_ID, 'a code such as "EUR"', required=False),
        guest="" if line.user else _guest(line.guest, remark),
        part_of=_id("part_of", line.part_of or "", LONGEST_ID, "the id of the kit's own line", required=False),
    )


def clean_review(line: object, remark: Remark) -> ReviewLine:
    """The review with values of the promised types. Raises DataError."""
    if not isinstance(line, ReviewLine):
        raise DataError(f"it is {kind_of(line)}: yield a ReviewLine for each review.")
    return line._replace(
        review=_id("review", line.review, LONGEST_ID, "the permanent id of the review, such as its primary key"),
        user=_user(line.user, remark),
        item=_item(line.item),
        rating=clean_rating(line.rating),
        time=_time(line.time, remark),
    )


def name_of(record: object) -> str:
    """How a message names a record of the shop."""
    if isinstance(record, PurchaseLine):
        return f"{record.line or 'without an id'} of order {record.order}"
    return str(record.review or "without an id") if isinstance(record, ReviewLine) else kind_of(record)


def _id(name: str, value: Any, longest: int, meaning: str, *, required: bool = True) -> str:
    # As nearly all are: seven times in each of a million lines.
    if type(value) is str and value.isascii() and required <= len(value) <= longest and "\0" not in value:
        return value
    if isinstance(value, int | UUID):
        value = str(value)
    if not isinstance(value, str) or (required and not value):
        raise DataError(f"its {name} is {kind_of(value) if value != '' else 'empty'}: give {meaning}, as text.")
    if len(value) > longest:
        raise DataError(f"its {name} has more than {longest} characters: give {meaning}.")
    if storable(value) != value:
        raise DataError(f"its {name} holds a character that databases cannot store: give {meaning}.")
    return value


def _order(line: PurchaseLine) -> str:
    """What identifies the order among those of all stores."""
    order = _id("order", line.order, LONGEST_ORDER, "the number of the order", required=False)
    store = _id("store", line.store or "", LONGEST_ORDER, "the name of the store", required=False)
    if not store:
        return order
    if "/" in store:
        raise DataError(f'its store {store!r} holds a "/": give a name or number without one.')
    return _id("store and order", f"{store}/{order}", LONGEST_ORDER, "a shorter name of the store")


def _item(item: Any) -> str:
    if item == "None":
        raise DataError(
            'its item is the text "None": give None, not str(None), for a product that was deleted, or else all '
            "deleted products would be one."
        )
    return clean_item(_id("item", item, LONGEST_ID, "the external id of the product"))


def _user(user: Any, remark: Remark) -> str | None:
    if not user:
        return None
    if user == "None":
        remark('its user is the text "None", so it counts as a guest\'s: give None, not str(None), for a guest.')
        return None
    return _id("user", user, LONGEST_ID, "the primary key of the account, or None for a guest")


def _guest(guest: Any, remark: Remark) -> str:
    guest = _id("guest", guest or "", LONGEST_ID, "a hash of the guest's e-mail address", required=False)
    if "@" in guest:
        remark("its guest is an e-mail address: give guest_hash(address).")
        return guest_hash(guest)
    return guest


def _time(time: Any, remark: Remark) -> datetime:
    if isinstance(time, date) and not isinstance(time, datetime):
        remark("its time is a date, so it counts as the start of that day: give a datetime.")
        time = datetime(time.year, time.month, time.day)
        return clean_time(timezone.make_aware(time, timezone.get_default_timezone()))
    if isinstance(time, datetime) and time.tzinfo is None and settings.USE_TZ:
        zone = settings.TIME_ZONE
        remark(f"its time has no time zone, so it counts as {zone}: give an aware datetime, see timezone.make_aware.")
    return clean_time(time)
