"""What a shop changes in an order after its import is followed, in both directions."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from ecomrec_django.history.export import export_history
from ecomrec_django.insights.daily_figures import measure
from ecomrec_django.models import Conversion, Correction, DailyTotal, Event, Impression, Item, Visitor
from ecomrec_django.privacy.erasure import erase
from ecomrec_django.privacy.export import sections
from ecomrec_django.tracking.importers.orders import import_order, import_purchases, join_guest
from ecomrec_django.tracking.visitors import guest_key, token_key, user_key
from tests.support.planted_shop import NOON, line

pytestmark = pytest.mark.django_db


def stored(kind="purchase"):
    rows = Event.objects.filter(kind=kind).order_by("key")
    return [
        (row.key.split(":")[1], row.item.external_id, row.quantity, row.price) for row in rows.select_related("item")
    ]


def kept():
    """Pieces bought less pieces given back."""
    return sum(row.quantity if row.kind == "purchase" else -row.quantity for row in Event.objects.all())


def exported(key):
    """The events that the shopper under this key is shown."""
    return [
        row
        for name, pages in sections(Visitor.objects.get(key=key))
        if name == "events"
        for page in pages
        for row in page
    ]


def totals():
    return {
        total.day.isoformat(): (total.orders, total.revenue)
        for total in DailyTotal.objects.order_by("day")
        if total.orders or total.revenue
    }


@pytest.fixture
def whole_orders(planted_shop, monkeypatch):
    monkeypatch.setattr(planted_shop, "whole_orders", True)
    return planted_shop


CHANGES = {
    "quantity": {"quantity": 5},
    "price": {"price": Decimal("1.23")},
    "item": {"item": "b"},
    "time": {"time": NOON + timedelta(days=2)},
    "owner": {"user": "2"},
    "guest": {"user": None},
    "order": {"order": "o2"},
    "part of a kit": {"part_of": "9"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("refunded", [0, 1])
def test_a_changed_line_is_as_if_it_had_been_so_from_the_start(planted_shop, change, refunded):
    def rows():
        names = ("key", "kind", "visitor__key", "item__external_id", "time", "quantity", "price", "basket", "component")
        return list(Event.objects.order_by("key").values_list(*names))

    before = line(1, "a", refunded=refunded)
    planted_shop.lines = [before, line(2, "c", order="o3")]
    assert import_purchases().changed == 0
    first = rows()
    planted_shop.lines = [before._replace(**change), line(2, "c", order="o3")]
    assert import_purchases().changed == 1
    changed = rows()
    assert import_purchases().changed == 0
    assert rows() == changed != first
    planted_shop.lines[0] = before
    assert import_purchases().changed == 1
    assert rows() == first
    Event.objects.all().delete()
    planted_shop.lines[0] = before._replace(**change)
    import_purchases()
    assert rows() == changed


def test_a_cancellation_and_a_refund_are_taken_back(planted_shop):
    for refunded, left in ((0, 3), (3, 0), (0, 3), (2, 1), (1, 2), (3, 0), (1, 2)):
        planted_shop.lines = [line(1, "a", quantity=3, refunded=refunded)]
        import_purchases()
        assert kept() == left


def test_fewer_pieces_than_were_returned_leave_nothing(planted_shop):
    planted_shop.lines = [line(1, "a", quantity=5, refunded=4)]
    import_purchases()
    planted_shop.lines = [line(1, "a", quantity=2, refunded=4)]
    import_purchases()
    assert kept() == 0


def test_prices_that_are_rounded_when_stored_are_not_changes(planted_shop):
    planted_shop.lines = [
        line(n, "a")._replace(price=price) for n, price in enumerate((Decimal(10) / 3, Decimal("2.345"), 0.1 + 0.2))
    ]
    import_purchases()
    assert import_purchases().changed == 0
    assert [row[3] for row in stored()] == [Decimal("3.33"), Decimal("2.34"), Decimal("0.30")]


def test_a_line_that_an_order_no_longer_has_is_removed(whole_orders):
    whole_orders.lines = [line(1, "a", refunded=1), line(2, "b"), line(3, "c", order="o2")]
    import_purchases()
    whole_orders.lines = [line(2, "b")]
    assert import_purchases().removed == 1
    assert [row[0] for row in stored()] == ["2", "3"]
    assert not stored("refund")


def test_a_line_moved_into_the_order_of_an_erased_account_leaves_its_own(whole_orders):
    whole_orders.lines = [line(1, "a", order="o1"), line(2, "b", user="2", order="o2"), line(3, "c", "o2", user="2")]
    import_purchases()
    erase([user_key("1")])
    # The account is gone; its order has taken over a line of another.
    whole_orders.lines = [line(1, "a", "o1", None), line(3, "c", "o1", None), line(2, "b", "o2", "2")]
    assert import_purchases().removed == 1
    assert [row[0] for row in stored()] == ["2"]


def test_lines_that_were_made_anew_replace_the_old_ones(whole_orders):
    whole_orders.lines = [line(n, "a") for n in (1, 2)]
    import_purchases()
    whole_orders.lines = [line(n, "a") for n in (3, 4)]
    import_purchases()
    assert [row[0] for row in stored()] == ["3", "4"]


def test_an_adapter_that_yields_changed_lines_alone_removes_none(planted_shop):
    planted_shop.lines = [line(1, "a"), line(2, "b")]
    import_purchases()
    planted_shop.lines = [line(2, "b", quantity=3)]
    assert import_purchases().removed == 0
    assert [row[0] for row in stored()] == ["1", "2"]


def test_an_order_in_several_chunks_keeps_all_of_its_lines(whole_orders, monkeypatch):
    monkeypatch.setattr("ecomrec_django.tracking.importers.orders.CHUNK", 2)
    whole_orders.lines = [line(n, "a", order=f"o{n % 2}") for n in range(7)]
    for _ in range(3):
        import_purchases()
        assert len(stored()) == 7
    whole_orders.lines = whole_orders.lines[:3] + whole_orders.lines[4:]
    assert import_purchases().removed == 1
    assert len(stored()) == 6


def test_a_line_that_is_refused_now_keeps_what_was_imported(whole_orders):
    whole_orders.lines = [line(1, "a"), line(2, "b")]
    import_purchases()
    whole_orders.lines = [line(1, "a"), line(2, "b", quantity=0)]
    report = import_purchases()
    assert (report.skipped, report.removed) == (1, 0)
    assert len(stored()) == 2


def test_an_order_that_moves_lines_to_a_new_one_is_split(whole_orders):
    whole_orders.lines = [line(1, "a"), line(2, "b", refunded=1)]
    import_purchases()
    whole_orders.lines = [line(1, "a"), line(2, "b", order="o2", refunded=1)]
    import_purchases()
    assert dict(Event.objects.values_list("key", "basket")) == {
        "purchase:1": "o1",
        "purchase:2": "o2",
        "refund:2:1": "o2",
    }


def test_an_order_that_is_saved_without_lines_is_emptied(planted_shop, monkeypatch):
    class Row:
        pk = "o1"

    monkeypatch.setattr(
        planted_shop, "order_lines", lambda self, order: [one for one in self.lines if one.order == order.pk]
    )
    planted_shop.lines = [line(1, "a"), line(2, "b", order="o2")]
    import_purchases()
    planted_shop.lines = []
    assert import_order(Row()).removed == 1
    assert [row[0] for row in stored()] == ["2"]


def test_a_deleted_products_line_keeps_its_item_and_follows_its_order(planted_shop):
    planted_shop.lines = [line(1, "a", quantity=3), line(2, "b")]
    import_purchases()
    planted_shop.lines = [line(1, None, quantity=3, refunded=2), line(2, None, quantity=4), line(3, None), line(4, "d")]
    report = import_purchases()
    assert [row[:3] for row in stored()] == [("1", "a", 3), ("2", "b", 4), ("4", "d", 1)]
    assert [row[:3] for row in stored("refund")] == [("1", "a", 2)]
    assert [str(reason) for reason in report.reasons] == [
        "1, such as 3 of order o1: its product was deleted before the line was imported."
    ]
    assert not Item.objects.filter(external_id__in=["None", ""]).exists()


def test_a_guests_order_that_an_account_claims_is_the_accounts(planted_shop):
    guest = line(1, "a", user=None, refunded=1)._replace(guest="h1")
    planted_shop.lines = [guest]
    join_guest("o1", token_key("cookie"))
    for claimed, owner in ((None, token_key("cookie")), ("7", user_key("7")), (None, token_key("cookie"))):
        planted_shop.lines = [guest._replace(user=claimed)]
        import_purchases()
        assert set(Event.objects.values_list("visitor__key", flat=True)) == {owner}


def test_what_a_shopper_exports_and_has_erased_follows_the_owner(planted_shop):
    planted_shop.lines = [line(1, "a", user=None)._replace(guest="h1")]
    import_purchases()
    planted_shop.lines = [line(1, "a", user="7")]
    import_purchases()
    assert len(exported(user_key("7"))) == 1
    assert not exported(guest_key("h1"))
    erase([guest_key("h1")])
    import_purchases()
    assert len(stored()) == 1
    erase([user_key("7")])
    import_purchases()
    assert not stored()


def test_revenue_of_past_days_follows(whole_orders):
    today = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
    first, second = today - timedelta(days=3), today - timedelta(days=2)
    days = [timezone.localdate(moment).isoformat() for moment in (first, second)]
    whole_orders.lines = [
        line(1, "a", quantity=4, time=first),
        line(2, "b", time=first),
        line(3, "c", order="o2", time=first),
        line(4, "d", order="o3", time=second),
    ]
    import_purchases()
    measure()
    assert totals() == {days[0]: (2, Decimal("15.00")), days[1]: (1, Decimal("2.50"))}
    whole_orders.lines = [
        line(1, "a", quantity=4, refunded=4, time=first),
        line(3, "c", order="o2", quantity=3, time=first),
        line(5, "e", order="o2", time=first),
        line(4, "d", order="o3", time=first),
    ]
    for _ in range(2):
        import_purchases()
        measure()
        assert totals() == {days[0]: (3, Decimal("12.50"))}
    whole_orders.lines = [line(1, "a", quantity=4, time=first), line(4, "d", order="o3", time=second)]
    import_purchases()
    whole_orders.lines = [line(1, "a", quantity=2, time=first), line(4, "d", order="o3", time=second)]
    import_purchases()
    measure()
    # The other order was not yielded, so it stays.
    assert totals() == {days[0]: (2, Decimal("15.00")), days[1]: (1, Decimal("2.50"))}
    assert not Correction.objects.exists()


def test_a_change_before_the_first_measure_is_not_subtracted(planted_shop):
    planted_shop.lines = [line(1, "a", quantity=4)]
    import_purchases()
    planted_shop.lines = [line(1, "a", quantity=3)]
    import_purchases()
    measure()
    assert totals() == {"2017-03-01": (1, Decimal("7.50"))}


def test_what_an_offer_earned_follows(planted_shop):
    now = timezone.now().replace(microsecond=0)
    planted_shop.lines = [line(1, "a", quantity=2, time=now)]
    import_purchases()
    shown = Impression.objects.create(
        visitor=Visitor.objects.get(key=user_key("1")),
        item=Item.objects.get(external_id="a"),
        strategy="bought_with",
        position=1,
        time=now - timedelta(hours=1),
        clicked=now - timedelta(minutes=50),
        key="1",
    )
    measure()
    for change, expected in (
        ({"quantity": 3}, [(3, Decimal("7.50"))]),
        ({"quantity": 3, "refunded": 1}, [(2, Decimal("5.00"))]),
        ({"quantity": 3, "refunded": 0}, [(3, Decimal("7.50"))]),
        ({"item": "b"}, []),
        ({"user": "2"}, []),
        ({}, [(2, Decimal("5.00"))]),
    ):
        planted_shop.lines = [line(1, "a", quantity=2, time=now)._replace(**change)]
        import_purchases()
        measure()
        assert list(Conversion.objects.values_list("quantity", "revenue")) == expected
    assert Conversion.objects.get().impression == shown


def test_the_history_is_rebuilt_with_the_change(planted_shop):
    planted_shop.lines = [line(1, "a"), line(2, "b", order="o2")]
    import_purchases()
    export_history()
    planted_shop.lines = [line(1, "a", quantity=7), line(2, "b", order="o2")]
    import_purchases()
    assert export_history().rebuilt == "exported events have changed since"
    assert export_history().rebuilt == ""


def test_orders_of_the_same_number_in_two_stores_are_two_baskets(whole_orders):
    lines = [line(n, "ab"[n % 2], order="1")._replace(store=f"s{n // 2}") for n in range(4)]
    whole_orders.lines = lines
    import_purchases()
    assert sorted(Event.objects.values_list("basket", flat=True)) == ["s0/1", "s0/1", "s1/1", "s1/1"]
    whole_orders.lines = lines[:1]
    assert import_purchases().removed == 1


@pytest.mark.parametrize("store", [None, 3, "Köln"])
def test_a_guest_of_one_store_is_not_joined_to_the_order_of_another(planted_shop, store):
    planted_shop.lines = [line(1, "a", order="1", user=None)._replace(store=store), line(2, "a", order="1", user=None)]
    join_guest(f"{store}/1", token_key("cookie"))
    import_purchases()
    owner = token_key("cookie") if store else None
    assert dict(Event.objects.values_list("key", "visitor__key")) == {"purchase:1": owner, "purchase:2": None}


def test_orders_whose_numbers_differ_in_case_stay_apart(whole_orders):
    whole_orders.lines = [line(1, "a", order="A1"), line(2, "a", order="a1")]
    import_purchases()
    whole_orders.lines = [line(2, "a", order="a1")]
    assert import_purchases().removed == 0
    assert len(stored()) == 2


@pytest.mark.parametrize(
    "bad", [{"currency": object()}, {"time": "yesterday"}, {"user": 1j}, {"order": 1.5}, {"price": "?"}]
)
def test_a_line_of_odd_types_stops_no_other(planted_shop, bad):
    planted_shop.lines = [line(1, "a")._replace(**bad), line(2, "a")]
    report = import_purchases()
    assert (report.skipped, report.purchases) == (1, 1)


def test_rates_that_fail_for_one_line_stop_no_other(planted_shop, monkeypatch):
    def rate(self, price, currency, time):
        return {"USD": price / 2}[currency]

    monkeypatch.setattr(planted_shop, "in_base_currency", rate)
    planted_shop.lines = [line(n, "a")._replace(currency=code) for n, code in enumerate(("USD", "EUR"))]
    report = import_purchases()
    assert (report.skipped, report.purchases) == (1, 1)
    assert "KeyError" in report.reasons[0].message
