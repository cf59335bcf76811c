from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ecomrec_django.artifacts import history_folder
from ecomrec_django.errors import TrainingError
from ecomrec_django.history import removal
from ecomrec_django.history.export import export_history, rebuild_history
from ecomrec_django.locks import exclusive
from ecomrec_django.models import (
    Checkpoint,
    Conversion,
    Erasure,
    Event,
    GuestOrder,
    HeldEvent,
    Impression,
    Item,
    Kind,
    Profile,
    Visitor,
)
from ecomrec_django.privacy import erasure as erasing
from ecomrec_django.privacy.erasure import PLACES, erase, finish_erasures
from ecomrec_django.privacy.export import SECTIONS
from ecomrec_django.tasks import finish_erasures_task, run_training
from ecomrec_django.tracking.consent import exclude
from ecomrec_django.tracking.importers.delimited import DelimitedTable
from ecomrec_django.tracking.importers.files import import_events
from ecomrec_django.tracking.importers.formats.spec import EVENTS
from ecomrec_django.tracking.importers.orders import import_purchases
from ecomrec_django.tracking.intake import store
from ecomrec_django.tracking.observation import Observation
from ecomrec_django.tracking.omissions import Reason, omitted_count
from ecomrec_django.tracking.visitors import FOREVER, merge, token_key
from tests.support.planted_shop import line
from tests.support.threads import raised_in_a_thread

from .conftest import ANNA, BEN, CLEO, COOKIE, everything_again, files, history, kept, view

pytestmark = pytest.mark.django_db


def test_the_receipt_counts_removed_rows(people):
    pks = sorted(Visitor.objects.filter(key__in=[ANNA, token_key(COOKIE)]).values_list("pk", flat=True))
    receipt = erase([ANNA])
    # Three purchases, a refund, a review, and a view of the cookie that joined.
    assert receipt.removed_rows == {
        "events": 6,
        "held_events": 1,
        "impressions": 1,
        "exposures": 0,
        "guest_orders": 0,
        "profiles": 1,
        "visitors": 2,
    }
    assert (receipt.pending_visitors, receipt.completed) == (pks, None)
    assert receipt.key == ANNA
    assert any(row[1] in pks for row in history())

    assert finish_erasures() == 1
    receipt.refresh_from_db()
    assert receipt.removed_rows["history"] == 6
    assert receipt.pending_visitors == []
    assert receipt.completed is not None
    assert not any(row[1] in pks for row in history())


def test_erasure_removes_one_person_only(people):
    others = kept(BEN), kept(CLEO)
    rows, before = history(), files()
    gone = set(Event.objects.filter(visitor__key=ANNA).values_list("pk", flat=True))
    erase([ANNA])
    assert (kept(BEN), kept(CLEO)) == others
    assert not Visitor.objects.filter(key__in=[ANNA, token_key(COOKIE)]).exists()
    finish_erasures()
    assert history() == [row for row in rows if row[0] not in gone]
    # Anna did nothing in June: that file is the very same one.
    june = [name for name in before if name.startswith("2017-06")]
    assert len(june) == 1
    assert files()[june[0]] == before[june[0]]
    # She alone did something in January: that file is gone.
    assert {name[:7] for name in files()} == {"2017-03", "2017-06"}


def test_the_next_export_finds_files_checkpoint_and_table_in_agreement(people):
    erase([ANNA])
    finish_erasures()
    report = export_history()
    assert (report.rebuilt, report.total) == ("", Event.objects.count())
    # Cleo's order, which was exported before it was hers, is hers in files that are written afresh.
    pieces = [row for row in history() if row[8] != "o5"]
    rebuild_history()
    assert [row for row in history() if row[8] != "o5"] == pieces


def test_guest_orders_exported_earlier_are_erased(people):
    Event.objects.filter(key="purchase:6").update(visitor=None)
    rebuild_history()
    import_purchases()
    assert Event.objects.get(key="purchase:6").visitor.key == CLEO
    assert [row[1] for row in history() if row[8] == "o5"] == [0]
    receipt = erase([CLEO])
    assert receipt.removed_rows == {
        "events": 2,
        "held_events": 1,
        "impressions": 1,
        "exposures": 0,
        "guest_orders": 1,
        "profiles": 1,
        "visitors": 1,
    }
    finish_erasures()
    receipt.refresh_from_db()
    assert receipt.removed_rows["history"] == 2
    assert not [row for row in history() if row[8] == "o5"]
    export_history()
    assert not [row for row in history() if row[8] == "o5"]


@pytest.mark.parametrize("key", [ANNA, CLEO], ids=["account", "guest"])
def test_the_shops_records_do_not_bring_the_history_back(people, key):
    erase([key])
    left = list(Event.objects.order_by("pk").values_list())
    everything_again()
    everything_again()
    assert list(Event.objects.order_by("pk").values_list()) == left
    assert not Visitor.objects.filter(key=key).exists()


