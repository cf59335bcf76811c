from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.errors import DataError
from ecomrec_django.tracking.importers.cells import Notation

ANY, COMMA, POINT = Notation(), Notation(decimal=","), Notation(decimal=".")


@pytest.mark.parametrize(
    ("text", "price", "currency"),
    [
        ("", None, ""),
        ("5", "5", ""),
        ("19,99", "19.99", ""),
        ("1,299.00 USD", "1299", "USD"),
        ("1.299,00 €", "1299", "EUR"),
        ("$5", "5", ""),
        ("US$ 1,234,567.8", "1234567.8", ""),
        ("£0.350", "0.350", "GBP"),
        ("1 299,50 zł", "1299.5", "PLN"),
        ("1\u202f299,50\xa0€", "1299.5", "EUR"),
        ("CHF 1'299.00", "1299", "CHF"),
        ("12.3456", "12.3456", ""),
        ("1.234.567", "1234567", ""),
        (",5", "0.5", ""),
        ("199 ₽", "199", "RUB"),
    ],
)
def test_prices_are_read_as_people_write_them(text, price, currency):
    assert ANY.price(text) == (None if price is None else Decimal(price), currency)


@pytest.mark.parametrize("text", ["1,299", "1.299", "12,500 €", "$1.000"])
def test_a_price_that_may_be_two_is_refused_until_the_file_says_which(text):
    with pytest.raises(DataError, match=r"may be \d+ or .*decimal = "):
        ANY.price(text)
    whole = Decimal("".join(filter(str.isdigit, text)))
    assert {COMMA.price(text)[0], POINT.price(text)[0]} == {whole, whole / 1000}


@pytest.mark.parametrize(
    "text",
    ["free", "1,2,3", "12.34.56", "1,29.00", "5 apples", "EUR 5 USD", "1.2e3", "NaN", "--5", "5-", "(5.00)"],
)
def test_what_is_no_price_is_refused(text):
    with pytest.raises(DataError, match="is not a number"):
        ANY.price(text)


@pytest.mark.parametrize("text", ["1.29", "1.2999"])
def test_a_point_groups_thousands_where_the_comma_is_decimal(text):
    with pytest.raises(DataError, match="is not a number"):
        COMMA.price(text)


def test_quantities_are_exact_and_may_be_negative():
    assert [ANY.quantity(text) for text in ("0.350", "0,350", "-3", "2", "")] == [
        Decimal("0.35"),
        Decimal("0.35"),
        Decimal(-3),
        Decimal(2),
        None,
    ]
    with pytest.raises(DataError, match=r"quantity '1\.000' may be 1000 or 1\.000"):
        ANY.quantity("1.000")


@pytest.mark.parametrize(
    "text",
    [
        "2025-01-31T14:05:00Z",
        "2025-01-31 14:05:00 UTC",
        "2025-01-31 15:05:00 +0100",
        "2025-01-31 15:05:00+01:00",
        "2025-01-31 14:05",
        "31.01.2025 14:05",
        "31.1.2025 14:05:00",
        "20250131140500",
        "1738332300",
        "1738332300.0",
        "1738332300000",
        "1738332300000000",
    ],
)
def test_times_are_read_with_and_without_zone_and_as_epochs(text):
    assert ANY.time(text) == datetime(2025, 1, 31, 14, 5, tzinfo=UTC)


def test_times_without_a_zone_are_of_the_files_own():
    berlin = Notation(zone=ZoneInfo("Europe/Berlin"), times=("%d/%m/%Y %H:%M",))
    assert berlin.time("2025-07-01 12:00") == datetime(2025, 7, 1, 10, tzinfo=UTC)
    assert berlin.time("2025-07-01 12:00Z") == datetime(2025, 7, 1, 12, tzinfo=UTC)
    assert berlin.time("01/07/2025 12:00") == datetime(2025, 7, 1, 10, tzinfo=UTC)


def test_a_date_that_may_begin_with_its_day_or_month_is_refused():
    with pytest.raises(DataError, match="may begin with its day or its month"):
        ANY.time("1/2/2025 10:00")


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01", "123", "99999999999999999999", "31.02.2025", "1e9"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(DataError, match="is not ISO-8601"):
        ANY.time(text)


@given(st.decimals(0, 10**9, places=2), st.sampled_from([("", "."), (",", "."), (".", ","), (" ", ",")]))
def test_an_amount_with_cents_is_read_again_in_any_notation(amount, marks):
    group, decimal = marks
    text = f"{amount:,.2f}".replace(",", "_").replace(".", decimal).replace("_", group)
    assert ANY.price(text) == (amount, "")
