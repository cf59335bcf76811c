"""Attributes compared in words, whatever a shop has put into them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.learning.amounts import Amount
from ecomrec_django.serving.anchor_product import AnchorProduct
from ecomrec_django.serving.comparison import MOST_CHANGES, compare
from ecomrec_django.serving.guard import EligibleOffer
from ecomrec_django.serving.upgrade_reasons import LONGEST_REASON, amount_text, upgrade_sentence
from ecomrec_django.strategies.base import Offer, Reason
from tests.hosts.models import IntegerProduct

from ..support.catalogs import CartCatalog


def said(anchor, offer):
    return [change.text for change in compare(anchor, offer)]


@pytest.mark.parametrize(
    ("anchor", "offer", "expected"),
    [
        ({"volume": "60 L"}, {"volume": "80 L"}, ["+20 L"]),
        ({"volume": "80L"}, {"volume": "60 L"}, ["−20 L"]),
        ({"weight": "1.5 kg"}, {"weight": "900 g"}, ["−600 g"]),
        ({"screen": '13,3 "'}, {"screen": '15,6 "'}, ['+2.3 "']),
        ({"battery": "4000 mAh"}, {"battery": "5000 mAh"}, ["+1000 mAh"]),
        ({"gears": "7"}, {"gears": "21"}, ["+14 gears"]),
        ({"gears": 7}, {"gears": 21}, ["+14 gears"]),
        ({"reach": "5 m"}, {"reach": "3 kg"}, []),
        ({"rain_cover": "no"}, {"rain_cover": "yes"}, ["+ rain cover"]),
        ({}, {"rain cover": "yes"}, ["+ rain cover"]),
        ({"rain cover": "yes"}, {"rain cover": "no"}, ["without rain cover"]),
        ({"rain cover": "yes"}, {}, []),
        ({"rain cover": "detachable"}, {"rain cover": "yes"}, []),
        ({"rain cover": "yes"}, {"rain cover": "detachable"}, []),
        ({"gears": "7"}, {"gears": "1"}, ["−6 gears"]),
        ({"usb ports": "0"}, {"usb ports": "2"}, ["+2 usb ports"]),
        ({"battery": "1,500 mAh"}, {"battery": "2000 mAh"}, []),
        ({"battery": "1.500 mAh"}, {"battery": "1.800 mAh"}, ["1.800 mAh instead of 1.500 mAh"]),
        ({"weight": "0.250 kg"}, {"weight": "0.500 kg"}, ["+0.25 kg"]),
        ({"height": "10 cm", "width": "5 cm"}, {"height": "12 cm", "width": "7 cm"}, ["+2 cm height", "+2 cm width"]),
        ({"colour": "nan"}, {"colour": "red"}, []),
        ({"colour": float("nan")}, {"colour": float("inf")}, []),
        ({"colour": "red"}, {"colour": "<b>blue</b>"}, []),
        ({"colour": "red"}, {"colour": "blue"}, ["blue instead of red"]),
        ({"colour": "red"}, {"colour": "RED"}, []),
        ({"colour": "red"}, {}, []),
        ({"size": "60 L"}, {"size": "large"}, []),
        ({"colour": "red"}, {"colour": "a very long way of saying blue"}, []),
    ],
    ids=str,
)
def test_differences_are_told_in_the_units_of_the_offer(anchor, offer, expected):
    assert said(anchor, offer) == expected


def test_gains_come_first_and_no_more_than_three():
    anchor = {"colour": "red", "weight": "3 kg", "volume": "60 L", "cover": "no", "pockets": "2"}
    offer = {"colour": "blue", "weight": "2 kg", "volume": "80 L", "cover": "yes", "pockets": "5"}
    assert said(anchor, offer) == ["+ cover", "+20 L", "+3 pockets"]


@pytest.mark.parametrize("value", ["\ud800", "\x00", "\u202ered", 10**5000], ids=["half", "null", "turned", "huge"])
def test_unprintable_values_are_ignored(value):
    assert said({"colour": "red"}, {"colour": value}) == []


VALUES = st.one_of(
    st.text(max_size=30),
    st.from_regex(r"[0-9]{1,4}([.,][0-9])? ?(kg|g|L|cm|)", fullmatch=True),
    st.sampled_from(["yes", "no", "true", "1e999", "nan", "<b>", "∞"]),
    st.none(),
    st.floats(),
    st.integers(),
    st.lists(st.integers()),
)
ATTRIBUTES = st.dictionaries(st.text(max_size=20) | st.integers(), VALUES, max_size=6)


@given(ATTRIBUTES, ATTRIBUTES)
def test_comparing_any_attributes_never_raises(anchor, offer):
    assert len(compare(anchor, offer)) <= MOST_CHANGES
    assert compare(anchor, anchor) == []


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_other_way_round_a_number_shrinks_by_as_much(one, other):
    there, back = {"volume": f"{one} L"}, {"volume": f"{other} L"}
    amounts = [change.amount for change in compare(there, back) + compare(back, there)]
    assert sum(amounts) == 0


@pytest.mark.parametrize(
    "attributes",
    [
        {f"name {number}": "9" * 100_000 for number in range(1_000)},
        {f"{number} " + "word " * 100_000: "yes" for number in range(50)},
        {f"name {number}": f"{number} L" for number in range(100_000)},
    ],
    ids=["long values", "long names", "many"],
)
def test_long_and_many_attributes_take_no_time(attributes):
    other = {"volume": "5 L"} | attributes
    began = time.perf_counter()
    for _ in range(100):
        compare(attributes, other)
    assert time.perf_counter() - began < 0.5


class SpecCatalog(CartCatalog):
    rating = "stars"

    def product_attributes(self, product):
        return product.specs


def reason(own, price, ours, theirs, stars=(None, None)):
    beside, product = IntegerProduct(pk=1, price=own), IntegerProduct(pk=2, price=price)
    beside.specs, product.specs = ours, theirs
    beside.stars, product.stars = stars
    catalog = SpecCatalog()
    offer = Offer(item="2", score=1.0, reason=Reason.UPGRADE, aisle=0, evidence=())
    return upgrade_sentence(
        catalog, None, EligibleOffer(offer, product, price), AnchorProduct.of(catalog, None, beside)
    )


def test_upgrade_reasons_state_gains_and_the_current_price_difference():
    assert reason(50, 59, {"volume": "60 L"}, {"volume": "80 L", "rain cover": "yes"}) == (
        "80 L instead of 60 L (12% less for the same amount), + rain cover, +9.00"
    )
    assert reason(50, 59, {"battery": "4000 mAh"}, {"battery": "5000 mAh"}) == "+1000 mAh, +9.00"
    assert reason(50, 59, {}, {}) == "For the same use, +9.00"
    assert reason(50, None, {"volume": "60 L"}, {"volume": "80 L"}) == ""
    assert reason(50, 50, {"size": "60 ml"}, {"size": "61 ml"}) == "61 ml instead of 60 ml"
    long = {f"a rather long name {number}": "yes" for number in range(5)}
    assert len(reason(50, 59, {}, long)) <= LONGEST_REASON


@pytest.mark.parametrize(
    ("stars", "said"),
    [
        ((4.0, 4.6), "Better rated, +9.00"),
        ((4.0, 4.1), "For the same use, +9.00"),
        ((4.6, 4.0), "For the same use, +9.00"),
        ((None, 5.0), "For the same use, +9.00"),
        ((4.0, None), "For the same use, +9.00"),
        ((80, 92), "Better rated, +9.00"),
    ],
)
def test_a_clearly_better_rating_is_said_on_whatever_scale(stars, said):
    assert reason(50, 59, {}, {}, stars) == said


def test_a_rating_stands_between_the_size_and_other_attributes():
    assert reason(50, 99, {"volume": "60 L"}, {"volume": "80 L", "rain cover": "yes"}, (4.0, 4.6)) == (
        "80 L instead of 60 L, better rated, + rain cover, +49.00"
    )


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (Amount(1892.7, "ml", "1/2 gal"), "1/2 gal"),
        (Amount(1500.0, "g"), "1.5 kg"),
        (Amount(26.0, "count", "26"), "26 pieces"),
        (Amount(1.0, "count"), "1 piece"),
        (Amount(750.0, "ml"), "750 ml"),
    ],
)
def test_amounts_are_written_as_the_shop_does_or_else_in_metric_units(amount, said):
    assert amount_text(amount) == said
