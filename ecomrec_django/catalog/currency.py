"""Money as shoppers read it: the language decides how it is written, the currency how many decimals it has."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import get_language

if TYPE_CHECKING:
    from babel import Locale


def format_money(amount: Decimal, currency: str) -> str:
    """``amount`` in the active language: "€2.49", "2,49 €". Without a currency, the number alone."""
    if not currency:
        return number_format(amount, 2, force_grouping=True)
    from babel.numbers import format_currency

    return format_currency(amount, currency, locale=_locale(get_language() or settings.LANGUAGE_CODE))


@lru_cache(maxsize=64)
def _locale(language: str) -> Locale:
    """Of Django's name of a language, such as "zh-hans"; English for a language that CLDR does not know."""
    from babel import Locale, UnknownLocaleError

    for name in (language, language.split("-")[0]):
        try:
            return Locale.parse(name, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")
