"""Validation of values from requests, files and the shop's orders.

Each function returns the clean value or raises DataError with the reason.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from ..catalog.validation import LARGEST_PRICE, LONGEST_ID, kind_of
from ..db import to_aware
from ..errors import DataError
from ..models.fields import QuantityField

LONGEST_ORDER = 64
MOST_PIECES = 2**31 - 1
# Tolerance for clocks that run ahead.
SKEW = timedelta(minutes=5)
# A view or click repeated within this time counts once. No shopper makes more than BURST events a minute.
DUPLICATE = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)
BURST = 120
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")


class FutureTimeError(DataError):
    """A time that has not come yet.

    time: when it does.
    """

    def __init__(self, time: datetime) -> None:
        super().__init__(f"time {time!s} is in the future")
        self.time = time


def clean_item(text: str) -> str:
    """An item's external id."""
    if not text or len(text) > LONGEST_ID or "\0" in text:
        raise DataError(f"item must have 1 to {LONGEST_ID} characters")
    return text


def clean_order(*texts: str) -> None:
    """Check the numbers of orders and sessions, which may be empty."""
    if max(map(len, texts)) > LONGEST_ORDER:
        raise DataError(f"basket and session may have at most {LONGEST_ORDER} characters")
    if "\0" in "".join(texts):
        raise DataError("basket and session may not hold NUL characters")


def clean_quantity(value: Decimal | float | str | None) -> int | Decimal:
    """A number of pieces, or an exact amount of what is sold by weight or length; 1 for an empty text."""
    if type(value) is int and 0 < value <= MOST_PIECES:
        return value
    if value == "":
        return 1
    quantity = _exact(value)
    if quantity is None or not 0 < quantity <= MOST_PIECES:
        raise DataError(f"quantity {value} is not a number above 0")
    return quantity


def clean_pieces(value: Decimal | float | str | None) -> int | Decimal:
    """As `clean_quantity`, or a number below 0 for what was given back."""
    if type(value) is int and 0 < value <= MOST_PIECES:
        return value
    quantity = _exact(value) if isinstance(value, int | float | Decimal) else None
    return quantity if quantity is not None and quantity < 0 else clean_quantity(value)


def clean_refunded(value: Decimal | float | str | None) -> int | Decimal:
    """How much of a line was given back; 0 for None or a negative number."""
    if value is None or (type(value) is int and value <= 0):
        return 0
    quantity = _exact(value)
    if quantity is None or quantity > MOST_PIECES:
        raise DataError(f"its refunded pieces {value!r} are not a number: give 0 if none were given back.")
    return max(quantity, 0)


def _exact(value: Decimal | float | str | None) -> int | Decimal | None:
    """A number as quantities are kept: an int, or a Decimal without trailing zeros; None for what is no number."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    try:
        # The text of a float is the amount that was meant.
        number = Decimal(str(value) if isinstance(value, float) else value)  # type: ignore[arg-type]
        rounded = round(number, QuantityField.PLACES)
    except (InvalidOperation, TypeError, ValueError, OverflowError):
        return None
    if not number.is_finite() or abs(number) > MOST_PIECES:
        return None
    if number != rounded and not (isinstance(value, float) and abs(number - rounded) < Decimal("1e-9")):
        raise DataError(f"quantity {value} has more than {QuantityField.PLACES} decimal places: round it")
    return int(rounded) if rounded == int(rounded) else rounded.normalize()


def clean_price(value: Decimal | float | str | None) -> Decimal | None:
    """A price; None if unknown."""
    if value is None or value == "":
        return None
    try:
        # The text of a float is the amount that was meant, which the float itself is not.
        price = Decimal(str(value) if isinstance(value, float) else value)
    except (InvalidOperation, TypeError, ValueError):
        raise DataError(f"price {value!r} is not a number") from None
    if not price.is_finite() or not 0 <= price < LARGEST_PRICE:
        raise DataError(f"price '{value}' is not a finite number from 0 up")
    return price


def clean_rating(value: float | str | None) -> float | None:
    """A rating in stars; None if there is none."""
    if value is None or value == "":
        return None
    try:
        rating = float(value)
    except (TypeError, ValueError):
        raise DataError(f"rating {value!r} is not a number") from None
    if not math.isfinite(rating) or rating < 0:
        raise DataError(f"rating {value!r} is not a finite number from 0 up")
    return rating


def clean_time(value: datetime | str) -> datetime:
    """A time with time zone. Text must be ISO 8601; it is UTC unless it names a zone."""
    if not isinstance(value, datetime | str):
        raise DataError(f"time is {kind_of(value)}, not a datetime")
    moment = _parsed(value) if isinstance(value, str) else to_aware(_in_calendar(value))
    # One order dated 2099 would make everything else look old.
    if moment > datetime.now(UTC) + SKEW:
        raise FutureTimeError(moment)
    return moment


def _in_calendar(moment: datetime) -> datetime:
    """Raises DataError for what no database takes in every time zone."""
    if not 1970 <= moment.year < 9999:
        raise DataError(f"time '{moment!s}' is not between 1970 and 9998")
    return moment


def _parsed(text: str) -> datetime:
    try:
        moment = _in_calendar(datetime.fromisoformat(text))
    except ValueError:
        raise DataError(f"time {text!r} is not ISO-8601") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
