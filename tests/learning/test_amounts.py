"""Sizes as shops write them."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.learning import amounts
from ecomrec_django.learning.amounts import Amount, amount_of, normalised, parse_amount, size_ratio, title_key

OUNCE, FLUID_OUNCE, GALLON = 28.349523, 29.57353, 3785.411784


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("1/2 gal", GALLON / 2, "ml"),
        ("½ gal", GALLON / 2, "ml"),
        ("1½ l", 1500, "ml"),
        ("10 3/4 OZ", 10.75 * OUNCE, "g"),
        (".5 OZ", OUNCE / 2, "g"),
        ("0,75L", 750, "ml"),
        ("64 FL. OZ.", 64 * FLUID_OUNCE, "ml"),
        ("64 fl.oz", 64 * FLUID_OUNCE, "ml"),
        ("12 x 330 ml", 3960, "ml"),
        ("330ml x 12", 3960, "ml"),
        ("Water 6x1.5L", 9000, "ml"),
        ("6-pack 330 ml", 1980, "ml"),
        ("6er-Pack 0,33 l", 1980, "ml"),
        ("12 PK/12 OZ", 144 * OUNCE, "g"),
        ("12 oz., 6 pack", 72 * OUNCE, "g"),
        ("10/6.75 OZ", 67.5 * OUNCE, "g"),
        ("4/4 OZ", 16 * OUNCE, "g"),
        ("8 ct, 12 oz", 12 * OUNCE, "g"),
        ("500 g (17.6 oz)", 500, "g"),
        ("26 ct", 26, "count"),
        ("2-pack", 2, "count"),
        ("pack of 6", 6, "count"),
        ("1 DZ", 12, "count"),
        ("500克", 500, "g"),
        ("洗衣液3公斤", 3000, "g"),
        ("红茶500ml*2瓶", 1000, "ml"),
        ("100抽*3包", 300, "count"),
        ("Молоко 1,5 л", 1500, "ml"),
        ("Fluid Milk White Only · 1/2 gal · House brand 69", GALLON / 2, "ml"),
        ("Vitamin C 1000 mg 60 tablets", 60, "count"),
    ],
)
def test_sizes_are_read_from_texts(text, value, unit):
    amount = parse_amount(text)
    assert amount is not None
    assert (amount.value, amount.unit) == (pytest.approx(value), unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Trail tent 2",
        "iPhone 15 5G 128GB",
        "4G router",
        "1,500 ml",
        "18 IN",
        "socks size L",
        "2 l and 3 l",
        "9" * 400,
    ],
)
def test_what_is_no_size_or_an_uncertain_one_is_not_read(text):
    assert parse_amount(text) is None


@pytest.mark.parametrize(
    ("attributes", "title", "expected"),
    [
        ({"size": "750 ml"}, "Port 1 l", (750.0, "ml")),
        ({"Net Weight": "1.5 kg"}, "", (1500.0, "g")),
        ({"count": "26"}, "Coffee pods", (26.0, "count")),
        ({"count": "26"}, "Coffee pods 300 g", (300.0, "g")),
        ({"size": "GAL"}, "Milk", (GALLON, "ml")),
        ({"size": "M"}, "Shirt", None),
        ({"weight": "1.4 kg"}, "Trail tent", None),
        ({"规格": "500克"}, "茶", (500.0, "g")),
    ],
)
def test_attributes_go_before_the_title_and_measures_before_pieces(attributes, title, expected):
    amount = amount_of(attributes, title)
    assert (amount and (amount.value, amount.unit)) == expected


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [(1.5, "kg", (1500.0, "g")), (6.0, "", (6.0, "count")), (2.0, "Fl. Oz", (2 * FLUID_OUNCE, "ml")),
     (1.0, "parsec", None), (0.0, "g", None), (float("nan"), "g", None), (None, "g", None)],
)  # fmt: skip
def test_a_given_amount_is_brought_to_its_base_unit(value, unit, expected):
    amount = normalised(value, unit)
    assert (amount and (pytest.approx(amount.value), amount.unit)) == expected


def test_sizes_compare_in_one_unit_alone_and_not_for_a_rounding_error():
    assert size_ratio(parse_amount("1 gal"), parse_amount("1/2 gal")) == 2
    assert size_ratio(parse_amount("64 fl oz"), parse_amount("1/2 gal")) == 1
    assert size_ratio(parse_amount("454 g"), parse_amount("1 lb")) == 1
    assert size_ratio(parse_amount("26 ct"), parse_amount("500 g")) is None
    assert size_ratio(None, Amount(1.0, "g")) is None


@given(st.integers(1, 999), st.sampled_from(["g", "kg", "ml", "l", "oz", "fl oz", "lb", "ct"]), st.integers(1, 99))
def test_a_pack_holds_as_much_as_its_pieces(number, unit, pieces):
    one, pack = parse_amount(f"{number} {unit}"), parse_amount(f"{pieces} x {number} {unit}")
    assert one is not None
    assert pack is not None
    assert (pack.value, pack.unit) == (pytest.approx(pieces * one.value), one.unit)


@given(st.text(max_size=60))
def test_no_text_fails(text):
    amount = parse_amount(text)
    assert amount is None or (amount.value > 0 and amount.unit in amounts.UNITS)
    assert title_key(text) == title_key(text.upper()) or not text.isascii()


def test_the_examples_are_true():
    assert doctest.testmod(amounts).failed == 0
