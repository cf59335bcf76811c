"""Figures as staff read them: rounded half up, in the user's language, money in the shop's currency."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext

from ...catalog.currency import format_money
from ...conf import conf

UNKNOWN = "–"
# Enough for any float.
_CONTEXT = Context(prec=400, rounding=ROUND_HALF_UP)

Number = float | Decimal


def format_number(value: Number, decimals: int = 0) -> str:
    """A rounded number with grouped thousands; ``number_format`` alone truncates."""
    return number_format(rounded(value, decimals), decimals, force_grouping=True)


def percent(share: Number | None, decimals: int = 2) -> str:
    """A share of 1 in percent; "–" for None."""
    return UNKNOWN if share is None else percent_text(format_number(100 * exact(share), decimals))


def percent_span(low: Number, high: Number, decimals: int = 2) -> str:
    """An interval of shares in percent, without the sign: "1.50–2.25"."""
    return f"{format_number(100 * exact(low), decimals)}–{format_number(100 * exact(high), decimals)}"


def percent_text(number: str) -> str:
    """A formatted number of percent with its sign, as the user's language writes it."""
    return gettext("%(number)s%%") % {"number": number}


def money(amount: Number | None) -> str:
    """An amount in the shop's currency; "–" for None."""
    return UNKNOWN if amount is None else format_money(rounded(amount, 2), conf.CATALOG().base_currency)


def rounded(value: Number, decimals: int) -> Decimal:
    """``value`` with so many decimals, a half away from zero; never "-0"."""
    return exact(value).quantize(Decimal(1).scaleb(-decimals), context=_CONTEXT) + 0


def exact(value: Number) -> Decimal:
    """The decimal that Python writes for ``value``: 0.29 for the float that is a little less."""
    return Decimal(str(value))
