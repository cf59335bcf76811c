from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.admin.components.figures import format_number, money, percent, percent_span
from ecomrec_django.admin.components.incremental import incremental_sentence
from ecomrec_django.catalog.adapter import Catalog
from ecomrec_django.testing import override_ecomrec

places = st.integers(0, 4)


class EuroShop(Catalog):
    base_currency = "EUR"


@given(st.integers(-(10**9), 10**9), st.integers(0, 6), places)
def test_a_figure_is_the_nearest_one_with_its_decimals(digits, scale, decimals):
    typed = Decimal(digits).scaleb(-scale)
    nearest = typed.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    assert format_number(typed, decimals) == format_number(float(typed), decimals) == f"{nearest + 0:,}"


@given(st.integers(0, 10_000))
def test_every_share_of_ten_thousand_is_written_as_it_was_counted(count):
    assert percent(count / 10_000) == f"{count // 100}.{count % 100:02d}%"


@given(st.floats(allow_nan=False, allow_infinity=False), places)
def test_a_figure_of_any_size_is_written(value, decimals):
    assert format_number(value, decimals).count(".") == (decimals > 0)
    assert not format_number(min(abs(value), 1e-9) * -1, decimals).startswith("-")


@pytest.mark.parametrize(
    ("language", "share", "span", "price"),
    [("en", "28.99%", "1.50–2.25", "€1,234.50"), ("de", "28,99 %", "1,50–2,25", "1.234,50 €")],
)
def test_figures_are_written_in_the_language_of_the_reader(language, share, span, price):
    with override(language), override_ecomrec(CATALOG=f"{__name__}.EuroShop"):
        assert percent(0.2899).replace("%", "").strip() == share.replace("%", "").strip()
        assert percent_span(0.015, 0.0225) == span
        assert money(1234.5).replace("\xa0", " ") == price


def test_what_is_unknown_is_a_dash():
    assert percent(None) == money(None) == "–"


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({}, ""),
        ({"mean": "much"}, ""),
        ({"mean": 5}, "€5.00 incremental revenue so far; not enough visitors for a reliable interval."),
        ({"mean": 5, "low": 1, "high": 9}, "Offers added revenue: €5.00 (95 percent interval: €1.00 to €9.00)."),
        (
            {"mean": -5, "low": -9, "high": -1},
            "Offers reduced revenue: -€5.00 (95 percent interval: -€9.00 to -€1.00).",
        ),
        (
            {"mean": 5, "low": -1, "high": 9},
            "€5.00 incremental revenue (95 percent interval: -€1.00 to €9.00); not significant.",
        ),
    ],
)
def test_what_offers_added_is_said_with_its_certainty(found, sentence):
    with override_ecomrec(CATALOG=f"{__name__}.EuroShop"):
        assert incremental_sentence({"incremental": found}) == sentence
