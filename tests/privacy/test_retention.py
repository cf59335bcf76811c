from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from django.utils import timezone

from ecomrec_django.errors import DataError, TrainingError
from ecomrec_django.history.export import export_history, rebuild_history
from ecomrec_django.learning.interactions import DAY
from ecomrec_django.learning.ranking.shopper_history import PURCHASE, ShopperHistory
from ecomrec_django.locks import exclusive
from ecomrec_django.models import (
    Checkpoint,
    Erasure,
    Event,
    GuestOrder,
    HeldEvent,
    Impression,
    Omission,
    Profile,
    Visitor,
)
from ecomrec_django.privacy import retention
from ecomrec_django.privacy.erasure import erase
from ecomrec_django.privacy.retention import days_ago, horizon, purge, would_purge
from ecomrec_django.tasks import purge_task
from ecomrec_django.tracking.consent import exclude
from ecomrec_django.tracking.importers.delimited import DelimitedTable
from ecomrec_django.tracking.importers.files import import_events
from ecomrec_django.tracking.importers.formats.spec import EVENTS
from ecomrec_django.tracking.visitors import token_key
from tests.support.planted_shop import line
from tests.support.threads import raised_in_a_thread

from .conftest import ANNA, BEN, CLEO, COOKIE, everything_again, files, history, view

pytestmark = pytest.mark.django_db
# In the middle of March: its file is rewritten, January's goes.
BORDER = datetime(2017, 3, 10, tzinfo=UTC)
SPRING = datetime(2017, 3, 20, tzinfo=UTC)


@pytest.fixture
def old(people):
    """What people did, and one view of Ben's after the border in the same month."""
    view(BEN, time=SPRING)
    export_history()
    Impression.objects.update(time=BORDER - timedelta(days=1))
    HeldEvent.objects.filter(visitor__key=ANNA).update(time=BORDER - timedelta(days=1))
    Omission.objects.create(day=date(2017, 3, 9), reason="bot", count=1)
    Omission.objects.create(day=date(2017, 3, 10), reason="bot", count=1)
    return people


def test_profiles_lose_what_is_older_at_once(old):
    days = np.array([BORDER.timestamp() / DAY - 30, SPRING.timestamp() / DAY])
    past = ShopperHistory.of(np.array([7, 8]), np.array([PURCHASE] * 2), days, np.array([0, 1]), np.full(2, np.nan))
    visitor = Visitor.objects.get(key=BEN)
    profile, _ = Profile.objects.update_or_create(
        visitor=visitor, defaults={"history": past.to_bytes(), "until": timezone.now()}
    )
    purge(BORDER)
    profile.refresh_from_db()
    assert ShopperHistory.from_bytes(bytes(profile.history)).item.tolist() == [8]


def test_older_rows_leave_database_and_history(old):
    newer = [row for row in history() if row[7] >= BORDER]
    before = files()
    report = purge(BORDER)
    assert (report.events, report.impressions, report.held_events, report.omissions) == (10, 3, 1, 1)
    assert report.history == 10
    assert not Event.objects.filter(time__lt=BORDER).exists()
    assert sorted(Event.objects.values_list("time", flat=True)) == [SPRING, datetime(2017, 6, 1, 12, tzinfo=UTC)]
    assert Omission.objects.get(reason="bot").day == date(2017, 3, 10)
    assert history() == newer
    june = next(name for name in before if name.startswith("2017-06"))
    assert files()[june] == before[june]
    assert not [name for name in files() if name.startswith("2017-01")]


def test_the_next_export_finds_files_checkpoint_and_table_in_agreement(old):
    purge(BORDER)
    assert export_history().rebuilt == ""
    pieces = history()
    rebuild_history()
    assert history() == pieces


def test_visitors_without_data_are_removed(old):
    HeldEvent.objects.all().delete()
    visitors = Visitor.objects.filter(key__in=[ANNA, token_key(COOKIE)])
    assert visitors.count() == 2
    GuestOrder.objects.all().delete()
    purge(BORDER)
    assert [visitor.key for visitor in Visitor.objects.all()] == [BEN]


