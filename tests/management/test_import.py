import csv
from dataclasses import asdict
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecomrec_django.models import Event, Item, Visitor
from ecomrec_django.tracking.importers.delimited import DelimitedTable
from ecomrec_django.tracking.importers.files import import_events
from ecomrec_django.tracking.importers.formats.spec import EVENTS
from ecomrec_django.tracking.visitors import token_key, user_key

pytestmark = pytest.mark.django_db
HEADER = "event,visitor,item,quantity,price,time,basket,session,rating"


@pytest.fixture
def items():
    return [Item.objects.create(external_id=name, title=name, fingerprint="") for name in ("a", "b")]


@pytest.fixture
def load(tmp_path):
    """Write lines to a file, import it, and hand back (what was printed, the rows refused)."""

    def load(*lines: str, encoding: str = "utf-8", end: str = "\n", declared: str = "", **options):
        file, rejects = tmp_path / "events.csv", tmp_path / "rejects.csv"
        file.write_bytes(end.join([*lines, ""]).encode(encoding))
        rejects.unlink(missing_ok=True)
        out = StringIO()
        call_command(
            "ecomrec_import", file, "--rejects", rejects, stdout=out, stderr=StringIO(), encoding=declared, **options
        )
        return out.getvalue(), list(csv.reader(rejects.open())) if rejects.exists() else []

    return load


def test_importing_a_file_twice_changes_nothing(items, load):
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
    assert "0 imported, 4 already imported" in said
    assert Event.objects.count() == 4


def test_a_visitor_who_is_an_account_gets_the_events_of_that_account(items, load):
    user = get_user_model().objects.create_user("anna")
    load(HEADER, "view_item,anna,a,,,2017-01-02,,,")
    assert Visitor.objects.get().key == user_key(user.pk)


def test_purchases_are_left_out_with_a_count(items, load):
    bought = "purchase,anna,a,1,1,2017-01-02,o1,,", "refund,anna,a,1,1,2017-01-02,o1,,"
    said, refused = load(HEADER, *bought, "view_item,anna,a,,,2017-01-02,,,")
    assert "3 rows: 1 imported" in said
    assert "2 purchases and refunds ignored" in said
    assert Event.objects.get().kind == "view_item"
    assert refused == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("bought,anna,a,,,2017-01-02,,,", "unknown event 'bought'"),
        ("view_item,anna,z,,,2017-01-02,,,", "the catalog has no item 'z'"),
        ("view_item,anna,,,,2017-01-02,,,", "item must have 1 to 128 characters"),
        ("view_item,anna,a,,,yesterday,,,", "time 'yesterday' is not ISO-8601"),
        ("view_item,anna,a,-1,,2017-01-02,,,", "quantity -1 is not a number above 0"),
        ("view_item,anna,a,99999999999999999999999,,2017-01-02,,,", "is not a number above 0"),
        ("view_item,anna,a,,NaN,2017-01-02,,,", "price 'NaN' is not a number"),
        ("view_item,anna,a,,cheap,2017-01-02,,,", "price 'cheap' is not a number"),
        ("review,anna,a,,,2017-01-02,,,inf", "rating 'inf' is not a finite number from 0 up"),
        ("view_item,anna,a", "3 cells where the header has 9"),
    ],
)
def test_invalid_rows_are_reported_by_line(items, load, row, reason):
    _, refused = load(HEADER, "view_item,anna,a,,,2017-01-02,,,", row, "view_item,anna,b,,,2017-01-02,,,")
    assert Event.objects.count() == 2
    [(line, why, *cells)] = refused[1:]
    assert line == "3"
    assert reason in why
    assert cells == row.split(",")


def test_a_file_whose_rows_are_all_refused_fails_and_says_why(items, load):
    with pytest.raises(CommandError, match=r"All rows were rejected, .*: unknown event 'bought'"):
        load(HEADER, "bought,anna,a,,,2017-01-02,,,", "sold,anna,a,,,2017-01-02,,,")


def test_a_byte_order_mark_and_windows_line_ends_are_tolerated(items, load):
    said, _ = load("item,event,time", "a,view_item,2017-01-02", encoding="utf-8-sig", end="\r\n")
    assert "1 imported" in said


def test_a_missing_column_is_said_and_nothing_written(items, load):
    with pytest.raises(CommandError, match="no column time"):
        load("event,item", "view_item,a")
    assert not Event.objects.exists()


def test_an_empty_file_and_a_missing_file_are_said(load):
    with pytest.raises(CommandError, match=r"is empty.*: event, visitor, item"):
        load()
    with pytest.raises(CommandError, match="No such file"):
        call_command("ecomrec_import", "/nowhere/events.csv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1251"])
def test_visitors_keep_their_names_in_any_encoding(items, load, encoding):
    people = ["Иванов", "Петров", "Сидоро", "Лебеде"]
    views = [f"view_item,{who},{item},,,2025-05-01T10:00:00Z,,," for who in people for item in ("a", "b")]
    if encoding == "cp1251":
        with pytest.raises(CommandError, match="--encoding"):
            load(HEADER, *views, encoding=encoding)
        assert not Visitor.objects.exists()
        load(HEADER, *views, encoding=encoding, declared=encoding)
    else:
        load(HEADER, *views, encoding=encoding)
    assert set(Visitor.objects.values_list("key", flat=True)) == set(map(token_key, people))


def test_every_row_is_accounted_for(items, load):
    view = "view_item,anna,a,,,2017-01-02,,,"
    stray = 'view_item,"anna,a,,,2017-01-02,,,'
    said, refused = load(
        HEADER, view, stray, "", "purchase,anna,a,1,1,2017-01-02,o1,,", view, ",,,,,,,,", "view_item,a"
    )
    assert said.startswith(
        "7 rows: 2 imported, 0 already imported, 1 purchases and refunds ignored (they come from the shop's orders), "
        "2 rejected, 2 blank."
    )
    assert [row[0] for row in refused[1:]] == ["3", "8"]


def test_an_import_of_too_few_rows_or_of_none_fails(items, load):
    good, bad = "view_item,anna,a,,,2017-01-02,,,", "view_item,anna,z,,,2017-01-02,,,"
    with pytest.raises(CommandError, match="Only 1 of 3 rows were imported, which is less than 50%"):
        load(HEADER, good, bad, bad)
    load(HEADER, good, bad, bad, min_share=30)
    with pytest.raises(CommandError, match="come from the shop's orders"):
        load(HEADER, "purchase,anna,a,1,1,2017-01-02,o1,,")
    with pytest.raises(CommandError, match="Nothing was imported"):
        load(HEADER)


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "view_item,anna,a,,,2017-01-02,,,",
                'view_item,"anna,a,,,2017-01-02,,,',
                "purchase,anna,a,-1,1,2017-01-02,o1,,",
                "purchase,anna,a,3,1,2017-01-01,o1,,",
                "view_item,anna,z,,,2017-01-02,,,",
                "",
                ",,,,,,,,",
            ]
        ),
        st.text(st.sampled_from('a,"1é'), max_size=12),
    ),
    max_size=12,
)


@given(LINES, st.booleans())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_rows_of_any_file_are_the_sum_of_their_outcomes(items, tmp_path, lines, with_purchases):
    (tmp_path / "events.csv").write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    refused = []
    table = DelimitedTable(tmp_path / "events.csv")
    report = import_events(table, EVENTS, lambda *row: refused.append(row), with_purchases=with_purchases)
    outcomes = asdict(report)
    rows = outcomes.pop("rows")
    assert rows == sum(outcomes.values()) == len(list(table.records()))
    assert len(refused) == report.rejected
