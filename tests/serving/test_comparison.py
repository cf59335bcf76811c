"""Attributes compared in words, whatever a shop has put into them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.serving.beside import Beside
from ecomrec_django.serving.comparison import MOST_CHANGES, compare
from ecomrec_django.serving.reasons import LONGEST_REASON, upgrade_sentence
from ecomrec_django.strategies.base import Offer, Reason
from tests.hosts.models import IntegerProduct

from .catalogs import CartCatalog


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
def test_what_no_page_can_show_is_left_out(value):
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
def test_nothing_that_a_shop_holds_raises(anchor, offer):
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
    offer = Offer("2", 1.0, Reason.UPGRADE, 0, ())
    return upgrade_sentence(catalog, offer, product, price, Beside.of(catalog, None, beside))


def test_the_reason_of_an_upgrade_says_what_it_has_more_and_how_much_dearer_it_is_now():
    assert reason(50, 59, {"volume": "60 L"}, {"volume": "80 L", "rain cover": "yes"}) == (
        "+ rain cover, +20 L, 18 % more"
    )
    assert reason(50, 59, {}, {}) == ""
    assert reason(50, None, {"volume": "60 L"}, {"volume": "80 L"}) == ""
    assert reason(50, 50, {"volume": "60 L"}, {"volume": "80 L"}) == "+20 L"
    long = {f"a rather long name {number}": "yes" for number in range(5)}
    assert len(reason(50, 59, {}, long)) <= LONGEST_REASON


@pytest.mark.parametrize(
    ("stars", "said"),
    [
        ((4.0, 4.6), "Same use, better rated, 18 % more"),
        ((4.0, 4.1), ""),
        ((4.6, 4.0), ""),
        ((None, 5.0), ""),
        ((4.0, None), ""),
        ((80, 92), "Same use, better rated, 18 % more"),
    ],
)
def test_a_clearly_better_rating_is_said_on_whatever_scale(stars, said):
    assert reason(50, 59, {}, {}, stars) == said


def test_a_rating_stands_between_what_it_has_more_and_the_price():
    assert reason(50, 59, {"volume": "60 L"}, {"volume": "80 L"}, (4.0, 4.6)) == "+20 L, better rated, 18 % more"
