"""What a value has to be like, wherever it comes from: requests, files, the shop's orders. Settled here and only here.

Each function returns the clean value or raises DataError, saying what was wrong.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from ..errors import DataError
from ..models.bulk import aware

LONGEST_ID = 128
LONGEST_ORDER = 64
MOST_PIECES = 2**31 - 1
LARGEST_PRICE = 10**10
# A clock may run ahead by so much.
SKEW = timedelta(minutes=5)
# The same view or click again within this time is one. Who does more than BURST things a minute is no shopper.
DUPLICATE = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)
BURST = 120


def clean_item(text: str) -> str:
    if not text or len(text) > LONGEST_ID or "\0" in text:
        raise DataError(f"item has to have 1 to {LONGEST_ID} characters")
    return text


def clean_order(*texts: str) -> None:
    """Numbers of orders and sessions, which may be empty."""
    if max(map(len, texts)) > LONGEST_ORDER:
        raise DataError(f"basket and session have at most {LONGEST_ORDER} characters")


def clean_quantity(value: int | str) -> int:
    """Pieces, 1 where nothing is said."""
    if value == "":
        return 1
    if isinstance(value, str):
        if not (value.isdecimal() and value.isascii()):
            raise DataError(f"quantity {value!r} is not a whole number from 1 up")
        # Longer numbers are too many pieces, and slow to read.
        value = int(value[:11])
    if not 0 < value <= MOST_PIECES:
        raise DataError(f"quantity {value!r} is not a whole number from 1 up")
    return value


def clean_price(value: Decimal | str | None) -> Decimal | None:
    """A price, None where it is not known."""
    if value is None or value == "":
        return None
    try:
        price = Decimal(value)
    except InvalidOperation:
        raise DataError(f"price {value!r} is not a number") from None
    if not price.is_finite() or not 0 <= price < LARGEST_PRICE:
        raise DataError(f"price '{value}' is not a finite number from 0 up")
    return price


def clean_rating(value: float | str | None) -> float | None:
    """Stars, None where there are none."""
    if value is None or value == "":
        return None
    try:
        rating = float(value)
    except ValueError:
        raise DataError(f"rating {value!r} is not a number") from None
    if not math.isfinite(rating) or rating < 0:
        raise DataError(f"rating {value!r} is not a finite number from 0 up")
    return rating


def clean_time(value: datetime | str) -> datetime:
    """A moment with a time zone; text is ISO-8601, in UTC where it names no zone."""
    moment = _parsed(value) if isinstance(value, str) else aware(value)
    # One order dated 2099 would make everything else look old.
    if moment > datetime.now(UTC) + SKEW:
        raise DataError(f"time {value!s} lies in the future")
    return moment


def _parsed(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DataError(f"time {text!r} is not ISO-8601") from None
    if not 1970 <= moment.year < 9999:
        raise DataError(f"time {text!r} is not between 1970 and 9998")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