def test_a_file_of_events_does_not_bring_the_history_back(people, tmp_path, django_user_model):
    django_user_model.objects.create(pk=1, username="anna")
    erase([ANNA])
    soon = (timezone.now() + timedelta(minutes=1)).isoformat()
    (tmp_path / "events.csv").write_text(
        f"event,visitor,item,time\nview_item,anna,a,2017-03-01\nview_item,{COOKIE},a,2017-03-01\n"
        f"view_item,ben,a,2017-03-01\nview_item,anna,a,{soon}\n"
    )
    before = omitted_count(Reason.ERASED)
    table = DelimitedTable(tmp_path / "events.csv")
    report = import_events(table, EVENTS, reject=lambda *row: pytest.fail(str(row)))
    assert (report.created, report.barred) == (2, 2)
    assert omitted_count(Reason.ERASED) == before + 2
    assert not Visitor.objects.filter(key=token_key(COOKIE)).exists()


def test_queued_events_do_not_restore_erased_history(people):
    seen = [Observation(kind=Kind.VIEW_ITEM, item="a", visitor=key) for key in (ANNA, token_key(COOKIE), BEN)]
    erase([ANNA])
    events = Event.objects.filter(visitor__key=BEN).count()
    store(seen)
    assert Event.objects.filter(visitor__key=BEN).count() == events + 1
    assert not Event.objects.filter(visitor__key__in=[ANNA, token_key(COOKIE)]).exists()
    store([Observation(kind=Kind.VIEW_ITEM, item="a", visitor=ANNA)])
    assert Event.objects.get(visitor__key=ANNA).item.external_id == "a"


def test_new_orders_after_the_erasure_are_imported(people):
    erase([ANNA])
    erase([CLEO])
    later = timezone.now() + timedelta(seconds=1)
    people.lines = [*people.lines, line(7, "a", order="o7", user="1", time=later), line(8, "a", order="o8", user=None)]
    import_purchases()
    assert list(Event.objects.filter(visitor__key=ANNA).values_list("key", flat=True)) == ["purchase:7"]
    assert Event.objects.get(key="purchase:8").visitor is None


def test_erasing_an_unknown_account_excludes_its_orders(planted_shop):
    receipt = erase([ANNA])
    assert sum(receipt.removed_rows.values()) == 0
    assert receipt.completed is not None
    planted_shop.lines = [line(1, "a", user="1"), line(2, "a", user="2")]
    import_purchases()
    assert [event.key for event in Event.objects.all()] == ["purchase:2"]


def test_an_erasure_during_an_import_excludes_later_lines(planted_shop, monkeypatch):
    monkeypatch.setattr("ecomrec_django.tracking.importers.orders.CHUNK", 1)

    def lines():
        yield line(1, "a", user="1")
        yield line(2, "a", user="2")
        erase([ANNA])
        yield line(3, "a", user="1")

    planted_shop.lines = lines()
    import_purchases()
    assert [event.key for event in Event.objects.all()] == ["purchase:2"]


@pytest.mark.parametrize("key", [ANNA, CLEO], ids=["account", "guest"])
@pytest.mark.parametrize("crash", range(4))
def test_a_crash_in_the_middle_can_be_repeated(people, monkeypatch, key, crash):
    """Whichever step breaks, the next erasure, or a worker alone, brings it to its end, and the receipts add up."""
    before = sum(model.objects.filter(visitor__key=key).count() for model in PLACES.values())
    monkeypatch.setattr(erasing, "MAX_LOOKUP_IDS", 1)
    steps = iter(range(100))
    counting = erasing._count

    def breaking(*args):
        if next(steps) == crash:
            raise OSError("the power went")
        counting(*args)

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "_count", breaking)
        with pytest.raises(OSError, match="the power went"):
            erase([key])
    assert Visitor.objects.filter(key=key).exists()
    everything_again()
    if crash % 2:
        erase([key])
    finish_erasures()
    assert not Visitor.objects.filter(key=key).exists()
    receipts = Erasure.objects.filter(key=key)
    assert sum(receipt.removed_rows[place] for receipt in receipts for place in PLACES) == before
    assert not receipts.filter(completed=None).exists()
    assert sum(receipt.removed_rows["history"] for receipt in receipts) == {ANNA: 6, CLEO: 2}[key]
    assert export_history().rebuilt == ""