def test_a_guest_whose_order_is_not_imported_yet_keeps_it(old):
    HeldEvent.objects.all().delete()
    purge(BORDER)
    assert GuestOrder.objects.get().visitor.key == CLEO
    Visitor.objects.filter(key=CLEO).update(created=BORDER - timedelta(days=1))
    purge(BORDER)
    assert not Visitor.objects.filter(key=CLEO).exists()
    assert not GuestOrder.objects.exists()


def test_withdrawals_survive_a_purge(old):
    exclude(ANNA)
    HeldEvent.objects.all().delete()
    purge(BORDER)
    assert Visitor.objects.filter(key=ANNA).exists()


def test_imports_and_files_do_not_bring_old_rows_back(old, tmp_path):
    purge(BORDER)
    rows = list(Event.objects.order_by("pk").values_list())
    everything_again()
    assert list(Event.objects.order_by("pk").values_list()) == rows
    rows = ["event,visitor,item,time", "view_item,dora,a,2017-03-09", "view_item,,a,2017-03-11"]
    (tmp_path / "events.csv").write_text("\n".join(rows))
    table = DelimitedTable(tmp_path / "events.csv")
    report = import_events(table, EVENTS, reject=lambda *row: pytest.fail(str(row)))
    assert (report.created, report.barred) == (1, 1)
    assert not Visitor.objects.filter(key=token_key("dora")).exists()
    old.lines = [*old.lines, line(9, "a", user="9", time=SPRING)]
    everything_again()
    assert Event.objects.filter(key="purchase:9").exists()


def test_a_horizon_never_moves_back(old):
    purge(BORDER)
    purge(BORDER - timedelta(days=40))
    assert horizon() == BORDER
    assert Checkpoint.objects.get(name="purged").position == {"before": "2017-03-10T00:00:00+00:00"}
    purge(BORDER + timedelta(days=1))
    assert horizon() == BORDER + timedelta(days=1)


def test_receipts_of_erasures_stay(old):
    receipt = erase([ANNA])
    purge(timezone.now())
    assert Erasure.objects.get(receipt=receipt.receipt).key == ANNA


def test_a_dry_run_says_exactly_what_then_goes_and_removes_nothing(old):
    counts = Event.objects.count(), Visitor.objects.count(), Impression.objects.count()
    before = files()
    said = would_purge(BORDER)
    assert (Event.objects.count(), Visitor.objects.count(), Impression.objects.count()) == counts
    assert files() == before
    assert horizon() is None
    assert said == purge(BORDER)


def test_a_purge_in_small_chunks_that_broke_off_is_ended_by_the_next(old, monkeypatch):
    monkeypatch.setattr(retention, "CHUNK_ROWS", 2)
    seen = []

    def breaking(done, total):
        seen.append((done, total))
        if len(seen) == 3:
            raise OSError("the power went")

    with pytest.raises(OSError, match="the power went"):
        purge(BORDER, breaking)
    assert Event.objects.filter(time__lt=BORDER).exists()
    seen = [()] * 10
    purge(BORDER, breaking)
    done, total = seen[-1]
    assert done == total
    assert [row[0] for row in history()] == sorted(Event.objects.values_list("pk", flat=True))
    assert export_history().rebuilt == ""


def test_an_empty_shop_has_nothing_to_purge(planted_shop):
    assert purge(BORDER) == retention.PurgeReport()


def test_nothing_is_purged_while_a_training_runs(old):
    with exclusive():
        assert isinstance(raised_in_a_thread(purge, BORDER), TrainingError)
    assert horizon() is None
    assert Event.objects.filter(time__lt=BORDER).exists()


@pytest.mark.parametrize("days", [0, -1, 10**9])
def test_days_that_make_no_sense_are_refused(days):
    with pytest.raises(DataError, match="from 1 up"):
        days_ago(days)


def test_the_task_keeps_so_many_days(old):
    view(BEN, time=timezone.now() - timedelta(days=3))
    view(BEN, time=timezone.now() - timedelta(days=1))
    events = Event.objects.count()
    assert purge_task(2)["events"] == events - 1
