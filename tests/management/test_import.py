import csv
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from ecomrec_django.models import Event, Item, Visitor
from ecomrec_django.tracking.visitors import token_key, user_key

pytestmark = pytest.mark.django_db
HEADER = "event,visitor,item,quantity,price,time,basket,session,rating"


@pytest.fixture
def items():
    return [Item.objects.create(external_id=name, title=name, fingerprint="") for name in ("a", "b")]


@pytest.fixture
def load(tmp_path):
    """Write lines to a file, import it, and hand back (what was printed, the rows refused)."""

    def load(*lines: str, encoding: str = "utf-8", end: str = "\n"):
        file, rejects = tmp_path / "events.csv", tmp_path / "rejects.csv"
        file.write_bytes(end.join([*lines, ""]).encode(encoding))
        rejects.unlink(missing_ok=True)
        out = StringIO()
        call_command("ecomrec_import", file, "--rejects", rejects, stdout=out, stderr=StringIO())
        return out.getvalue(), list(csv.reader(rejects.open())) if rejects.exists() else []

    return load


def test_good_rows_become_events_and_a_second_reading_changes_nothing(items, load):
    rows = [
        HEADER,
        "view_item,anna,a,,,2017-01-02T03:04:05Z,,s1,",
        "review,anna,b,,,2017-01-02T03:04:05+01:00,,,4.5",
        "view_item,anna,a,,,2017-01-02T03:04:05Z,,s1,",
        "add_to_cart,,a,3,1.25,2017-01-02 03:04:05,,,",
    ]
    said, refused = load(*rows)
    assert "4 imported" in said
    assert refused == []
    review = Event.objects.get(kind="review")
    assert (review.rating, review.time.isoformat(), review.visitor.key) == (
        4.5,
        "2017-01-02T02:04:05+00:00",
        token_key("anna"),
    )
    cart = Event.objects.get(kind="add_to_cart")
    assert (cart.visitor, cart.quantity, str(cart.price)) == (None, 3, "1.25")

    said, _ = load(*rows)
    assert "0 imported, 4 known already" in said
    assert Event.objects.count() == 4


def test_a_visitor_who_is_an_account_gets_the_events_of_that_account(items, load):
    user = get_user_model().objects.create_user("anna")
    load(HEADER, "view_item,anna,a,,,2017-01-02,,,")
    assert Visitor.objects.get().key == user_key(user.pk)


def test_purchases_are_left_out_with_a_count(items, load):
    said, refused = load(HEADER, "purchase,anna,a,1,1,2017-01-02,o1,,", "refund,anna,a,1,1,2017-01-02,o1,,")
    assert "2 purchases and refunds left out" in said
    assert not Event.objects.exists()
    assert refused == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("bought,anna,a,,,2017-01-02,,,", "unknown event 'bought'"),
        ("view_item,anna,z,,,2017-01-02,,,", "the catalog has no item 'z'"),
        ("view_item,anna,,,,2017-01-02,,,", "item has to have 1 to 128 characters"),
        ("view_item,anna,a,,,yesterday,,,", "time 'yesterday' is not ISO-8601"),
        ("view_item,anna,a,-1,,2017-01-02,,,", "quantity '-1' is not a whole number from 1 up"),
        ("view_item,anna,a,99999999999999999999999,,2017-01-02,,,", "is not a whole number from 1 up"),
        ("view_item,anna,a,,NaN,2017-01-02,,,", "price 'NaN' is not a finite number from 0 up"),
        ("view_item,anna,a,,cheap,2017-01-02,,,", "price 'cheap' is not a number"),
        ("review,anna,a,,,2017-01-02,,,inf", "rating 'inf' is not a finite number from 0 up"),
        ("view_item,anna,a", "3 cells where the header has 9"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_the_good_ones_are_kept(items, load, row, reason):
    _, refused = load(HEADER, "view_item,anna,a,,,2017-01-02,,,", row, "view_item,anna,b,,,2017-01-02,,,")
    assert Event.objects.count() == 2
    [(line, why, *cells)] = refused[1:]
    assert line == "3"
    assert reason in why
    assert cells == row.split(",")


def test_a_byte_order_mark_and_windows_line_ends_are_tolerated(items, load):
    said, _ = load("item,event,time", "a,view_item,2017-01-02", encoding="utf-8-sig", end="\r\n")
    assert "1 imported" in said


def test_a_missing_column_is_said_and_nothing_written(items, load):
    with pytest.raises(CommandError, match="no column time"):
        load("event,item", "view_item,a")
    assert not Event.objects.exists()


def test_an_empty_file_and_a_missing_file_are_said(load):
    with pytest.raises(CommandError, match="no column event, item, time"):
        load()
    with pytest.raises(CommandError, match="No such file"):
        call_command("ecomrec_import", "/nowhere/events.csv")