@pytest.mark.parametrize("place", ["_rewrite", "move_checkpoint"])
def test_a_crash_while_the_files_are_rewritten_heals(people, monkeypatch, place):
    receipt = erase([ANNA])
    with monkeypatch.context() as patch:
        patch.setattr(removal, place, lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            finish_erasures()
    receipt.refresh_from_db()
    assert receipt.completed is None
    finish_erasures()
    receipt.refresh_from_db()
    assert receipt.completed is not None
    # Renamed files with an old checkpoint are a disagreement, for which the history is rebuilt.
    assert bool(export_history().rebuilt) == (place == "move_checkpoint")
    assert len(history()) == Event.objects.count()
    assert not [name for name in files() if name.endswith(".part")]


def test_a_damaged_file_does_not_keep_anybody_from_being_forgotten(people):
    receipt = erase([ANNA])
    next(history_folder().glob("2017-06/*")).write_bytes(b"not parquet at all")
    finish_erasures()
    receipt.refresh_from_db()
    assert receipt.completed is not None
    assert export_history().rebuilt
    assert len(history()) == Event.objects.count()


def test_a_training_right_after_an_erasure_no_longer_sees_the_person(people):
    receipt = erase([ANNA])
    run = run_training()
    receipt.refresh_from_db()
    assert receipt.completed is not None
    assert run.metrics["erasures"] == 1
    assert run.metrics["events"] == len(history()) == Event.objects.count()
    assert "rebuilt" not in run.message
    assert not [row for row in history() if row[8] in ("o1", "o2")]


def test_files_are_left_alone_while_a_training_runs(people):
    """Another process cannot rewrite them; the receipt stays pending until the next training."""
    receipt = erase([ANNA])
    before = files()
    with exclusive():
        assert isinstance(raised_in_a_thread(finish_erasures), TrainingError)
    assert files() == before
    receipt.refresh_from_db()
    assert receipt.completed is None


def test_several_erasures_are_finished_together(people):
    receipts = [erase([key]) for key in (ANNA, BEN, CLEO)]
    assert finish_erasures_task() == 3
    for receipt in receipts:
        receipt.refresh_from_db()
    assert [receipt.removed_rows["history"] for receipt in receipts] == [6, 3, 2]
    assert history() == []
    assert export_history().rebuilt == ""


def test_without_pending_erasures_no_file_is_rewritten(people):
    before = files()
    assert finish_erasures() == 0
    assert files() == before


def test_a_cookie_that_joins_while_its_account_is_erased_goes_too(people, monkeypatch):
    late = "b" * 32
    view(token_key(late))
    counting = erasing._count

    def joining(erasure, rows, *visitors):
        if len(rows) == 1:
            merge(late, "1")
        counting(erasure, rows, *visitors)

    monkeypatch.setattr(erasing, "_count", joining)
    late_pk = Visitor.objects.get(key=token_key(late)).pk
    receipt = erase([ANNA])
    assert not Visitor.objects.filter(key__in=[ANNA, token_key(late)]).exists()
    assert late_pk in receipt.pending_visitors
    assert receipt.removed_rows["visitors"] == 3
    assert Erasure.objects.filter(key=token_key(late)).exists()


def test_a_withdrawal_of_consent_outlives_the_erasure(people):
    exclude(ANNA)
    erase([ANNA])
    visitor = Visitor.objects.get(key=ANNA)
    assert visitor.excluded_until == FOREVER
    assert not Event.objects.filter(visitor=visitor).exists()
    store([Observation(kind=Kind.VIEW_ITEM, item="a", visitor=ANNA)])
    assert not Event.objects.filter(visitor=visitor).exists()
    finish_erasures()
    assert Visitor.objects.filter(pk=visitor.pk).exists()


def test_many_rows_go_in_chunks_of_bounded_size(people, monkeypatch):
    item, visitor = Item.objects.first(), Visitor.objects.get(key=ANNA)
    Event.objects.bulk_create(
        Event(kind="view_item", item=item, visitor=visitor, time=timezone.now()) for _ in range(250)
    )
    monkeypatch.setattr(erasing, "MAX_LOOKUP_IDS", 100)
    with CaptureQueriesContext(connection) as queries:
        assert erase([ANNA]).removed_rows["events"] == 256
    deletes = [
        query["sql"] for query in queries if query["sql"].startswith("DELETE") and "ecomrec_event" in query["sql"]
    ]
    assert [sql.count(",") + 1 for sql in deletes[:3]] == [100, 100, 56]


def test_every_model_that_refers_to_a_visitor_is_erased_and_exported():
    """Whoever adds one names it in both lists. Conversions are of an event, and go with it."""
    relations = [
        field for field in Visitor._meta.get_fields(include_hidden=True) if field.one_to_many or field.one_to_one
    ]
    models = {relation.related_model for relation in relations} - {Visitor}
    assert models == set(PLACES.values())
    assert models | {Conversion} == {section.model for section in SECTIONS.values()}
    assert {Event, HeldEvent, Impression, GuestOrder, Profile} <= models


def test_a_receipt_names_nobody(people):
    receipt = erase([ANNA])
    finish_erasures()
    receipt.refresh_from_db()
    text = str([str(getattr(receipt, field.name)) for field in receipt._meta.fields])
    assert ANNA in text
    for name in ("o1", COOKIE, "purchase", "Title"):
        assert name not in text
    assert Checkpoint.objects.filter(name="orders").exists()
