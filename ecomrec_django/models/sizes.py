"""How much an item holds, and what a unit of it costs, as people read them."""

from __future__ import annotations

from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

# The measures in which prices are compared, and how many base units they have.
_MEASURES = {"g": ("kg", 1000), "ml": ("L", 1000), "count": ("", 1)}


def format_amount(value: float, unit: str) -> str:
    """An amount in its base unit or a thousand of them: "750 ml", "1.5 kg", "26 pieces"."""
    if unit == "count":
        pieces = round(value)
        return ngettext("%(pieces)s piece", "%(pieces)s pieces", pieces) % {"pieces": number_format(pieces)}
    measure, base = _MEASURES[unit]
    return f"{_rounded(value / base)} {measure}" if value >= base else f"{_rounded(value)} {unit}"


def format_unit_price(price: Decimal, value: float, unit: str) -> str:
    """What a kilogram, litre or piece costs: "2.11 per L"."""
    measure, base = _MEASURES[unit]
    each = number_format(round(float(price) * base / value, 2), 2, force_grouping=True)
    return gettext("%(price)s per %(unit)s") % {"price": each, "unit": measure or gettext("piece")}


def _rounded(value: float) -> str:
    """With three digits: "1.89", "750"."""
    number = round(value, 2 if value < 10 else 1 if value < 100 else 0)
    return number_format(number, next(digits for digits in (0, 1, 2) if round(number, digits) == number))
