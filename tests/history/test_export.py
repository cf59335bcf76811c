import random
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecomrec_django.artifacts import history_folder
from ecomrec_django.catalog.adapter import ReviewLine
from ecomrec_django.history import export
from ecomrec_django.history.export import export_history, rebuild_history
from ecomrec_django.history.removal import remove_rows
from ecomrec_django.learning.interactions import HISTORY, schema
from ecomrec_django.models import Checkpoint, Event, Item, Visitor
from ecomrec_django.tracking.importers.orders import import_order, import_purchases
from ecomrec_django.tracking.importers.reviews import import_reviews
from ecomrec_django.tracking.visitors import token_key
from tests.support.planted_shop import NOON, line

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("planted_shop")]
START = datetime(2016, 12, 30, 23, 59, 59, 250_000, tzinfo=UTC)


def rows() -> list[tuple]:
    """The whole history, by event."""
    tables = [pq.read_table(path) for path in history_folder().glob("*/*.parquet")]
    assert all(table.schema.equals(schema(HISTORY)) for table in tables)
    return sorted(tuple(row.values()) for table in tables for row in table.to_pylist())


def add(count: int, days: int = 1) -> None:
    item, _ = Item.objects.get_or_create(external_id="a", defaults={"title": "A", "fingerprint": ""})
    visitor, _ = Visitor.objects.get_or_create(key="v")
    Event.objects.bulk_create(
        Event(kind="view_item", item=item, visitor=visitor if n % 2 else None, time=START + timedelta(days=n * days))
        for n in range(count)
    )


def test_an_event_keeps_all_it_says():
    add(1)
    event = Event.objects.get()
    event.kind, event.quantity, event.price, event.rating, event.basket, event.session = (
        "purchase",
        "0.35",
        "2.50",
        4.5,
        "o",
        "s",
    )
    event.save()
    export_history()
    [row] = rows()
    assert row == (event.pk, 0, event.item_id, "purchase", 0.35, 2.5, 4.5, START, "o", "s", False)
    assert [path.parent.name for path in history_folder().glob("*/*")] == ["2016-12"]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 7), max_size=5), st.integers(1, 40))
def test_pieces_exported_one_after_another_equal_the_rebuilt_whole(counts, days):
    Event.objects.all().delete()
    rebuild_history()
    for count in counts:
        add(count, days)
        assert export_history().rows == count
    pieces = rows()
    assert rebuild_history().total == sum(counts)
    assert rows() == pieces


def test_chunks_of_any_size_lose_nothing(monkeypatch):
    monkeypatch.setattr(export, "CHUNK_EVENTS", 3)
    add(10, 20)
    assert export_history().total == 10
    assert [row[0] for row in rows()] == sorted(Event.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("place", ["_by_month", "_times"])
def test_a_crash_while_writing_neither_loses_nor_doubles(monkeypatch, place):
    add(3)
    export_history()
    add(4, 20)
    with monkeypatch.context() as patch:
        patch.setattr(export, place, lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export_history()
    report = export_history()
    assert (report.rows, report.total, report.rebuilt) == (4, 7, "")
    assert len(rows()) == 7


def test_a_crash_before_the_checkpoint_duplicates_nothing():
    add(3)
    export_history()
    before = Checkpoint.objects.get(name="history").position
    add(4, 20)
    export_history()
    Checkpoint.objects.filter(name="history").update(position=before)
    assert export_history().rows == 4
    assert len(rows()) == 7


def test_a_lost_file_is_noticed_and_the_history_rebuilt():
    add(5, 20)
    export_history()
    lost = min(history_folder().glob("*/*.parquet"))
    lost.unlink()
    assert export_history().rebuilt == f"{lost.parent.name}/{lost.name} is missing"
    assert len(rows()) == 5


def test_a_file_with_other_rows_is_noticed_though_their_number_is_right():
    add(5)
    export_history()
    path = min(history_folder().glob("*/*.parquet"))
    table = pq.read_table(path)
    other = table.set_column(table.schema.get_field_index("item"), "item", [[7] * len(table)])
    pq.write_table(other.cast(table.schema), path)
    before = Event.objects.first().item_id
    assert export_history().rebuilt == f"{path.parent.name}/{path.name} was changed since it was written"
    assert {row[2] for row in rows()} == {before}


def test_every_bit_of_a_file_counts():
    add(6, 20)
    export_history()
    whole, draws = rows(), random.Random(0)
    for _ in range(40):
        path = draws.choice(sorted(history_folder().glob("*/*.parquet")))
        contents = bytearray(path.read_bytes())
        contents[draws.randrange(len(contents))] ^= 1 << draws.randrange(8)
        path.write_bytes(contents)
        assert path.name in export_history().rebuilt
        assert rows() == whole


def test_rows_are_not_removed_from_a_changed_file_but_the_history_is_rebuilt():
    add(6, 20)
    export_history()
    changed = min(history_folder().glob("*/*.parquet"))
    changed.write_bytes(changed.read_bytes()[:-1])
    visitor = Visitor.objects.get()
    Event.objects.filter(visitor=visitor).delete()
    remove_rows("visitor", lambda visitors: visitors == visitor.pk)
    assert export_history().rebuilt == f"{changed.parent.name}/{changed.name} is missing"
    assert {row[1] for row in rows()} == {0}


def test_an_erased_event_leaves_the_history():
    add(5)
    export_history()
    Event.objects.order_by("pk").first().delete()
    assert "the database has 4" in export_history().rebuilt
    assert len(rows()) == 4


def test_an_event_that_was_committed_late_is_not_lost():
    add(3)
    late = Event.objects.order_by("pk").first()
    pk = late.pk
    late.delete()
    export_history()
    late.pk = pk
    late.save(force_insert=True)
    assert export_history().rebuilt
    assert len(rows()) == 3


def test_a_guest_order_assigned_later_is_updated_in_the_history(planted_shop):
    planted_shop.lines = [line(1, "a", user=None), line(2, "b", user=None, order="o2")]
    import_purchases()
    export_history()
    import_order("o1", guest=token_key("somebody"))
    assert export_history().rebuilt == "exported events have changed since"
    visitors = [row[1] for row in rows()]
    assert sorted(visitors) == sorted([0, Visitor.objects.get().pk])
    assert export_history().rebuilt == ""


def test_a_changed_rating_is_updated_in_the_history(planted_shop):
    planted_shop.review_lines = [ReviewLine(review="1", user="5", item="a", rating=4.0, time=NOON)]
    import_reviews()
    export_history()
    planted_shop.review_lines = [ReviewLine(review="1", user="5", item="a", rating=1.0, time=NOON)]
    import_reviews()
    export_history()
    assert [row[6] for row in rows()] == [1.0]
