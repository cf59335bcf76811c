"""An order line that is refused today is asked for again."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from ecomrec_django.errors import DataError
from ecomrec_django.models import Checkpoint, Event, WaitingLine
from ecomrec_django.tracking.importers.orders import import_order, import_purchases
from ecomrec_django.tracking.importers.waiting import MOST_TRIES
from tests.support.planted_shop import PlantedCatalog, line

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def shop(planted_shop, monkeypatch, time_machine):
    """A shop that yields only what changed since it is asked; ``lines`` are pairs (changed, line)."""

    def purchases(self, since):
        self.asked.append(since)
        return [one for changed, one in self.lines if since is None or changed >= since]

    monkeypatch.setattr(PlantedCatalog, "purchases", purchases)
    time_machine.move_to(START, tick=False)
    return planted_shop


def at(time_machine, **after):
    time_machine.move_to(START + timedelta(**after), tick=False)


def imported():
    return sorted(Event.objects.values_list("key", flat=True))


def test_an_order_ahead_of_its_time_is_imported_once_that_has_come(shop, time_machine):
    import_purchases()
    shop.lines = [(START, line(1, "a", time=START + timedelta(hours=8)))]
    for hour in range(1, 30):
        at(time_machine, hours=hour)
        import_purchases()
        assert bool(imported()) == (hour >= 8)
        assert WaitingLine.objects.exists() == (hour < 8)


def test_an_invalid_line_is_tried_each_day_until_it_is_valid(shop, time_machine):
    import_purchases()
    shop.lines = [(START, line(1, "a", quantity=0))]
    import_purchases()
    waiting = WaitingLine.objects.get()
    assert (waiting.line, waiting.order, waiting.tries, waiting.due) == ("1", "o1", 1, START + timedelta(days=1))
    assert waiting.reason == "quantity 0 is not a number above 0"
    for hours in (8, 16):
        at(time_machine, hours=hours)
        import_purchases()
    # The adapter is corrected, of which the shop's orders tell nothing.
    shop.lines = [(START, line(1, "a", quantity=2))]
    at(time_machine, hours=20)
    import_purchases()
    assert not imported()
    at(time_machine, hours=25)
    import_purchases()
    assert imported() == ["purchase:1"]
    assert not WaitingLine.objects.exists()


def test_a_line_that_stays_invalid_is_given_up_loudly(shop, time_machine, caplog):
    import_purchases()
    shop.lines = [(START, line(1, "a", quantity=0))]
    for day in range(MOST_TRIES + 3):
        at(time_machine, days=day, hours=day)
        report = import_purchases()
        assert report.given_up == (day == MOST_TRIES)
    assert "Order line 1 was refused 7 times and is given up: quantity 0" in caplog.text
    assert WaitingLine.objects.get().given_up
    # It is not asked for again.
    assert shop.asked[-1] > START


def test_a_refused_line_that_the_shop_removes_is_no_longer_waited_for(shop, time_machine):
    import_purchases()
    shop.lines = [(START, line(1, "a", quantity=0)), (START, line(2, "a"))]
    import_purchases()
    del shop.lines[0]
    at(time_machine, days=2)
    import_purchases()
    assert not WaitingLine.objects.exists()


def test_lines_that_a_first_import_refuses_make_it_read_everything_again(shop, time_machine):
    shop.lines = [(START - timedelta(days=300), line(1, "a")._replace(price="?")), (START, line(2, "a"))]
    import_purchases()
    shop.lines[0] = (shop.lines[0][0], line(1, "a"))
    at(time_machine, hours=30)
    import_purchases()
    assert shop.asked == [None, None]
    assert imported() == ["purchase:1", "purchase:2"]


def test_a_line_imported_at_once_waits_no_longer(shop, monkeypatch):
    shop.lines = [(START, line(1, "a", quantity=0)), (START, line(2, "a"))]
    import_purchases()
    monkeypatch.setattr(PlantedCatalog, "order_lines", lambda self, order: [line(1, "a")])
    import_order("o1")
    assert not WaitingLine.objects.exists()


@pytest.mark.parametrize("days", [-400, -1, 1, 10, 4000])
@pytest.mark.parametrize("later", [1, 30, 24 * 12])
def test_a_clock_that_was_wrong_for_one_run_hides_no_later_order(shop, time_machine, days, later):
    import_purchases()
    at(time_machine, days=days, hours=1)
    import_purchases()
    shop.lines = [(START + timedelta(hours=2), line(1, "a", time=START + timedelta(hours=2)))]
    at(time_machine, hours=2 + later)
    import_purchases()
    assert imported() == ["purchase:1"]


def test_a_line_refused_while_the_clock_was_behind_is_imported_by_the_next_run(shop, time_machine):
    import_purchases()
    shop.lines = [(START, line(n, "a", time=START)) for n in range(3)]
    at(time_machine, days=-30)
    with pytest.raises(DataError, match="in the future"):
        import_purchases()
    assert WaitingLine.objects.count() == 3
    at(time_machine, days=60)
    import_purchases()
    assert len(imported()) == 3


def test_an_import_of_an_older_time_leaves_the_position_where_it_is_due(shop, time_machine):
    import_purchases()
    shop.lines = [(START, line(1, "a", time=START)), (START + timedelta(days=5), line(2, "b", time=START))]
    at(time_machine, days=9)
    assert import_purchases(since=START + timedelta(days=4)).purchases == 1
    assert import_purchases().purchases == 1
    assert import_purchases(everything=True).lines == 2


def test_the_outcome_of_each_import_is_stored(shop):
    shop.lines = [(START, line(1, "a")), (START, line(2, "a")._replace(price=Decimal(-1)))]
    import_purchases()
    outcome = Checkpoint.objects.get(name="orders").outcome
    assert (outcome["lines"], outcome["purchases"], outcome["skipped"]) == (2, 1, 1)
    assert outcome["time"].startswith(timezone.now().date().isoformat())
    shop.lines = [(START, line(n, "a")._replace(price=Decimal(-1))) for n in range(20)]
    with pytest.raises(DataError, match="All order lines were skipped"):
        import_purchases()
    assert "All order lines were skipped" in Checkpoint.objects.get(name="orders").outcome["error"]
