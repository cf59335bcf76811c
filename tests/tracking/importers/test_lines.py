from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from ecomrec_django.catalog.adapter import ReviewLine
from ecomrec_django.catalog.guests import guest_hash
from ecomrec_django.errors import DataError
from ecomrec_django.tracking.importers.lines import clean_purchase, clean_review
from example_shop.models import Order, Product
from tests.support.planted_shop import NOON, line

ID = UUID("12345678123456781234567812345678")


def cleaned(purchase=None, **values):
    """The clean line and what is remarked about it."""
    remarks = []
    clean = clean_purchase(line(1, "a")._replace(**values) if purchase is None else purchase, remarks.append)
    return clean, remarks


def test_a_sound_line_is_unchanged_and_not_remarked_on():
    assert cleaned() == (line(1, "a"), [])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"line": 17}, "17"),
        ({"line": ID}, str(ID)),
        ({"order": 9}, "9"),
        ({"item": 5}, "5"),
        ({"user": 3}, "3"),
        ({"user": ""}, None),
        ({"user": None}, None),
        ({"quantity": 2.0}, 2),
        ({"quantity": Decimal(2)}, 2),
        ({"quantity": Decimal("0.350")}, Decimal("0.35")),
        ({"quantity": 0.1 + 0.2}, Decimal("0.3")),
        ({"quantity": "1.2500"}, Decimal("1.25")),
        ({"refunded": Decimal("0.10")}, Decimal("0.1")),
        ({"price": 2.1}, Decimal("2.1")),
        ({"price": "2.10"}, Decimal("2.10")),
        ({"price": None}, None),
        ({"refunded": None}, 0),
        ({"refunded": -1}, 0),
        ({"currency": None}, ""),
        ({"item": None}, ""),
        ({"store": 4, "order": 9}, "4/9"),
        ({"store": "", "order": "4/9"}, "4/9"),
        ({"store": None}, None),
    ],
)
def test_common_spellings_are_understood(values, expected):
    clean, remarks = cleaned(**values)
    name = [*values][-1]
    assert getattr(clean, name) == expected
    assert not remarks


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"line": None},
            "its line is None: give the permanent id of the order line, such as its primary key, as text.",
        ),
        ({"line": ""}, "its line is empty: give the permanent id"),
        ({"line": "1\0"}, "its line holds a character that databases cannot store: give the permanent id"),
        ({"order": "\ud800"}, "its order holds a character that databases cannot store: give the number of the order"),
        ({"order": None}, "its order is None: give the number of the order"),
        ({"order": Order()}, "its order is a shop.Order: give the number of the order"),
        ({"item": Product()}, "its item is a shop.Product: give the external id of the product"),
        ({"item": "None"}, 'its item is the text "None": give None, not str(None), for a product that was deleted'),
        ({"item": ""}, "its item is empty: give the external id of the product"),
        ({"store": "a/b"}, """its store 'a/b' holds a "/": give a name or number without one."""),
        ({"store": "s" * 40, "order": "o" * 40}, "its store and order has more than 64 characters"),
        ({"currency": 978.5}, "its currency is a float: give a code such as"),
        ({"user": Order()}, "its user is a shop.Order: give the primary key of the account, or None for a guest"),
        ({"quantity": 0}, "quantity 0 is not a number above 0"),
        ({"quantity": -(2**40)}, f"quantity {-(2**40)} is not a number above 0"),
        ({"quantity": None}, "quantity None is not a number above 0"),
        ({"quantity": Decimal("0.00001")}, "quantity 0.00001 has more than 4 decimal places"),
        ({"quantity": 1 / 3}, "quantity 0.3333333333333333 has more than 4 decimal places: round it"),
        ({"quantity": 10**40}, f"quantity {10**40} is not a number above 0"),
        ({"quantity": float("nan")}, "quantity nan is not a number above 0"),
        ({"price": Decimal(-1)}, "price '-1' is not a finite number from 0 up"),
        ({"price": float("nan")}, "price 'nan' is not a finite number from 0 up"),
        ({"price": []}, "price [] is not a number"),
        ({"time": None}, "time is None, not a datetime"),
        ({"time": datetime(1, 1, 1, tzinfo=UTC)}, "time '0001-01-01 00:00:00+00:00' is not between 1970 and 9998"),
        ({"refunded": "some"}, "its refunded pieces 'some' are not a number"),
        ({"refunded": float("nan")}, "its refunded pieces nan are not a number"),
    ],
)
def test_invalid_values_are_rejected_with_a_remedy(values, message):
    with pytest.raises(DataError) as caught:
        cleaned(**values)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("row", "kind"), [(Order(), "a shop.Order"), (None, "None"), ({"line": "1"}, "a dict"), (("1", "o1"), "a tuple")]
)
def test_invalid_lines_are_rejected(row, kind):
    with pytest.raises(DataError) as caught:
        clean_purchase(row, print)
    assert str(caught.value) == f"it is {kind}: yield a PurchaseLine for each line of an order."


def test_a_date_is_the_start_of_that_day_in_the_projects_time_zone(settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    clean, (remark,) = cleaned(time=date(2017, 3, 1))
    assert clean.time == datetime(2017, 2, 28, 15, tzinfo=UTC)
    assert remark == "its time is a date, so it counts as the start of that day: give a datetime."


def test_a_naive_time_is_in_the_projects_time_zone(settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    clean, remarks = cleaned(time=datetime(2017, 3, 1, 21))
    assert clean.time == datetime(2017, 3, 1, 12, tzinfo=UTC)
    assert "counts as Asia/Tokyo: give an aware datetime" in remarks[0]


def test_a_time_without_a_zone_is_right_in_a_project_without_zones(settings):
    settings.USE_TZ = False
    assert cleaned(time=datetime(2017, 3, 1, 12))[1] == []


def test_the_text_none_is_a_guest_and_remarked_on():
    clean, remarks = cleaned(user="None")
    assert clean.user is None
    assert "give None, not str(None), for a guest" in remarks[0]


def test_an_address_in_place_of_a_hash_is_hashed_and_remarked_on():
    clean, remarks = cleaned(user=None, guest="Ann@shop.example")
    assert clean.guest == guest_hash(" ann@shop.example")
    assert remarks == ["its guest is an e-mail address: give guest_hash(address)."]


def review(**values):
    sound = ReviewLine(review="1", user="2", item="a", rating=4.0, time=NOON)
    return clean_review(sound._replace(**values), print)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"review": None}, "its review is None: give the permanent id of the review"),
        ({"rating": []}, "rating [] is not a number"),
        ({"time": None}, "time is None, not a datetime"),
        ({"item": Product()}, "its item is a shop.Product"),
    ],
)
def test_a_review_that_cannot_be_understood_is_refused_with_a_remedy(values, message):
    with pytest.raises(DataError) as caught:
        review(**values)
    assert str(caught.value).startswith(message)


def test_the_key_of_a_review_may_be_a_number():
    assert review(review=7, user=8, item=9)[:3] == ("7", "8", "9")


def test_invalid_reviews_are_rejected():
    with pytest.raises(DataError, match=r"it is a shop\.Order: yield a ReviewLine"):
        clean_review(Order(), print)
