from decimal import Decimal

import pytest
from django.utils import translation

from ecomrec_django.catalog.currency import format_money


@pytest.mark.parametrize(
    ("language", "currency", "text"),
    [
        ("en-us", "USD", "$1,234.50"),
        ("en-gb", "EUR", "€1,234.50"),
        ("de", "EUR", "1.234,50\xa0€"),
        ("fr", "CHF", "1\u202f234,50\xa0CHF"),
        ("zh-hans", "CNY", "¥1,234.50"),
        ("ja", "JPY", "￥1,234"),
        # Languages of Django that CLDR does not know are written as English.
        ("x-klingon", "GBP", "£1,234.50"),
        ("de", "", "1.234,50"),
        ("en", "", "1,234.50"),
    ],
)
def test_money_is_written_as_the_language_and_the_currency_want_it(language, currency, text):
    with translation.override(language):
        assert format_money(Decimal("1234.5"), currency) == text


def test_the_language_of_the_settings_is_the_default(settings):
    settings.LANGUAGE_CODE = "de"
    with translation.override(None):
        assert format_money(Decimal("2.5"), "EUR") == "2,50\xa0€"
