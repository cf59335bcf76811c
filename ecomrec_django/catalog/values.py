"""Values of a shop's own fields in the types that the package works with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError


class KeyCleaner:
    """Converts a text id to the type of a field; None if it is invalid, such as "abc" for an integer key."""

    def __init__(self, field: Any) -> None:
        self.field = field

    def __call__(self, value: str) -> Any:
        """The key; None if ``value`` is not one."""
        try:
            key = self.field.to_python(value)
        except ValidationError:
            return None
        # SQLite raises for integers of more than 64 bits, PostgreSQL for text with a NUL.
        if (isinstance(key, int) and key.bit_length() > 63) or (isinstance(key, str) and "\0" in key):
            return None
        return key


def to_price(value: Any) -> Decimal | None:
    """A price as a finite, non-negative Decimal; None for any other value."""
    if value is None or value == "":
        return None
    try:
        price = value if isinstance(value, Decimal) else Decimal(str(value))
    except ArithmeticError:
        return None
    return price if price.is_finite() and price >= 0 else None


def to_number(value: Any) -> float | None:
    """A finite, non-negative number; None for any other value."""
    price = to_price(value)
    return None if price is None else float(price)


def to_count(value: Any) -> int | None:
    """A number of pieces or ratings; None if unknown, or if the shop only says whether there are any."""
    return None if value is None or isinstance(value, bool) else int(value)
