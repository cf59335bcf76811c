"""What is stored is compared with all of the shop's orders, and corrected."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from ecomrec_django.errors import DataError
from ecomrec_django.models import Checkpoint, Event
from ecomrec_django.privacy.erasure import erase
from ecomrec_django.tracking.importers import reconciliation
from ecomrec_django.tracking.importers.orders import import_purchases
from ecomrec_django.tracking.importers.reconciliation import DayTotals, reconcile
from ecomrec_django.tracking.visitors import user_key
from tests.support.planted_shop import NOON, line

pytestmark = pytest.mark.django_db
DAY = NOON.date()


def imported():
    return sorted(Event.objects.values_list("key", flat=True))


def test_a_shop_that_agrees_is_left_as_it_is(planted_shop):
    planted_shop.lines = [line(n, "a", quantity=3, refunded=n) for n in range(3)]
    import_purchases()
    before = list(Event.objects.order_by("pk").values_list())
    result = reconcile()
    assert (result.stored, result.shop, result.remaining) == ({}, {}, {})
    assert list(Event.objects.order_by("pk").values_list()) == before


def test_a_day_that_differs_is_named_with_both_totals_and_corrected(planted_shop):
    planted_shop.lines = [line(1, "a", quantity=4, refunded=1), line(2, "b", time=NOON + timedelta(days=1))]
    import_purchases()
    planted_shop.lines = [line(1, "a", quantity=4), line(2, "b", time=NOON + timedelta(days=1)), line(3, "c")]
    result = reconcile()
    assert result.stored == {DAY: DayTotals(lines=1, pieces=3, revenue=Decimal("7.50"))}
    assert result.shop == {DAY: DayTotals(lines=2, pieces=5, revenue=Decimal("12.50"))}
    assert not result.remaining
    assert imported() == ["purchase:1", "purchase:2", "purchase:3"]


def test_deleted_orders_and_lines_are_removed_with_their_refunds(planted_shop):
    planted_shop.lines = [line(n, "a", order=f"o{n // 2}", refunded=n % 2) for n in range(6)]
    import_purchases()
    planted_shop.lines = planted_shop.lines[:1]
    assert reconcile().report.removed == 5
    assert imported() == ["purchase:0"]


def test_lines_in_many_chunks_are_all_met(planted_shop, monkeypatch):
    monkeypatch.setattr("ecomrec_django.tracking.importers.orders.CHUNK", 2)
    planted_shop.lines = [line(n, "a", order=f"o{n % 3}") for n in range(8)]
    import_purchases()
    assert reconcile().report.removed == 0
    del planted_shop.lines[3]
    assert reconcile().report.removed == 1


@pytest.mark.parametrize("order", ["", "o1"])
def test_a_refused_line_keeps_what_was_imported(planted_shop, order):
    planted_shop.lines = [line(1, "a", order=order), line(2, "b", order="o2")]
    import_purchases()
    planted_shop.lines[0] = line(1, "a", order=order, quantity=0)
    result = reconcile()
    assert imported() == ["purchase:1", "purchase:2"]
    assert result.remaining == {DAY: DayTotals(lines=2, pieces=2, revenue=Decimal("5.00"))}


def test_lines_without_an_order_are_compared_by_their_ids(planted_shop):
    planted_shop.lines = [line(n, "a", order="", refunded=1, quantity=2) for n in range(3)]
    import_purchases()
    planted_shop.lines = [line(0, "a", order="", quantity=2), line(1, "a", order="", refunded=1, quantity=2)]
    result = reconcile()
    assert (result.report.changed, result.report.removed, result.remaining) == (1, 1, {})


def test_what_was_erased_is_not_missed(planted_shop):
    planted_shop.lines = [line(1, "a", user="1"), line(2, "b", order="o2", user="2")]
    import_purchases()
    erase([user_key("1")])
    assert not reconcile().stored
    assert imported() == ["purchase:2"]


def test_a_loss_of_many_lines_is_refused_unless_accepted(planted_shop, monkeypatch):
    monkeypatch.setattr(reconciliation, "FEW", 2)
    planted_shop.lines = [line(n, "a") for n in range(10)]
    import_purchases()
    planted_shop.lines = planted_shop.lines[:7]
    with pytest.raises(DataError, match=r"no longer has 3 of the 10 order lines .* PlantedCatalog\.purchases"):
        reconcile()
    assert len(imported()) == 10
    assert "no longer has 3" in Checkpoint.objects.get(name="orders").outcome["error"]
    assert reconcile(accept_removals=True).report.removed == 3


def test_an_adapter_that_fails_removes_nothing(planted_shop):
    planted_shop.lines = [line(n, "a") for n in range(3)]
    import_purchases()

    def lines():
        yield line(0, "a")
        raise OSError("planted")

    planted_shop.lines = lines()
    with pytest.raises(DataError, match="planted"):
        reconcile()
    assert len(imported()) == 3


def test_the_command_says_what_differs(planted_shop, capsys):
    planted_shop.lines = [line(1, "a")]
    call_command("ecomrec_import_orders")
    assert "1 lines read: 1 purchases and 0 refunds imported" in capsys.readouterr().out
    planted_shop.lines = [line(1, "a", quantity=3)]
    call_command("ecomrec_import_orders", reconcile=True)
    said = capsys.readouterr().out
    assert "2017-03-01: 1 lines, 1 pieces, 2.50 were stored; the shop has 1 lines, 3 pieces, 7.50." in said
    call_command("ecomrec_import_orders", reconcile=True)
    assert "All days agree with the shop." in capsys.readouterr().out
    planted_shop.lines = [line(1, "a", quantity=0)]
    with pytest.raises(CommandError, match="All order lines were skipped"):
        call_command("ecomrec_import_orders", all=True)
    with pytest.raises(CommandError, match="--since 'soon' is not an ISO 8601 time"):
        call_command("ecomrec_import_orders", since="soon")
    planted_shop.lines = []
    call_command("ecomrec_import_orders", since="2017-03-01")
    assert planted_shop.asked[-1].isoformat() == "2017-03-01T00:00:00+00:00"
